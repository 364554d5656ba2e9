"""What the content of movies says about their vectors: ridge regression from features to the factors of the core."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mlrec.settings import FoldInSettings

Feature = tuple[str, str]

# How many likes the content of a movie counts as if λ is 20. With a larger λ, which comes with larger data, a few likes
# say less, and content counts as more of them. Chosen by benchmarks/tail.py: docs/decisions/0013.
_WORTH_LIKES = 4.0
# Ridge penalty, in average movies: a feature needs more movies than this to say much.
_PENALTY = 10.0
# A further column of the movies file is of use if enough movies share a value, and only so many values are kept.
_FEWEST_MOVIES = 5
_MOST_DETAILS = 500


@dataclass(frozen=True)
class Content:
    """The content of movies, by movie row.

    Attributes
    ----------
    year
        Year of release; None if unknown.
    genres
        Genres.
    details
        Further columns of the movies file, by name; None or empty if there are none.
    """

    year: Sequence[int | None]
    genres: Sequence[Sequence[str]]
    details: Sequence[Mapping[str, str] | None] = ()

    def features(self) -> NDArray[np.float64]:
        """Return a column of ones, and indicators of genres, decades of release and frequent details.

        Returns
        -------
        ndarray
            float64 (movies, features).
        """
        own = [set(self._of(row)) for row in range(len(self.genres))]
        counts = Counter(feature for one in own for feature in one)
        details = [
            (feature, n) for feature, n in counts.items() if feature[0] not in ("genre", "decade") and n < len(own)
        ]
        frequent = sorted((one for one in details if one[1] >= _FEWEST_MOVIES), key=lambda one: (-one[1], one[0]))
        kept = {feature for feature in counts if feature[0] in ("genre", "decade")}
        kept |= {feature for feature, _ in frequent[:_MOST_DETAILS]}
        column = {feature: position for position, feature in enumerate(sorted(kept), 1)}
        found = np.zeros((len(own), 1 + len(column)))
        found[:, 0] = 1.0
        columns = [[column[feature] for feature in one if feature in column] for one in own]
        found[np.repeat(np.arange(len(own)), [len(one) for one in columns]), list(chain.from_iterable(columns))] = 1.0
        return found

    def _of(self, row: int) -> Iterator[Feature]:
        for genre in self.genres[row]:
            yield "genre", genre
        if (year := self.year[row]) is not None:
            yield "decade", str(year // 10)
        for name, value in ((self.details[row] or {}) if self.details else {}).items():
            for part in value.split("|"):
                if text := part.strip():
                    yield f"column {name}", text


def worth_in_likes(regularization: float) -> float:
    """Return how many likes the content of a movie counts as, given λ."""
    return _WORTH_LIKES * math.sqrt(regularization / FoldInSettings.regularization)


def evidence(likes: NDArray[np.int64], is_trained: NDArray[np.bool_], regularization: float) -> NDArray[np.float32]:
    """Return how much of each movie's vector comes from ratings and not from content, 0 to 1, float32 (movies,).

    Content counts as some likes, see `worth_in_likes`. Movies of the core, whose vectors owe nothing to content, have
    1. Without this factor, lists of similar movies would consist of unknown ones, because those of the same genres and
    decade have vectors of the same direction.
    """
    share = likes / (likes + worth_in_likes(regularization))
    return np.where(is_trained, 1.0, share).astype(np.float32)


def expected_vectors(
    content: Content,
    movie_factors: NDArray[np.float32],
    is_trained: NDArray[np.bool_],
    likes: NDArray[np.int64],
    regularization: float,
) -> NDArray[np.float64]:
    """Return the vectors that content alone lets one expect of each movie.

    A movie's vector grows with its likes. So the regression is from features to the vector of one like, and each movie
    weighs as many likes as it has. What it finds for a movie is taken `worth_in_likes` times.

    Parameters
    ----------
    content
        The content of all movies.
    movie_factors
        Those of the trained movies, float32 (movies, factors); other rows are not looked at.
    is_trained
        Which movies are trained, bool (movies,).
    likes
        Likes in training, int64 (movies,).
    regularization
        λ of ALS.

    Returns
    -------
    ndarray
        float64 (movies, factors).
    """
    features = content.features()
    weight = likes[is_trained].astype(np.float64)
    known = features[is_trained] * weight[:, None]
    # Weight times the vector of one like is the vector itself, for each movie that has a like.
    target = np.where(weight[:, None] > 0, movie_factors[is_trained].astype(np.float64), 0.0)
    penalty = _PENALTY * max(float(weight.mean()), 1.0)
    normal = known.T @ features[is_trained] + penalty * np.eye(features.shape[1])
    return worth_in_likes(regularization) * (features @ np.linalg.solve(normal, features[is_trained].T @ target))
