"""What a recommender returns: plain typed results with public ids only.

An id is an `int` or a `str`, whichever the ids of the data are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.documents import to_json
from mlrec.ids import IdKind, PublicId
from mlrec.ranking.movie_vectors import Origin
from mlrec.serving.result_list import ResultList
from mlrec.serving.spoken_titles import label
from mlrec.tables import plain

if TYPE_CHECKING:
    import pandas as pd

Source = Literal["personal", "popular", "genre", "similar"]


@dataclass(frozen=True)
class Recommendation:
    """One movie of a ranked list.

    Attributes
    ----------
    rank
        Position in the list, from 1.
    movie_id, title, year, genres, imdb_id, tmdb_id, details, origin
        As in `Movie`.
    score
        Predicted preference: the higher, the more the user will like the movie; 0 for a movie without meaning to the
        user. For a user with few opinions it includes the share of all users who liked the movie; for a new user it is
        that share. In a list of similar movies it is their similarity, −1 to 1.
    source
        Where the recommendation mostly comes from: the user's own opinions (`personal`), what most people like
        (`popular`) or like within the requested genres (`genre`), or similarity to a movie (`similar`).
    taste
        Which part of the score comes from the user's own opinions, 0 to 1. The rest is popularity. About half or more
        after the first like, and 1 from 20 opinions on. None in a list of similar movies.
    """

    rank: int
    movie_id: PublicId
    title: str
    year: int | None
    genres: tuple[str, ...]
    score: float
    source: Source
    imdb_id: str | None = None
    tmdb_id: int | None = None
    details: Mapping[str, str] | None = field(default=None, hash=False)
    origin: Origin = "trained"
    taste: float | None = None

    @property
    def label(self) -> str:
        """Title and year as one text: "The Matrix (1999)"."""
        return label(self.title, self.year)

    def to_json(self) -> dict[str, Any]:
        """Return the recommendation as plain JSON values, with details only if the data has any."""
        return to_json(self, without=() if self.details is not None else ("details",))


@dataclass(frozen=True)
class Movie:
    """A movie of the model.

    Attributes
    ----------
    movie_id, year, genres
        As in the prepared data; year is None if the data has none.
    title
        The title as people say it: "The Matrix".
    raw_title
        The title as in the data: "Matrix, The".
    likes, ratings
        How many users liked it, and how many rated it, in the data that the model learned from. A model of an earlier
        version does not know the number of ratings: it is None.
    origin
        Where the movie's vector comes from: ALS (`trained`), the few users who liked it (`folded-in`), or its genres,
        year and details alone (`content`).
    imdb_id, tmdb_id
        The ids at IMDb ("tt0114709") and TMDB (862) from links.csv; None if the file has none.
    details
        What else the file of movies says, by column, as text. None if no movie in the data has any.
    """

    movie_id: PublicId
    title: str
    year: int | None
    genres: tuple[str, ...]
    raw_title: str
    likes: int
    imdb_id: str | None = None
    tmdb_id: int | None = None
    details: Mapping[str, str] | None = field(default=None, hash=False)
    origin: Origin = "trained"
    ratings: int | None = None

    @property
    def label(self) -> str:
        """Title and year as one text: "The Matrix (1999)"."""
        return label(self.title, self.year)

    def to_json(self) -> dict[str, Any]:
        """Return the movie as plain JSON values, with details only if the data has any."""
        return to_json(self, without=() if self.details is not None else ("details",))


@dataclass(frozen=True)
class Standing:
    """The rank of a movie for a user among all movies of the model, including seen ones.

    Attributes
    ----------
    rank
        1 for the highest score. Movies with equal scores share a rank.
    of
        How many movies the model has.
    """

    rank: int
    of: int

    @property
    def top_percent(self) -> int:
        """The smallest top percentage that includes the movie: 1 to 100."""
        return -(-100 * self.rank // self.of)


@dataclass(frozen=True)
class SwipeRequest:
    """A swipe for `Recommender.update_users`. The fields are the parameters of `Recommender.update_user`."""

    user_id: PublicId
    movie_id: PublicId
    preference: int | str
    at: int | datetime | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class UserState:
    """A user after a swipe or an undo.

    Attributes
    ----------
    user_id, model_id
        The user, and the model that the vector belongs to.
    event_id
        Number of the event in the user's log.
    movie_id, preference
        The swipe that was logged or undone.
    undone
        Whether the swipe was undone rather than made.
    is_new
        False if the log already had an event with this idempotency key, so that nothing was changed.
    in_effect
        Whether the swipe is the user's current opinion of the movie. It is not if the log or the model's data has a
        later opinion, or if it was undone.
    opinions
        How many opinions the vector is computed from, including those in the model's data.
    vector
        float32 (factors,); zeros until the user likes something.
    """

    user_id: PublicId
    model_id: str
    event_id: int
    movie_id: PublicId
    preference: int
    undone: bool
    is_new: bool
    in_effect: bool
    opinions: int
    vector: NDArray[np.float32] = field(compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values without the vector."""
        return to_json(self, without=("vector",))


@dataclass(frozen=True)
class Contribution:
    """The effect of one opinion of a user on a score.

    Attributes
    ----------
    movie_id, title, year
        The movie of the opinion.
    preference
        The opinion: −2, −1, +1 or +2.
    value
        For a like, what it adds to the score. For a dislike, the score with it less the score without it, everything
        else being equal.
    """

    movie_id: PublicId
    title: str
    year: int | None
    preference: int
    value: float

    @property
    def label(self) -> str:
        """Title and year as one text: "The Matrix (1999)"."""
        return label(self.title, self.year)


@dataclass(frozen=True)
class Card:
    """A movie that waits for a user's answer.

    Attributes
    ----------
    movie
        The movie, with its score and source.
    standing
        Its rank among all movies.
    because
        The user's likes that add most to its score; empty if the recommendation is not personal.
    """

    movie: Recommendation
    standing: Standing
    because: tuple[Contribution, ...]


@dataclass(frozen=True)
class MemberOpinion:
    """What one of several people would say of a movie.

    Attributes
    ----------
    user_id
        The person.
    score
        The person's own score; see `Recommendation`.
    standing
        Its rank among all movies for this person.
    because
        The person's likes that add most to the score; empty if it is mostly popularity.
    """

    user_id: PublicId
    score: float
    standing: Standing
    because: tuple[Contribution, ...]


@dataclass(frozen=True)
class GroupRecommendation:
    """One movie of a list for several people.

    Attributes
    ----------
    movie
        The movie. Its score is that of the group, by the rule; its taste the mean over the people.
    members
        What each of them would say, in the order in which they were named.
    """

    movie: Recommendation
    members: tuple[MemberOpinion, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the movie as plain JSON values, with `members`."""
        return {**self.movie.to_json(), "members": [to_json(member) for member in self.members]}


@dataclass(frozen=True)
class ModelSummary:
    """A model in use.

    Attributes
    ----------
    model_id
        Its id.
    created_at
        When it was trained or updated, as in `model_info.json`.
    user_id_kind, movie_id_kind
        What its ids are: "integer" or "text".
    users, movies
        How many it knows.
    """

    model_id: str
    created_at: str
    user_id_kind: IdKind
    movie_id_kind: IdKind
    users: int
    movies: int


@dataclass(frozen=True)
class Genre:
    """A genre of the model's movies.

    Attributes
    ----------
    name
        Its name, as in the data.
    movies
        How many movies have it.
    """

    name: str
    movies: int


@dataclass(frozen=True)
class Explanation:
    """Why a movie has its score: `popularity` plus the values of `likes` is `score`.

    Attributes
    ----------
    user_id
        The user; None for a visitor without an account.
    movie_id, title
        The movie.
    score
        The score in the user's list.
    popularity
        What popularity adds; 0 for a user with enough opinions. For a user who has only disliked movies it is the whole
        score, lowered by the movie's similarity to the disliked ones.
    likes
        What each liked movie adds; the largest effect, up or down, comes first. A model that treats dislikes as likes
        (the baseline preset) has the dislikes here too, with their preference.
    dislikes
        The effect of each dislike, in the same order. The values of `likes` already include these effects.
    """

    user_id: PublicId | None
    movie_id: PublicId
    title: str
    score: float
    popularity: float
    likes: tuple[Contribution, ...]
    dislikes: tuple[Contribution, ...]

    def because(self, n: int = 3) -> list[Contribution]:
        """Return the n liked movies that add most to the score; fewer if fewer add to it."""
        return [like for like in self.likes if like.value > 0 and like.preference > 0][:n]

    def to_frame(self) -> pd.DataFrame:
        """Return the likes and dislikes as a pandas data frame. See `ResultList.to_frame`."""
        return ResultList((*self.likes, *self.dislikes), Contribution).to_frame()

    def _repr_html_(self) -> str:
        """Return what makes up the score as HTML."""
        said = f"{self.title}: score {self.score:.3f}, of which {self.popularity:.3f} is popularity"
        table = ResultList((*self.likes, *self.dislikes), Contribution)._repr_html_()
        return f"<p><strong>{plain(said)}</strong></p>{table}"

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as plain JSON values."""
        return to_json(self)
