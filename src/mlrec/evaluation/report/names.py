"""How the report calls metrics, parts and figures, for people."""

from __future__ import annotations

from collections.abc import Iterable

from mlrec.evaluation.estimates import LESS_IS_BETTER, Difference, Estimate, Figures
from mlrec.evaluation.replay.replay import Part
from mlrec.evaluation.segments import span_name

MEANINGS = {
    "recall": "Share of a user's wanted movies that the list has.",
    "capped_recall": "The same, where no more can be wanted than the list has places.",
    "precision": "Share of the list that is wanted.",
    "ndcg": "Wanted movies in the list, those at the top counting more; 1 is the best possible list.",
    "published_ndcg": "The inflated NDCG of the published run, to compare with that only.",
    "map": "Mean precision at the places of the wanted movies.",
    "mrr": "1 divided by the place of the first wanted movie; 0 without one.",
    "hit_rate": "Share of lists that have a wanted movie.",
    "novelty": "How few people liked the listed movies, in bits.",
    "diversity": "How different the genres within a list are, 0 to 1.",
    "popularity_lift": "How much more popular the lists are than what the same users knew; 0 is as popular.",
    "disliked": "Share of the list that the user turned out to dislike.",
    "coverage": "Share of all movies that are in at least one list.",
}

_CAPITALS = {"ndcg": "NDCG", "published_ndcg": "Published NDCG", "map": "MAP", "mrr": "MRR"}
_SPLITS = {"train": "training", "val": "validation"}


def kind_of(metric: str) -> str:
    """The metric without its list length: "ndcg" of "ndcg@10"."""
    return metric.partition("@")[0]


def metric_name(metric: str) -> str:
    """The metric for people: "Hit rate@10" for "hit_rate@10"."""
    kind, at, k = metric.partition("@")
    return _CAPITALS.get(kind, kind.replace("_", " ").capitalize()) + at + k


def metric_title(metric: str) -> str:
    """Its name, and which way is better where that is not plain."""
    return metric_name(metric) + (", less is better" if kind_of(metric) in LESS_IS_BETTER else "")


def split_name(split: str) -> str:
    """The part for people: "validation" for "val"."""
    return _SPLITS.get(split, split)


def span(part: Part) -> str:
    """How many events came before the likes of a part, as short as the tick of an axis: "0", "2–4", "50+"."""
    return span_name(part.swipes, part.below).replace(" to ", "–").replace(" or more", "+")


def metrics_of(figures: Figures) -> list[str]:
    """Metrics that any of the models has, in their order."""
    return list(dict.fromkeys(metric for row in figures.values() for metric in row))


def metrics_of_all(curve: Iterable[Part]) -> list[str]:
    """Metrics that each arm has in each part, in their order."""
    rows = [row for part in curve for row in part.arms.values()]
    return [metric for metric in rows[0] if all(metric in row for row in rows)]


def best_names(figures: Figures, metric: str) -> set[str]:
    """Who is best at a metric; more than one name on a tie."""
    values = {name: row[metric].value for name, row in figures.items() if metric in row}
    best = min(values.values()) if kind_of(metric) in LESS_IS_BETTER else max(values.values())
    return {name for name, value in values.items() if value == best}


def signed(value: float, digits: int) -> str:
    """A difference with its sign, which 0 has not."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def interval(own: Estimate | Difference) -> str:
    """The bounds in words; signed for a difference; empty without an interval."""
    if own.low is None or own.high is None:
        return ""
    if isinstance(own, Difference):
        return f"{signed(own.low, 3)} to {signed(own.high, 3)}"
    return f"{own.low:.3f} to {own.high:.3f}".replace("-", "−")


def number(value: float) -> str:
    """A figure, with a minus sign that is as wide as a plus."""
    return f"{value:.4f}".replace("-", "−")


def duration(seconds: float) -> str:
    """A time with its unit, two digits of it."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.1 else f"{1000 * seconds:.2g} ms"
