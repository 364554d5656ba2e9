"""mlrec evaluate: how good is the model?"""

from pathlib import Path
from typing import Annotated

import typer

from mlrec.cli import evaluation_tables, render
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, HeldOut, ModelId, Threads, examples
from mlrec.cli.output import STDOUT, checked_target, write_output
from mlrec.cli.progress import progress
from mlrec.errors import EmptyResultError, shown
from mlrec.settings import (
    BASELINES,
    BaselineName,
    EvaluateSettings,
    History,
    ProtocolName,
    Relevance,
    ReplaySettings,
)

EXAMPLES = examples(
    "mlrec evaluate",
    "mlrec evaluate --split test -k 10 -k 50",
    "mlrec evaluate --baseline popularity --baseline ease --ease-regularization 500",
    "mlrec evaluate --protocol global-time --segments",
    "mlrec evaluate --protocol held-out-users --split test",
    "mlrec evaluate --relevance any --published-ndcg",
    "mlrec evaluate --replay",
    "mlrec evaluate --split test --report report.html",
)
_DEFAULTS = EvaluateSettings()


def evaluate(
    split: HeldOut = _DEFAULTS.split,
    protocol: Annotated[
        ProtocolName | None,
        typer.Option(
            help="Divide events by each user's time, at two moments for everybody, or keep whole users from training."
            " Another division than the prepared data's trains a model of its own, in memory.",
            show_default="that of the prepared data",
        ),
    ] = None,
    k: Annotated[
        list[int] | None,
        typer.Option(
            "-k",
            "--k",
            metavar="N",
            min=1,
            help="List length; may be given several times.",
            show_default="10; 20, 50 and 100 for held-out-users",
        ),
    ] = None,
    relevance: Annotated[
        Relevance,
        typer.Option(help="Movies to be found: the liked ones, or any rated one (the published protocol)."),
    ] = _DEFAULTS.relevance,
    history: Annotated[
        History,
        typer.Option(help="On test, users are known by train and validation, or by train alone."),
    ] = _DEFAULTS.history,
    published_ndcg: Annotated[
        bool,
        typer.Option("--published-ndcg", help="Also show the inflated NDCG of the published run, to compare with it."),
    ] = False,
    baseline: Annotated[
        list[str] | None,  # Typer takes no list of a Literal
        typer.Option(
            metavar=f"<{'|'.join(BASELINES)}>",
            help="Model to judge beside; may be given several times. ALS ones are trained for it, with a preset.",
            show_default="those that take seconds",
        ),
    ] = None,
    ease_regularization: Annotated[
        float, typer.Option(metavar="λ", help="Regularization of EASE; larger data wants a larger one.")
    ] = _DEFAULTS.ease_regularization,
    held_out_share: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Share of users that held-out-users keeps from training for each split, or --replay for good.",
            show_default=f"{_DEFAULTS.held_out_share:g}; {ReplaySettings.held_out_share:g} with --replay",
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="A quick look at N users, drawn at random; 0: all users.",
            show_default=f"all; {ReplaySettings.sample:,} with --replay",
        ),
    ] = None,
    segments: Annotated[
        bool,
        typer.Option("--segments", help="Also show figures by length of history and by popularity of the movies."),
    ] = False,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Judge learning instead: users whom the model has never seen are replayed like by like.",
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write one HTML file with charts: the models, learning from swipes, and the data.",
        ),
    ] = None,
    model: ModelId = None,
    threads: Threads = _DEFAULTS.threads,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Look for every user's held-out movies in the model's lists, beside baselines on the same split, history, masks.

    Recall, precision, NDCG, MAP, MRR and hit rate with 95% intervals over users; how far the model is ahead of each
    baseline; and what accuracy hides: novelty, diversity, popularity, disliked movies, coverage. Baselines are there to
    judge by, and never published.

    --protocol global-time hides everybody's future; held-out-users is the protocol of Liang et al. (2018), under which
    the figures of many models have been published.

    --replay asks how well swipes are learned. The users who came last are kept from training; each of their likes is
    predicted from what they had swiped before it, by each rule of update, by a vector that never learns, and by
    popularity. It trains a model of its own, with the settings of the published one or of --model, and stores nothing.
    """
    from mlrec.workspace import Workspace

    workspace, bar = Workspace(data_dir), progress()
    if report is not None:
        if report == STDOUT:
            raise typer.BadParameter("A report goes to a file; tables and JSON go to stdout.", param_hint="--report")
        checked_target(report, source=str(workspace.users_db))
    if replay:
        given = {
            "--split": split != _DEFAULTS.split,
            "--relevance": relevance != _DEFAULTS.relevance,
            "--history": history != _DEFAULTS.history,
            "--published-ndcg": published_ndcg,
            "--baseline": bool(baseline),
            "--protocol": protocol is not None,
            "--segments": segments,
            "--ease-regularization": ease_regularization != _DEFAULTS.ease_regularization,
        }
        if any(given.values()):
            raise typer.BadParameter(
                "With --replay it has no meaning.",
                param_hint=", ".join(name for name, is_given in given.items() if is_given),
            )
        if k and len(k) > 1:
            raise typer.BadParameter("--replay takes one list length.", param_hint="-k")
    elif held_out_share is not None and protocol != "held-out-users":
        raise typer.BadParameter("It is for --protocol held-out-users and for --replay.", param_hint="--held-out-share")
    evaluated = replayed = None
    settings = EvaluateSettings(
        split=split,
        protocol=protocol,
        ks=tuple(k) if k else None,
        held_out_share=_DEFAULTS.held_out_share if held_out_share is None or replay else held_out_share,
        relevance=relevance,
        history=history,
        published_ndcg=published_ndcg,
        baselines=tuple(map(_baseline, baseline)) if baseline else None,
        ease_regularization=ease_regularization,
        sample=sample or 0,
        threads=threads,
    )
    replay_settings = ReplaySettings(
        held_out_share=held_out_share if replay and held_out_share is not None else ReplaySettings.held_out_share,
        k=k[0] if k else ReplaySettings.k,
        sample=ReplaySettings.sample if sample is None else sample,
        threads=threads,
    )
    if not replay:
        from mlrec.evaluation.protocol import evaluate as run

        evaluated = run(workspace, settings, model_id=model, progress=bar)
        if as_json:
            render.print_json(evaluated.to_json())
        else:
            evaluation_tables.show(evaluated, with_segments=segments)
    if replay or report is not None:
        from mlrec.evaluation.replay.replay import replay as run_replay

        try:
            replayed = run_replay(workspace, replay_settings, model_id=model, progress=bar)
        except EmptyResultError as error:
            if replay:
                raise
            render.warn(f"The report has no replay: {error.message}")  # small data has nobody to hold out
    if replay and replayed:
        if as_json:
            render.print_json(replayed.to_json())
        else:
            evaluation_tables.show_replay(replayed)
    if report is not None:
        from mlrec.evaluation.report.making import make_report

        html = make_report(workspace, evaluated, replayed, settings)
        write_output(report, lambda file: file.write(html.encode()), source=str(workspace.users_db))
        render.note(f"Written to {report}.")


def _baseline(text: str) -> BaselineName:
    for name in BASELINES:
        if text == name:
            return name
    raise typer.BadParameter(f"{shown(text)} is not one of {', '.join(BASELINES)}.", param_hint="--baseline")
