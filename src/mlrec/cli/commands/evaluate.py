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
    from mlrec.evaluation.replay import Part, Replay
    from mlrec.workspace import Workspace

EXAMPLES = examples(
    "mlrec evaluate",
    "mlrec evaluate --split test -k 10 -k 50",
    "mlrec evaluate --baseline popularity --baseline ease --ease-regularization 500",
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


class Baseline(StrEnum):
    """Models to judge by."""

    popularity = "popularity"
    cosine = "cosine"
    ease = "ease"
    als_baseline = "als-baseline"
    als_default = "als-default"


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
    baseline: Annotated[
        list[Baseline] | None,
        typer.Option(
            help="Model to judge beside; may be given several times. ALS ones are trained for it, with a preset.",
            show_default="those that take seconds",
        ),
    ] = None,
    ease_regularization: Annotated[
        float, typer.Option(metavar="λ", help="Regularization of EASE; larger data wants a larger one.")
    ] = _DEFAULTS.ease_regularization,
    sample: Annotated[
        int, typer.Option(metavar="N", min=0, help="A quick look at N users, drawn at random; 0: all users.")
    ] = _DEFAULTS.sample,
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
    """Look for every user's held-out movies in the model's lists, beside baselines on the same split, history, masks.

    Recall, precision, NDCG, MAP, MRR and hit rate with 95% intervals over users; how far the model is ahead of each
    baseline; and what accuracy hides: novelty, diversity, popularity, disliked movies, coverage. Baselines are there to
    judge by, and never published.

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
            "--baseline": bool(baseline),
            "--sample": bool(sample),
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
        baselines=tuple(name.value for name in baseline) if baseline else None,
        ease_regularization=ease_regularization,
        sample=sample,
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


_CURVE = ("fold-in", "gradient", "static", "popularity")


def _span(part: Part) -> str:
    if part.below is None:
        return f"{part.swipes} or more"
    return str(part.swipes) if part.below == part.swipes + 1 else f"{part.swipes} to {part.below - 1}"


def show_replay(result: Replay) -> None:
    """Render the arms, the best in bold type, and how far the served one is ahead of each other."""
    from mlrec.evaluation.replay import SERVED

    k = result.settings.k
    hit_rate, mrr = f"hit_rate@{k}", f"mrr@{k}"
    best = {metric: max(figures[metric].value for figures in result.arms.values()) for metric in (hit_rate, mrr)}
    rows: list[list[str]] = []
    bold: set[tuple[int, int]] = set()
    for name, figures in result.arms.items():
        own, lead = figures[hit_rate], result.differences.get(f"{SERVED} - {name}", {}).get(hit_rate)
        bold |= {
            (len(rows), column) for column, metric in ((1, mrr), (2, hit_rate)) if figures[metric].value == best[metric]
        }
        cells = [name, f"{figures[mrr].value:.4f}", f"{own.value:.4f}", f"{own.low:.3f} to {own.high:.3f}"]
        rows.append([*cells, f"{lead.value:+.4f}", f"{lead.low:+.3f} to {lead.high:+.3f}"] if lead else cells)
    render.table(
        ["rule", f"#{mrr}", f"#{hit_rate}", "#95% interval", f"#{SERVED} leads by", "#95% interval"],
        rows,
        title=f"next liked movie in the top {k}: {result.likes:,} likes of {result.users:,} new users",
        bold_cells=bold,
    )
    render.table(
        ["swipes before", "#likes", *(f"#{name}" for name in _CURVE)],
        [
            (
                _span(part),
                f"{part.likes:,}",
                *(
                    f"{(own := part.arms[name][hit_rate]).value:.3f} ±{((own.high or 0) - (own.low or 0)) / 2:.3f}"
                    for name in _CURVE
                ),
            )
            for part in result.curve
        ],
        title=f"{hit_rate} by what was swiped before, ± half of the 95% interval",
    )
    day = datetime.fromtimestamp(result.starts_at, UTC).date()
    render.note(
        f"Learned from the {result.learned_events:,} ratings of other users before {day}. "
        f"{result.unknown_likes:,} of the likes are of movies that the model does not know: misses for all."
    )


_ACCURACY = ("recall", "precision", "published_ndcg", "map", "mrr", "hit_rate")
_BEYOND = ("novelty", "diversity", "popularity_lift", "disliked", "coverage")
_LESS_IS_BETTER = ("popularity_lift", "disliked")


def show(result: Evaluation) -> None:
    """Render the figures, one model a row, the best of each in bold type."""
    for k in result.ks:
        show_headline(result, k)
        shown = [name for name in _ACCURACY if f"{name}@{k}" in result.models["als"]]
        _show_figures(result, [f"{name}@{k}" for name in shown])
        _show_figures(result, [f"{name}@{k}" for name in _BEYOND])
    for name, reason in result.skipped.items():
        render.line(f"{name} {reason} and was left out; to judge it: --baseline {name}.")
    if result.users_left_out:
        render.note(f"{result.users_left_out:,} users have no such movie in this part and are left out.")


def show_headline(result: Evaluation, k: int) -> None:
    """Render NDCG with intervals, and how far the model is ahead of each baseline."""
    whom = f"a sample of {result.users:,} users" if result.sample else f"{result.users:,} users"
    metric = f"ndcg@{k}"
    best = max(figures[metric].value for figures in result.models.values())
    rows = []
    for name, figures in result.models.items():
        own, lead = figures[metric], result.differences.get(f"als - {name}", {}).get(metric)
        cells = [name, f"{own.value:.4f}", f"{own.low:.3f} to {own.high:.3f}"]
        if lead:
            cells += [f"{lead.value:+.4f}", f"{lead.low:+.3f} to {lead.high:+.3f}", f"{lead.p:.3f}"]
        rows.append(cells)
    render.table(
        ["model", f"#{metric}", "#95% interval", "#als is ahead by", "#95% interval", "#p"],
        rows,
        title=f"{result.split}, {result.relevance} movies, history {result.history}: {whom}",
        bold_cells={(row, 1) for row, figures in enumerate(result.models.values()) if figures[metric].value == best},
    )


def _show_figures(result: Evaluation, metrics: list[str]) -> None:
    bold = set()
    for column, metric in enumerate(metrics, start=1):
        values = [figures[metric].value for figures in result.models.values()]
        best = min(values) if metric.startswith(_LESS_IS_BETTER) else max(values)
        bold |= {(row, column) for row, value in enumerate(values) if value == best}
    render.table(
        ["model", *(f"#{name}" for name in metrics)],
        [(name, *(f"{figures[metric].value:.4f}" for metric in metrics)) for name, figures in result.models.items()],
        bold_cells=bold,
    )
