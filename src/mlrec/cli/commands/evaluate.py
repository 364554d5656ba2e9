"""mlrec evaluate: how good is the model?"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, ModelId, Threads, examples
from mlrec.cli.progress import progress
from mlrec.settings import DEFAULT_KS, EvaluateSettings

if TYPE_CHECKING:
    from mlrec.evaluation.protocol import Evaluation

EXAMPLES = examples(
    "mlrec evaluate",
    "mlrec evaluate --split test -k 10 -k 50",
    "mlrec evaluate --relevance any --published-ndcg",
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
    model: ModelId = None,
    threads: Threads = _DEFAULTS.threads,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Look for every user's held-out movies in the model's lists: Recall, Precision and NDCG, beside popularity."""
    from mlrec.evaluation.protocol import evaluate as run
    from mlrec.workspace import Workspace

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
