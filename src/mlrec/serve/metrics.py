"""What the service measures of itself, for Prometheus.

With several workers, `prometheus_client` keeps the counts of each in a file. Whichever worker is asked adds them up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from mlrec.errors import IncompatibleFormatError, MlrecError, StoreUnavailableError
from mlrec.serve.pool import Pool, Together

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that names the folder of counts of several workers. It must be set before the first import."""
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """The metrics of one worker."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mlrec_requests", "Requests answered.", ["method", "path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "mlrec_request_seconds",
            "Time from a request to the end of its answer.",
            ["method", "path"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.swipes = Counter(
            "mlrec_swipes",
            "Swipes stored, by kind, and by the source of the card if the request names it. Repeats do not count.",
            ["kind", "source"],
            registry=self.registry,
        )
        self.undone = Counter("mlrec_undone_swipes", "Swipes undone.", registry=self.registry)
        self.lists = Counter(
            "mlrec_lists",
            "Lists answered: personal, or cold for users whose taste is unknown.",
            ["taste"],
            registry=self.registry,
        )
        self.store_errors = Counter(
            "mlrec_store_errors", "Calls that the store of swipes failed.", ["reason"], registry=self.registry
        )
        self.refused = Counter(
            "mlrec_refused", "Requests refused before any work was done.", ["reason"], registry=self.registry
        )

    def count_fault(self, error: MlrecError) -> None:
        """Count an error of the store."""
        if isinstance(error, StoreUnavailableError):
            self.store_errors.labels("unavailable").inc()
        elif isinstance(error, IncompatibleFormatError):
            self.store_errors.labels("damaged").inc()

    def page(self, model_id: str, model_created: float, pools: Iterable[Pool | Together[Any, Any]]) -> bytes:
        """Everything as text for Prometheus: counts of all workers, and the state of the one that is asked."""
        if folder := os.environ.get(SHARED_FOLDER):
            counts = CollectorRegistry()
            multiprocess.MultiProcessCollector(counts, path=folder)  # type: ignore[no-untyped-call]
        else:
            counts = self.registry
        state = CollectorRegistry()
        model = Gauge("mlrec_model_info", "The model that this worker serves.", ["model_id"], registry=state)
        model.labels(model_id).set(1)
        Gauge("mlrec_model_age_seconds", "Age of that model.", registry=state).set(time.time() - model_created)
        Gauge("mlrec_worker_pid", "Process that answered this request.", registry=state).set(os.getpid())
        pending = Gauge("mlrec_pending_calls", "Calls that run or wait in this worker.", ["pool"], registry=state)
        for pool in pools:
            pending.labels(pool.name).set(pool.pending)
        return bytes(generate_latest(counts) + generate_latest(state))
