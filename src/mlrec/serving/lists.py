"""Rank movies for a user, and explain the score of a movie."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.errors import CannotExplainError
from mlrec.ids import PublicId
from mlrec.ranking.best_unseen import Seen
from mlrec.ranking.ranker import Scores
from mlrec.serving import arguments
from mlrec.serving.allowed import Allowed
from mlrec.serving.list_filters import ListFilters
from mlrec.serving.result_list import ResultList
from mlrec.serving.results import Card, Contribution, Explanation, Recommendation, Source, Standing
from mlrec.serving.user_views import UserView

MOSTLY = 0.5
"""A score is personal if at least this part of it is taste."""


@dataclass(frozen=True)
class RankedRows:
    """A ranked list as movie rows; all arrays are (movies,).

    Attributes
    ----------
    rows
        Movie rows, best first, int64.
    shown
        Scores, float32.
    taste
        Which part of each score comes from the user's own opinions and not from popularity, float32, 0 to 1.
    """

    rows: NDArray[np.int64]
    shown: NDArray[np.float32]
    taste: NDArray[np.float32]

    @classmethod
    def by_taste(cls, rows: NDArray[np.int64], scores: NDArray[np.float32]) -> Self:
        """A list without popularity in its scores, as `BestByTaste` ranks it."""
        n = np.count_nonzero(rows >= 0)  # then come places without a movie
        return cls(rows[:n], scores[:n], np.ones(n, dtype=np.float32))


NOTHING = RankedRows(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32))


def ranked(view: UserView, n: int, allowed: Allowed) -> ResultList[Recommendation]:
    """Return the n best movies for a user; fewer if fewer are left."""
    found = ranked_rows(view, arguments.length(n), allowed)
    return recommendations(found, allowed, [view])


def ranked_rows(view: UserView, n: int, allowed: Allowed) -> RankedRows:
    """Return the same list as `ranked`, as movie rows."""
    filters = allowed.filters
    if view.is_personal and allowed.candidates is None and filters.ranks_alone and filters.seen != "only":
        hidden = allowed.excluded
        if filters.seen == "hide":
            hidden = np.concatenate([hidden, view.history.seen])
        n = min(n, len(view.served.movie_ids))
        best = view.served.best_by_taste.lists(view.vector[None], view.likes, Seen.by_one(hidden), n)
        return RankedRows.by_taste(best.rows[0], best.scores[0])
    of_user = view.scores
    rows = allowed.best_rows(of_user.order.copy(), [view], n)
    return RankedRows(rows, of_user.shown[rows], taste_of(view, of_user, rows))


def recommendations(found: RankedRows, allowed: Allowed, views: Collection[UserView]) -> ResultList[Recommendation]:
    """Return a ranked list for some people as recommendations. An empty one says which filter left nothing."""
    listed = allowed.served.recommendations(
        found.rows, found.shown, sources(found.taste, allowed.filters), found.taste.tolist()
    )
    listed.emptied = None if listed else allowed.emptied(views)
    return listed


def taste_of(view: UserView, scores: Scores, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return which part of a user's scores of some movies is taste, float32 (movies,)."""
    if not view.has_taste:
        return np.zeros(len(rows), dtype=np.float32)
    popular_part = scores.popular_part[rows]
    own = np.abs(scores.shown[rows] - popular_part)
    total = own + popular_part
    return np.asarray(np.divide(own, total, out=np.ones_like(own), where=total > 0))


def sources(taste: NDArray[np.float32], filters: ListFilters) -> list[Source]:
    """Return the source of each movie in a list, given which part of each score is taste."""
    otherwise: Source = "popular" if filters.genres is None else "genre"
    return ["personal" if own >= MOSTLY else otherwise for own in taste.tolist()]


def dealt(view: UserView, user_id: PublicId, n: int, allowed: Allowed) -> ResultList[Card]:
    """Return the list of `ranked` as cards."""
    movies = ranked(view, n, allowed)
    rows = view.served.known_rows([movie.movie_id for movie in movies]).tolist()
    scores = view.scores.shown
    cards = (_card(view, user_id, row, movie, scores) for row, movie in zip(rows, movies, strict=True))
    return ResultList(cards, Card, movies.emptied)


def card_of(view: UserView, user_id: PublicId, row: int, movie: Recommendation) -> Card:
    """Return a movie of the user's list as a card."""
    return _card(view, user_id, row, movie, view.scores.shown)


def _card(view: UserView, user_id: PublicId, row: int, movie: Recommendation, scores: NDArray[np.float32]) -> Card:
    reasons = reasons_of(view, user_id, row) if movie.source == "personal" else ()
    return Card(movie, standing_of(scores, row), reasons)


def reasons_of(view: UserView, user_id: PublicId, row: int) -> tuple[Contribution, ...]:
    """Return the user's likes that add most to the score of a movie; none if it cannot be explained."""
    with suppress(CannotExplainError):
        return tuple(explained(view, user_id, row).because())
    return ()


def standing(view: UserView, row: int) -> Standing:
    """Return the rank of a movie for a user among all movies, by score."""
    return standing_of(view.scores.shown, row)


def standing_of(scores: NDArray[np.float32], row: int) -> Standing:
    """Return the rank of a movie by the scores of all movies, float32 (movies,)."""
    return Standing(int(np.count_nonzero(scores > scores[row])) + 1, len(scores))


def explained(view: UserView, user_id: PublicId | None, row: int) -> Explanation:
    """Split a user's score for a movie into the contributions of the user's opinions.

    Raises
    ------
    CannotExplainError
        If the user's vector was not computed by the exact fold-in.
    """
    served, history = view.served, view.history
    name: dict[str, Any] = {
        "user_id": user_id,
        "movie_id": served.movie_id(row),
        "title": served.title(row),
    }
    if not view.has_taste:
        share = float(view.scores.shown[row])
        return Explanation(**name, score=share, popularity=share, likes=(), dislikes=())
    if not view.is_folded_in:
        raise CannotExplainError(
            "The score cannot be explained, because the user's vector was not computed by the exact fold-in.",
            "Use the update rule 'fold-in', and a model with folded-in user vectors (not the baseline preset).",
        )
    parts, popularity = served.ranker.contributions(row, view.vector, view.opinions, decay=view.decay)
    known = history.movie_idx >= 0
    return Explanation(
        **name,
        score=float(parts.liked.sum()) + popularity,
        popularity=popularity,
        likes=_contributions(view, parts.liked, np.flatnonzero(parts.is_liked & known)),
        dislikes=_contributions(view, parts.disliked, np.flatnonzero(~parts.is_liked & known)),
    )


def _contributions(
    view: UserView, values: NDArray[np.float64], positions: NDArray[np.int64]
) -> tuple[Contribution, ...]:
    """Name the opinions at some positions of the history; the largest effect, up or down, comes first."""
    served = view.served
    order = positions[np.argsort(-np.abs(values[positions]), kind="stable")]
    return tuple(
        Contribution(
            movie_id=served.movie_id(view.history.movie_idx[position]),
            title=served.title(view.history.movie_idx[position]),
            year=served.model.catalogue.year[view.history.movie_idx[position]],
            preference=int(view.history.preference[position]),
            value=float(values[position]),
        )
        for position in order.tolist()
    )
