"""Turn the results by user into figures with confidence intervals, for all users and by segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlrec.evaluation.bootstrap import Bootstrap, difference, estimate, ratio
from mlrec.evaluation.estimates import Differences, Estimate, Figures, holm
from mlrec.evaluation.judging import Judged, PerUser
from mlrec.evaluation.segments import PAUSES, THIRDS, history_spans, popularity_thirds

THIRD_NAMES = ("most popular", "middle", "least popular")


@dataclass(frozen=True)
class Segment:
    """Figures of the models for some of the users, or for some of the relevant movies.

    Attributes
    ----------
    by
        "history" for users by their number of known events; "popularity" for relevant movies by popularity third;
        "pause" for relevant movies by the time since the user's last known event.
    name
        A number of events ("20 to 49"); "most popular", "middle" or "least popular"; or one of
        `mlrec.evaluation.segments.PAUSES`.
    movies
        Number of movies in a popularity third; otherwise None.
    users, answers
        Number of users with a relevant movie in this segment, and number of such movies. (The name `answers` is part of
        the JSON output.)
    models
        Name → metric → estimate.
    """

    by: Literal["history", "popularity", "pause"]
    name: str
    movies: int | None
    users: int
    answers: int
    models: Figures


Columns = Mapping[str, Mapping[str, PerUser]]
"""Model → metric ("ndcg@10") → its columns by user; all have the same users."""


def figures_of(columns: Columns, bootstrap: Bootstrap) -> Figures:
    """Return figures with confidence intervals. The bootstrap has the same users as the columns."""
    resampled = _resampled(columns, bootstrap)
    return {
        name: {metric: estimate(ratio(*own), resampled[name, metric]) for metric, own in of_model.items()}
        for name, of_model in columns.items()
    }


def _resampled(columns: Columns, bootstrap: Bootstrap) -> dict[tuple[str, str], NDArray[np.float64]]:
    """The resampled values of each figure, by model and metric."""
    keys = [(name, metric) for name, of_model in columns.items() for metric in of_model]
    return dict(zip(keys, bootstrap.ratios_of([columns[name][metric] for name, metric in keys]), strict=True))


def compared(columns: Columns, bootstrap: Bootstrap, first: str) -> tuple[Figures, Differences]:
    """Return figures with confidence intervals, and the paired differences between one model and each other one.

    Parameters
    ----------
    columns, bootstrap
        As in `figures_of`.
    first
        Name of the model from whose figures the others are subtracted.
    """
    figures: Figures = {name: {} for name in columns}
    differences: Differences = {f"{first} - {name}": {} for name in columns if name != first}
    resampled = _resampled(columns, bootstrap)
    for metric in columns[first]:
        values = {name: ratio(*own[metric]) for name, own in columns.items()}
        for name in columns:
            figures[name][metric] = estimate(values[name], resampled[name, metric])
            if name != first:
                gaps = resampled[first, metric] - resampled[name, metric]
                lead = difference(values[first] - values[name], gaps)
                differences[f"{first} - {name}"][metric] = lead
    return figures, holm(differences)


def summarized(found: Mapping[str, Judged], bootstrap: Bootstrap, judged: str) -> tuple[Figures, Differences]:
    """Return figures and differences as `compared` does, and coverage, which has no interval.

    Parameters
    ----------
    found
        Name → results of the same users.
    bootstrap
        Bootstrap of these users.
    judged
        Name of the model from whose figures the others are subtracted.
    """
    figures, differences = compared({name: model.per_user for name, model in found.items()}, bootstrap, judged)
    for name, model in found.items():
        figures[name].update({metric: Estimate(value) for metric, value in model.coverage.items()})
    return figures, differences


def segments(
    found: Mapping[str, Judged],
    bootstrap: Bootstrap,
    *,
    n_known: NDArray[np.int64],
    n_relevant: NDArray[np.int64],
    popularity: NDArray[np.int64],
    n_after_pause: NDArray[np.int64] | None,
    ks: tuple[int, ...],
) -> list[Segment]:
    """Return NDCG and recall by length of history and by pause, and recall by popularity of the relevant movies.

    Parameters
    ----------
    found, bootstrap
        As in `summarized`.
    n_known, n_relevant
        Numbers of known events and of relevant movies of the evaluated users, (users,).
    popularity
        Likes by movie row, (movies,).
    n_after_pause
        Numbers of relevant movies after each pause, (pauses, users); None if pauses mean nothing.
    ks
        Cutoffs.
    """
    metrics = [f"{metric}@{k}" for k in ks for metric in ("ndcg", "recall")]
    parts = []
    for name, chosen in history_spans(n_known):
        columns = {
            model: {metric: _only(judged.per_user[metric], chosen) for metric in metrics}
            for model, judged in found.items()
        }
        users, relevant = int(np.count_nonzero(chosen)), int(n_relevant[chosen].sum())
        parts.append(Segment("history", name, None, users, relevant, figures_of(columns, bootstrap)))
    third = popularity_thirds(popularity)
    for number in range(THIRDS):
        by_model = {
            model: {metric: columns[number] for metric, columns in judged.by_popularity.items()}
            for model, judged in found.items()
        }
        counts = next(iter(next(iter(by_model.values())).values())).denominators
        if counts.any():
            movies, users = int(np.count_nonzero(third == number)), int(np.count_nonzero(counts))
            figures = figures_of(by_model, bootstrap)
            parts.append(Segment("popularity", THIRD_NAMES[number], movies, users, int(counts.sum()), figures))
    if n_after_pause is None:
        return parts
    for number, name in enumerate(PAUSES):
        by_model = {
            model: {metric: columns[number] for metric, columns in judged.by_pause.items()}
            for model, judged in found.items()
        }
        relevant = n_after_pause[number]
        if relevant.any():
            users, figures = int(np.count_nonzero(relevant)), figures_of(by_model, bootstrap)
            parts.append(Segment("pause", name, None, users, int(relevant.sum()), figures))
    return parts


def _only(columns: PerUser, chosen: NDArray[np.bool_]) -> PerUser:
    return PerUser(columns.numerators * chosen, columns.denominators * chosen)
