"""Words and number formats for metrics, splits and figures, for the terminal and the report.

The command line imports this module for every command, so it must not import heavy libraries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from mlrec.evaluation.estimates import LESS_IS_BETTER, Difference, Estimate, kind_of
from mlrec.plurals import counted
from mlrec.settings import Judged, ProtocolName, Relevance, RelevanceWithin

MEANINGS = {
    "recall": "Share of a user's relevant movies that are in the list.",
    "capped_recall": "Recall that counts no more relevant movies than the list is long.",
    "precision": "Share of the list that is relevant.",
    "ndcg": "How many relevant movies are in the list and how near the top; 1 is the best possible list.",
    "published_ndcg": "The inflated NDCG of the baseline's publication; use it only to compare with those figures.",
    "map": "Mean of the precision at the ranks of the relevant movies.",
    "mrr": "1 divided by the rank of the first relevant movie; 0 if there is none.",
    "hit_rate": "Share of lists with at least one relevant movie.",
    "novelty": "How few users liked the listed movies, in bits.",
    "diversity": "How different the genres within a list are, 0 to 1.",
    "popularity_lift": "How much more popular the lists are than what the same users knew; 0 means equally popular.",
    "disliked": "Share of the list that the user turned out to dislike.",
    "coverage": "Share of all movies that are in at least one list.",
}

PROTOCOLS: Mapping[ProtocolName, str] = {
    "user-time": "each user's own time, so the model has seen other users' future (Ji et al. 2023)",
    "global-time": "two cutoff times for all users, so the model has seen nobody's future",
    "held-out-users": "user: the model has not seen these users, 80% of whose history is folded in (Liang et al. 2018)",
}
"""How events are split; completes a sentence that begins with "Split by"."""

UNDEFINED, SURE = "–", "*"
# The floor of p with 2,000 bootstrap samples.
_SMALLEST_P = 0.001

_CAPITALS = {"ndcg": "NDCG", "published_ndcg": "Published NDCG", "map": "MAP", "mrr": "MRR"}
_SPLITS = {"train": "training", "val": "validation"}


def metric_name(metric: str) -> str:
    """Return the metric as people read it: "Hit rate@10" for "hit_rate@10"."""
    kind, at, k = metric.partition("@")
    return _CAPITALS.get(kind, kind.replace("_", " ").capitalize()) + at + k


def metric_title(metric: str) -> str:
    """Return the metric's name, and a note if lower is better."""
    return metric_name(metric) + (", lower is better" if kind_of(metric) in LESS_IS_BETTER else "")


def split_name(split: str) -> str:
    """Return the split as people read it: "validation" for "val"."""
    return _SPLITS.get(split, split)


def relevant(relevance: Relevance, within: RelevanceWithin) -> str:
    """Return which held-out movies are relevant: "liked movies", "any movies of the core"."""
    return f"{relevance} movies" + (" of the core" if within == "core" else "")


def span_name(fewest: int, below: int | None) -> str:
    """Name a span of numbers: "0", "20 to 49", "500 or more"."""
    if below is None:
        return f"{fewest} or more"
    return str(fewest) if below == fewest + 1 else f"{fewest} to {below - 1}"


def short_span(fewest: int, below: int | None) -> str:
    """Name a span of numbers in the short form for an axis: "0", "2–4", "50+"."""
    return span_name(fewest, below).replace(" to ", "–").replace(" or more", "+")


def number(value: float) -> str:
    """Format a figure with four decimals; "–" if it is undefined."""
    return UNDEFINED if math.isnan(value) else f"{value:.4f}"


def signed(value: float, digits: int = 4) -> str:
    """Format a difference with its sign; 0 has none, and an undefined one is "–"."""
    if math.isnan(value):
        return UNDEFINED
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def interval(figure: Estimate | Difference, digits: int = 3) -> str:
    """Format the bounds of a confidence interval, signed for a difference; "none" if there is no interval."""
    if figure.low is None or figure.high is None:
        return "none"
    if isinstance(figure, Difference):
        return f"{signed(figure.low, digits)} to {signed(figure.high, digits)}"
    return f"{figure.low:.{digits}f} to {figure.high:.{digits}f}"


def with_margin(figure: Estimate) -> str:
    """Format a figure with half the width of its confidence interval."""
    if figure.low is None or figure.high is None:
        return UNDEFINED if math.isnan(figure.value) else f"{figure.value:.3f}"
    return f"{figure.value:.3f} ±{(figure.high - figure.low) / 2:.3f}"


def lead_cells(lead: Difference, digits: int = 3) -> list[str]:
    """Format a difference, its confidence interval and p, with a mark if it stands after the correction."""
    return [signed(lead.value), interval(lead, digits), p_value(lead)]


def p_value(lead: Difference) -> str:
    """Format p, which bootstrap samples cannot show below a floor; `SURE` marks what stands after the correction."""
    if lead.p is None:
        return ""
    text = f"≤ {_SMALLEST_P:g}" if lead.p <= _SMALLEST_P else f"{lead.p:.3f}"
    return f"{text} {SURE}" if lead.is_sure else text


def duration(seconds: float) -> str:
    """Format a time with its unit and about two digits."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.1 else f"{1000 * seconds:.2g} ms"


def day(seconds: int) -> str:
    """Return the UTC date of a time in epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def whom(users: int, sample: int | None, judged: Judged = "all") -> str:
    """Say how many users are in the figures, which ones, and whether they are a sample."""
    found = counted(users, "user") + JUDGED[judged]
    return f"a sample of {found}" if sample else found


def left_out(users: int) -> str:
    """Say how many users were skipped because they have no relevant movie."""
    were = "was" if users == 1 else "were"
    return f"{counted(users, 'user')} had no relevant movie in this split and {were} skipped."


def where_relevant(movies: int, outside_core: int, unknown: int) -> str:
    """Say how many held-out movies are relevant, and which share of them is hard to find or cannot be found."""
    found = f"{counted(movies, 'held-out movie')} {'is' if movies == 1 else 'are'} relevant"
    if not movies or not (outside_core or unknown):
        return f"{found}, all of them in the core."
    missed = f" The model does not know {unknown / movies:.1%}; these are misses." if unknown else ""
    return f"{found}; {outside_core / movies:.0%} of them are outside the core, with few ratings.{missed}"


def more_found(k: int, lead: float, name: str, other: str) -> str:
    """Say in words how far precision@k leads: in how many lists there is one more relevant movie."""
    per_list = abs(lead) * k
    if math.isnan(lead) or per_list < 1e-4:
        return f"In lists of {k}, {name} finds as many relevant movies as {other}"
    more = "more" if lead > 0 else "fewer"
    if per_list > 2 / 3:
        return f"In each list of {k}, {name} finds {per_list:.1f} {more} relevant movies than {other}"
    return f"{name} finds 1 {more} relevant movie per {1 / per_list:,.0f} lists than {other}"


def of_seeds(
    metric: str, seeds: Sequence[int], figures: Mapping[str, Sequence[float]], spread: Mapping[str, Estimate]
) -> str:
    """Say how far a metric depends on the random seed of the training."""
    found = ", ".join(map(number, figures[metric]))
    return (
        f"{metric_name(metric)} with {len(seeds)} training seeds: {found}. The next training would lie between"
        f" {interval(spread[metric]).replace(' to ', ' and ')} with 95% probability."
    )


def significant(comparisons: int) -> str:
    """Say what `SURE` marks."""
    return f"{SURE} significant at 5% after Holm's correction for {counted(comparisons, 'comparison')}."


def half_lives(chosen: Mapping[str, float | None]) -> str:
    """Say which half-lives the baselines that look at dates have chosen on validation."""

    def said(name: str, half_life: float | None) -> str:
        if half_life is None:
            return f"{name} no decay"
        return f"{name} {half_life:g} {'days' if name == 'recent' else 'events'}"

    return f"Half-lives chosen on validation: {', '.join(said(*one) for one in chosen.items())}."


SEQUENCE = (
    "sequence counts what was rated soon after what. It learns the order of a page more than taste, and is here for"
    " comparison only (see --shuffle-sittings)."
)
"""What the baseline `sequence` is."""


def how_split(protocol: ProtocolName, ordered_by: str) -> str:
    """Say how the data was split."""
    if ordered_by == "time":
        return f"Split by {PROTOCOLS[protocol]}."
    order = "the order of the file" if ordered_by == "file" else "a random order"
    if protocol == "user-time":
        return f"Split by {order} of each user's events, because the data has no times."
    return f"Split by {PROTOCOLS[protocol]}. The data has no times: each user's events are in {order}."


def divided(*, shuffled: bool, on_all: bool) -> list[str]:
    """Say what is unusual about how the events were divided."""
    found = ["The order of events within each sitting was dealt anew, before the split."] if shuffled else []
    return found + (["All events counted for the split, not only those of the core."] if on_all else [])


JUDGED: Mapping[Judged, str] = {
    "all": "",
    "others": " outside the holdout",
    "holdout": " of the holdout",
}
"""Which users are evaluated; follows a number of users."""


def settings_of(model_id: str | None) -> str:
    """Say which settings a model was trained with."""
    return f"the settings of {model_id}" if model_id else "the default settings"


def skipped(names: Sequence[str], reason: str) -> str:
    """Say why a model or a rule has no figures, or each of several."""
    who = names[0] if len(names) == 1 else f"Each of {', '.join(names[:-1])} and {names[-1]}"
    return f"{who} {reason} and was skipped"


def by_reason(skipped: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """Group what was skipped by the reason."""
    return [
        ([name for name, own in skipped.items() if own == reason], reason) for reason in dict.fromkeys(skipped.values())
    ]


def learned_from(events: int, before: int) -> str:
    """Say what the model of a replay learned from: events before a time in epoch seconds."""
    return f"The model learned from the {events:,} ratings of other users before {day(before)}."


def updates(seconds: Mapping[str, float]) -> str:
    """List the time that an update of a user's vector takes with each rule."""
    return ", ".join(f"{name} {duration(own)}" for name, own in seconds.items())
