"""The commands that build a model, as functions: prepare, train, evaluate, and run for all of them.

Each takes a data directory and settings, and returns a frozen dataclass. Nothing here prints. A front end passes in a
`Progress`, and `run` takes a function that it calls with the result of each step.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlrec.artifacts import registry
from mlrec.artifacts.documents import to_json
from mlrec.dataset import fetch as fetching
from mlrec.dataset import prepare as preparing
from mlrec.dataset.fetch import FetchResult
from mlrec.dataset.prepare import Prepared
from mlrec.dataset.sources import is_remote
from mlrec.errors import EmptyResultError, SettingsError, unfit
from mlrec.evaluation import gate as gating
from mlrec.evaluation import protocol
from mlrec.evaluation.gate import Gate
from mlrec.evaluation.protocol import Evaluation
from mlrec.model import train as training
from mlrec.model.train import Trained
from mlrec.progress import SILENT, Progress
from mlrec.serving.loop import standing_swipes
from mlrec.serving.stores import open_store
from mlrec.settings import (
    DEFAULT_DATA_DIR,
    EvaluateSettings,
    HeldOutSplit,
    PrepareSettings,
    TrainSettings,
    converted,
)
from mlrec.workspace import Workspace, as_path

if TYPE_CHECKING:
    from mlrec.spark.session import Spark

DataDir = str | PathLike[str] | Workspace
Publish = bool | Literal["if-better"]
"""Whether to publish a new model: yes, no, or only if it is not worse than the published one."""

_JUDGED: tuple[HeldOutSplit, ...] = ("val", "test")


@dataclass(frozen=True)
class PrepareResult(Prepared):
    """The result of `prepare`.

    Attributes
    ----------
    unmerged_swipes
        Number of swipes in the store that were not merged, because `with_swipes` was False.
    """

    unmerged_swipes: int = 0


@dataclass(frozen=True)
class TrainResult(Trained):
    """The result of `train`.

    Attributes
    ----------
    gate
        How the model compares with the published one. None unless `publish` was "if-better".
    """

    gate: Gate | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec train --json` prints."""
        return to_json(self, without=("folder",) if self.gate else ("folder", "gate"))


@dataclass(frozen=True)
class NotEvaluated:
    """A held-out split on which the model could not be evaluated. In small data, a split may be empty.

    Attributes
    ----------
    split
        The held-out split.
    reason
        Why, in one sentence.
    """

    split: HeldOutSplit
    reason: str


Step = FetchResult | PrepareResult | TrainResult | Evaluation | NotEvaluated
"""The result of one step of `run`."""


@dataclass(frozen=True)
class RunResult:
    """The result of `run`.

    Attributes
    ----------
    fetched
        The data set that was fetched. None if no edition was given.
    prepared
        The prepared folder.
    trained
        The model that was trained on the train split and evaluated.
    evaluations
        Evaluations of that model on validation and test. An empty split is omitted.
    final
        The model that was trained on all data. None if `final` was False or the gate was not passed.
    """

    fetched: FetchResult | None
    prepared: PrepareResult
    trained: TrainResult
    evaluations: tuple[Evaluation, ...]
    final: TrainResult | None

    @property
    def gate(self) -> Gate | None:
        """How the evaluated model compares with the published one. None unless `publish` was "if-better"."""
        return self.trained.gate

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec run --json` prints."""
        document: dict[str, Any] = {} if self.fetched is None else {"fetch": to_json(self.fetched)}
        document["prepare"] = self.prepared.to_json()
        if self.gate is not None:
            document["gate"] = self.gate.to_json()
        document["train"] = replace(self.trained, gate=None).to_json()
        document["evaluate"] = {evaluation.split: evaluation.to_json() for evaluation in self.evaluations}
        if self.final is not None:
            document["final"] = self.final.to_json()
        return document


def prepare(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    settings: PrepareSettings | None = None,
    *,
    raw: str | PathLike[str] | None = None,
    ratings: str | PathLike[str] | None = None,
    movies: str | PathLike[str] | None = None,
    links: str | PathLike[str] | None = None,
    with_swipes: bool = False,
    store: str | PathLike[str] | None = None,
    spark: Spark | None = None,
    progress: Progress = SILENT,
) -> PrepareResult:
    """Turn raw ratings into the prepared folder of a data directory, as `mlrec prepare` does.

    Users who are forgotten in the swipe store are left out. A store that does not exist yet counts as empty.

    Parameters
    ----------
    data_dir
        The data directory.
    settings
        Defaults to `PrepareSettings()`.
    raw
        A folder or archive with the raw files. Defaults to `raw/` in the data directory.
    ratings, movies, links
        Single files, instead of those in `raw`: a file of any name, an archive with one, a folder of part files, or a
        pattern such as "logs/*.csv". If `ratings` is given, `raw` is not looked at.
    with_swipes
        Whether to merge the swipes in the store into the ratings.
    store
        The swipe store, as `Recommender.open` takes it. Defaults to `users.db` in the data directory.
    spark
        The Spark session to prepare on. Without one, DuckDB does the work.
    progress
        Reports each step.

    Raises
    ------
    SettingsError
        If an argument has the wrong type.
    InputError
        If the raw files are missing or unreadable, have too many bad rows, or leave no usable data.
    StateError
        If the store cannot be read, the disk or the memory limit is too small, Spark fails, or another process is
        writing.
    """
    workspace = _workspace(data_dir)
    settings = converted("settings", settings, PrepareSettings | None)
    raw, store = _raw(raw), _store(store)
    files = _files(ratings=ratings, movies=movies, links=links)
    with_swipes = converted("with_swipes", with_swipes, bool)
    _require_spark(spark)
    with closing(open_store(store, workspace)) as opened:
        if with_swipes:
            swipes, unmerged = standing_swipes(opened, progress), 0
        else:
            counts = opened.counts()
            swipes, unmerged = None, counts.swipes - counts.undone
        # The blocklist is read last, so that it has users who are forgotten while the swipes are read.
        forgotten = opened.forgotten()
    prepared = preparing.prepare(
        workspace,
        settings,
        raw=raw,
        **files,
        swipes=swipes,
        forgotten=forgotten,
        spark=spark,
        progress=progress,
    )
    return PrepareResult(**vars(prepared), unmerged_swipes=unmerged)


def train(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    settings: TrainSettings | None = None,
    *,
    publish: Publish = True,
    note: str | None = None,
    spark: Spark | None = None,
    progress: Progress = SILENT,
) -> TrainResult:
    """Train a model on the prepared folder of a data directory, save it, and publish it, as `mlrec train` does.

    Parameters
    ----------
    data_dir
        The data directory.
    settings
        Defaults to `TrainSettings()`.
    publish
        Whether to publish the model, so that serving uses it from now on. "if-better": only if its NDCG@10 on
        validation is not worse than that of the published model (see `mlrec.evaluation.gate`).
    note
        A note about this training, up to 500 characters, which `mlrec models list` shows.
    spark
        The Spark session to train on. Without one, `implicit` trains on this machine.
    progress
        Reports each stage and iteration.

    Raises
    ------
    SettingsError
        If an argument has the wrong type, if `publish` is "if-better" but the model is trained on the validation split,
        or if the note is too long.
    InputError
        If no data has been prepared, or there is nothing to train or to compare on.
    StateError
        If a factor is not finite, Spark fails, the published model cannot be read, or another process is writing.
    """
    workspace = _workspace(data_dir)
    settings = converted("settings", settings, TrainSettings | None) or TrainSettings()
    is_gated = _is_gated(publish)
    _require_spark(spark)
    if is_gated and settings.on == "all":
        raise SettingsError(
            "A model trained on all data cannot be compared with the published one.",
            "Run: mlrec run --final --publish-if-better",
        )
    if is_gated:
        gating.require_gate(workspace)
    trained = training.train(workspace, settings, publish=publish is True, note=note, spark=spark, progress=progress)
    if not is_gated:
        return TrainResult(**vars(trained))
    gate = gating.publish_if_better(
        workspace, trained.model_id, EvaluateSettings(threads=settings.threads), progress=progress
    )
    return TrainResult(**vars(replace(trained, published=gate.passed)), gate=gate)


def evaluate(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    settings: EvaluateSettings | None = None,
    *,
    model_id: str | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Evaluate a model of a data directory on a held-out split, as `mlrec evaluate` does.

    Parameters
    ----------
    data_dir
        The data directory.
    settings
        Defaults to `EvaluateSettings()`: validation, and liked movies as relevant.
    model_id
        Defaults to the published model.
    progress
        Reports the models that are trained, and the users that are done.

    Raises
    ------
    SettingsError
        If an argument has the wrong type.
    EmptyResultError
        If no user has a relevant held-out movie.
    StateError
        If there is no such model, the prepared data is not what it was trained on, or it was trained on the held-out
        events.
    """
    workspace = _workspace(data_dir)
    settings = converted("settings", settings, EvaluateSettings | None)
    model_id = converted("model_id", model_id, str | None)
    return protocol.evaluate(workspace, settings, model_id=model_id, progress=progress)


def run(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    edition: str | None = None,
    *,
    source: str | None = None,
    raw: str | PathLike[str] | None = None,
    ratings: str | PathLike[str] | None = None,
    movies: str | PathLike[str] | None = None,
    links: str | PathLike[str] | None = None,
    with_swipes: bool = False,
    store: str | PathLike[str] | None = None,
    final: bool = False,
    publish: Publish = True,
    note: str | None = None,
    prepare_settings: PrepareSettings | None = None,
    train_settings: TrainSettings | None = None,
    evaluate_settings: EvaluateSettings | None = None,
    spark: Spark | None = None,
    progress: Progress = SILENT,
    on_step: Callable[[Step], None] = lambda _: None,
) -> RunResult:
    """Fetch, prepare, train and evaluate, as `mlrec run` does.

    Parameters
    ----------
    data_dir
        The data directory.
    edition
        A data set to fetch first, such as "demo" or "ml-20m".
    source
        Where to fetch it from. See `mlrec.dataset.fetch`.
    raw, ratings, movies, links, with_swipes, store
        As in `prepare`.
    final
        Whether to train a second model, on all data, after the evaluated one, and to publish it in its place.
    note
        As in `train`. It is kept with each model.
    publish
        As in `train`. With "if-better" and `final`, the evaluated model is compared, and the final one published.
    prepare_settings, train_settings, evaluate_settings
        The settings of each step. None means the defaults. Whatever the settings say, the first model is trained on the
        train split and evaluated on both held-out splits.
    spark
        The Spark session to prepare and train on. Without one, this machine does the work.
    progress
        Reports the work within each step.
    on_step
        Called with the result of each step as soon as the step ends.

    Raises
    ------
    SettingsError
        If an argument has the wrong type, or if the note is too long. Nothing has been fetched then.
    InputError, StateError
        As in `prepare`, `train` and `evaluate`. Completed steps are kept.
    """
    training.require_note(note)
    workspace, is_gated = _workspace(data_dir), _is_gated(publish)
    edition, source = converted("edition", edition, str | None), converted("source", source, str | None)
    raw, store = _raw(raw), _store(store)
    files = _files(ratings=ratings, movies=movies, links=links)
    with_swipes, final = converted("with_swipes", with_swipes, bool), converted("final", final, bool)
    prepare_settings = converted("prepare_settings", prepare_settings, PrepareSettings | None)
    chosen = converted("train_settings", train_settings, TrainSettings | None) or TrainSettings()
    settings = replace(chosen, on="train")
    judging = converted("evaluate_settings", evaluate_settings, EvaluateSettings | None) or EvaluateSettings()
    _require_spark(spark)
    fetched = None
    if edition is not None:
        fetched = fetching.fetch(workspace, edition, source=source, progress=progress)
        on_step(fetched)
    prepared = prepare(
        workspace,
        prepare_settings,
        raw=raw,
        **files,
        with_swipes=with_swipes,
        store=store,
        spark=spark,
        progress=progress,
    )
    on_step(prepared)

    if is_gated:
        gating.require_gate(workspace)
    first = training.train(
        workspace, settings, publish=publish is True and not final, note=note, spark=spark, progress=progress
    )
    gate = None
    if is_gated:
        judge = gating.is_not_worse if final else partial(gating.publish_if_better, keep_figures=False)
        gate = judge(workspace, first.model_id, judging, progress=progress)
        first = replace(first, published=gate.passed and not final)
    trained = TrainResult(**vars(first), gate=gate)
    on_step(trained)

    evaluations = []
    for split in _JUDGED:
        try:
            evaluation = protocol.evaluate(
                workspace, replace(judging, split=split), model_id=trained.model_id, progress=progress
            )
        except EmptyResultError as error:  # this says nothing against the model
            on_step(NotEvaluated(split, error.message))
        else:
            evaluations.append(evaluation)
            on_step(evaluation)

    last = None
    if final and (gate is None or gate.passed):
        everything = training.train(
            workspace,
            replace(settings, on="all"),
            publish=publish is True,
            judged_by=trained.model_id,
            note=note,
            spark=spark,
            progress=progress,
        )
        if gate is not None:
            # The gate compared with the model that was published then. Meanwhile, another may have been published.
            published = registry.publish_in_place_of(workspace, gate.published, everything.model_id)
            everything = replace(everything, published=published)
        last = TrainResult(**vars(everything))
        on_step(last)
    return RunResult(fetched, prepared, trained, tuple(evaluations), last)


def _workspace(data_dir: DataDir) -> Workspace:
    return data_dir if isinstance(data_dir, Workspace) else Workspace(as_path("data_dir", data_dir))


def _raw(raw: str | PathLike[str] | None) -> Path | str | None:
    """The place of the raw files: a path, or a URL that only Spark can read."""
    if raw is None or (isinstance(raw, str) and is_remote(raw)):
        return raw
    return as_path("raw", raw)


def _files(**places: str | PathLike[str] | None) -> dict[str, str | None]:
    """The places of single files, by role."""
    return {
        role: place if place is None or is_remote(str(place)) else str(as_path(role, place))
        for role, place in places.items()
    }


def _store(store: str | PathLike[str] | None) -> str | None:
    if not isinstance(store, str | PathLike | None):
        raise unfit("store", "the name of a store", store)
    return None if store is None else str(store)


def _require_spark(spark: Spark | None) -> None:
    if spark is None:
        return
    from mlrec.spark.session import Spark

    converted("spark", spark, Spark)


def _is_gated(publish: Publish) -> bool:
    if not isinstance(publish, bool) and publish != "if-better":
        raise unfit("publish", "True, False or 'if-better'", publish)
    return publish == "if-better"
