"""One opened model and everything derived from it. It is derived once, and any number of threads can read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.errors import SettingsError, UnknownMovieError, shown
from mlrec.ids import LARGEST_ID, SMALLEST_ID, IdArray, PublicId, known_rows, public
from mlrec.ranking import filters
from mlrec.ranking.content import evidence
from mlrec.ranking.effective_history import STRANGER, KnownHistory
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.genre_limit import MovieGenres
from mlrec.ranking.movie_vectors import ORIGINS
from mlrec.ranking.personal import BestByTaste
from mlrec.ranking.ranker import Ranker
from mlrec.ranking.scores import movie_similarity
from mlrec.serving.result_list import ResultList
from mlrec.serving.results import Genre, Movie, Recommendation, Source
from mlrec.serving.spoken_titles import label, spoken
from mlrec.serving.titles import TitleIndex
from mlrec.settings import SPLITS, ServeSettings

_NEAR = 4


class ServedModel:
    """A model in the form that requests use.

    Parameters
    ----------
    model
        The opened model.
    settings
        How to serve it.
    """

    def __init__(self, model: Model, settings: ServeSettings) -> None:
        self.model = model
        self.model_id = model.model_id
        # The name by which the pointer to the published model refers to it.
        self.folder_name = model.folder.name if model.folder is not None else model.model_id
        # Copies, because the hot path should read memory and not a file.
        self.movie_ids = np.array(model.movie_ids)
        self.public_movie_ids = as_column(self.movie_ids)
        self.movie_factors = np.array(model.movie_factors, order="C")
        self.fold_in = FoldIn(self.movie_factors, model.fold_in, model.is_trained)
        self.ranker = Ranker.of(
            self.fold_in,
            model.recent_share,
            model.catalogue.genres,
            settings,
            model.item_item,
        )
        # Whether the saved vectors are the fold-in of what the model has learned, rather than those of ALS.
        self.saves_fold_in = model.train_settings.user_vectors == "fold-in"
        self.learned = np.array([name in model.info.trained_on for name in SPLITS])
        # What lists say of the movies listed so far, by row.
        self._told: dict[int, dict[str, Any]] = {}

    @cached_property
    def best_by_taste(self) -> BestByTaste:
        """Lists the best movies of users who are ranked by taste alone."""
        return self.ranker.personal.best()

    @cached_property
    def titles(self) -> TitleIndex:
        """The search index of titles."""
        catalogue = self.model.catalogue
        return TitleIndex(
            self.movie_ids,
            catalogue.title,
            catalogue.year,
            self.model.popularity,
            is_whole_catalogue=self.model.info.settings.movies == "all",
        )

    @cached_property
    def genre_names(self) -> list[str]:
        """All genres of the catalogue, sorted."""
        return sorted({name for names in self.model.catalogue.genres for name in names})

    @cached_property
    def _genre_masks(self) -> dict[str, NDArray[np.bool_]]:
        genres = self.model.catalogue.genres
        return {name.casefold(): filters.by_genre(genres, name) for name in self.genre_names}

    @cached_property
    def movie_genres(self) -> MovieGenres:
        """The genres of all movies, by number."""
        return MovieGenres.of(self.model.catalogue.genres)

    def genre(self, name: str) -> Genre:
        """A genre, by its name in `genre_names`."""
        return Genre(name, int(np.count_nonzero(self._genre_masks[name.casefold()])))

    @cached_property
    def years(self) -> NDArray[np.int64]:
        """Years of release, int64 (movies,); 0 if unknown."""
        return np.array([year or 0 for year in self.model.catalogue.year])

    @cached_property
    def factor_norms(self) -> NDArray[np.float32]:
        """Lengths of the movie vectors, float32 (movies,)."""
        return np.asarray(np.linalg.norm(self.movie_factors, axis=1), dtype=np.float32)

    @cached_property
    def evidence(self) -> NDArray[np.float32]:
        """How much of each movie's vector comes from ratings, 0 to 1, float32 (movies,)."""
        return evidence(self.model.popularity, self.model.is_trained, self.model.fold_in.regularization)

    @cached_property
    def average_vector(self) -> NDArray[np.float32]:
        """Mean of all user vectors, float32 (factors,)."""
        mean: NDArray[np.float64] = np.mean(self.model.vectors_of(slice(None)), axis=0, dtype=np.float64)
        return mean.astype(np.float32)

    # -- users -------------------------------------------------------------------------------------------------------

    def known_history(self, user_id: PublicId) -> KnownHistory:
        """What the model's data says about a user."""
        return self.history_of_row(self.model.user_idx(user_id))

    def history_of_row(self, row: int | None) -> KnownHistory:
        """What the model's data says about the user in a row; None is an unknown user."""
        if row is None:
            return STRANGER
        own = self.model.history.of_rows(row, row + 1)
        return KnownHistory(own.movie_idx, own.preference, own.timestamp, self.learned[own.split])

    def saved_vector(self, row: int | None) -> NDArray[np.float32] | None:
        """The vector that was saved with the model for the user in a row; None for an unknown user."""
        return None if row is None else self.model.vectors_of(np.array([row]))[0]

    # -- movies ------------------------------------------------------------------------------------------------------

    def row_of(self, movie_id: PublicId) -> int:
        """Row of a movie.

        Raises
        ------
        UnknownMovieError
            If the model does not know the movie. The hint names the movies with the nearest ids.
        """
        row = self.model.movie_idx(movie_id)
        if row is None:
            near = "; ".join(f"{shown(self.movie_id(row))} {self.label(row)}" for row in self._nearest(movie_id))
            raise UnknownMovieError(
                f"The model does not know movie {shown(movie_id)}: {self.titles.why_unknown}.",
                f"Nearest ids: {near}. To find an id by title: mlrec search TITLE. {self.titles.how_to_add}",
            )
        return row

    def _nearest(self, movie_id: PublicId) -> list[int]:
        """Rows of the movies whose ids are nearest: by value, or for texts those that sort around the id."""
        if isinstance(movie_id, str):
            wanted = np.array(movie_id.encode()[: self.movie_ids.dtype.itemsize], dtype=self.movie_ids.dtype)
            first = int(np.searchsorted(self.movie_ids, wanted)) - _NEAR // 2
            first = max(0, min(first, len(self.movie_ids) - _NEAR))
            return list(range(first, min(first + _NEAR, len(self.movie_ids))))
        within = min(max(movie_id, SMALLEST_ID), LARGEST_ID)
        nearest = np.argsort(np.abs(self.movie_ids.astype(np.float64) - within), kind="stable")[:_NEAR]
        return sorted(nearest.tolist())

    def movie_id(self, row: int) -> PublicId:
        """Public id of a movie."""
        found: PublicId = self.public_movie_ids.item(row)
        return found

    def title(self, row: int) -> str:
        """Title of a movie, as people say it."""
        return spoken(self.model.catalogue.title[row])

    def label(self, row: int) -> str:
        """Title and year of a movie as one string."""
        return label(self.title(row), self.model.catalogue.year[row])

    def movie(self, row: int) -> Movie:
        """Everything known about a movie."""
        return Movie(
            **self._public(row),
            raw_title=self.model.catalogue.title[row],
            likes=int(self.model.popularity[row]),
            ratings=None if self.model.n_ratings is None else int(self.model.n_ratings[row]),
        )

    def recommendations(
        self,
        rows: NDArray[np.int64],
        scores: NDArray[Any],
        sources: Iterable[Source],
        tastes: Iterable[float] | None = None,
    ) -> ResultList[Recommendation]:
        """Movie rows as a list of recommendations with ranks."""
        own: Iterable[float | None] = [None] * len(rows) if tastes is None else tastes
        listed = []
        for rank, (row, score, source, taste) in enumerate(
            zip(rows.tolist(), scores.tolist(), sources, own, strict=True), 1
        ):
            one = Recommendation.__new__(Recommendation)
            # What `__init__` would do. That of a frozen dataclass takes four times as long.
            vars(one).update(self._public(row), rank=rank, score=score, source=source, taste=taste)
            listed.append(one)
        return ResultList(listed, Recommendation)

    def _public(self, row: int) -> dict[str, Any]:
        found = self._told.get(row)
        if found is None:
            found = self._told[row] = self._public_anew(row)
        return found

    def _public_anew(self, row: int) -> dict[str, Any]:
        catalogue = self.model.catalogue
        return {
            "movie_id": self.public_movie_ids.item(row),
            "title": self.title(row),
            "year": catalogue.year[row],
            "genres": tuple(catalogue.genres[row]),
            "imdb_id": catalogue.imdb_id[row] if catalogue.imdb_id else None,
            "tmdb_id": catalogue.tmdb_id[row] if catalogue.tmdb_id else None,
            "details": (catalogue.details[row] or {}) if catalogue.details else None,
            "origin": ORIGINS[self.model.origin[row]],
        }

    def known_rows(self, movie_ids: Sequence[PublicId]) -> NDArray[np.int64]:
        """Rows of those of some movies that the model knows, int64, in their order."""
        return known_rows(self.movie_ids, movie_ids)

    def similarity(self, row: int) -> NDArray[np.float32]:
        """How similar a movie and all others are by what people like, float32 (movies,); see `movie_similarity`."""
        between = None if self.model.item_item is None else self.model.item_item.between(row)
        return movie_similarity(row, self.movie_factors, self.factor_norms, self.evidence, between)

    def resemblance(self, row: int) -> NDArray[np.float32]:
        """How alike a movie and all others are by genres and year alone, 0 to 1, float32 (movies,); NaN for itself.

        The share of common genres (Jaccard), which halves with each ten years between the movies.
        """
        own = {name.casefold() for name in self.model.catalogue.genres[row]}
        masks = np.array(list(self._genre_masks.values()), dtype=np.float32).reshape(-1, len(self.movie_ids))
        mine = np.array([name in own for name in self._genre_masks], dtype=np.float32)
        common = mine @ masks
        either = masks.sum(axis=0) + mine.sum() - common
        alike = np.divide(common, either, out=np.zeros_like(common), where=either > 0)
        if self.years[row]:
            alike *= np.where(self.years > 0, 0.5 ** (np.abs(self.years - self.years[row]) / 10), 0.5)
        alike[row] = np.nan
        return np.asarray(alike, dtype=np.float32)

    def of_any(self, genres: Iterable[str]) -> NDArray[np.bool_]:
        """Movies of at least one of these genres, bool (movies,).

        Raises
        ------
        SettingsError
            If no movie has one of the genres.
        """
        names = list(genres)
        if unknown := [name for name in names if name.casefold() not in self._genre_masks]:
            raise SettingsError(
                f"No movie has the genre {', '.join(map(repr, unknown[:_NEAR]))}.",
                f"Valid genres: {', '.join(self.genre_names)}",
            )
        none = np.zeros(len(self.movie_ids), dtype=bool)
        masks: NDArray[np.bool_] = np.logical_or.reduce([none, *(self._genre_masks[name.casefold()] for name in names)])
        return masks


def as_column(ids: IdArray) -> NDArray[Any]:
    """Ids as a column for people and data frames: int64, or Python strings in an object array."""
    if ids.dtype.kind != "S":
        return ids
    column = np.empty(len(ids), dtype=object)
    column[:] = public(ids)
    return column
