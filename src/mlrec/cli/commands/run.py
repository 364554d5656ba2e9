"""mlrec run: everything in one command."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlrec.cli import evaluation_tables, render
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
from mlrec.errors import EmptyResultError
from mlrec.settings import DEFAULT_ENGINE, DEFAULT_PRESET, EvaluateSettings, PrepareSettings

if TYPE_CHECKING:
    from mlrec.evaluation.protocol import Evaluation

EXAMPLES = examples(
    "mlrec run demo",
    "mlrec run ml-20m",
    "mlrec run --final",
    "mlrec run --final --with-swipes --publish-if-better",
    "mlrec run --preset baseline",
    "mlrec run demo --engine spark",
)


def run(
    ctx: typer.Context,
    edition: Annotated[
        str | None,
        typer.Argument(help="Fetch this data set first (see 'mlrec fetch --help').", show_default=False),
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="After judging the model, train on everything and publish that.")
    ] = False,
    publish_if_better: train_command.PublishIfBetter = False,
    with_swipes: prepare_command.WithSwipes = False,
    preset: train_command.Preset = DEFAULT_PRESET,
    settings_file: train_command.SettingsFile = None,
    raw: prepare_command.Raw = None,
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
    """Prepare, train and evaluate in one command, with the most used options of each."""
    from mlrec.artifacts.registry import publish_in_place_of
    from mlrec.dataset.fetch import fetch
    from mlrec.dataset.prepare import prepare
    from mlrec.evaluation.gate import is_not_worse, require_gate
    from mlrec.evaluation.gate import publish_if_better as gate_publish
    from mlrec.evaluation.protocol import evaluate
    from mlrec.model.train import train
    from mlrec.workspace import Workspace

    # Before anything is done; the first model learns from train whatever the file says, for it is to be judged.
    settings = training_settings(preset, settings_file, random_seed=random_seed, threads=threads, on="train")
    workspace, bar = Workspace(data_dir), progress()
    spark = ctx.with_resource(opened(engine, spark_master, spark_conf, workspace, bar))
    document: dict[str, Any] = {}
    if edition is not None:
        fetched = fetch(workspace, edition, source=source, progress=bar)
        document["fetch"] = asdict(fetched)
        if not as_json:
            fetch_command.show(fetched, as_json=False)

    prepare_settings = PrepareSettings(
        min_user_ratings=min_user_ratings,
        min_movie_ratings=min_movie_ratings,
        split=split,
        ties=ties,
        random_seed=PrepareSettings.random_seed if random_seed is None else random_seed,
        threads=threads or 0,
    )
    content = prepare_command.read_store(store, workspace, with_swipes, bar)
    prepared = prepare(
        workspace,
        prepare_settings,
        raw=raw,
        swipes=content.swipes,
        forgotten=content.forgotten,
        spark=spark,
        progress=bar,
    )
    document["prepare"] = prepared.to_json()
    if not as_json:
        prepare_command.show(prepared, content)
    prepare_command.warn(prepared)

    if publish_if_better:
        require_gate(workspace)
    trained = train(workspace, settings, publish=not (final or publish_if_better), spark=spark, progress=bar)
    gate = None
    if publish_if_better:
        judge = is_not_worse if final else gate_publish
        gate = judge(workspace, trained.model_id, EvaluateSettings(threads=threads or 0), progress=bar)
        document["gate"] = gate.to_json()
        trained = replace(trained, published=gate.passed and not final)
    document["train"] = trained.to_json()
    if not as_json:
        train_command.show(trained, gate, judged_first=final)

    evaluations = []
    for part in ("val", "test"):
        try:
            evaluations.append(
                evaluate(
                    workspace,
                    EvaluateSettings(split=part, threads=threads or 0),
                    model_id=trained.model_id,
                    progress=bar,
                )
            )
        except EmptyResultError as error:  # small data may leave a part empty; the model is none the worse for it
            render.warn(f"{error.message} It is not evaluated.")
    document["evaluate"] = {result.split: result.to_json() for result in evaluations}
    if not as_json:
        for result in evaluations:
            evaluation_tables.show_headline(result, result.ks[0])

    if final and (gate is None or gate.passed):
        last = train(
            workspace,
            replace(settings, on="all"),
            publish=gate is None,
            judged_by=trained.model_id,
            spark=spark,
            progress=bar,
        )
        if gate is not None:
            # It was compared with the model that was published then; another one may have come meanwhile.
            last = replace(last, published=publish_in_place_of(workspace, gate.published, last.model_id))
        document["final"] = last.to_json()
        if not as_json:
            train_command.show(last)
    elif final and not as_json:
        render.line("Nothing was trained on everything, and the published model stays.")
    if as_json:
        render.print_json(document)
    elif evaluations:
        _summarize(evaluations[-1])


def _summarize(result: "Evaluation") -> None:
    als, popularity = (result.models[name]["ndcg@10"].value for name in ("als", "popularity"))
    comparison = f"{als / popularity:.1f} times popularity's" if popularity else "popularity finds nothing"
    render.line(f"On {result.split}, NDCG@10 is {als:.4f}: {comparison}.")
    render.note("More of it: mlrec evaluate --split test. Next: mlrec recommend --user 42")
