"""A swipe session without a terminal: which card comes next, and what an answer changes.

Each answer is stored and learned from before the next card is chosen, so an interrupted session loses nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlrec.errors import ForgottenUserError, StateError, UnknownMovieError
from mlrec.ids import PublicId
from mlrec.preferences import Swipe
from mlrec.serving.recommender import Recommender
from mlrec.serving.results import Card, Explanation, Recommendation, UserState

TOP = 5
"""How many movies at the top of the user's list a session watches."""


@dataclass(frozen=True)
class Place:
    """One movie of the user's list after an answer.

    Attributes
    ----------
    movie
        The movie.
    rise
        How many ranks it has risen, negative if it has fallen. The answered movie is not counted. None if the movie was
        not in the top before.
    is_back
        Whether it is the movie whose answer was undone.
    """

    movie: Recommendation
    rise: int | None
    is_back: bool = False


@dataclass(frozen=True)
class Effect:
    """What an answer or an undo has changed.

    Attributes
    ----------
    title
        Title of the answered movie.
    swipe
        The answer; for an undo, the answer that was undone.
    state
        The user afterwards.
    seconds
        How long it took to store the answer and learn from it.
    top
        The top of the list now.
    gone
        Movies that are no longer in the top, except the answered one.
    """

    title: str
    swipe: Swipe
    state: UserState
    seconds: float
    top: tuple[Place, ...]
    gone: tuple[Recommendation, ...]


class SwipeSession:
    """A session that shows one user card after card.

    Parameters
    ----------
    recommender
        An open recommender.
    user_id
        The user.
    genres, not_genres, years, diversity
        Which movies may be shown, as in `Recommender.get_top_n`.

    Raises
    ------
    ForgottenUserError
        If the user is on the blocklist.
    """

    def __init__(
        self,
        recommender: Recommender,
        user_id: PublicId,
        *,
        genres: Iterable[str] | None = None,
        not_genres: Iterable[str] = (),
        years: tuple[int, int] | None = None,
        diversity: float = 0.0,
    ) -> None:
        self.recommender = recommender
        self.user_id = user_id
        if recommender.is_forgotten(user_id):
            raise ForgottenUserError(user_id)
        self._filters: dict[str, Any] = {
            "genres": genres if genres is None else list(genres),
            "not_genres": list(not_genres),
            "years": years,
            "diversity": diversity,
        }
        self.answers: Counter[Swipe] = Counter()
        self.effects: list[Effect] = []
        self._listed = self._list()

    def _list(self) -> list[Recommendation]:
        # One more than is shown: when the first movie is answered, the others move up.
        return self.recommender.get_top_n(self.user_id, TOP + 1, **self._filters)

    @property
    def top(self) -> list[Recommendation]:
        """The user's best movies at the moment."""
        return self._listed[:TOP]

    @property
    def card(self) -> Card | None:
        """The card to answer next: the best movie that the user has not seen; None if no movie is left."""
        try:
            return self._card()
        except UnknownMovieError:  # meanwhile a model without this movie has been published
            self._listed = self._list()
            return self._card()

    def _card(self) -> Card | None:
        if not self.top:
            return None
        return self.recommender.card(self.user_id, self.top[0])

    def why(self, movie_id: PublicId) -> Explanation:
        """Explain the score of a card. Raises the errors of `Recommender.explain`."""
        return self.recommender.explain(self.user_id, movie_id)

    def answer(self, swipe: Swipe) -> Effect:
        """Store an answer to the card and learn from it.

        Raises
        ------
        StateError
            If the answer could not be stored, or there is no card.
        """
        if not self.top:
            raise StateError("There is no card to answer.", "Start a session with other genres or years.")
        movie = self.top[0]
        started = time.perf_counter()
        state = self.recommender.update_user(self.user_id, movie.movie_id, int(swipe))
        seconds = time.perf_counter() - started
        self.answers[swipe] += 1
        return self._effect(movie.label, swipe, state, seconds)

    def undo(self) -> Effect:
        """Undo the user's latest swipe, whether from this session or an earlier one.

        Raises
        ------
        NothingToUndoError
            If the user has no swipe to undo.
        """
        started = time.perf_counter()
        state = self.recommender.undo(self.user_id)
        seconds = time.perf_counter() - started
        swipe = Swipe(state.preference)
        if self.answers[swipe]:
            self.answers[swipe] -= 1
        return self._effect(self.recommender.label_of(state.movie_id), swipe, state, seconds)

    def _effect(self, title: str, swipe: Swipe, state: UserState, seconds: float) -> Effect:
        answered = state.movie_id
        before = [movie for movie in self._listed if movie.movie_id != answered][:TOP]
        self._listed = self._list()
        after = [movie.movie_id for movie in self._listed if movie.movie_id != answered]
        ranks = {movie.movie_id: rank for rank, movie in enumerate(before)}
        effect = Effect(
            title=title,
            swipe=swipe,
            state=state,
            seconds=seconds,
            top=tuple(
                Place(movie, None, is_back=True)
                if movie.movie_id == answered
                else Place(movie, ranks[movie.movie_id] - after.index(movie.movie_id))
                if movie.movie_id in ranks
                else Place(movie, None)
                for movie in self.top
            ),
            gone=tuple(movie for movie in before if movie.movie_id not in after[:TOP]),
        )
        self.effects.append(effect)
        return effect
