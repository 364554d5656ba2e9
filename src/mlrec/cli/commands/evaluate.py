"""mlrec evaluate: how good is the model?"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, ModelId, Threads, examples
from mlrec.cli.progress import progress
from mlrec.settings import DEFAULT_KS, EvaluateSettings, ReplaySettings

if TYPE_CHECKING:
    from mlrec.evaluation.protocol import Evaluation
    from mlrec.evaluation.replay import Replay
    from mlrec.workspace import Workspace

EXAMPLES = examples(
    "mlrec evaluate",
    "mlrec evaluate --split test -k 10 -k 50",
    "mlrec evaluate --relevance any --published-ndcg",
    "mlrec evaluate --replay",
)
_DEFAULTS = EvaluateSettings()


class HeldOutSplit(StrEnum):
    """The part to find movies of."""

    val = "val"
    test = "test"


class Relevance(StrEnum):
    """What counts as an answer."""

    liked = "liked"
    any = "any"


class HistoryKind(StrEnum):
    """What is known of a user."""

    known = "known"
    train = "train"


def evaluate(
    split: Annotated[HeldOutSplit, typer.Option(help="The held-out part.")] = HeldOutSplit.val,
    k: Annotated[
        list[int] | None,
        typer.Option(
            "-k", "--k", metavar="N", min=1, help="List length; may be given several times.", show_default="10"
        ),
    ] = None,
    relevance: Annotated[
        Relevance,
        typer.Option(help="Movies to be found: the liked ones, or any rated one (the published protocol)."),
    ] = Relevance.liked,
    history: Annotated[
        HistoryKind,
        typer.Option(help="On test, users are known by train and validation, or by train alone."),
    ] = HistoryKind.known,
    published_ndcg: Annotated[
        bool,
        typer.Option("--published-ndcg", help="Also show the inflated NDCG of the published run, to compare with it."),
    ] = False,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Judge learning instead: users whom the model has never seen are replayed like by like.",
        ),
    ] = False,
    model: ModelId = None,
    threads: Threads = _DEFAULTS.threads,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Look for every user's held-out movies in the model's lists: Recall, Precision and NDCG, beside popularity.

    --replay asks how well swipes are learned. The users who came last are kept from training; each of their likes is
    predicted from what they had swiped before it, by each rule of update, by a vector that never learns, and by
    popularity. It trains a model of its own, with the settings of the published one or of --model, and stores nothing.
    """
    from mlrec.workspace import Workspace

    if replay:
        given = {
            "--split": split != HeldOutSplit.val,
            "--relevance": relevance != Relevance.liked,
            "--history": history != HistoryKind.known,
            "--published-ndcg": published_ndcg,
        }
        if any(given.values()):
            raise typer.BadParameter(
                "With --replay it has no meaning.",
                param_hint=", ".join(name for name, is_given in given.items() if is_given),
            )
        if k and len(k) > 1:
            raise typer.BadParameter("--replay takes one list length.", param_hint="-k")
        _replay(Workspace(data_dir), ReplaySettings(k=k[0] if k else DEFAULT_KS[0], threads=threads), model, as_json)
        return

    from mlrec.evaluation.protocol import evaluate as run

    settings = EvaluateSettings(
        split=split.value,
        ks=tuple(k) if k else DEFAULT_KS,
        relevance=relevance.value,
        history=history.value,
        published_ndcg=published_ndcg,
        threads=threads,
    )
    result = run(Workspace(data_dir), settings, model_id=model, progress=progress())
    if as_json:
        render.print_json(result.to_json())
    else:
        show(result)


def _replay(workspace: Workspace, settings: ReplaySettings, model: str | None, as_json: bool) -> None:
    from mlrec.evaluation.replay import replay

    result = replay(workspace, settings, model_id=model, progress=progress())
    if as_json:
        render.print_json(result.to_json())
    else:
        show_replay(result)


def show_replay(result: Replay) -> None:
    """Render the arms, the best in bold type, and how far the served one is ahead of each other."""
    from mlrec.evaluation.replay import SERVED

    metric = f"hit_rate@{result.settings.k}"
    figures = {name: estimates[metric] for name, estimates in result.arms.items()}
    leads = {name: result.differences[f"{SERVED} - {name}"][metric] for name in figures if name != SERVED}
    best = max(figures, key=lambda name: figures[name].value)
    render.table(
        ["rule", f"#{metric}", "#95% interval", f"#{SERVED} leads by", "#95% interval"],
        [
            (
                name,
                f"{estimate.value:.4f}",
                f"{estimate.low:.4f} to {estimate.high:.4f}",
                *(
                    (f"{leads[name].value:+.4f}", f"{leads[name].low:+.4f} to {leads[name].high:+.4f}")
                    if name in leads
                    else "  "
                ),
            )
            for name, estimate in figures.items()
        ],
        title=f"next liked movie in the top {result.settings.k}: {result.likes:,} likes of {result.users:,} new users",
        bold=[list(figures).index(best)],
    )
    day = datetime.fromtimestamp(result.starts_at, UTC).date()
    render.note(
        f"Learned from the {result.learned_events:,} ratings of other users before {day}. "
        f"{result.unknown_likes:,} of the likes are of movies that the model does not know: misses for all."
    )


def show(result: Evaluation) -> None:
    """Render the figures, one model a row, the best of each in bold type where the whole row is best."""
    names = list(result.models["als"])
    best = {metric: max(figures[metric].value for figures in result.models.values()) for metric in names}
    winners = [
        position
        for position, figures in enumerate(result.models.values())
        if all(figures[metric].value == best[metric] for metric in names)
    ]
    render.table(
        ["model", *(f"#{name}" for name in names)],
        [(name, *(f"{figures[metric].value:.4f}" for metric in names)) for name, figures in result.models.items()],
        title=f"{result.split}, {result.relevance} movies, history {result.history}: means over {result.users:,} users",
        bold=winners,
    )
    if result.users_left_out:
        render.note(f"{result.users_left_out:,} users have no such movie in this part and are left out.")
