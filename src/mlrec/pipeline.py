"""What the commands that build a model do, one function per command: prepare, train, evaluate, and run for all of them.

Each takes a data directory and settings, and returns a frozen dataclass. Nothing here prints: a front end hands in a
`Progress`, and to `run` a function that is told of each step as it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlrec.artifacts import registry
from mlrec.artifacts.documents import to_json
from mlrec.dataset import fetch as fetching
from mlrec.dataset import prepare as preparing
from mlrec.dataset.fetch import FetchResult
from mlrec.dataset.prepare import Prepared
from mlrec.errors import EmptyResultError, SettingsError, shown
from mlrec.evaluation import gate as gating
from mlrec.evaluation import protocol
from mlrec.evaluation.gate import Gate
from mlrec.evaluation.protocol import Evaluation
from mlrec.model import train as training
from mlrec.model.train import Trained
from mlrec.progress import SILENT, Progress
from mlrec.serving.loop import standing_swipes
from mlrec.serving.stores import open_store
from mlrec.settings import DEFAULT_DATA_DIR, EvaluateSettings, HeldOutSplit, PrepareSettings, TrainSettings
from mlrec.workspace import Workspace, as_path

if TYPE_CHECKING:
    from mlrec.spark.session import Spark

DataDir = str | PathLike[str] | Workspace
Publish = bool | Literal["if-better"]
"""Whether serving opens a new model from now on: yes, no, or only if it is not worse than the published one."""

_JUDGED: tuple[HeldOutSplit, ...] = ("val", "test")


@dataclass(frozen=True)
class PrepareResult(Prepared):
    """Outcome of `prepare`.

    Attributes
    ----------
    unmerged_swipes
        Swipes in the store that are not merged, because nobody asked for it.
    """

    unmerged_swipes: int = 0


@dataclass(frozen=True)
class TrainResult(Trained):
    """Outcome of `train`.

    Attributes
    ----------
    gate
        How the model compares with the published one; None unless it was to be published only if better.
    """

    gate: Gate | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec train --json` prints."""
        return to_json(self, without=("folder",) if self.gate else ("folder", "gate"))


@dataclass(frozen=True)
class NotEvaluated:
    """A held-out part on which the model could not be evaluated: small data may leave one empty.

    Attributes
    ----------
    split
        The part.
    reason
        Why, in one sentence.
    """

    split: HeldOutSplit
    reason: str


Step = FetchResult | PrepareResult | TrainResult | Evaluation | NotEvaluated
"""What `run` tells as it goes."""


@dataclass(frozen=True)
class RunResult:
    """Outcome of `run`.

    Attributes
    ----------
    fetched
        The data set; None if none was named.
    prepared
        The prepared folder.
    trained
        The model that learned from the train part and was evaluated.
    evaluations
        Of that model, on validation and test; a part that is empty is left out.
    final
        The model that learned from everything; None if it was not asked for, or the gate was not passed.
    """

    fetched: FetchResult | None
    prepared: PrepareResult
    trained: TrainResult
    evaluations: tuple[Evaluation, ...]
    final: TrainResult | None

    @property
    def gate(self) -> Gate | None:
        """How the evaluated model compares with the published one, if that was asked."""
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
    raw: Path | str | None = None,
    with_swipes: bool = False,
    store: str | None = None,
    spark: Spark | None = None,
    progress: Progress = SILENT,
) -> PrepareResult:
    """Turn raw ratings into the prepared folder of a data directory, as `mlrec prepare` does.

    Users who are forgotten in the store of swipes are left out. A store that does not exist yet is empty.

    Parameters
    ----------
    data_dir
        The data directory.
    settings
        Defaults to `PrepareSettings()`.
    raw
        A folder or zip archive with the raw files; by default `raw/` in the data directory.
    with_swipes
        Whether the swipes of the store are merged into the ratings.
    store
        The store of swipes, as `Recommender.open` takes it; by default `users.db` in the data directory.
    spark
        Where to work on the ratings, if not in DuckDB.
    progress
        Told of each step.

    Raises
    ------
    InputError
        If the raw files are missing, unreadable, bad in too many rows, or nothing is left of them.
    StateError
        If the store cannot be read, the disk or the memory limit does not suffice, Spark fails, or another process is
        writing.
    """
    workspace = _workspace(data_dir)
    with closing(open_store(store, workspace)) as opened:
        if with_swipes:
            swipes, unmerged = standing_swipes(opened, progress), 0
        else:
            counts = opened.counts()
            swipes, unmerged = None, counts.swipes - counts.undone
        # The blocklist last: whoever is forgotten while the swipes are read is on it.
        forgotten = opened.forgotten()
    prepared = preparing.prepare(
        workspace, settings, raw=raw, swipes=swipes, forgotten=forgotten, spark=spark, progress=progress
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
        Whether serving opens the model from now on. "if-better": only if its NDCG@10 on validation is not worse than
        that of the published model; see `mlrec.evaluation.gate`.
    note
        What to remember of this training, up to 500 characters; `mlrec models list` shows it.
    spark
        Where to learn, if not with `implicit` on this machine.
    progress
        Told of each stage and iteration.

    Raises
    ------
    SettingsError
        If the model is to be published only if it is better, but learns from the validation part; or the note is too
        long.
    InputError
        If nothing has been prepared, or there is nothing to learn from or to compare on.
    StateError
        If a factor is not finite, Spark fails, the published model cannot be read, or another process is writing.
    """
    workspace, settings = _workspace(data_dir), settings or TrainSettings()
    is_gated = _is_gated(publish)
    if is_gated and settings.on == "all":
        raise SettingsError(
            "A model that learns from everything cannot be compared with the published one.",
            "Use: mlrec run --final --publish-if-better",
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
    """Evaluate a model of a data directory on a held-out part, as `mlrec evaluate` does.

    Parameters
    ----------
    data_dir
        The data directory.
    settings
        Defaults to `EvaluateSettings()`: on validation, movies that the user liked.
    model_id
        By default the published model.
    progress
        Told of what learns, and of the users that are done.

    Raises
    ------
    EmptyResultError
        If no user has a relevant held-out movie.
    StateError
        If there is no such model, the prepared data is not what it was trained on, or it was trained on the answers.
    """
    return protocol.evaluate(_workspace(data_dir), settings, model_id=model_id, progress=progress)


def run(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    edition: str | None = None,
    *,
    source: str | None = None,
    raw: Path | str | None = None,
    with_swipes: bool = False,
    store: str | None = None,
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
        Where to fetch it from; see `mlrec.dataset.fetch`.
    raw, with_swipes, store
        As in `prepare`.
    final
        Whether a model that learns from everything is trained after the one that was evaluated, and published in its
        place.
    note
        As in `train`; it is kept with each model that is trained.
    publish
        As in `train`. With "if-better" and `final`, the evaluated model is compared, and the final one published.
    prepare_settings, train_settings, evaluate_settings
        Of each step; the defaults if None. The first model learns from the train part, and both held-out parts are
        evaluated, whatever the settings say.
    spark
        Where to prepare and to learn, if not on this machine.
    progress
        Told of the work within each step.
    on_step
        Told of the result of each step as soon as it is there.

    Raises
    ------
    InputError, StateError
        As in `prepare`, `train` and `evaluate`. What was complete before stays.
    """
    training.require_short(note)
    workspace, is_gated = _workspace(data_dir), _is_gated(publish)
    settings = replace(train_settings or TrainSettings(), on="train")
    judging = evaluate_settings or EvaluateSettings()
    fetched = None
    if edition is not None:
        fetched = fetching.fetch(workspace, edition, source=source, progress=progress)
        on_step(fetched)
    prepared = prepare(
        workspace, prepare_settings, raw=raw, with_swipes=with_swipes, store=store, spark=spark, progress=progress
    )
    on_step(prepared)

    if is_gated:
        gating.require_gate(workspace)
    first = training.train(
        workspace, settings, publish=publish is True and not final, note=note, spark=spark, progress=progress
    )
    gate = None
    if is_gated:
        judge = gating.is_not_worse if final else gating.publish_if_better
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
        except EmptyResultError as error:  # the model is none the worse for it
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
            # It was compared with the model that was published then; another one may have come meanwhile.
            published = registry.publish_in_place_of(workspace, gate.published, everything.model_id)
            everything = replace(everything, published=published)
        last = TrainResult(**vars(everything))
        on_step(last)
    return RunResult(fetched, prepared, trained, tuple(evaluations), last)


def _workspace(data_dir: DataDir) -> Workspace:
    return data_dir if isinstance(data_dir, Workspace) else Workspace(as_path("data_dir", data_dir))


def _is_gated(publish: Publish) -> bool:
    if not isinstance(publish, bool) and publish != "if-better":
        raise SettingsError(f"publish must be True, False or 'if-better', not {shown(publish)}.")
    return publish == "if-better"
