"""mlrec run: fetch, prepare, train and evaluate in one command."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import evaluation_tables, exit_codes, reading, render
from mlrec.cli.commands import fetch as fetch_command
from mlrec.cli.commands import prepare as prepare_command
from mlrec.cli.commands import train as train_command
from mlrec.cli.engine import Engine, SparkConf, SparkMaster, opened
from mlrec.cli.options import (
    DATA_DIR_DEFAULT,
    AsJson,
    DataDir,
    RandomSeed,
    StoreName,
    TrainThreads,
    examples,
    training_settings,
)
from mlrec.cli.progress import progress
from mlrec.cli.public_ids import recommend_example
from mlrec.evaluation import wording
from mlrec.settings import DEFAULT_ENGINE, DEFAULT_PRESET, EvaluateSettings, PrepareSettings

if TYPE_CHECKING:
    from mlrec.evaluation.protocol import Evaluation
    from mlrec.pipeline import RunResult, Step

EXAMPLES = examples(
    "mlrec run demo",
    "mlrec run ml-20m",
    "mlrec run --ratings ~/Downloads/rating.csv --movies ~/Downloads/anime.csv",
    "mlrec run --final",
    "mlrec run --final --with-swipes --publish-if-better",
    "mlrec run --final --with-swipes --publish-if-better --exit-code --note nightly",
    "mlrec run --final --with-swipes --warm-start",
    "mlrec run --preset baseline",
    "mlrec run demo --engine spark",
)


def run(
    ctx: typer.Context,
    edition: Annotated[
        str | None,
        typer.Argument(help="Data set to fetch first (see 'mlrec fetch --help').", show_default=False),
    ] = None,
    final: Annotated[
        bool,
        typer.Option("--final", help="After the evaluation, train a final model on all data and publish that one."),
    ] = False,
    publish_if_better: train_command.PublishIfBetter = False,
    largest_loss: train_command.LargestLoss = None,
    exit_code: train_command.ExitCode = False,
    note: train_command.Note = None,
    warm_start: train_command.WarmStart = False,
    with_swipes: prepare_command.WithSwipes = False,
    preset: train_command.Preset = DEFAULT_PRESET,
    settings_file: train_command.SettingsFile = None,
    raw: prepare_command.Raw = None,
    ratings: reading.Ratings = None,
    movies: reading.Movies = None,
    links: reading.Links = None,
    columns: reading.Columns = None,
    separator: reading.Separator = PrepareSettings.separator,
    encoding: reading.Encoding = PrepareSettings.encoding,
    scale: reading.Scale = None,
    unrated: reading.Unrated = PrepareSettings.unrated,
    implicit: reading.Implicit = PrepareSettings.implicit,
    strong_from: reading.StrongFrom = PrepareSettings.strong_from,
    user_ids: reading.UserIds = PrepareSettings.user_ids,
    movie_ids: reading.MovieIds = PrepareSettings.movie_ids,
    time_format: reading.TimeFormat = PrepareSettings.time_format,
    timezone: reading.TimeZone = PrepareSettings.timezone,
    no_time: reading.NoTime = PrepareSettings.no_time,
    min_user_ratings: prepare_command.MinUserRatings = PrepareSettings.min_user_ratings,
    min_movie_ratings: prepare_command.MinMovieRatings = PrepareSettings.min_movie_ratings,
    split: prepare_command.Split = PrepareSettings.split,
    ties: prepare_command.Ties = PrepareSettings.ties,
    random_seed: RandomSeed = None,
    source: fetch_command.Source = None,
    threads: TrainThreads = None,
    engine: Engine = DEFAULT_ENGINE,
    spark_master: SparkMaster = None,
    spark_conf: SparkConf = None,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Fetch, prepare, train and evaluate in one command, with the most common options of each.

    Without a data set, nothing is fetched, and the files in raw/ are used.
    """
    from mlrec.pipeline import run as run_pipeline
    from mlrec.workspace import Workspace

    # First of all, so that a mistake in an option does not cost a download.
    largest_loss = train_command.accepted_loss(largest_loss, exit_code, publish_if_better)
    train_command.require_local(warm_start, engine)
    settings = training_settings(preset, settings_file, random_seed=random_seed, threads=threads)
    prepare_settings = PrepareSettings(
        columns=reading.columns_of(columns),
        separator=separator,
        encoding=encoding,
        scale=reading.scale_of(scale),
        unrated=unrated,
        implicit=implicit,
        strong_from=strong_from,
        user_ids=user_ids,
        movie_ids=movie_ids,
        time_format=time_format,
        timezone=timezone,
        no_time=no_time,
        min_user_ratings=min_user_ratings,
        min_movie_ratings=min_movie_ratings,
        split=split,
        ties=ties,
        random_seed=PrepareSettings.random_seed if random_seed is None else random_seed,
        threads=threads or 0,
    )
    workspace, bar = Workspace(data_dir), progress()
    spark = ctx.with_resource(opened(engine, spark_master, spark_conf, workspace, bar))
    result = run_pipeline(
        workspace,
        edition,
        source=source,
        raw=raw,
        ratings=ratings,
        movies=movies,
        links=links,
        with_swipes=with_swipes,
        store=store,
        final=final,
        publish="if-better" if publish_if_better else True,
        largest_loss=largest_loss,
        note=note,
        warm_start=warm_start,
        prepare_settings=prepare_settings,
        train_settings=settings,
        evaluate_settings=EvaluateSettings(threads=threads or 0),
        spark=spark,
        progress=bar,
        on_step=_warn_all if as_json else partial(_show, judged_first=final),
    )
    if as_json:
        render.print_json(result.to_json())
    else:
        if final and result.final is None:
            render.line("No final model was trained. The published model stays.")
        if result.evaluations:
            _summarize(result.evaluations[-1], data_dir)
    if exit_code:
        raise typer.Exit(_exit_code(result))


def _exit_code(result: "RunResult") -> int:
    assert result.gate is not None
    code = exit_codes.OF_VERDICT[result.gate.verdict]
    if code == exit_codes.DONE and result.final is not None and not result.final.published:
        return exit_codes.STATE  # another model was published while the final one was trained
    return code


def _show(step: "Step", *, judged_first: bool) -> None:
    """Render a step as soon as it has ended. `judged_first`: a final model, trained on all data, follows."""
    from mlrec.dataset.fetch import FetchResult
    from mlrec.pipeline import NotEvaluated, PrepareResult, TrainResult

    match step:
        case FetchResult():
            fetch_command.show(step, as_json=False)
        case PrepareResult():
            prepare_command.show(step)
        case TrainResult():
            train_command.show(step, judged_first=judged_first and step.settings.on == "train")
        case NotEvaluated():
            pass
        case _:
            evaluation_tables.show_headline(step, step.ks[0])
    _warn(step)


def _warn_all(step: "Step") -> None:
    """Warn of what the tables would have shown too."""
    from mlrec.pipeline import TrainResult

    if isinstance(step, TrainResult):
        for warning in step.warnings:
            render.warn(warning)
    _warn(step)


def _warn(step: "Step") -> None:
    from mlrec.pipeline import NotEvaluated, PrepareResult

    match step:
        case PrepareResult():
            prepare_command.warn(step)
        case NotEvaluated():
            render.warn(f"{step.reason} The model is not evaluated on this split.")


def _summarize(result: "Evaluation", data_dir: Path) -> None:
    als, popularity = (result.models[name]["ndcg@10"].value for name in ("als", "popularity"))
    comparison = f", {als / popularity:.1f} times that of popularity" if popularity else "; popularity finds nothing"
    if "sequence" in result.models:
        render.line(wording.SEQUENCE)
    render.line(f"NDCG@10 on {result.split} is {als:.4f}{comparison}.")
    render.note("For more metrics: mlrec evaluate --split test")
    render.note(f"Next: {recommend_example(data_dir)}")
