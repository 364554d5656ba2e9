"""A swipe session without a terminal: which card comes next, and what an answer changes.

Each answer is stored and learned from before the next card is chosen, so an interrupted session loses nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Unpack

from mlrec.errors import ForgottenUserError, StateError, UnknownMovieError
from mlrec.ids import PublicId
from mlrec.preferences import Swipe
from mlrec.serving.list_filters import Emptied, ListFilters, NamedFilters, combined
from mlrec.serving.recommender import Recommender
from mlrec.serving.result_list import ResultList
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


@dataclass(frozen=True)
class Aside:
    """A movie that was put aside because the user has not seen it, or that is back. Nothing is stored of it.

    Attributes
    ----------
    title
        Title of the movie.
    is_back
        Whether putting it aside was undone.
    swipe
        None, because it is no swipe.
    """

    title: str
    is_back: bool = False
    swipe: None = None


class SwipeSession:
    """A session that shows one user card after card.

    A movie that the user has not seen can be put aside: its card does not come again in this session. It says nothing
    about taste, so the movie stays in the list, and nothing is stored.

    Parameters
    ----------
    recommender
        An open recommender.
    user_id
        The user.
    filters, named
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
        filters: ListFilters | None = None,
        **named: Unpack[NamedFilters],
    ) -> None:
        self.recommender = recommender
        self.user_id = user_id
        if recommender.is_forgotten(user_id):
            raise ForgottenUserError(user_id)
        self._filters = combined(filters, named)
        self.answers: Counter[Swipe] = Counter()
        self.effects: list[Effect] = []
        self.not_seen: dict[PublicId, Recommendation] = {}
        self.last: Effect | Aside | None = None
        # What was done in this session: a movie that was put aside, or None for a swipe.
        self._done: list[Recommendation | None] = []
        self._listed = self._list()

    def _list(self) -> ResultList[Recommendation]:
        # One more than is shown: when the first movie is answered, the others move up.
        return self.recommender.get_top_n(self.user_id, TOP + 1, filters=self._filters)

    @property
    def top(self) -> list[Recommendation]:
        """The user's best movies at the moment."""
        return self._listed[:TOP]

    @property
    def emptied(self) -> Emptied | None:
        """Why the list is empty, if it is and filters are the reason."""
        return self._listed.emptied

    @property
    def movie(self) -> Recommendation | None:
        """The movie to answer next: the best one that is not put aside; None if no movie is left."""
        for movie in self._listed:
            if movie.movie_id not in self.not_seen:
                return movie
        if len(self._listed) <= TOP:  # there are no others
            return None
        exclude = [*self._filters.exclude, *self.not_seen]
        found = self.recommender.get_top_n(self.user_id, 1, filters=self._filters, exclude=exclude)
        return found[0] if found else None

    @property
    def card(self) -> Card | None:
        """The card of the movie to answer next; None if no movie is left."""
        try:
            return self._card()
        except UnknownMovieError:  # meanwhile a model without this movie has been published
            self._listed = self._list()
            return self._card()

    def _card(self) -> Card | None:
        movie = self.movie
        return None if movie is None else self.recommender.card(self.user_id, movie)

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
        movie = self._answered()
        started = time.perf_counter()
        state = self.recommender.update_user(self.user_id, movie.movie_id, int(swipe))
        seconds = time.perf_counter() - started
        self.answers[swipe] += 1
        self._done.append(None)
        return self._effect(movie.label, swipe, state, seconds)

    def put_aside(self) -> Aside:
        """Put the card aside, because the user has not seen the movie.

        Raises
        ------
        StateError
            If there is no card.
        """
        movie = self._answered()
        self.not_seen[movie.movie_id] = movie
        self._done.append(movie)
        self.last = Aside(movie.label)
        return self.last

    def _answered(self) -> Recommendation:
        movie = self.movie
        if movie is None:
            raise StateError("There is no card to answer.", "Start a session with other genres or years.")
        return movie

    def undo(self) -> Effect | Aside:
        """Undo what was done last: a movie that was put aside comes back, and a swipe is undone.

        Before everything that was done in this session come the user's earlier swipes.

        Raises
        ------
        NothingToUndoError
            If the user has no swipe to undo.
        """
        if self._done and (aside := self._done[-1]) is not None:
            self._done.pop()
            del self.not_seen[aside.movie_id]
            self.last = Aside(aside.label, is_back=True)
            return self.last
        started = time.perf_counter()
        state = self.recommender.undo(self.user_id)
        del self._done[-1:]
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
        self.last = effect
        return effect
