"""What was found of each user to figures with intervals, for all users and for parts of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlrec.evaluation.bootstrap import Bootstrap, difference, estimate, ratio
from mlrec.evaluation.estimates import Differences, Estimate, Figures, plain
from mlrec.evaluation.judging import Judged, PerUser
from mlrec.evaluation.segments import THIRDS, history_spans, popularity_thirds

THIRD_NAMES = ("most popular", "middle", "least popular")


@dataclass(frozen=True)
class Segment:
    """Figures of the models for some of the users, or for some of the answers.

    Attributes
    ----------
    by
        "history": users with so many known events. "popularity": answers among the movies that got the first, second
        or last third of all likes.
    name
        "20 to 49", or "most popular", "middle" and "least popular".
    movies
        Movies of a third of popularity; None for users.
    users, answers
        Users with an answer in this part, and these answers.
    models
        Name → metric → estimate.
    """

    by: Literal["history", "popularity"]
    name: str
    movies: int | None
    users: int
    answers: int
    models: Figures

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {**vars(self), "models": plain(self.models)}


def summarized(found: Mapping[str, Judged], bootstrap: Bootstrap, judged: str) -> tuple[Figures, Differences]:
    """Figures with intervals, and the differences of one of the models to the others.

    Parameters
    ----------
    found
        Name → what was found, of the same users.
    bootstrap
        Of these users.
    judged
        Name of the model whose lead is asked for.
    """
    figures: Figures = {name: {} for name in found}
    differences: Differences = {f"{judged} - {name}": {} for name in found if name != judged}
    for metric in found[judged].per_user:
        values, resampled = {}, {}
        for name, model in found.items():
            columns = model.per_user[metric]
            values[name] = ratio(columns.numerators, columns.denominators)
            resampled[name] = bootstrap.ratios(columns.numerators, columns.denominators)
            figures[name][metric] = estimate(values[name], resampled[name])
            if name != judged:
                lead = difference(values[judged] - values[name], resampled[judged] - resampled[name])
                differences[f"{judged} - {name}"][metric] = lead
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
    ks: tuple[int, ...],
) -> list[Segment]:
    """NDCG and recall by length of history, and recall by popularity of the movies that were to be found.

    Parameters
    ----------
    found, bootstrap
        See `summarized`.
    n_known, n_relevant
        Known events and answers of the judged users, (users,).
    popularity
        Likes by movie row, (movies,).
    ks
        List lengths.
    """

    def figure(columns: PerUser) -> Estimate:
        value = ratio(columns.numerators, columns.denominators)
        return estimate(value, bootstrap.ratios(columns.numerators, columns.denominators))

    def figures(columns: Mapping[str, Mapping[str, PerUser]]) -> Figures:
        return {
            name: {metric: figure(per_user) for metric, per_user in of_model.items()}
            for name, of_model in columns.items()
        }

    metrics = [f"{metric}@{k}" for k in ks for metric in ("ndcg", "recall")]
    parts = []
    for name, chosen in history_spans(n_known):
        columns = {
            model: {metric: _only(judged.per_user[metric], chosen) for metric in metrics}
            for model, judged in found.items()
        }
        users, answers = int(np.count_nonzero(chosen)), int(n_relevant[chosen].sum())
        parts.append(Segment("history", name, None, users, answers, figures(columns)))
    third = popularity_thirds(popularity)
    for number in range(THIRDS):
        by_model = {
            model: {metric: columns[number] for metric, columns in judged.by_popularity.items()}
            for model, judged in found.items()
        }
        n_answers = next(iter(next(iter(by_model.values())).values())).denominators
        if n_answers.any():
            movies, users = int(np.count_nonzero(third == number)), int(np.count_nonzero(n_answers))
            parts.append(
                Segment("popularity", THIRD_NAMES[number], movies, users, int(n_answers.sum()), figures(by_model))
            )
    return parts


def _only(columns: PerUser, chosen: NDArray[np.bool_]) -> PerUser:
    return PerUser(columns.numerators * chosen, columns.denominators * chosen)
