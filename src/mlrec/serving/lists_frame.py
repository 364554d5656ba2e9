"""The lists of many users as one pandas data frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlrec.ids import PublicId
from mlrec.serving.results import Movie, Recommendation
from mlrec.tables import data_frame, load_pandas

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("user_id", "rank", "movie_id", "score", "source")


def lists_frame(blocks: Iterable[Mapping[str, Any]], movie: Callable[[PublicId], Movie]) -> pd.DataFrame:
    """Return lists as a frame: user_id, rank, movie_id, title, year, genres, score and source.

    Parameters
    ----------
    blocks
        Columns user_id, rank, movie_id, score and source of some users each, by user and rank.
    movie
        Returns what is known of a movie by its id.

    Raises
    ------
    MissingExtraError
        If pandas is not installed.
    """
    pandas = load_pandas()
    parts = [data_frame({name: block[name] for name in _COLUMNS}) for block in blocks]
    frame: pd.DataFrame = (
        pandas.concat(parts, ignore_index=True) if parts else data_frame({name: [] for name in _COLUMNS})
    )
    known = {movie_id: movie(movie_id) for movie_id in frame["movie_id"].unique().tolist()}
    movies = [known[movie_id] for movie_id in frame["movie_id"].tolist()]
    frame.insert(3, "title", [one.title for one in movies])
    frame.insert(4, "year", pandas.array([one.year for one in movies], dtype="Int64"))
    frame.insert(5, "genres", [one.genres for one in movies])
    return frame


def list_columns(user_id: PublicId, items: list[Recommendation]) -> dict[str, Any]:
    """Return one user's list as such columns."""
    columns = {name: [getattr(item, name) for item in items] for name in _COLUMNS if name != "user_id"}
    return {"user_id": [user_id] * len(items), **columns}
