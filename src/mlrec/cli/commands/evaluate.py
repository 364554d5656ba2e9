"""mlrec evaluate: measure how good a model is."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mlrec.cli import evaluation_tables, render
from mlrec.cli.options import (
    DATA_DIR_DEFAULT,
    AsJson,
    DataDir,
    HeldOut,
    JsonOut,
    ModelId,
    Threads,
    UsageError,
    examples,
)
from mlrec.cli.output import STDOUT, checked_json_target, checked_target, write_json_output, write_output
from mlrec.cli.progress import progress
from mlrec.errors import shown
from mlrec.settings import (
    BASELINES,
    PROTOCOLS,
    BaselineName,
    EvaluateSettings,
    History,
    Judged,
    ProtocolName,
    Relevance,
    RelevanceWithin,
    ReplaySettings,
    SplitOn,
)

if TYPE_CHECKING:
    from mlrec.evaluation.protocol import Evaluation
    from mlrec.evaluation.replay.replay import Replay
    from mlrec.evaluation.side_by_side import SideBySide

EXAMPLES = examples(
    "mlrec evaluate",
    "mlrec evaluate --split test -k 10 -k 50",
    "mlrec evaluate --baseline popularity --baseline ease --ease-regularization 500",
    "mlrec evaluate --protocol global-time --segments",
    "mlrec evaluate --protocol held-out-users --split test",
    "mlrec evaluate --relevance any --published-ndcg",
    "mlrec evaluate --replay",
    "mlrec evaluate --protocol all --split test",
    "mlrec evaluate --shuffle-sittings --segments",
    "mlrec evaluate --seeds 3",
    "mlrec evaluate --split test --users holdout",
    "mlrec evaluate --split test --report report.html",
    "mlrec evaluate --recommendations lists.parquet --recommendations other=lists.csv",
    "mlrec evaluate --split test --json-out figures.json",
)
_DEFAULTS = EvaluateSettings()


def evaluate(
    split: HeldOut = _DEFAULTS.split,
    protocol: Annotated[
        Literal[ProtocolName, "all"] | None,
        typer.Option(
            help="How to hold out data. user-time: split each user's own history. global-time: split all histories at"
            " the same two moments. held-out-users: keep whole users out of training. If this differs from the"
            " prepared data, a separate model is trained in memory. all: these three and the replay, side by side.",
            show_default="as in the prepared data",
        ),
    ] = None,
    k: Annotated[
        list[int] | None,
        typer.Option(
            "-k",
            "--k",
            metavar="N",
            min=1,
            help="Length of the lists. Repeatable.",
            show_default="10; 20, 50 and 100 for held-out-users",
        ),
    ] = None,
    relevance: Annotated[
        Relevance,
        typer.Option(
            help="Which held-out movies are relevant: the liked ones, or any rated one (as in the baseline's published"
            " figures)."
        ),
    ] = _DEFAULTS.relevance,
    relevance_within: Annotated[
        RelevanceWithin,
        typer.Option(
            help="Whether all movies can be listed and relevant, or only those of the core (by default, movies with at"
            " least 20 ratings), as in earlier versions."
        ),
    ] = _DEFAULTS.relevance_within,
    history: Annotated[
        History,
        typer.Option(
            help="With --split test, what the model knows of a user: train and validation (known), or only train."
        ),
    ] = _DEFAULTS.history,
    published_ndcg: Annotated[
        bool,
        typer.Option(
            "--published-ndcg",
            help="Also show NDCG by the formula behind the baseline's published figures. It is too high; use it only to"
            " compare with those figures.",
        ),
    ] = False,
    baseline: Annotated[
        list[str] | None,  # Typer takes no list of a Literal
        typer.Option(
            metavar=f"<{'|'.join(BASELINES)}>",
            help="Model to compare with. Repeatable. als-baseline and als-default are trained for the comparison, with"
            " the preset of that name.",
            show_default="all that take only seconds",
        ),
    ] = None,
    ease_regularization: Annotated[
        float, typer.Option(metavar="λ", help="Regularization of EASE. Larger data needs a larger value.")
    ] = _DEFAULTS.ease_regularization,
    held_out_share: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Share of users to keep out of training: per split with --protocol held-out-users, in total with"
            " --replay.",
            show_default=f"{_DEFAULTS.held_out_share:g}; {ReplaySettings.held_out_share:g} with --replay",
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Evaluate only N random users, for a quick look. 0: all users.",
            show_default=f"all; {ReplaySettings.sample:,} with --replay",
        ),
    ] = None,
    segments: Annotated[
        bool,
        typer.Option(
            "--segments",
            help="Also show results by length of history, by popularity of the movies, and by the time since the user's"
            " last known event.",
        ),
    ] = False,
    split_on: Annotated[
        SplitOn,
        typer.Option(
            help="Which events count when histories are split: those of the core, as in the prepared data, or all. all"
            " gives figures that do not depend on the filter. The model is trained in memory.",
        ),
    ] = _DEFAULTS.split_on,
    shuffle_sittings: Annotated[
        bool,
        typer.Option(
            "--shuffle-sittings",
            help="Deal the order of events within each sitting anew before splitting, to see what is taste and what is"
            " the order of a page. The model is trained in memory.",
        ),
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            max=100,
            help="Also train the model with N − 1 other random seeds, in memory, to see how far its figures depend on"
            " the seed.",
        ),
    ] = _DEFAULTS.seeds,
    users: Annotated[
        Judged,
        typer.Option(
            help="Which users to evaluate. holdout: the tenth of users, by a hash of their ids, whom training and"
            " tuning never look at when they choose settings. others: the rest. Results are kept for all only."
        ),
    ] = _DEFAULTS.users,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Evaluate learning from swipes instead: replay users whom the model has never seen, like by like.",
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write one HTML file with charts of the models, of learning from swipes, and of the data.",
        ),
    ] = None,
    recommendations: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE",
            help="Also evaluate lists that another system made from train (with --split test, from train and"
            " validation): user_id, movie_id, and rank or score. Repeatable. Without a name, that of the file.",
        ),
    ] = None,
    model: ModelId = None,
    threads: Threads = _DEFAULTS.threads,
    as_json: AsJson = False,
    json_out: JsonOut = None,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Measure how well a model finds each user's held-out movies, and compare it with baselines.

    Accuracy metrics are recall, precision, NDCG, MAP, MRR and hit rate, with 95% confidence intervals over users. The
    output also shows the model's lead over each baseline, and what accuracy hides: novelty, diversity, popularity,
    disliked movies and coverage. All models use the same split and history, and leave out the same movies. Baselines
    are only for comparison and are never published.

    --protocol global-time prevents leakage from the future. --protocol held-out-users follows Liang et al. (2018), as
    many published results do.

    --replay measures how well the model learns from swipes. The users who came last are kept out of training. Each of
    their likes is predicted from their earlier swipes by each update rule, by a vector that never learns, and by
    popularity. Replay trains a model of its own, with the settings of the published model or of --model, and stores
    nothing.
    """
    from mlrec.workspace import Workspace

    workspace, bar = Workspace(data_dir), progress()
    checked_json_target(json_out, source=str(workspace.users_db))
    if report is not None:
        if report == STDOUT:
            raise UsageError("--report needs the name of a file. Only tables and JSON go to stdout.")
        if checked_target(report, source=str(workspace.users_db)) == (json_out and json_out.resolve()):
            raise UsageError("--report and --json-out name the same file.")
    if replay:
        given = {
            "--split": split != _DEFAULTS.split,
            "--relevance": relevance != _DEFAULTS.relevance,
            "--history": history != _DEFAULTS.history,
            "--published-ndcg": published_ndcg,
            "--baseline": bool(baseline),
            "--protocol": protocol is not None,
            "--segments": segments,
            "--seeds": seeds != _DEFAULTS.seeds,
            "--users": users != _DEFAULTS.users,
            "--shuffle-sittings": shuffle_sittings,
            "--split-on": split_on != _DEFAULTS.split_on,
            "--ease-regularization": ease_regularization != _DEFAULTS.ease_regularization,
            "--recommendations": bool(recommendations),
        }
        if any(given.values()):
            names = " or ".join(name for name, is_given in given.items() if is_given)
            raise UsageError(f"--replay cannot be combined with {names}.")
        if k and len(k) > 1:
            raise UsageError("--replay takes only one -k.")
    elif protocol == "all" and recommendations:
        raise UsageError("--recommendations cannot be combined with --protocol all.")
    elif held_out_share is not None and protocol != "held-out-users":
        raise UsageError("--held-out-share requires --protocol held-out-users or --replay.")
    settings = EvaluateSettings(
        split=split,
        protocol=None if protocol == "all" else protocol,
        ks=tuple(k) if k else None,
        held_out_share=_DEFAULTS.held_out_share if held_out_share is None or replay else held_out_share,
        relevance=relevance,
        relevance_within=relevance_within,
        history=history,
        published_ndcg=published_ndcg,
        baselines=tuple(map(_baseline, baseline)) if baseline else None,
        ease_regularization=ease_regularization,
        users=users,
        split_on=split_on,
        shuffle_sittings=shuffle_sittings,
        seeds=seeds,
        sample=sample or 0,
        threads=threads,
    )
    replay_settings = ReplaySettings(
        held_out_share=held_out_share if replay and held_out_share is not None else ReplaySettings.held_out_share,
        k=k[0] if k else ReplaySettings.k,
        relevance_within=relevance_within,
        sample=ReplaySettings.sample if sample is None else sample,
        threads=threads,
    )
    found: Evaluation | Replay | SideBySide
    if replay:
        from mlrec.evaluation.replay.replay import replay as run_replay

        found = run_replay(workspace, replay_settings, model_id=model, progress=bar)
    elif protocol == "all":
        from mlrec.evaluation.side_by_side import side_by_side

        found = side_by_side(workspace, settings, replay_settings, model_id=model, progress=bar)
    else:
        from mlrec.evaluation.protocol import evaluate as run

        lists = _lists(recommendations or ())
        found = run(workspace, settings, model_id=model, recommendations=lists, progress=bar)
    write_json_output(json_out, found.to_json(), source=str(workspace.users_db))
    if as_json:
        render.print_json(found.to_json())
    else:
        evaluation_tables.show_results(found, with_segments=segments)
    if report is not None:
        from mlrec.evaluation.report.making import make_report
        from mlrec.evaluation.side_by_side import completed

        others: tuple[ProtocolName, ...] = () if protocol else PROTOCOLS
        whole = completed(workspace, found, settings, replay_settings, others, model_id=model, progress=bar)
        for name, reason in whole.skipped.items():
            render.warn(f"The report has no {name}: {reason}")  # small data has no users to hold out
        html = make_report(workspace, whole, settings)
        write_output(report, lambda file: file.write(html.encode()), source=str(workspace.users_db))
        render.note(f"Wrote the report to {report}.")


def _lists(given: Iterable[str]) -> dict[str, str]:
    """Parse the values of `--recommendations`: NAME=FILE, or FILE, which may have an = of its own."""
    from mlrec.evaluation.foreign_lists import name_of

    found: dict[str, str] = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not equals or not name or "/" in name or Path(text).exists():
            name, file = name_of(text), text
        if name in found:
            raise UsageError(f"Two lists are named {shown(name)}. Name one of them: --recommendations NAME=FILE")
        found[name] = file
    return found


def _baseline(text: str) -> BaselineName:
    for name in BASELINES:
        if text == name:
            return name
    raise typer.BadParameter(
        f"{shown(text)} is not a baseline. Use one of {', '.join(BASELINES)}.", param_hint="--baseline"
    )
