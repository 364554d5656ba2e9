"""The object that an application holds: a model, opened once, that answers with typed results and public ids only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from operator import index
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts import models
from mlrec.artifacts.models import Model
from mlrec.errors import SettingsError, StateError, UnknownMovieError
from mlrec.ranking import filters
from mlrec.ranking.scores import movie_likeness, popularity_scores, user_scores
from mlrec.ranking.top_n import top_n
from mlrec.serving.titles import TitleIndex, label
from mlrec.settings import DEFAULT_DATA_DIR, DEFAULT_TOP_N
from mlrec.workspace import ModelFiles, Workspace

Source = Literal["personal", "popular", "similar"]


@dataclass(frozen=True)
class Recommendation:
    """One movie of a ranked list.

    Attributes
    ----------
    rank
        Place in the list, from 1.
    movie_id, title, year, genres
        The movie; year is None where the data has none.
    score
        `personal`: predicted preference, about 1 for a movie that is surely liked and 0 for an average one.
        `popular`: likes in training. `similar`: cosine, −1 to 1.
    source
        Where the recommendation comes from.
    """

    rank: int
    movie_id: int
    title: str
    year: int | None
    genres: tuple[str, ...]
    score: float
    source: Source

    def to_json(self) -> dict[str, Any]:
        """Return the recommendation as plain JSON values."""
        return {**asdict(self), "genres": list(self.genres)}


@dataclass(frozen=True)
class Movie:
    """A movie of the model.

    Attributes
    ----------
    movie_id, title, year, genres
        As in the prepared catalogue; year is None where the data has none.
    likes
        How many users liked it in training.
    """

    movie_id: int
    title: str
    year: int | None
    genres: tuple[str, ...]
    likes: int

    @property
    def label(self) -> str:
        """Title and year as one text."""
        return label(self.title, self.year)

    def to_json(self) -> dict[str, Any]:
        """Return the movie as plain JSON values."""
        return {**asdict(self), "genres": list(self.genres)}


class Recommender:
    """Recommendations from a published model. Use `Recommender.open`; close it, or use it as a context manager.

    One object may serve several threads at once: what a call reads of the model is fixed when the call begins.
    """

    def __init__(self, model: Model, workspace: Workspace | None = None) -> None:
        self._workspace = workspace
        self._opened: _Serving | None = _Serving(model)

    @property
    def _serving(self) -> _Serving:
        if self._opened is None:
            raise StateError("This recommender is closed.", "Open another with Recommender.open.")
        return self._opened

    @classmethod
    def open(
        cls, data_dir: str | PathLike[str] = DEFAULT_DATA_DIR, *, model: str | PathLike[str] | None = None
    ) -> Self:
        """Open the published model of a data directory, or one model folder.

        Parameters
        ----------
        data_dir
            A data directory; its published model is opened.
        model
            A model folder, which needs no data directory around it.

        Raises
        ------
        ModelMissingError
            If there is no model there.
        IncompatibleFormatError
            If the model is damaged, or was written by a version of mlrec with another format.
        """
        if model is not None:
            return cls(models.open_model(ModelFiles(Path(model))))
        workspace = Workspace(Path(data_dir))
        return cls(models.open_model(models.resolve(workspace)), workspace)

    def __enter__(self) -> Self:
        """Return the recommender itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the recommender."""
        self.close()

    def close(self) -> None:
        """Release the files of the model. Closing twice does no harm; any other use afterwards is a StateError."""
        self._opened = None

    def refresh(self) -> bool:
        """Switch to the model that is published now, if it is another. Calls under way finish on the former one.

        Returns
        -------
        bool
            Whether the model has changed. Always False for a lone model folder.
        """
        if self._workspace is None or models.published_id(self._workspace) == self.model_id:
            return False
        self._opened = _Serving(models.open_model(models.resolve(self._workspace)))
        return True

    @property
    def model_id(self) -> str:
        """Id of the model that answers."""
        return self._serving.model.model_id

    def knows_user(self, user_id: int) -> bool:
        """Whether the model has a taste for this user; anybody else gets the popular list."""
        return self._serving.taste(user_id) is not None

    def get_top_n(
        self,
        user_id: int,
        n: int = DEFAULT_TOP_N,
        *,
        genres: Iterable[str] | None = None,
        years: tuple[int, int] | None = None,
        exclude: Iterable[int] = (),
        include_seen: bool = False,
    ) -> list[Recommendation]:
        """Recommend movies to a user.

        Parameters
        ----------
        user_id
            Anybody: a user without a known taste gets the popular movies, with source `popular`.
        n
            How many movies; fewer come back if fewer are left.
        genres
            Only movies of at least one of these genres; case does not matter.
        years
            Only movies released from the first to the second year, both included.
        exclude
            Movie ids not to show. Ids that the model does not know are passed over.
        include_seen
            Also show movies that the user has rated.

        Returns
        -------
        list of Recommendation
            Best first; equal scores in the order of movie ids.

        Raises
        ------
        SettingsError
            If n is below 1, or no movie has one of the genres.
        """
        serving = self._serving
        user_id = index(user_id)
        if n < 1:
            raise SettingsError(f"n must be at least 1, not {n}.")
        candidates = serving.candidates(genres, years, exclude)
        if not include_seen:
            candidates &= filters.without(len(candidates), serving.seen(user_id))
        vector = serving.taste(user_id)
        if vector is None:
            rows = top_n(serving.popular, n, candidates)
            return serving.recommendations(rows, serving.model.popularity[rows], "popular")
        scores = user_scores(vector, serving.movie_factors)
        rows = top_n(scores, n, candidates)
        return serving.recommendations(rows, scores[rows], "personal")

    def similar_movies(self, movie_id: int, n: int = DEFAULT_TOP_N) -> list[Recommendation]:
        """Movies whose vectors point the same way, by cosine.

        Parameters
        ----------
        movie_id
            A movie of the model.
        n
            How many.

        Raises
        ------
        UnknownMovieError
            If the model does not know the movie.
        """
        serving = self._serving
        if n < 1:
            raise SettingsError(f"n must be at least 1, not {n}.")
        row = serving.model.movie_idx(movie_id)
        if row is None:
            raise UnknownMovieError(f"The model does not know movie {movie_id}.", "Look for one with 'mlrec search'.")
        likeness = movie_likeness(row, serving.movie_factors)
        rows = top_n(likeness, n)
        return serving.recommendations(rows, likeness[rows], "similar")

    def find_movie(self, text: str) -> Movie:
        """Return the one movie that an id or a title means; the title need not be exact.

        Raises
        ------
        UnknownMovieError
            If none is meant, or several could be.
        """
        serving = self._serving
        return serving.movie(serving.titles.resolve(text))

    def search(self, text: str, n: int = DEFAULT_TOP_N) -> list[Movie]:
        """Movies whose titles match a text, best match first; at most n, none if no title is near."""
        serving = self._serving
        return [serving.movie(row) for row in serving.titles.search(text, n)]


class _Serving:
    """One model, with what is derived from it once."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @cached_property
    def movie_factors(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.model.movie_factors)

    @cached_property
    def popular(self) -> NDArray[np.float32]:
        return popularity_scores(self.model.popularity)

    @cached_property
    def titles(self) -> TitleIndex:
        catalogue = self.model.catalogue
        return TitleIndex(self.model.movie_ids, catalogue.title, catalogue.year, self.model.popularity)

    @cached_property
    def genre_names(self) -> list[str]:
        return sorted({name for names in self.model.catalogue.genres for name in names})

    @cached_property
    def genre_masks(self) -> dict[str, NDArray[np.bool_]]:
        genres = self.model.catalogue.genres
        return {name.casefold(): filters.by_genre(genres, name) for name in self.genre_names}

    @cached_property
    def years(self) -> NDArray[np.int64]:
        return np.array([year or 0 for year in self.model.catalogue.year])

    def taste(self, user_id: int) -> NDArray[np.float32] | None:
        """Vector of a user; None where nothing is known of the taste."""
        row = self.model.user_idx(user_id)
        if row is None:
            return None
        vector = np.asarray(self.model.user_vectors[row])
        return vector if vector.any() else None

    def seen(self, user_id: int) -> NDArray[np.int32]:
        """Rows of all movies that the user is known to have rated, whatever the model was trained on."""
        row = self.model.user_idx(user_id)
        rows = self.model.history.movie_idx[self.model.history.of(row) if row is not None else slice(0, 0)]
        return rows[rows >= 0]

    def candidates(
        self, genres: Iterable[str] | None, years: tuple[int, int] | None, exclude: Iterable[int]
    ) -> NDArray[np.bool_]:
        """Movies that pass the filters."""
        rows = [row for movie_id in exclude if (row := self.model.movie_idx(movie_id)) is not None]
        mask = filters.without(len(self.model.movie_ids), np.array(rows, dtype=np.int64))
        if genres is not None:
            wanted = [genres] if isinstance(genres, str) else list(genres)
            if unknown := [name for name in wanted if name.casefold() not in self.genre_masks]:
                raise SettingsError(
                    f"No movie has the genre {', '.join(unknown)}.", f"Genres: {', '.join(self.genre_names)}"
                )
            mask &= np.logical_or.reduce([self.genre_masks[name.casefold()] for name in wanted])
        if years is not None:
            mask &= filters.by_years(self.years, *years)
        return mask

    def movie(self, row: int) -> Movie:
        catalogue = self.model.catalogue
        return Movie(
            movie_id=int(self.model.movie_ids[row]),
            title=catalogue.title[row],
            year=catalogue.year[row],
            genres=tuple(catalogue.genres[row]),
            likes=int(self.model.popularity[row]),
        )

    def recommendations(self, rows: NDArray[np.int64], scores: NDArray[Any], source: Source) -> list[Recommendation]:
        catalogue = self.model.catalogue
        return [
            Recommendation(
                rank=rank,
                movie_id=int(self.model.movie_ids[row]),
                title=catalogue.title[row],
                year=catalogue.year[row],
                genres=tuple(catalogue.genres[row]),
                score=float(score),
                source=source,
            )
            for rank, (row, score) in enumerate(zip(rows, scores, strict=True), start=1)
        ]
