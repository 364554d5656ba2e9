"""What is known about users: pages of users, one user's ratings, and a summary of one user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.documents import to_json
from mlrec.ids import IdArray, PublicId, array_of, of_kind, public, rows_of
from mlrec.serving.result_list import ResultList
from mlrec.serving.served_model import ServedModel
from mlrec.serving.spoken_titles import label
from mlrec.serving.stores.interface import Event, SwipeStore
from mlrec.serving.user_views import UserView
from mlrec.settings import SPLITS, SplitName

if TYPE_CHECKING:
    import pandas as pd

_GENRES = 5


@dataclass(frozen=True)
class RatedMovie:
    """A rating in the model's data.

    Attributes
    ----------
    movie_id, title, year
        The movie; None if it is not in the model, which then only knows that there was a rating.
    preference
        −2, −1, +1 or +2.
    at
        When it was given, in epoch seconds.
    split
        The split that it belongs to: train, val or test.
    """

    movie_id: PublicId | None
    title: str | None
    year: int | None
    preference: int
    at: int
    split: SplitName

    @property
    def label(self) -> str:
        """Title and year as one text, or words for an unknown movie."""
        return "a movie that is not in the model" if self.title is None else label(self.title, self.year)

    def to_json(self) -> dict[str, Any]:
        """Return the rating as plain JSON values."""
        return to_json(self)


@dataclass(frozen=True)
class UserCounts:
    """One user in a list of users.

    Attributes
    ----------
    user_id
        The user.
    ratings
        Number of the user's ratings in the model's data.
    swipes
        Number of swipes in the log, not counting undone ones.
    last_at
        Time of the latest rating or swipe, in epoch seconds; None if there are none.
    """

    user_id: PublicId
    ratings: int
    swipes: int
    last_at: int | None


@dataclass(frozen=True)
class UserPage:
    """One page of a list of users, ascending by id.

    Attributes
    ----------
    users
        The users on this page.
    total
        Number of users on all pages.
    next_after
        The `after` of the next page; None on the last page.
    """

    users: tuple[UserCounts, ...]
    total: int
    next_after: PublicId | None

    def to_json(self) -> dict[str, Any]:
        """Return the page as plain JSON values."""
        return to_json(self)

    def to_frame(self) -> pd.DataFrame:
        """Return the users on this page as a pandas data frame. See `ResultList.to_frame`."""
        return ResultList(self.users, UserCounts).to_frame()

    def _repr_html_(self) -> str:
        """Return the users on this page as an HTML table."""
        return ResultList(self.users, UserCounts)._repr_html_()


@dataclass(frozen=True)
class UserProfile:
    """A summary of one user. For a forgotten user, all counts are 0 and all times None.

    Attributes
    ----------
    user_id
        The user.
    is_known
        Whether the user is in the model's data.
    is_forgotten
        Whether the user is on the blocklist.
    has_taste
        Whether recommendations can be personal.
    ratings
        Number of ratings in the model's data.
    swipes, undone
        Number of swipes in the log that are not undone, and that are.
    likes, dislikes
        Number of likes and dislikes in effect.
    first_at, last_at
        Times of the first and the latest rating or swipe, in epoch seconds; None if there are none.
    liked_genres
        The most frequent genres of the liked movies → number of these movies.
    """

    user_id: PublicId
    is_known: bool
    is_forgotten: bool
    has_taste: bool
    ratings: int
    swipes: int
    undone: int
    likes: int
    dislikes: int
    first_at: int | None
    last_at: int | None
    liked_genres: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the profile as plain JSON values."""
        return to_json(self)


def ratings_of(served: ServedModel, user_id: PublicId) -> list[RatedMovie]:
    """Return a user's ratings in the model's data, in time order; an empty list for an unknown user."""
    row = served.model.user_idx(user_id)
    if row is None:
        return []
    own = served.model.history.of_rows(row, row + 1)
    columns = (own.movie_idx, own.preference, own.timestamp, own.split)
    return [
        RatedMovie(
            movie_id=served.movie_id(movie) if movie >= 0 else None,
            title=served.title(movie) if movie >= 0 else None,
            year=served.model.catalogue.year[movie] if movie >= 0 else None,
            preference=preference,
            at=at,
            split=SPLITS[split],
        )
        for movie, preference, at, split in zip(*(column.tolist() for column in columns), strict=True)
    ]


def everybody(served: ServedModel, store: SwipeStore) -> tuple[IdArray, NDArray[np.bool_]]:
    """Find the users of the model and of the store, without forgotten users.

    Users of the store whose ids are of another kind than the model's are from a former data set and are left out.

    Returns
    -------
    tuple
        The ids, ascending, (users,), and whether each user has a log in the store, bool (users,).
    """
    kind = served.model.user_id_kind
    known = np.asarray(served.model.user_ids)
    swiped, forgotten = of_kind(store.user_ids(), kind), of_kind(store.forgotten(), kind)
    new = swiped[rows_of(known, swiped) < 0]
    # Both ascend, so nothing needs to be sorted. The longer texts give the width.
    user_ids = np.insert(known.astype(np.promote_types(known.dtype, new.dtype)), np.searchsorted(known, new), new)
    left_out = rows_of(user_ids, forgotten)
    user_ids = np.delete(user_ids, left_out[left_out >= 0])
    has_swiped = np.zeros(len(user_ids), dtype=bool)
    rows = rows_of(user_ids, swiped)
    has_swiped[rows[rows >= 0]] = True
    return user_ids, has_swiped


def page_of_users(served: ServedModel, store: SwipeStore, n: int, after: PublicId | None) -> UserPage:
    """List the users of `everybody`.

    Parameters
    ----------
    served, store
        The model and the store.
    n
        Most users on the page.
    after
        Start after this user id; None starts with the lowest.
    """
    user_ids, has_swiped = everybody(served, store)
    start = 0
    if after is not None:
        start = int(np.searchsorted(user_ids, array_of([after], served.model.user_id_kind), side="right")[0])
    chosen = user_ids[start : start + n]
    has_log = has_swiped[start : start + n].tolist()
    users = tuple(
        _counts(served, user_id, store.events(user_id) if has else ())
        for user_id, has in zip(public(chosen), has_log, strict=True)
    )
    return UserPage(users, len(user_ids), users[-1].user_id if start + n < len(user_ids) else None)


def _counts(served: ServedModel, user_id: PublicId, events: Sequence[Event]) -> UserCounts:
    rated_at = served.known_history(user_id).timestamp
    alive, _ = _alive(events)
    times = [*rated_at[-1:].tolist(), *(event.at for event in alive)]
    return UserCounts(user_id, len(rated_at), len(alive), max(times, default=None))


def _alive(events: Sequence[Event]) -> tuple[list[Event], int]:
    """The swipes that are not undone, and the number of those that are."""
    undone = {event.undoes for event in events if event.undoes}
    return [event for event in events if not event.undoes and event.event_id not in undone], len(undone)


def profile_of(view: UserView, store: SwipeStore, user_id: PublicId) -> UserProfile:
    """Summarize one user from the user's view."""
    served, forgotten = view.served, view.head.forgotten
    rated_at = [] if forgotten else served.known_history(user_id).timestamp.tolist()
    alive, undone = _alive([] if forgotten else store.events(user_id))
    times = [*rated_at, *(event.at for event in alive)]
    opinions, rows = view.history.preference, view.history.movie_idx
    genres = Counter(
        genre for row in rows[(opinions > 0) & (rows >= 0)].tolist() for genre in served.model.catalogue.genres[row]
    )
    return UserProfile(
        user_id=user_id,
        is_known=served.model.user_idx(user_id) is not None and not forgotten,
        is_forgotten=forgotten,
        has_taste=view.has_taste,
        ratings=len(rated_at),
        swipes=len(alive),
        undone=undone,
        likes=int((opinions > 0).sum()),
        dislikes=int((opinions < 0).sum()),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        liked_genres=dict(sorted(genres.items(), key=lambda item: (-item[1], item[0]))[:_GENRES]),
    )
