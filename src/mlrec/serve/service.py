"""What one worker serves with: a recommender, threads for its calls, keys, limits and metrics."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from mlrec.errors import MlrecError
from mlrec.machine import blas_threads
from mlrec.serve.keys import Keys, Sessions
from mlrec.serve.metrics import Metrics
from mlrec.serve.pool import Pool, Together
from mlrec.serve.rate_limit import RateLimit
from mlrec.serving.recommender import Recommender
from mlrec.settings import ServiceSettings

T = TypeVar("T")

_log = logging.getLogger(__name__)

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
# More threads answer less: they compute in turn, and wait for each other.
_READERS, _WAITING_READERS = 2, 512
_WRITERS, _WAITING_WRITERS = 2, 64
_TOGETHER = 32  # swipes that are stored in one go
_SWITCH_SECONDS = 0.001
_PROBE_SECONDS = 5.0


class Service:
    """Everything that the routes of one worker share.

    Parameters
    ----------
    settings
        How to serve.
    secret
        What the cookies of sessions are signed with; the same in all workers.
    rate_table
        The file of `RateLimit`, if there is a limit.
    """

    def __init__(self, settings: ServiceSettings, secret: bytes, rate_table: Path | None = None) -> None:
        self.settings = settings
        # Several threads share this process. BLAS threads of each would wait for each other (30 times fewer lists on
        # two cores), and the event loop would wait up to 5 ms whenever a thread computes.
        self._blas = blas_threads()
        sys.setswitchinterval(_SWITCH_SECONDS)
        self.keys = Keys(settings.api_key_file)
        self.metrics = Metrics()
        limit = settings.rate_limit
        self.rate_limit = None if not limit or rate_table is None else RateLimit(limit, rate_table)
        self.hosts = None if self.keys.are_needed else {*LOOPBACK_NAMES, *settings.allowed_hosts}
        self.security_headers = _security_headers(settings.poster_url)
        self.recommender = open_recommender(settings)
        self.sessions = Sessions(secret, self.recommender.user_id_kind)
        seconds = settings.wait_seconds + 1
        self.reading = Pool("reading", _READERS, _WAITING_READERS, seconds)
        self.writing = Pool("writing", _WRITERS, _WAITING_WRITERS, seconds)
        self.swipes = Together("swipes", self.writing, self.recommender.update_users, _TOGETHER, _WAITING_WRITERS)
        self._probed_at = -_PROBE_SECONDS
        self._probe: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self.store_fault = ""
        self.is_stopping = False

    async def read(self, call: Callable[..., T], *arguments: object, **options: object) -> T:
        """Call what reads."""
        return await self.reading.run(partial(call, *arguments, **options))

    async def write(self, call: Callable[..., T], *arguments: object, **options: object) -> T:
        """Call what writes."""
        return await self.writing.run(partial(call, *arguments, **options))

    def look_at_store(self) -> None:
        """From time to time, try in the background whether the store can be read. Waits for nothing."""
        now = time.monotonic()
        if now - self._probed_at >= _PROBE_SECONDS and (self._probe is None or self._probe.done()):
            self._probed_at = now
            self._probe = asyncio.get_running_loop().create_task(self._try_store())

    async def _try_store(self) -> None:
        try:
            await self.read(self.recommender.is_forgotten, _NOBODY[self.recommender.user_id_kind])
            self.store_fault = ""
        except MlrecError as error:
            self.store_fault = error.message
            self.metrics.count_fault(error)
        except Exception as error:  # a full pool: readers wait for the store
            self.store_fault = str(error)

    def metrics_page(self) -> bytes:
        """Everything measured, as text for Prometheus."""
        about = self.recommender.model_summary()
        created = datetime.fromisoformat(about.created_at).timestamp()
        return self.metrics.page(about.model_id, created, (self.reading, self.writing, self.swipes))

    async def start(self) -> None:
        """Look for new models from now on, and take signals: SIGHUP reads the keys again."""
        self._looking = asyncio.create_task(self._look_for_models())
        if self.keys.are_needed:
            with suppress(RuntimeError, ValueError):  # not in the main thread, as in some tests
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.keys.reload)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # one that came while a worker began

    async def _look_for_models(self) -> None:
        """Turn to a newly published model even if nobody asks: the first who does should not get the former one."""
        while True:
            await asyncio.sleep(self.settings.refresh_seconds / 4)  # the library looks when it is time
            with suppress(Exception):  # a full pool; the next look comes soon
                await self.read(self.recommender.model_summary)

    async def stop(self) -> None:
        """Let go of threads, model and store. Calls that still run get the time that a request would wait for them."""
        self.is_stopping = True
        if self._looking is not None:
            self._looking.cancel()
        self.reading.close()
        self.writing.close()
        until = time.monotonic() + self.settings.wait_seconds
        while self.reading.pending + self.writing.pending:
            if time.monotonic() > until:
                _log.error("The store of swipes does not answer. The service ends without waiting for it.")
                os._exit(1)  # Python would wait for the threads for ever
            await asyncio.sleep(0.02)
        self.recommender.close()


def open_recommender(settings: ServiceSettings) -> Recommender:
    """Open the model and the store that a service serves. Raises the errors of `Recommender.open`."""
    return Recommender.open(settings.data_dir, model=settings.model, store=settings.store, settings=settings.serve)


_NOBODY: Mapping[str, int | str] = {"integer": -1, "text": "nobody"}


def _security_headers(poster_url: str | None) -> dict[str, str]:
    images = "'self' data:"
    if poster_url is not None:
        parts = urlsplit(poster_url)
        images += f" {parts.scheme}://{parts.netloc}"
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
    }
