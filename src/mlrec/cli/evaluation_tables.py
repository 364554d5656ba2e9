"""How evaluations look on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlrec.cli import render
from mlrec.evaluation.estimates import LESS_IS_BETTER, Difference

if TYPE_CHECKING:
    from mlrec.evaluation.comparing import Comparison
    from mlrec.evaluation.estimates import Estimate
    from mlrec.evaluation.protocol import Evaluation
    from mlrec.evaluation.replay.replay import Replay
    from mlrec.evaluation.summary import Segment

_PROTOCOLS = {
    "user-time": "each user's own time, so the model has seen other users' future (Ji et al. 2023)",
    "global-time": "two moments for everybody: nobody's future has been seen",
    "held-out-users": "users kept from training, 80% of whose history is folded in (Liang et al. 2018)",
}

_CURVE = ("fold-in", "retrain", "gradient", "static", "popularity")


def show_replay(result: Replay) -> None:
    """Render the arms, the best in bold type, and how far the served one is ahead of each other."""
    from mlrec.evaluation.replay.arms import SERVED
    from mlrec.evaluation.report.names import duration
    from mlrec.evaluation.segments import span_name

    k = result.settings.k
    metrics = (f"mrr@{k}", f"disliked@{k}", f"hit_rate@{k}")
    hit_rate = metrics[-1]
    values = {metric: [figures[metric].value for figures in result.arms.values()] for metric in metrics}
    best = {metric: min(found) if metric.startswith(LESS_IS_BETTER) else max(found) for metric, found in values.items()}
    rows: list[list[str]] = []
    bold: set[tuple[int, int]] = set()
    for name, figures in result.arms.items():
        own, lead = figures[hit_rate], result.differences.get(f"{SERVED} - {name}", {}).get(hit_rate)
        bold |= {
            (len(rows), column) for column, metric in enumerate(metrics, 1) if figures[metric].value == best[metric]
        }
        cells = [name, *(f"{figures[metric].value:.4f}" for metric in metrics), interval(own)]
        rows.append([*cells, f"{lead.value:+.4f}", interval(lead)] if lead else cells)
    sample = f" drawn from {result.held_out_users:,}" if result.users < result.held_out_users else ""
    render.table(
        ["rule", *(f"#{metric}" for metric in metrics), "#95% interval", f"#{SERVED} leads by", "#95% interval"],
        rows,
        title=f"next liked movie in the top {k}: {result.likes:,} likes of {result.users:,} new users{sample}",
        bold_cells=bold,
        keys=1,
    )
    curve = [name for name in _CURVE if name in result.arms]
    for metric in reversed(metrics):
        render.table(
            ["swipes before", "#likes", *(f"#{name}" for name in curve)],
            [
                (
                    span_name(part.swipes, part.below),
                    f"{part.likes:,}",
                    *(_with_margin(part.arms[name][metric]) for name in curve),
                )
                for part in result.curve
            ],
            title=f"{metric} by what was swiped before, ± half of the 95% interval",
            keys=1,
        )
    for name, reason in result.skipped.items():
        render.line(f"{name} {reason} and was left out.")
    day = datetime.fromtimestamp(result.starts_at, UTC).date()
    render.line(
        f"Learned from the {result.learned_events:,} ratings of other users before {day}. "
        f"{result.unknown_likes:,} of the likes are of movies that the model does not know: misses for all."
    )
    costs = (f"{name} {duration(seconds)}" for name, seconds in result.update_seconds.items())
    render.note(f"An update of a user's vector takes: {', '.join(costs)} (median here and now).")


_ACCURACY = ("recall", "capped_recall", "precision", "published_ndcg", "map", "mrr", "hit_rate")
_BEYOND = ("novelty", "diversity", "popularity_lift", "disliked", "coverage")


def show(result: Evaluation, *, with_segments: bool = False) -> None:
    """Render the figures, one model a row, the best of each in bold type."""
    for k in result.ks:
        show_headline(result, k)
        shown = [name for name in _ACCURACY if f"{name}@{k}" in result.models["als"]]
        _show_figures(result, [f"{name}@{k}" for name in shown])
        _show_figures(result, [f"{name}@{k}" for name in _BEYOND])
    if with_segments:
        _show_segments(result, result.ks[0])
    for name, reason in result.skipped.items():
        render.line(f"{name} {reason} and was left out; to judge it: --baseline {name}.")
    render.line(f"Split by {_PROTOCOLS[result.protocol]}.")
    if result.trained_anew:
        settings_of = f"the settings of {result.model_id}" if result.model_id else "the default settings"
        render.line(f"The model was trained for this, in memory, with {settings_of}; nothing was written.")
    if result.users_left_out:
        render.line(f"{result.users_left_out:,} users have no such movie in this part and are left out.")


def show_headline(result: Evaluation, k: int) -> None:
    """Render NDCG with intervals, and how far the model is ahead of each baseline."""
    whom = f"a sample of {result.users:,} users" if result.sample else f"{result.users:,} users"
    metric = f"ndcg@{k}"
    best = max(figures[metric].value for figures in result.models.values())
    rows = []
    for name, figures in result.models.items():
        own, lead = figures[metric], result.differences.get(f"als - {name}", {}).get(metric)
        cells = [name, f"{own.value:.4f}", interval(own)]
        if lead:
            cells += lead_cells(lead)
        rows.append(cells)
    render.table(
        ["model", f"#{metric}", "#95% interval", "#als leads", "#95% interval", "#p"],
        rows,
        title=f"{result.split}, {result.relevance} movies, history {result.history}: {whom}",
        bold_cells={(row, 1) for row, figures in enumerate(result.models.values()) if figures[metric].value == best},
        keys=1,
    )


def _show_figures(result: Evaluation, metrics: list[str]) -> None:
    bold = set()
    for column, metric in enumerate(metrics, start=1):
        values = [figures[metric].value for figures in result.models.values()]
        best = min(values) if metric.startswith(LESS_IS_BETTER) else max(values)
        bold |= {(row, column) for row, value in enumerate(values) if value == best}
    render.table(
        ["model", *(f"#{name}" for name in metrics)],
        [(name, *(f"{figures[metric].value:.4f}" for metric in metrics)) for name, figures in result.models.items()],
        bold_cells=bold,
        keys=1,
    )


def _show_segments(result: Evaluation, k: int) -> None:
    """Render NDCG by length of history, and recall by popularity of what was to be found."""
    users = [segment for segment in result.segments if segment.by == "history"]
    movies = [segment for segment in result.segments if segment.by == "popularity"]
    _show_parts(f"ndcg@{k} by how many events of a user are known", "known events", users, f"ndcg@{k}")
    _show_parts(
        f"recall@{k} by the popularity of the movies to be found, each a third of all likes",
        "movies",
        movies,
        f"recall@{k}",
    )


def _show_parts(title: str, column: str, parts: list[Segment], metric: str) -> None:
    names = list(parts[0].models) if parts else []
    rows, bold = [], set()
    for number, part in enumerate(parts):
        name = part.name if part.movies is None else f"{part.name} ({part.movies:,})"
        values = [part.models[model][metric] for model in names]
        best = max(figure.value for figure in values)
        bold |= {(number, place) for place, figure in enumerate(values, start=3) if figure.value == best}
        rows.append([name, f"{part.users:,}", f"{part.answers:,}", *(_with_margin(figure) for figure in values)])
    render.table(
        [column, "#users", "#answers", *(f"#{name}" for name in names)], rows, title=title, bold_cells=bold, keys=1
    )


def interval(figure: Estimate | Difference, digits: int = 3) -> str:
    """The bounds in words, signed for a difference; "none" without an interval."""
    if figure.low is None or figure.high is None:
        return "none"
    sign = "+" if isinstance(figure, Difference) else ""
    return f"{figure.low:{sign}.{digits}f} to {figure.high:{sign}.{digits}f}"


def lead_cells(lead: Difference, digits: int = 3) -> list[str]:
    """A difference, its interval and p."""
    return [f"{lead.value:+.4f}", interval(lead, digits), "" if lead.p is None else f"{lead.p:.3f}"]


def _with_margin(figure: Estimate) -> str:
    """A figure and half of its interval."""
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ±{(figure.high - figure.low) / 2:.3f}"


def show_comparison(result: Comparison) -> None:
    """Render two models side by side, the better one of each figure in bold type."""
    first, second = (result.models[name] for name in (result.first, result.second))
    rows, bold = [], set()
    for number, (metric, lead) in enumerate(result.difference.items()):
        values = (first[metric].value, second[metric].value)
        best = min(values) if metric.startswith(LESS_IS_BETTER) else max(values)
        bold |= {(number, column) for column, value in enumerate(values, 1) if value == best}
        rows.append([metric, *(f"{value:.4f}" for value in values), *lead_cells(lead, digits=4)])
    render.table(
        ["metric", f"#{result.first}", f"#{result.second}", "#difference", "#95% interval", "#p"],
        rows,
        title=f"{result.split}, {result.relevance} movies, history {result.history}: {result.users:,} users",
        bold_cells=bold,
        keys=1,
    )
    if result.answers_left_out:
        render.line(f"{result.answers_left_out:,} held-out ratings that one of them has learned from are left out.")
