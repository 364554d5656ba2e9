"""What a recommender answers: plain, typed, and with public ids only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.documents import to_json
from mlrec.serving.spoken_titles import label

Source = Literal["personal", "popular", "genre", "similar"]


@dataclass(frozen=True)
class Recommendation:
    """One movie of a ranked list.

    Attributes
    ----------
    rank
        Place in the list, from 1.
    movie_id, title, year, genres, imdb_id, tmdb_id
        As of a `Movie`.
    score
        Predicted preference: about 1 for a movie that is surely liked, 0 for one that means nothing to the user. With
        little known of the user, the share of all users who liked the movie takes part in it, and for a new user it is
        that share. In a list of similar movies: cosine, −1 to 1.
    source
        Where the recommendation mostly comes from: the user's own opinions (`personal`), what most people like
        (`popular`), or like within the genres asked for (`genre`); or similarity to a movie (`similar`).
    """

    rank: int
    movie_id: int
    title: str
    year: int | None
    genres: tuple[str, ...]
    score: float
    source: Source
    imdb_id: str | None = None
    tmdb_id: int | None = None

    @property
    def label(self) -> str:
        """Title and year as one text."""
        return label(self.title, self.year)

    def to_json(self) -> dict[str, Any]:
        """Return the recommendation as plain JSON values."""
        return to_json(self)


@dataclass(frozen=True)
class Movie:
    """A movie of the model.

    Attributes
    ----------
    movie_id, year, genres
        As in the prepared catalogue; year is None where the data has none.
    title
        As people say it: "The Matrix".
    raw_title
        As in the data: "Matrix, The".
    likes
        How many users liked it in training.
    imdb_id, tmdb_id
        Its ids at IMDb ("tt0114709") and TMDB (862), which links.csv tells; None where it does not.
    """

    movie_id: int
    title: str
    year: int | None
    genres: tuple[str, ...]
    raw_title: str
    likes: int
    imdb_id: str | None = None
    tmdb_id: int | None = None

    @property
    def label(self) -> str:
        """Title and year as one text."""
        return label(self.title, self.year)

    def to_json(self) -> dict[str, Any]:
        """Return the movie as plain JSON values."""
        return to_json(self)


@dataclass(frozen=True)
class Standing:
    """Where a movie stands for a user among all movies of the model, those that the user has seen included.

    Attributes
    ----------
    rank
        1 for the highest score; movies of equal score share a rank.
    of
        How many movies the model has.
    """

    rank: int
    of: int

    @property
    def top_percent(self) -> int:
        """The smallest whole percentage that the movie is within: 1 to 100."""
        return -(-100 * self.rank // self.of)


@dataclass(frozen=True)
class UserState:
    """A user after a swipe or an undo.

    Attributes
    ----------
    user_id, model_id
        The user, and the model that the vector belongs to.
    event_id
        Id of the event in the user's log.
    movie_id, preference
        The swipe that was logged, or the one that was undone.
    undone
        Whether the swipe was undone rather than made.
    is_new
        False if a swipe with this idempotency key had been logged before, and so nothing was done.
    in_effect
        Whether the swipe is the latest word on its movie. It is not if a later opinion stands, in the log or in the
        model's data, or if it has been undone.
    opinions
        How many opinions make the vector, those of the model's data included.
    vector
        Float32 (factors,); zeros while nothing is liked.
    """

    user_id: int
    model_id: str
    event_id: int
    movie_id: int
    preference: int
    undone: bool
    is_new: bool
    in_effect: bool
    opinions: int
    vector: NDArray[np.float32] = field(compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values, without the vector."""
        return to_json(self, without=("vector",))


@dataclass(frozen=True)
class Contribution:
    """What one opinion of a user does to a score.

    Attributes
    ----------
    movie_id, title, year
        The movie of the opinion.
    preference
        The opinion: −2, −1, +1 or +2.
    value
        For a like, what it adds to the score. For a dislike, how the score would change if it were left out, all
        else as it is, with the sign turned: the change that the dislike makes.
    """

    movie_id: int
    title: str
    year: int | None
    preference: int
    value: float

    @property
    def label(self) -> str:
        """Title and year as one text."""
        return label(self.title, self.year)


@dataclass(frozen=True)
class Explanation:
    """Why a movie has its score: `popularity` and the values of `likes` sum to `score`.

    Attributes
    ----------
    user_id
        None for a visitor without an account.
    movie_id, title
        The movie.
    score
        As in the user's list.
    popularity
        What popularity adds; 0 once enough is known of the user. For somebody who has only disliked it is all there is,
        and held back by what the movie has in common with the disliked ones.
    likes
        What each liked movie adds, the largest effect, up or down, first. On a model that takes dislikes as likes (the
        baseline preset) they are among them, with their preference.
    dislikes
        What each dislike changes, likewise. It is part of the likes' values already.
    """

    user_id: int | None
    movie_id: int
    title: str
    score: float
    popularity: float
    likes: tuple[Contribution, ...]
    dislikes: tuple[Contribution, ...]

    def because(self, n: int = 3) -> list[Contribution]:
        """Return the liked movies that add most."""
        return [like for like in self.likes if like.value > 0 and like.preference > 0][:n]

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as plain JSON values."""
        return to_json(self)
