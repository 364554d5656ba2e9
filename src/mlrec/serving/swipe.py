"""A swiping session: which card comes next, what an answer changes, what a session has brought. No terminal in it.

Each answer is stored and learned from before the next card is chosen, so a session that is cut off loses nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from mlrec.errors import CannotExplainError, ForgottenUserError, StateError
from mlrec.preferences import Swipe
from mlrec.serving.recommender import Recommender
from mlrec.serving.results import Contribution, Explanation, Recommendation, Standing, UserState

TOP = 5
"""How much of the user's list a session watches."""


@dataclass(frozen=True)
class Card:
    """A movie that waits for an answer.

    Attributes
    ----------
    movie
        The movie, with its score and where it comes from.
    standing
        Where its score stands among all movies.
    because
        The user's likes that speak for it most; empty where nothing personal does.
    """

    movie: Recommendation
    standing: Standing
    because: tuple[Contribution, ...]


@dataclass(frozen=True)
class Place:
    """A place in the user's list after an answer.

    Attributes
    ----------
    movie
        What stands there now.
    rise
        How many places it has risen, below 0 if it has fallen, as if the answered movie had not been in the list; None
        if it was below the top before.
    is_back
        Whether it is the movie whose answer was taken back.
    """

    movie: Recommendation
    rise: int | None
    is_back: bool = False


@dataclass(frozen=True)
class Effect:
    """What an answer, or an undo, has changed.

    Attributes
    ----------
    title
        The movie that was answered.
    swipe
        The answer; for an undo, the answer that was taken back.
    state
        The user afterwards.
    seconds
        How long it took to store the answer and to learn from it.
    top
        The top of the list now.
    gone
        Movies that have fallen out of the top, the answered one aside.
    """

    title: str
    swipe: Swipe
    state: UserState
    seconds: float
    top: tuple[Place, ...]
    gone: tuple[Recommendation, ...]


class SwipeSession:
    """Cards for one user.

    Parameters
    ----------
    recommender
        An open recommender.
    user_id
        Whose session it is.
    genres, years, diversity
        Which cards may come, as in `Recommender.get_top_n`.

    Raises
    ------
    ForgottenUserError
        If the user is on the blocklist.
    """

    def __init__(
        self,
        recommender: Recommender,
        user_id: int,
        *,
        genres: Iterable[str] | None = None,
        years: tuple[int, int] | None = None,
        diversity: float = 0.0,
    ) -> None:
        self.recommender = recommender
        self.user_id = user_id
        if recommender.is_forgotten(user_id):
            raise ForgottenUserError(user_id)
        self._genres = genres if genres is None else list(genres)
        self._years = years
        self._diversity = diversity
        self.answers: Counter[Swipe] = Counter()
        self.effects: list[Effect] = []
        self._listed = self._list()

    def _list(self) -> list[Recommendation]:
        # One more than is shown: when the first is answered, the next ones move up.
        return self.recommender.get_top_n(
            self.user_id, TOP + 1, genres=self._genres, years=self._years, diversity=self._diversity
        )

    @property
    def top(self) -> list[Recommendation]:
        """The user's best movies now."""
        return self._listed[:TOP]

    @property
    def card(self) -> Card | None:
        """The movie to answer next: the best one that the user has not seen; None if all are."""
        if not self.top:
            return None
        movie = self.top[0]
        reasons: list[Contribution] = []
        if movie.source == "personal":
            with suppress(CannotExplainError):
                reasons = self.why(movie.movie_id).because()
        return Card(movie, self.recommender.standing(self.user_id, movie.movie_id), tuple(reasons))

    def why(self, movie_id: int) -> Explanation:
        """Take apart the score of a card. Raises as `Recommender.explain` does."""
        return self.recommender.explain(self.user_id, movie_id)

    def answer(self, swipe: Swipe) -> Effect:
        """Store an answer to the card and learn from it.

        Raises
        ------
        StateError
            If it could not be stored, or there is no card.
        """
        if not self.top:
            raise StateError("There is no card to answer.", "Ask for other genres or years.")
        movie = self.top[0]
        started = time.perf_counter()
        state = self.recommender.update_user(self.user_id, movie.movie_id, int(swipe))
        seconds = time.perf_counter() - started
        self.answers[swipe] += 1
        return self._effect(movie.label, swipe, state, seconds)

    def undo(self) -> Effect:
        """Take back the user's latest swipe, be it of this session or an earlier one.

        Raises
        ------
        NothingToUndoError
            If there is none.
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
