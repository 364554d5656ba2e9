"""mlrec train: train a model on the prepared data and publish it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlrec.cli import exit_codes, render
from mlrec.cli.engine import Engine, SparkConf, SparkMaster, opened
from mlrec.cli.options import (
    DATA_DIR_DEFAULT,
    AsJson,
    DataDir,
    RandomSeed,
    TrainThreads,
    UsageError,
    count_or_auto,
    examples,
    number_or_auto,
    share,
    share_or_auto,
    training_settings,
)
from mlrec.cli.progress import progress
from mlrec.settings import (
    DEFAULT_ENGINE,
    DEFAULT_PRESET,
    ITERATIONS,
    ITERATIONS_AFTER_LARGE_START,
    ITERATIONS_AFTER_START,
    ITERATIONS_OF_LARGE_WARM_START,
    ITERATIONS_OF_WARM_START,
    LIKES_FOR_A_START,
    START_ITERATIONS,
    START_LIKES,
    START_SHARE,
    Dislikes,
    EngineName,
    GateSettings,
    ItemItemUse,
    KnownMovies,
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
    "mlrec train --half-life 20 --item-item-weight 0.5",
    "mlrec train --item-item off",
    "mlrec train --settings data/tuning/main.json",
    "mlrec train --on all",
    "mlrec train --warm-start",
    "mlrec train --publish-if-better",
    "mlrec train --publish-if-better --largest-loss 2% --exit-code",
    'mlrec train --factors 32 --note "half the factors"',
    "mlrec train --engine spark --spark-conf spark.driver.memory=8g",
)
_DEFAULTS = TrainSettings()


def _chosen(help_text: str) -> Any:
    """An option for a number that is chosen on validation unless it is given."""
    return typer.Option(
        parser=number_or_auto, metavar="X", help=f"{help_text} auto: chosen on validation.", show_default="auto"
    )


Preset = Annotated[
    PresetName,
    typer.Option(help="Settings to start from. baseline is the public design that mlrec started from."),
]
PublishIfBetter = Annotated[
    bool,
    typer.Option(
        "--publish-if-better",
        help="Publish the new model only if it is not worse than the published one: the 95% confidence interval of the"
        " difference in NDCG@10 on validation must exclude a loss larger than --largest-loss.",
    ),
]
LargestLoss = Annotated[
    Any,
    typer.Option(
        "--largest-loss",
        parser=share,
        metavar="SHARE",
        help="With --publish-if-better, the largest loss to accept, as a share of the published model's NDCG@10: 5% or"
        " 0.05.",
        show_default=f"{GateSettings.largest_loss:.0%}",
    ),
]
ExitCode = Annotated[
    bool,
    typer.Option(
        "--exit-code",
        help=f"With --publish-if-better, end with exit code {exit_codes.WORSE} if the new model is worse and with"
        f" {exit_codes.TOO_FEW_USERS} if there are too few users to know. It is not published then.",
    ),
]
Note = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Note about this training, up to 500 characters. 'mlrec models list' shows it.",
        show_default=False,
    ),
]
WarmStart = Annotated[
    bool,
    typer.Option(
        "--warm-start",
        help="Begin with the movie factors of the published model, which saves time up to a few million ratings. The"
        " new model then depends on that one too, and not only on the data and the settings.",
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="File with settings to start from: one that 'mlrec tune' wrote, or a model's model_info.json.",
        show_default=False,
    ),
]


def train(
    preset: Preset = DEFAULT_PRESET,
    settings_file: SettingsFile = None,
    factors: Annotated[
        int | None,
        typer.Option(metavar="N", help="Length of the movie and user vectors.", show_default=str(_DEFAULTS.factors)),
    ] = None,
    regularization: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="λ of ALS. Larger data needs more.", show_default="depends on the number of likes"
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="An event has confidence 1 + alpha·|preference|.", show_default=f"{_DEFAULTS.alpha:g}"
        ),
    ] = None,
    iterations: Annotated[
        Any,
        typer.Option(
            parser=count_or_auto,
            metavar="N",
            help=f"Sweeps of ALS over all users. auto: {ITERATIONS} from random factors; {ITERATIONS_AFTER_START} after"
            f" a start on a part of the users, or {ITERATIONS_AFTER_LARGE_START} if that has {START_LIKES:,} likes;"
            f" {ITERATIONS_OF_WARM_START} with --warm-start, or {ITERATIONS_OF_LARGE_WARM_START} from"
            f" {START_LIKES / START_SHARE:,.0f} likes on.",
            show_default=str(_DEFAULTS.iterations),
        ),
    ] = None,
    start_share: Annotated[
        Any,
        typer.Option(
            parser=share_or_auto,
            metavar="SHARE",
            help=f"Share of the users, drawn at random, that ALS starts on with {START_ITERATIONS} quick sweeps; 0: no"
            f" start. auto: {START_SHARE:.0%} from {LIKES_FOR_A_START:,} likes on, or the share that has"
            f" {START_LIKES:,} likes if it is smaller.",
            show_default=str(_DEFAULTS.start_share),
        ),
    ] = None,
    warm_start: WarmStart = False,
    dislikes: Annotated[
        Dislikes | None,
        typer.Option(
            help="What a dislike means in training: preference 0 with confidence (zero), nothing (ignore), or a like"
            " (as-likes, the baseline).",
            show_default=_DEFAULTS.dislikes,
        ),
    ] = None,
    fold_in_dislikes: Annotated[
        Dislikes | None,
        typer.Option(help="The same, when a user's vector is computed.", show_default=_DEFAULTS.fold_in_dislikes),
    ] = None,
    half_life: Annotated[
        Any,
        _chosen(
            "An event counts half in its user's vector after this many later events on movies of the core. inf: no"
            " decay."
        ),
    ] = None,
    feedback_weight: Annotated[
        Any, _chosen("Weight of an event in its user's vector, relative to its weight in training.")
    ] = None,
    item_item: Annotated[
        ItemItemUse | None,
        typer.Option(
            help="Whether the model also learns item-item weights: how much a like of one movie speaks for another.",
            show_default=_DEFAULTS.item_item,
        ),
    ] = None,
    item_item_weight: Annotated[Any, _chosen("Share of the item-item score in a user's scores, 0 to 0.99.")] = None,
    item_item_half_life: Annotated[Any, _chosen("The same as --half-life, for the item-item score.")] = None,
    popularity_half_life: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS",
            help="After this many days, a like counts half in popularity, which decides what new users see. inf: likes"
            " of all dates count the same.",
            show_default=f"{_DEFAULTS.popularity_half_life:g}",
        ),
    ] = None,
    movies: Annotated[
        KnownMovies | None,
        typer.Option(
            "--known-movies",
            help="Movies that the model knows: all of the file of movies, or only those with enough ratings for ALS.",
            show_default=_DEFAULTS.movies,
        ),
    ] = None,
    on: Annotated[
        TrainOn | None,
        typer.Option(
            help="Data to train on: the train split, for evaluation, or all data, for production.",
            show_default=_DEFAULTS.on,
        ),
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish/--no-publish", help="Publish the new model, so that serving uses it from now on.")
    ] = True,
    publish_if_better: PublishIfBetter = False,
    largest_loss: LargestLoss = None,
    exit_code: ExitCode = False,
    note: Note = None,
    random_seed: RandomSeed = None,
    threads: TrainThreads = None,
    engine: Engine = DEFAULT_ENGINE,
    spark_master: SparkMaster = None,
    spark_conf: SparkConf = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Train a model and publish it.

    ALS learns vectors of movies and users, and item-item weights say how much a like of one movie speaks for another.
    What is "auto" is chosen on validation, and the output says how the model does there. Options override the preset
    and the settings file.

    Models from both engines serve, learn from swipes, explain and evaluate in the same way. docs/scaling.md lists the
    differences between the engines.
    """
    from mlrec.pipeline import train as run
    from mlrec.workspace import Workspace

    if publish_if_better and not publish:
        raise UsageError("--publish-if-better cannot be combined with --no-publish.")
    largest_loss = accepted_loss(largest_loss, exit_code, publish_if_better)
    require_local(warm_start, engine)
    if item_item == "off" and (item_item_weight is not None or item_item_half_life is not None):
        raise UsageError("--item-item off has no use for --item-item-weight and --item-item-half-life.")
    settings = training_settings(
        preset,
        settings_file,
        factors=factors,
        regularization=regularization,
        alpha=alpha,
        iterations=iterations,
        start_share=start_share,
        dislikes=dislikes,
        fold_in_dislikes=fold_in_dislikes,
        half_life=half_life,
        feedback_weight=feedback_weight,
        item_item=item_item,
        item_item_weight=item_item_weight,
        item_item_half_life=item_item_half_life,
        popularity_half_life=popularity_half_life,
        movies=movies,
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
            largest_loss=largest_loss,
            note=note,
            warm_start=warm_start,
            spark=spark,
            progress=bar,
        )
    if as_json:
        render.print_json(result.to_json())
        for warning in result.warnings:
            render.warn(warning)
    else:
        show(result)
    if exit_code and result.gate is not None:
        raise typer.Exit(exit_codes.OF_VERDICT[result.gate.verdict])


def accepted_loss(largest_loss: float | None, exit_code: bool, publish_if_better: bool) -> float:
    """Return the largest loss that the gate accepts. Refuse options of the gate if there is none."""
    if not publish_if_better and (exit_code or largest_loss is not None):
        raise UsageError("--largest-loss and --exit-code require --publish-if-better.")
    return GateSettings.largest_loss if largest_loss is None else largest_loss


def require_local(warm_start: bool, engine: EngineName) -> None:
    """Refuse a warm start on Spark before a session is opened."""
    if warm_start and engine == "spark":
        raise UsageError("--warm-start needs the local engine: Spark's ALS takes no factors to begin with.")


def show(result: "TrainResult", *, judged_first: bool = False) -> None:
    """Render the result of a training, and why it was published or not. `judged_first`: a final model follows."""
    gate = result.gate
    took = ", ".join(f"{stage.replace('_', '-')} {seconds:.1f} s" for stage, seconds in result.seconds.items())
    render.line(f"Trained {result.model_id} ({took}).")
    for said in result.summary:
        render.line(said)
    for warning in result.warnings:
        render.warn(warning)
    if gate is not None:
        render.line(gate.reason)
        if gate.passed and gate.comparison and gate.comparison.difference[gate.metric].value < 0:
            render.line("Its NDCG@10 is slightly lower, and many such steps may add up. See 'mlrec models compare'.")
    if judged_first and (gate is None or gate.passed):
        render.line("Evaluating it now. A final model, trained on all data, follows.")
    elif result.published:
        render.line("Published. Serving uses it from now on.")
        if result.compared_with_published is not None:
            render.line(result.compared_with_published.summary)
        if gate is not None and gate.judged_in_its_place:
            render.line(
                "The model before it was trained on all data. To do so again: mlrec run --final --publish-if-better"
            )
    else:
        render.line(f"Not published. To publish it: mlrec models use {result.model_id}")
