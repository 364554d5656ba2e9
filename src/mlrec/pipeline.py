"""The commands that build a model, as functions: prepare, train, evaluate, and run for all of them.

Each takes a data directory and settings, and returns a frozen dataclass. `prepare` and `run` also take data frames.
Nothing here prints. A front end passes in a `Progress`, and `run` tells each step's result to a function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.model_folder import Model
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset import fetch as fetching
from mlrec.dataset import prepare as preparing
from mlrec.dataset.catalogue import FoundMovies, read_catalogue
from mlrec.dataset.finding import Table
from mlrec.dataset.frames import is_frame
from mlrec.dataset.sources import is_remote
from mlrec.errors import (
    EmptyResultError,
    InputError,
    PreparedDataMissingError,
    RawDataMissingError,
    SettingsError,
    StateError,
    shown,
    unfit,
)
from mlrec.evaluation import choosing, protocol
from mlrec.evaluation import gate as gating
from mlrec.evaluation.memory import Memory
from mlrec.evaluation.succession import succession
from mlrec.evaluation.warm_start import model_to_start_from, require_warm_start
from mlrec.ids import of_kind, public, rows_of
from mlrec.model import train as training
from mlrec.model.update import Updated as Updated
from mlrec.progress import Progress
from mlrec.progress_line import notebook_progress
from mlrec.results import EvaluateResult as EvaluateResult
from mlrec.results import NotEvaluated as NotEvaluated
from mlrec.results import PrepareResult as PrepareResult
from mlrec.results import RunResult as RunResult
from mlrec.results import Step as Step
from mlrec.results import TrainResult as TrainResult
from mlrec.serving.loop import logs_of, standing_swipes
from mlrec.serving.stores import open_store
from mlrec.settings import (
    DEFAULT_DATA_DIR,
    EvaluateSettings,
    GateSettings,
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

# The ends of names that no data directory has by accident.
_DATA_FILES = re.compile(r"\.(csv|tsv|txt|dat|jsonl|ndjson|parquet|zip|tar|gz|bz2|xz|zst)$", re.IGNORECASE)
_NO_MOVIES = "No file of movies was found, so no movies were added. To name one: --movies FILE"
_JUDGED: tuple[HeldOutSplit, ...] = ("val", "test")


def prepare(
    data: DataDir | Table | None = None,
    settings: PrepareSettings | None = None,
    *,
    data_dir: DataDir | None = None,
    ratings: Table | None = None,
    movies: Table | None = None,
    links: Table | None = None,
    raw: str | PathLike[str] | None = None,
    with_swipes: bool = False,
    store: str | PathLike[str] | None = None,
    spark: Spark | None = None,
    progress: Progress | None = None,
) -> PrepareResult:
    """Turn raw ratings into the prepared folder of a data directory, as `mlrec prepare` does.

    Users who are forgotten in the swipe store are left out. A store that does not exist yet counts as empty.

    Parameters
    ----------
    data
        The data directory, whose raw files are read; or ratings, as a data frame or a file. If `data_dir` is given too,
        `data` is always ratings.
    settings
        Defaults to `PrepareSettings()`.
    data_dir
        The data directory to write to: "data" by default.
    raw
        A folder or archive with the raw files. Defaults to `raw/` in the data directory.
    ratings, movies, links
        Single files or data frames, instead of those in `raw`. If ratings are given, `raw` is not looked at. A place is
        a file of any name, an archive with one, a folder of part files, or a pattern such as "logs/*.csv". A frame is
        one of pandas, polars, Arrow, DuckDB or another library with an Arrow C stream. In a frame, a column of whole
        numbers has ids that are whole numbers, and a column of text has ids that are texts. Named levels of a pandas
        index count as columns.
    with_swipes
        Whether to merge the swipes in the store into the ratings.
    store
        The swipe store, as `Recommender.open` takes it. Defaults to `users.db` in the data directory.
    spark
        The Spark session to prepare on. Without one, DuckDB does the work.
    progress
        Reports each step. None: a bar in a Jupyter notebook, and nothing elsewhere.

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
    workspace, given = _placed(data, data_dir, {"ratings": ratings, "movies": movies, "links": links})
    settings = converted("settings", settings, PrepareSettings | None)
    raw, store = _raw(raw), _store(store)
    progress = notebook_progress() if progress is None else progress
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
        **given,
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
    largest_loss: float = GateSettings.largest_loss,
    note: str | None = None,
    warm_start: bool = False,
    spark: Spark | None = None,
    progress: Progress | None = None,
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
        validation is not worse than that of the published model by more than `largest_loss` (see
        `mlrec.evaluation.gate`).
    largest_loss
        With "if-better", the largest loss that is accepted, as a share of the published model's figure: 0 to below 1.
    note
        A note about this training, up to 500 characters, which `mlrec models list` shows.
    warm_start
        Whether ALS begins with the movie factors of the published model, which saves time up to a few million ratings.
        If that model has learned from the held-out events, the one that was evaluated in its place is taken. The result
        then depends on that model too, and not only on the data and the settings.
    spark
        The Spark session to train on. Without one, `implicit` trains on this machine.
    progress
        Reports each stage and iteration. None: as in `prepare`.

    Raises
    ------
    SettingsError
        If an argument has the wrong type, if `publish` is "if-better" but the model is trained on the validation split,
        if the note is too long, or if the settings exclude a warm start.
    InputError
        If no data has been prepared, or there is nothing to train or to compare on.
    StateError
        If a factor is not finite, Spark fails, the published model cannot be read, there is no model that a warm start
        may start from, or another process is writing.
    """
    workspace = _workspace(data_dir)
    settings = converted("settings", settings, TrainSettings | None) or TrainSettings()
    is_gated = _is_gated(publish)
    largest_loss = GateSettings(largest_loss).largest_loss
    progress = notebook_progress() if progress is None else progress
    _require_spark(spark)
    if is_gated and settings.on == "all":
        raise SettingsError(
            "A model trained on all data cannot be compared with the published one.",
            "Run: mlrec run --final --publish-if-better",
        )
    warm_start = converted("warm_start", warm_start, bool)
    if is_gated:
        gating.require_gate(workspace)
    before = registry.published_id(workspace) if publish is True else None
    trained = training.train(
        workspace,
        settings,
        publish=publish is True,
        note=note,
        spark=spark,
        chooser=_chooser(workspace, settings),
        warm_start=_start(workspace, settings) if warm_start else None,
        progress=progress,
    )
    if not is_gated:
        return TrainResult(**vars(trained), compared_with_published=succession(workspace, before, trained.model_id))
    gate = gating.publish_if_better(
        workspace,
        trained.model_id,
        EvaluateSettings(threads=settings.threads),
        largest_loss=largest_loss,
        progress=progress,
    )
    return TrainResult(**vars(replace(trained, published=gate.passed)), gate=gate)


def evaluate(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    settings: EvaluateSettings | None = None,
    *,
    model_id: str | None = None,
    recommendations: Mapping[str, Table] | None = None,
    progress: Progress | None = None,
) -> EvaluateResult:
    """Evaluate a model of a data directory on a held-out split, as `mlrec evaluate` does.

    Parameters
    ----------
    data_dir
        The data directory.
    settings
        Defaults to `EvaluateSettings()`: validation, and liked movies as relevant.
    model_id
        Defaults to the published model.
    recommendations
        Name → lists that another system made, to be evaluated beside the model: a file or a data frame with columns
        user_id and movie_id, and rank or score. Without either, the rows of a user are in order. They are not saved.
    progress
        Reports the models that are trained, and the users that are done. None: as in `prepare`.

    Raises
    ------
    SettingsError
        If an argument has the wrong type, or if lists cannot have their name or be evaluated with this protocol.
    EmptyResultError
        If no user has a relevant held-out movie.
    InputError
        If lists cannot be read.
    StateError
        If there is no such model, the prepared data is not what it was trained on, or it was trained on the held-out
        events.
    """
    workspace = _workspace(data_dir)
    settings = converted("settings", settings, EvaluateSettings | None)
    model_id = converted("model_id", model_id, str | None)
    progress = notebook_progress() if progress is None else progress
    evaluation = protocol.evaluate(
        workspace, settings, model_id=model_id, recommendations=_lists(recommendations), progress=progress
    )
    return EvaluateResult(**vars(evaluation))


def update(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    *,
    movies: Table | None = None,
    links: Table | None = None,
    raw: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
    publish: bool = True,
    progress: Progress | None = None,
) -> Updated:
    """Bring the published model up to date without training, as `mlrec update` does.

    New movies of the movies file and the swipes in the store are taken in. Movies outside the core get new vectors,
    popularity is renewed, and users are folded in. The factors of the core stay as they are. The result is a new model.

    Parameters
    ----------
    data_dir
        The data directory.
    movies, links
        The file of movies as it is now, and that of links, as in `prepare`. Default to those in `raw`.
    raw
        A folder or archive with the raw files. Defaults to `raw/` in the data directory. Its ratings are not read.
    store
        The swipe store, as `Recommender.open` takes it. Defaults to `users.db` in the data directory.
    publish
        Whether to publish the new model, so that serving uses it from now on.
    progress
        Reports each stage. None: as in `prepare`.

    Raises
    ------
    SettingsError
        If an argument has the wrong type.
    InputError
        If the movies file cannot be read, has too many bad rows, or is that of other data.
    StateError
        If no model is published, it was trained by an earlier version, the store cannot be read, or another process is
        writing.
    """
    from mlrec.model import update as updating

    workspace = _workspace(data_dir)
    given = {name: _table(name, table) for name, table in (("movies", movies), ("links", links)) if table is not None}
    place, store, publish = _raw(raw), _store(store), converted("publish", publish, bool)
    progress = notebook_progress() if progress is None else progress
    if isinstance(place, str):
        raise SettingsError(f"{place} can be read only with Spark.", "Give the movies file of this machine: movies=…")
    model = registry.open_published(workspace)
    with workspace.writing("update") as scratch, closing(open_store(store, workspace)) as opened:
        found = _movies_now(workspace, model, place, given, scratch, progress)
        forgotten = public(of_kind(opened.forgotten(), model.user_id_kind))
        logs = logs_of(opened, model.user_id_kind, model.movie_id_kind, progress)
        return updating.update(
            workspace,
            logs,
            movies=None if found is None else found.movies,
            forgotten=forgotten,
            warnings=(_NO_MOVIES,) if found is None else found.warnings,
            publish=publish,
            progress=progress,
        )


def _movies_now(
    workspace: Workspace, model: Model, raw: Path | None, given: dict[str, Table], scratch: Path, progress: Progress
) -> FoundMovies | None:
    """The movies file as it is now; None if there is none."""
    try:
        manifest = read_manifest(workspace)
        settings, movie_name = manifest.settings, manifest.reading.columns.get("movie", "movieId")
    except PreparedDataMissingError:  # the model may have come from another machine
        settings, movie_name = PrepareSettings(), "movieId"
    try:
        found = read_catalogue(
            raw or workspace.raw,
            scratch,
            model.movie_id_kind,
            settings,
            movie_name=movie_name,
            **given,
            progress=progress,
        )
    except RawDataMissingError:
        if raw is not None or given:
            raise
        return None
    if found is not None and not (rows_of(model.movie_ids, found.movies.movie_id) >= 0).any():
        raise InputError(
            f"{found.file} has none of the {len(model.movie_ids):,} movies of the published model.",
            "Give the file of movies of the same data: mlrec update --movies FILE",
        )
    return found


def run(
    data: DataDir | Table | None = None,
    edition: str | None = None,
    *,
    data_dir: DataDir | None = None,
    ratings: Table | None = None,
    movies: Table | None = None,
    links: Table | None = None,
    source: str | None = None,
    raw: str | PathLike[str] | None = None,
    with_swipes: bool = False,
    store: str | PathLike[str] | None = None,
    final: bool = False,
    publish: Publish = True,
    largest_loss: float = GateSettings.largest_loss,
    note: str | None = None,
    warm_start: bool = False,
    prepare_settings: PrepareSettings | None = None,
    train_settings: TrainSettings | None = None,
    evaluate_settings: EvaluateSettings | None = None,
    spark: Spark | None = None,
    progress: Progress | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> RunResult:
    """Fetch, prepare, train and evaluate, as `mlrec run` does.

    Parameters
    ----------
    data, data_dir, ratings, movies, links
        As in `prepare`. Ratings and an edition exclude each other.
    edition
        A data set to fetch first, such as "demo" or "ml-20m".
    source
        Where to fetch it from. See `mlrec.dataset.fetch`.
    raw, with_swipes, store
        As in `prepare`.
    final
        Whether to train a second model, on all data, after the evaluated one, and to publish it in its place.
    note
        As in `train`. It is kept with each model.
    warm_start
        As in `train`, for each model.
    publish
        As in `train`. With "if-better" and `final`, the evaluated model is compared, and the final one published.
    largest_loss
        As in `train`.
    prepare_settings, train_settings, evaluate_settings
        The settings of each step. None means the defaults. Whatever the settings say, the first model is trained on the
        train split and evaluated on both held-out splits.
    spark
        The Spark session to prepare and train on. Without one, this machine does the work.
    progress
        Reports the work within each step. None: as in `prepare`.
    on_step
        Called with the result of each step as soon as the step ends.

    Raises
    ------
    SettingsError
        If an argument has the wrong type, if the note is too long, or if the settings exclude a warm start. Nothing has
        been fetched then.
    InputError, StateError
        As in `prepare`, `train` and `evaluate`. Completed steps are kept.
    """
    training.require_note(note)
    workspace, given = _placed(data, data_dir, {"ratings": ratings, "movies": movies, "links": links})
    is_gated, largest_loss = _is_gated(publish), GateSettings(largest_loss).largest_loss
    edition, source = converted("edition", edition, str | None), converted("source", source, str | None)
    if "ratings" in given and edition is not None:
        raise SettingsError(f"Both ratings and the edition {shown(edition)} were given.", "Choose one of the two.")
    raw, store = _raw(raw), _store(store)
    progress = notebook_progress() if progress is None else progress
    with_swipes, final = converted("with_swipes", with_swipes, bool), converted("final", final, bool)
    prepare_settings = converted("prepare_settings", prepare_settings, PrepareSettings | None)
    chosen = converted("train_settings", train_settings, TrainSettings | None) or TrainSettings()
    settings = replace(chosen, on="train")
    judging = converted("evaluate_settings", evaluate_settings, EvaluateSettings | None) or EvaluateSettings()
    _require_spark(spark)
    if warm_start := converted("warm_start", warm_start, bool):
        require_warm_start(workspace, settings)
    fetched = None
    if edition is not None:
        fetched = fetching.fetch(workspace, edition, source=source, progress=progress)
        on_step(fetched)
    prepared = prepare(
        settings=prepare_settings,
        data_dir=workspace,
        **given,
        raw=raw,
        with_swipes=with_swipes,
        store=store,
        spark=spark,
        progress=progress,
    )
    on_step(prepared)

    if is_gated:
        gating.require_gate(workspace)
    before = registry.published_id(workspace) if publish is True else None
    first = training.train(
        workspace,
        settings,
        publish=publish is True and not final,
        note=note,
        spark=spark,
        chooser=choosing.on_validation,
        warm_start=_start(workspace, settings) if warm_start else None,
        progress=progress,
    )
    gate = None
    if is_gated:
        judge = gating.is_not_worse if final else partial(gating.publish_if_better, keep_figures=False)
        gate = judge(workspace, first.model_id, judging, largest_loss=largest_loss, progress=progress)
        if final:
            gating.keep(workspace, first.model_id, gate)
        first = replace(first, published=gate.passed and not final)
    successor = None if final else succession(workspace, before, first.model_id)
    trained = TrainResult(**vars(first), gate=gate, compared_with_published=successor)
    on_step(trained)

    evaluations = []
    for judged in _evaluated(workspace, judging, trained.model_id, progress):
        if isinstance(judged, EvaluateResult):
            evaluations.append(judged)
        on_step(judged)

    last = None
    if final and (gate is None or gate.passed):
        on_all = replace(settings, on="all")
        everything = training.train(
            workspace,
            on_all,
            publish=publish is True,
            judged_by=trained.model_id,
            note=note,
            spark=spark,
            chooser=partial(choosing.as_chosen, first.choice),
            warm_start=_start(workspace, on_all) if warm_start else None,
            progress=progress,
        )
        if gate is not None:
            # The gate compared with the model that was published then. Meanwhile, another may have been published.
            published = registry.publish_in_place_of(workspace, gate.published, everything.model_id)
            everything = replace(everything, published=published)
        successor = succession(workspace, before, everything.model_id)
        last = TrainResult(**vars(everything), compared_with_published=successor)
        on_step(last)
    return RunResult(fetched, prepared, trained, tuple(evaluations), last)


def _evaluated(
    workspace: Workspace, judging: EvaluateSettings, model_id: str, progress: Progress
) -> Iterator[EvaluateResult | NotEvaluated]:
    """Evaluate a model on both held-out splits, for which baselines learn once."""
    memory = Memory()
    for split in _JUDGED:
        try:
            found = protocol.evaluate(
                workspace, replace(judging, split=split), model_id=model_id, memory=memory, progress=progress
            )
        except EmptyResultError as error:  # this says nothing against the model
            yield NotEvaluated(split, error.message)
        else:
            yield EvaluateResult(**vars(found))


def _chooser(workspace: Workspace, settings: TrainSettings) -> training.Chooser:
    """Choose on validation; or, where the model learns from it, take what was chosen for the published model."""
    if settings.on == "train":
        return choosing.on_validation
    choice = None
    with suppress(StateError):
        info = model_folder.read_info(registry.resolve(workspace))
        if info.prepared_fingerprint == read_manifest(workspace).fingerprint:
            choice = info.choice
    return partial(choosing.as_chosen, choice)


def _start(workspace: Workspace, settings: TrainSettings) -> Callable[[], Model]:
    """Open the model that a training starts from, when its turn has come."""
    return partial(model_to_start_from, workspace, settings)


def _workspace(data_dir: DataDir) -> Workspace:
    return data_dir if isinstance(data_dir, Workspace) else Workspace(as_path("data_dir", data_dir))


def _placed(
    data: DataDir | Table | None, data_dir: DataDir | None, tables: dict[str, Table | None]
) -> tuple[Workspace, dict[str, Table]]:
    """Where to write, and the tables that the caller hands over, if any. See `prepare`."""
    if data is not None and (data_dir is not None or _is_ratings(data)):
        if tables["ratings"] is not None:
            raise SettingsError("The ratings were given twice: as the first argument and as ratings.")
        tables = {**tables, "ratings": data}
        data = None
    if data is not None:
        data_dir = data
    workspace = _workspace(DEFAULT_DATA_DIR if data_dir is None else data_dir)
    return workspace, {role: _table(role, table) for role, table in tables.items() if table is not None}


def _is_ratings(data: object) -> bool:
    """Whether the only place given is ratings, and not a data directory: a frame, a file, or the name of one."""
    if is_frame(data):
        return True
    if isinstance(data, Workspace):
        return False
    path = as_path("data", data)
    return path.is_file() or (not path.exists() and _DATA_FILES.search(path.name) is not None)


def _table(role: str, table: Table) -> Table:
    """A data frame as it is, and a place as text."""
    if is_frame(table) or (isinstance(table, str) and is_remote(table)):
        return table
    try:
        return str(as_path(role, table))
    except SettingsError:
        raise unfit(role, "a path or a data frame", table) from None


def _lists(recommendations: Mapping[str, Table] | None) -> dict[str, Table]:
    """Lists of other systems by name: a data frame as it is, and a place as text."""
    if recommendations is None:
        return {}
    if not isinstance(recommendations, Mapping) or not all(isinstance(name, str) for name in recommendations):
        raise unfit("recommendations", "a dict of names and files or data frames", recommendations)
    return {name: _table("each value of recommendations", own) for name, own in recommendations.items()}


def _raw(raw: str | PathLike[str] | None) -> Path | str | None:
    """The place of the raw files: a path, or a URL that only Spark can read."""
    if raw is None or (isinstance(raw, str) and is_remote(raw)):
        return raw
    return as_path("raw", raw)


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
