"""Training a model on the prepared folder, saving it and publishing it."""

from __future__ import annotations

import math
import platform
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlrec.artifacts import registry
from mlrec.artifacts.choice import Choice
from mlrec.artifacts.documents import to_json
from mlrec.artifacts.model_folder import Dimensions, ItemItemInfo, Model, ModelInfo
from mlrec.artifacts.prepared import Manifest, read_manifest
from mlrec.dataset.reading import HeldOut, Movies, PreparedData, read_held_out, read_movies, read_prepared
from mlrec.errors import SettingsError, shown
from mlrec.machine import available_threads, blas_threads
from mlrec.model.learn import Candidates, Learned, learn, start_values
from mlrec.model.matrix import Interactions, catalogue_of, core_matrix, number_rows, over_all_movies
from mlrec.model.warm_start import movie_start, require_same_length
from mlrec.progress import SILENT, Progress
from mlrec.ranking.fold_in import require_solvable
from mlrec.settings import FOLLOWING, TrainSettings
from mlrec.workspace import Workspace

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from mlrec.spark.session import Spark

_LONGEST_NOTE = 500
_VERSIONS_OF = ("mlrec", "implicit", "numpy", "scipy", "duckdb")


@dataclass(frozen=True)
class Ground:
    """What a choice on validation needs beside what has been learned.

    Attributes
    ----------
    interactions
        Rows of users and movies, and all events.
    held_out
        Reads the validation split.
    progress
        Is told about the choice.
    """

    interactions: Interactions
    held_out: Callable[[], HeldOut]
    progress: Progress


Chooser = Callable[[Ground, Candidates], tuple[TrainSettings, Choice | None]]
"""Chooses the settings that are left to the training; see `mlrec.model.learn.Choose`."""


@dataclass(frozen=True)
class Trained:
    """The result of a training run.

    Attributes
    ----------
    model_id
        Id of the new model.
    folder
        Its folder.
    published
        Whether serving opens it from now on.
    settings
        The training settings. What follows the amount of data is resolved to its value.
    seconds
        Wall-clock seconds of each stage.
    left_to_training
        The settings that the request left to the training.
    choice
        What was chosen on validation, and how the model does there; see `mlrec.evaluation.choosing`. None: nothing was.
    warm_start_from
        Id of the model whose movie factors the fit began with. None: it began anew.
    """

    model_id: str
    folder: Path
    published: bool
    settings: TrainSettings
    seconds: dict[str, float]
    left_to_training: tuple[str, ...] = ()
    choice: Choice | None = None
    warm_start_from: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec train --json` prints."""
        return to_json(self, without=("folder",))


def train(
    workspace: Workspace,
    settings: TrainSettings | None = None,
    *,
    publish: bool = True,
    judged_by: str | None = None,
    note: str | None = None,
    spark: Spark | None = None,
    chooser: Chooser | None = None,
    warm_start: Callable[[], Model] | None = None,
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
        Whether to publish the model, so that serving uses it from now on.
    judged_by
        Id of the model with the same settings that was evaluated in place of this one, if this one learns from all
        data.
    note
        A note about this training, up to 500 characters, which 'mlrec models list' shows.
    spark
        The Spark session to learn on. Without one, `implicit` learns on this machine. The data directory must be on a
        file system that all executors share.
    chooser
        Chooses the settings that are left to the training. None: they are the values to start from.
    warm_start
        Opens the model whose movie factors the fit begins with. None: it begins anew.
    progress
        Reports each stage and iteration.

    Raises
    ------
    SettingsError
        If the note is too long, if Spark cannot train with these settings or with a warm start, or if the vectors of
        the model to start from have another length.
    PreparedDataMissingError
        If nothing has been prepared.
    TrainingFailedError
        If a factor is not finite, or the fold-in has no solution. Nothing is saved.
    SparkFailedError
        If a job on Spark failed. Nothing is saved.
    """
    from scipy import sparse

    require_note(note)
    settings = settings or TrainSettings()
    require_solvable(settings.resolved(1).fold_in)
    if spark is not None:
        settings.without_start()
        if warm_start is not None:
            raise SettingsError(
                "Spark's ALS takes no factors to begin with, so it has no warm start.",
                "Train with the local engine, or without --warm-start.",
            )
    watch = _Stopwatch()
    read_manifest(workspace)  # fails before anything is written to what may be the wrong directory
    with workspace.writing("train") as scratch:
        if spark is not None:
            model, preferences = _build_on_spark(workspace, spark, settings, scratch, judged_by, watch.stage, chooser)
        else:
            with watch.stage("read"), progress.task("Reading prepared data"):
                data = read_prepared(workspace)
            model, preferences = build_model(
                data,
                settings,
                judged_by=judged_by,
                progress=progress,
                stage=watch.stage,
                chooser=chooser,
                warm_start=None if warm_start is None else warm_start(),
            )
        with watch.stage("save"), progress.task("Saving"):
            model = replace(model, info=replace(model.info, note=note, seconds=watch.seconds))
            files = registry.write_model(
                workspace, model, lambda file: sparse.save_npz(file, preferences, compressed=False)
            )
        if publish:
            registry.publish(workspace, model.model_id)
    info = model.info
    return Trained(
        model.model_id,
        files.root,
        publish,
        info.settings,
        watch.seconds,
        info.left_to_training,
        info.choice,
        info.warm_start_from,
    )


def require_note(note: str | None) -> None:
    """Raise a `SettingsError` if a note cannot be kept with a model: too long, or not text."""
    if note is None:
        return
    if not isinstance(note, str):
        raise SettingsError(f"note must be a string, not {shown(note)}.")
    if len(note) > _LONGEST_NOTE:
        raise SettingsError(f"The note has {len(note):,} characters; at most {_LONGEST_NOTE} are kept.")
    try:
        note.encode()
    except UnicodeEncodeError as error:
        raise SettingsError("The note is not valid text: it cannot be written as UTF-8.") from error


def for_data(settings: TrainSettings, manifest: Manifest) -> TrainSettings:
    """Return the settings for some data: without times, no event is newer than another, so nothing decays."""
    if manifest.reading.has_times:
        return settings
    return replace(settings, half_life=math.inf, item_item_half_life=math.inf, popularity_half_life=math.inf)


def build_model(
    data: PreparedData,
    settings: TrainSettings,
    *,
    judged_by: str | None = None,
    progress: Progress = SILENT,
    stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
    chooser: Chooser | None = None,
    warm_start: Model | None = None,
) -> tuple[Model, csr_matrix]:
    """Train a model in memory; nothing is written.

    Parameters
    ----------
    data
        The prepared data. All its users get rows, even those without an event in the splits learned from.
    settings
        How to train.
    judged_by
        See `train`.
    progress
        Reports iterations and users.
    stage
        Entered with the name of each stage: "arrange", and those of `learn`.
    chooser
        See `train`.
    warm_start
        The model whose movie factors the fit begins with. None: it begins anew.

    Returns
    -------
    Model
        The model, with a new id.
    csr_matrix
        The signed preferences that it learned from, float32 (users, movies).

    Raises
    ------
    EmptyResultError
        If the data has no liked movie.
    SettingsError, StateError
        If the fit cannot start from the model.
    TrainingFailedError
        If a factor is not finite.
    """
    settings = for_data(settings, data.manifest)
    if warm_start is not None:
        require_same_length(warm_start, settings)
    threads = settings.threads or available_threads()
    with blas_threads():
        with stage("arrange"):
            catalogue = data.movies.movie_id if settings.movies == "all" else None
            interactions = number_rows(data.events, settings.trained_on, catalogue)
            history = interactions.history.only(settings.trained_on)
            preferences = core_matrix(history, interactions.is_trained)
            start = None
            if warm_start is not None:
                start = movie_start(warm_start, interactions.movie_ids[interactions.is_trained])
        ground = Ground(interactions, partial(data.held_out, "val"), progress)
        learned = learn(
            history,
            preferences,
            interactions.is_trained,
            catalogue_of(data.movies, interactions.movie_ids).content,
            settings if start is None else settings.warm_started(int(np.count_nonzero(preferences.data > 0))),
            threads,
            progress=progress,
            stage=stage,
            choose=start_values if chooser is None else partial(chooser, ground),
            movie_start=start,
        )
    engine = {"name": "implicit", "version": version("implicit")}
    model = _assemble(
        data.manifest, data.movies, interactions, preferences, learned, settings, judged_by, engine, warm_start
    )
    return model, over_all_movies(preferences, interactions.is_trained)


def _build_on_spark(
    workspace: Workspace,
    spark: Spark,
    settings: TrainSettings,
    scratch: Path,
    judged_by: str | None,
    stage: Callable[[str], AbstractContextManager[object]],
    chooser: Chooser | None,
) -> tuple[Model, csr_matrix]:
    """Return the same as `build_model`, but learned on Spark. The caller must hold the write lock."""
    from mlrec.model.spark_als import learn_on_spark

    manifest = read_manifest(workspace)
    settings = for_data(settings, manifest)
    movies = read_movies(workspace)

    def choose(interactions: Interactions, candidates: Candidates) -> tuple[TrainSettings, Choice | None]:
        if chooser is None:
            return start_values(candidates)
        return chooser(Ground(interactions, partial(read_held_out, workspace, "val"), spark.progress), candidates)

    interactions, preferences, learned, engine = learn_on_spark(
        spark, workspace.prepared, manifest, movies, settings.without_start(), scratch, stage, choose
    )
    model = _assemble(manifest, movies, interactions, preferences, learned, settings, judged_by, engine)
    return model, preferences


def _assemble(
    manifest: Manifest,
    movies: Movies,
    interactions: Interactions,
    preferences: csr_matrix,
    learned: Learned,
    settings: TrainSettings,
    judged_by: str | None,
    engine: dict[str, Any],
    warm_start: Model | None = None,
) -> Model:
    """Assemble a model from what either engine learned. `settings` are those that were asked for."""
    left_to_size = set(settings.left_to_size)
    if warm_start is not None:
        left_to_size.add("iterations")  # so few are enough only after this start
    created_at = datetime.now(UTC)
    model_id = f"{created_at:%Y%m%dT%H%M%S}-als-{secrets.token_hex(2)}"
    return Model(
        model_id=model_id,
        info=ModelInfo(
            model_id=model_id,
            kind="als",
            created_at=created_at.isoformat(timespec="seconds"),
            settings=learned.settings,
            regularization_follows_data=settings.regularization is None,
            left_to_size=tuple(name for name in FOLLOWING if name in left_to_size),
            warm_start_from=None if warm_start is None else warm_start.model_id,
            fold_in=learned.settings.fold_in,
            item_item=_item_item_info(learned),
            left_to_training=settings.left_to_training,
            choice=learned.choice,
            random_seed=settings.random_seed,
            trained_on=settings.trained_on,
            engine=engine,
            judged_by=judged_by,
            prepared_fingerprint=manifest.fingerprint,
            user_offset=manifest.settings.user_offset,
            user_prefix=manifest.settings.user_prefix,
            dimensions=Dimensions(
                users=len(interactions.user_ids),
                movies=len(interactions.movie_ids),
                trained_movies=int(interactions.is_trained.sum()),
                factors=settings.factors,
                interactions=int(preferences.nnz),
            ),
            versions={name: version(name) for name in _VERSIONS_OF} | {"python": platform.python_version()},
        ),
        user_ids=interactions.user_ids,
        movie_ids=interactions.movie_ids,
        movie_factors=learned.movies.vectors,
        origin=learned.movies.origin,
        user_gram=learned.core.user_gram,
        user_vectors=learned.user_vectors,
        popularity=interactions.popularity,
        n_ratings=interactions.n_ratings,
        recent_share=learned.share,
        catalogue=catalogue_of(movies, interactions.movie_ids),
        history=interactions.history,
        item_item=learned.item_item,
    )


def _item_item_info(learned: Learned) -> ItemItemInfo | None:
    if learned.item_item is None or learned.item_item_size is None:
        return None
    return ItemItemInfo(learned.item_item.rule, **vars(learned.item_item_size))


class _Stopwatch:
    """Wall-clock seconds of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
