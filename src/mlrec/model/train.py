"""The prepared folder to a published model folder."""

from __future__ import annotations

import platform
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from mlrec.artifacts import models
from mlrec.artifacts.models import Model
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.reading import read_prepared
from mlrec.model.learn import learn
from mlrec.model.matrix import catalogue_of, number_rows, signed_matrix
from mlrec.progress import SILENT, Progress
from mlrec.settings import SPLITS, SplitName, TrainSettings, available_threads
from mlrec.workspace import Workspace

_VERSIONS_OF = ("mlrec", "implicit", "numpy", "scipy", "duckdb")


@dataclass(frozen=True)
class Trained:
    """Outcome of a training.

    Attributes
    ----------
    model_id
        Id of the new model.
    folder
        Its folder.
    published
        Whether it is the one that serving opens now.
    settings
        What it was trained with; a regularization that follows the data has its value.
    seconds
        Wall-clock seconds of each stage.
    """

    model_id: str
    folder: Path
    published: bool
    settings: TrainSettings
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec train --json` prints."""
        return {
            "model_id": self.model_id,
            "published": self.published,
            "settings": self.settings.to_json(),
            "seconds": self.seconds,
        }


def train(
    workspace: Workspace,
    settings: TrainSettings | None = None,
    *,
    publish: bool = True,
    judged_by: str | None = None,
    progress: Progress = SILENT,
) -> Trained:
    """Train a model on a workspace's prepared folder, save it, and publish it.

    Parameters
    ----------
    workspace
        The data directory.
    settings
        Defaults to `TrainSettings()`.
    publish
        Whether serving shall use the model from now on.
    judged_by
        Id of a model of the same settings that was evaluated in this one's place, if this one learns from everything.
    progress
        Told of each stage and iteration.

    Raises
    ------
    PreparedDataMissingError
        If nothing has been prepared.
    TrainingFailedError
        If a factor is not finite; nothing is saved then.
    """
    from scipy import sparse

    settings = settings or TrainSettings()
    threads = settings.threads or available_threads()
    watch = _Stopwatch()
    read_manifest(workspace)  # before anything is written to a directory that may be the wrong one
    with workspace.writing("train"), threadpool_limits(1, user_api="blas"):
        with watch.stage("read"), progress.task("Reading prepared data"):
            data = read_prepared(workspace)
            trained_on: tuple[SplitName, ...] = SPLITS if settings.on == "all" else ("train",)
            interactions = number_rows(data.events, trained_on)
            history = interactions.history.only(trained_on)
            preferences = signed_matrix(history, len(interactions.movie_ids))
        learned = learn(history, preferences, settings, threads, progress=progress, stage=watch.stage)
        with watch.stage("save"), progress.task("Saving"):
            created_at = datetime.now(UTC)
            model = Model(
                model_id=f"{created_at:%Y%m%dT%H%M%S}-als-{secrets.token_hex(2)}",
                info={
                    "kind": "als",
                    "created_at": created_at.isoformat(timespec="seconds"),
                    "settings": learned.settings.to_json(),
                    "regularization_follows_data": settings.regularization is None,
                    "fold_in": learned.settings.fold_in.to_json(),
                    "random_seed": settings.random_seed,
                    "trained_on": list(trained_on),
                    "judged_by": judged_by,
                    "prepared_fingerprint": data.manifest["fingerprint"],
                    "user_offset": data.manifest["settings"]["user_offset"],
                    "dimensions": {
                        "users": len(interactions.user_ids),
                        "movies": len(interactions.movie_ids),
                        "factors": settings.factors,
                        "interactions": int(preferences.nnz),
                    },
                    "seconds": watch.seconds,
                    "versions": {name: version(name) for name in _VERSIONS_OF} | {"python": platform.python_version()},
                },
                user_ids=interactions.user_ids,
                movie_ids=interactions.movie_ids,
                movie_factors=learned.movie_factors,
                user_vectors=learned.user_vectors,
                popularity=interactions.popularity,
                catalogue=catalogue_of(data.movies, interactions.movie_ids),
                history=interactions.history,
            )
            files = models.write_model(
                workspace, model, lambda file: sparse.save_npz(file, preferences, compressed=False)
            )
        if publish:
            models.publish(workspace, model.model_id)
    return Trained(model.model_id, files.root, publish, learned.settings, watch.seconds)


class _Stopwatch:
    """Wall-clock seconds of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
