"""mlrec train: the prepared folder to a published model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import render
from mlrec.cli.engine import Engine, SparkConf, SparkMaster, opened
from mlrec.cli.options import (
    DATA_DIR_DEFAULT,
    AsJson,
    DataDir,
    RandomSeed,
    TrainThreads,
    examples,
    training_settings,
)
from mlrec.cli.progress import progress
from mlrec.settings import (
    DEFAULT_ENGINE,
    DEFAULT_PRESET,
    Dislikes,
    PresetName,
    TrainOn,
    TrainSettings,
)

if TYPE_CHECKING:
    from mlrec.pipeline import TrainResult

EXAMPLES = examples(
    "mlrec train",
    "mlrec train --preset baseline",
    "mlrec train --alpha 4 --regularization 60",
    "mlrec train --settings data/tuning/main.json",
    "mlrec train --on all",
    "mlrec train --publish-if-better",
    'mlrec train --factors 32 --note "half the factors"',
    "mlrec train --engine spark --spark-conf spark.driver.memory=8g",
)
_DEFAULTS = TrainSettings()


Preset = Annotated[
    PresetName,
    typer.Option(help="Settings to start from; baseline is the configuration that was published for this design."),
]
PublishIfBetter = Annotated[
    bool,
    typer.Option(
        "--publish-if-better",
        help="Publish the new model only if its NDCG@10 on validation is not worse than the published one's: the 95%"
        " interval of the paired difference must not lie below 0.",
    ),
]
Note = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="What to remember of this training; 'mlrec models list' shows it.",
        show_default=False,
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="Settings to start from, as 'mlrec tune' writes them; a model's model_info.json will do as well.",
        show_default=False,
    ),
]


def train(
    preset: Preset = DEFAULT_PRESET,
    settings_file: SettingsFile = None,
    factors: Annotated[
        int | None,
        typer.Option(metavar="N", help="Dimensions of the vectors.", show_default=str(_DEFAULTS.factors)),
    ] = None,
    regularization: Annotated[
        float | None,
        typer.Option(metavar="X", help="λ of ALS; larger data wants more.", show_default="follows the number of likes"),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="Confidence of an event is 1 + alpha·|preference|.", show_default=f"{_DEFAULTS.alpha:g}"
        ),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(metavar="N", help="Sweeps of ALS.", show_default=str(_DEFAULTS.iterations))
    ] = None,
    dislikes: Annotated[
        Dislikes | None,
        typer.Option(
            help="What a dislike is in training: preference 0 held with confidence, nothing, or (as published) a like.",
            show_default=_DEFAULTS.dislikes,
        ),
    ] = None,
    fold_in_dislikes: Annotated[
        Dislikes | None,
        typer.Option(help="The same, when a user's vector is computed.", show_default=_DEFAULTS.fold_in_dislikes),
    ] = None,
    half_life: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="An event counts half in its user's vector once this many later events have come; inf for no decay.",
            show_default=f"{_DEFAULTS.half_life:g}",
        ),
    ] = None,
    feedback_weight: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="How much an event weighs in its user's vector.",
            show_default=f"{_DEFAULTS.feedback_weight:g}",
        ),
    ] = None,
    on: Annotated[
        TrainOn | None,
        typer.Option(
            help="Learn from the train split, for judging, or from everything, for production.",
            show_default=_DEFAULTS.on,
        ),
    ] = None,
    publish: Annotated[bool, typer.Option("--publish/--no-publish", help="Serve the new model from now on.")] = True,
    publish_if_better: PublishIfBetter = False,
    note: Note = None,
    random_seed: RandomSeed = None,
    threads: TrainThreads = None,
    engine: Engine = DEFAULT_ENGINE,
    spark_master: SparkMaster = None,
    spark_conf: SparkConf = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Learn movie and user vectors with implicit ALS, and publish the model.

    An option that is given wins over the preset and over the settings file. Whichever engine has learned, the model
    serves, swipes, explains and evaluates alike; docs/scaling.md says where the engines differ.
    """
    from mlrec.pipeline import train as run
    from mlrec.workspace import Workspace

    if publish_if_better and not publish:
        raise typer.BadParameter("It contradicts --no-publish.", param_hint="--publish-if-better")
    settings = training_settings(
        preset,
        settings_file,
        factors=factors,
        regularization=regularization,
        alpha=alpha,
        iterations=iterations,
        dislikes=dislikes,
        fold_in_dislikes=fold_in_dislikes,
        half_life=half_life,
        feedback_weight=feedback_weight,
        on=on,
        random_seed=random_seed,
        threads=threads,
    )
    workspace, bar = Workspace(data_dir), progress()
    with opened(engine, spark_master, spark_conf, workspace, bar) as spark:
        result = run(
            workspace,
            settings,
            publish="if-better" if publish_if_better else publish,
            note=note,
            spark=spark,
            progress=bar,
        )
    if as_json:
        render.print_json(result.to_json())
    else:
        show(result)


def show(result: "TrainResult", *, judged_first: bool = False) -> None:
    """Render the outcome of a training, and why it was published or not; `judged_first` if another one follows it."""
    gate = result.gate
    took = ", ".join(f"{stage.replace('_', ' ')} {seconds:.1f} s" for stage, seconds in result.seconds.items())
    render.line(f"Trained {result.model_id} ({took}).")
    if gate is not None:
        render.line(gate.reason)
        if gate.passed and gate.comparison and gate.comparison.difference[gate.metric].value < 0:
            render.line("It is a little lower, though: many such steps may add up. See 'mlrec models compare'.")
    if judged_first and (gate is None or gate.passed):
        render.line("It is judged; one that learns from everything follows.")
    elif result.published:
        render.line("It is published.")
        if gate is not None and gate.judged_in_its_place:
            render.line("The last one had learned from everything; so will: mlrec run --final --publish-if-better")
    else:
        render.line(f"It is not published; do so with: mlrec models use {result.model_id}")
