"""How metrics, parts and figures are put into words, for the terminal and for the report alike.

The command line imports this before it knows what is to be done: nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from mlrec.evaluation.estimates import LESS_IS_BETTER, Difference, Estimate, kind_of
from mlrec.settings import ProtocolName

MEANINGS = {
    "recall": "Share of a user's relevant movies that the list has.",
    "capped_recall": "The same, counting no more relevant movies than the list is long.",
    "precision": "Share of the list that is relevant.",
    "ndcg": "Relevant movies in the list, those at the top counting more; 1 is the best possible list.",
    "published_ndcg": "The inflated NDCG of the published run, to compare with that only.",
    "map": "Mean precision at the ranks of the relevant movies.",
    "mrr": "1 divided by the rank of the first relevant movie; 0 without one.",
    "hit_rate": "Share of lists that have a relevant movie.",
    "novelty": "How few people liked the listed movies, in bits.",
    "diversity": "How different the genres within a list are, 0 to 1.",
    "popularity_lift": "How much more popular the lists are than what the same users knew; 0 is as popular.",
    "disliked": "Share of the list that the user turned out to dislike.",
    "coverage": "Share of all movies that are in at least one list.",
}

PROTOCOLS: Mapping[ProtocolName, str] = {
    "user-time": "each user's own time, so the model has seen other users' future (Ji et al. 2023)",
    "global-time": "two cutoff times for everybody, so the model has seen nobody's future",
    "held-out-users": "users kept from training, 80% of whose history is folded in (Liang et al. 2018)",
}
"""What events are split by; goes on after "Split by"."""

_CAPITALS = {"ndcg": "NDCG", "published_ndcg": "Published NDCG", "map": "MAP", "mrr": "MRR"}
_SPLITS = {"train": "training", "val": "validation"}


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


def span_name(fewest: int, below: int | None) -> str:
    """How a span of numbers is called: "0", "20 to 49", "500 or more"."""
    if below is None:
        return f"{fewest} or more"
    return str(fewest) if below == fewest + 1 else f"{fewest} to {below - 1}"


def short_span(fewest: int, below: int | None) -> str:
    """The same, as short as the tick of an axis: "0", "2–4", "50+"."""
    return span_name(fewest, below).replace(" to ", "–").replace(" or more", "+")


def number(value: float) -> str:
    """A figure."""
    return f"{value:.4f}"


def signed(value: float, digits: int = 4) -> str:
    """A difference with its sign, which 0 has not."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def interval(figure: Estimate | Difference, digits: int = 3) -> str:
    """The bounds, signed for a difference; "none" without an interval."""
    if figure.low is None or figure.high is None:
        return "none"
    if isinstance(figure, Difference):
        return f"{signed(figure.low, digits)} to {signed(figure.high, digits)}"
    return f"{figure.low:.{digits}f} to {figure.high:.{digits}f}"


def with_margin(figure: Estimate) -> str:
    """A figure and half of its interval."""
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ±{(figure.high - figure.low) / 2:.3f}"


def lead_cells(lead: Difference, digits: int = 3) -> list[str]:
    """A difference, its interval and p."""
    return [signed(lead.value), interval(lead, digits), "" if lead.p is None else f"{lead.p:.3f}"]


def duration(seconds: float) -> str:
    """A time with its unit, two digits of it."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.1 else f"{1000 * seconds:.2g} ms"


def day(seconds: int) -> str:
    """The day of a time in epoch seconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def whom(users: int, sample: int | None) -> str:
    """How many users the figures run over, and whether they were drawn."""
    return f"a sample of {users:,} users" if sample else f"{users:,} users"


def left_out(users: int) -> str:
    """That users without a relevant movie are not among those judged."""
    return f"{users:,} users have no such movie in this part and are left out."


def settings_of(model_id: str | None) -> str:
    """Whose settings a model was trained with."""
    return f"the settings of {model_id}" if model_id else "the default settings"


def skipped(name: str, reason: str) -> str:
    """Why a model or a rule has no figures."""
    return f"{name} {reason} and was left out"


def learned_from(events: int, before: int) -> str:
    """What the model of a replay learned from: events before a time in epoch seconds."""
    return f"Learned from the {events:,} ratings of other users before {day(before)}."


def updates(seconds: Mapping[str, float]) -> str:
    """What an update of a user's vector takes by each rule."""
    return ", ".join(f"{name} {duration(own)}" for name, own in seconds.items())
