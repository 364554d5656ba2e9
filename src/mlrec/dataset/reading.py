"""Reading the prepared folder into arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.prepared import REMEDY, SEAL, Manifest, read_manifest
from mlrec.dataset.database import connect, literal, load_duckdb
from mlrec.dataset.sql_steps import first_line
from mlrec.errors import IncompatibleFormatError, MlrecError, StateError
from mlrec.preferences import BUCKETS
from mlrec.ranking.runs import run_starts
from mlrec.settings import SPLITS, SplitName
from mlrec.workspace import PreparedFiles, Workspace

T = TypeVar("T")

# Nobody prepares data so often that more attempts would help.
_ATTEMPTS = 10


@dataclass(frozen=True)
class Events:
    """Events ordered by user, time and movie; all arrays are (events,).

    Attributes
    ----------
    user_id, movie_id
        Public ids, int64.
    preference
        −2, −1, +1 or +2, int8.
    timestamp
        Epoch seconds, int64.
    split
        Position in `SPLITS`, int8.
    """

    user_id: NDArray[np.int64]
    movie_id: NDArray[np.int64]
    preference: NDArray[np.int8]
    timestamp: NDArray[np.int64]
    split: NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.user_id)

    def only(self, keep: NDArray[np.bool_]) -> Events:
        """Keep some events; `keep` is (events,)."""
        return Events(**{name: column[keep] for name, column in vars(self).items()})


@dataclass(frozen=True)
class Movies:
    """The movie catalogue, ordered by id.

    Attributes
    ----------
    movie_id, title, year, genres
        As in movies.csv; year is None where it has none.
    imdb_id, tmdb_id
        As in links.csv: "tt0114709" and 862; None where it has none.
    """

    movie_id: NDArray[np.int64]
    title: list[str]
    year: list[int | None]
    genres: list[list[str]]
    imdb_id: list[str | None]
    tmdb_id: list[int | None]


@dataclass(frozen=True)
class HeldOut:
    """One split, with the manifest of its folder; all arrays are (events,)."""

    manifest: Manifest
    user_id: NDArray[np.int64]
    movie_id: NDArray[np.int64]
    preference: NDArray[np.int8]

    def only(self, keep: NDArray[np.bool_]) -> HeldOut:
        """Keep some events; `keep` is (events,)."""
        return HeldOut(self.manifest, self.user_id[keep], self.movie_id[keep], self.preference[keep])


@dataclass(frozen=True)
class PreparedData:
    """A prepared folder in memory."""

    manifest: Manifest
    events: Events
    movies: Movies

    def held_out(self, name: SplitName) -> HeldOut:
        """Return one of the splits that were read."""
        events = self.events
        in_order = HeldOut(self.manifest, events.user_id, events.movie_id, events.preference)
        return in_order.only(events.split == SPLITS.index(name))


def read_prepared(workspace: Workspace, splits: tuple[SplitName, ...] = SPLITS) -> PreparedData:
    """Read a workspace's prepared folder, or only some of its splits; the files of other splits are not opened.

    Raises
    ------
    PreparedDataMissingError
        If nothing has been prepared.
    IncompatibleFormatError
        If the folder is damaged or has another format.
    """
    return _consistently(
        workspace,
        lambda manifest, files: PreparedData(
            manifest, _read_events(manifest, files, splits), _read_movies(manifest, files)
        ),
    )


def read_movies(workspace: Workspace) -> Movies:
    """Read the movie catalogue of a workspace's prepared folder. Raises the same errors as `read_prepared`."""
    return _consistently(workspace, _read_movies)


def read_held_out(workspace: Workspace, name: SplitName) -> HeldOut:
    """Read one split of a workspace's prepared folder. Raises the same errors as `read_prepared`."""

    def read(manifest: Manifest, files: PreparedFiles) -> HeldOut:
        columns = _read_split(manifest, files, name)
        return HeldOut(manifest, columns["user_id"], columns["movie_id"], columns["preference"])

    return _consistently(workspace, read)


def _consistently(workspace: Workspace, read: Callable[[Manifest, PreparedFiles], T]) -> T:
    """Read several files of one prepared folder, starting over if a new folder replaces it meanwhile."""
    files = workspace.prepared
    for _ in range(_ATTEMPTS):
        manifest = read_manifest(workspace)
        try:
            result = read(manifest, files)
        except IncompatibleFormatError:
            if read_manifest(workspace) == manifest:
                raise
        else:
            if read_manifest(workspace) == manifest:
                return result
    raise StateError(f"{files.root} keeps changing while it is read.", "Wait until 'mlrec prepare' is done.")


def _query(manifest: Manifest, files: PreparedFiles, path: Path, query: str) -> dict[str, NDArray[Any]]:
    """Read a file of the prepared folder, or a folder of part files, with a query on $path."""
    parts = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not parts or not all(part.exists() for part in parts):
        raise IncompatibleFormatError(f"The prepared data is incomplete: {path} is missing.", REMEDY)
    load_duckdb()
    try:
        if any(SEAL.is_altered(manifest.document, files.manifest, part) for part in parts):
            raise IncompatibleFormatError(f"{path} is damaged: it has changed since it was written.", REMEDY)
        with connect() as connection:
            columns = connection.execute(query, {"path": [literal(part) for part in parts]}).fetchnumpy()
    except MlrecError:
        raise
    except (OSError, MemoryError) as error:
        raise StateError(
            f"{path} cannot be read: {error}.", "Check the file, its permissions and the free memory."
        ) from error
    except Exception as error:  # on damaged Parquet, DuckDB raises a dozen kinds of errors
        raise IncompatibleFormatError(f"{path} cannot be read: {first_line(error) or repr(error)}", REMEDY) from error
    if any(isinstance(column, np.ma.MaskedArray) for column in columns.values()):
        raise IncompatibleFormatError(f"{path} is damaged: a value is missing.", REMEDY)
    return columns


def _read_events(manifest: Manifest, files: PreparedFiles, splits: tuple[SplitName, ...]) -> Events:
    """Merge splits into the total order. Each split is in order, and a user's splits follow each other in time."""
    parts = [_in_order_of_users(_read_split(manifest, files, name)) for name in splits]
    starts = [run_starts(part["user_id"]) for part in parts]
    users = np.unique(np.concatenate([part["user_id"][start] for part, start in zip(parts, starts, strict=True)]))
    counts = np.zeros((len(users), len(parts)), dtype=np.int64)
    for number, (part, start) in enumerate(zip(parts, starts, strict=True)):
        rows = np.searchsorted(users, part["user_id"][start])
        counts[rows, number] = np.diff(start, append=len(part["user_id"]))
    begins = (np.cumsum(counts) - counts.ravel()).reshape(counts.shape)

    n_events = int(counts.sum())
    columns = {name: np.empty(n_events, column.dtype) for name, column in parts[0].items()}
    columns["split"] = np.empty(n_events, dtype=np.int8)
    for number, name in enumerate(splits):
        part, count = parts[number], counts[:, number]
        positions = np.repeat(begins[:, number] - (np.cumsum(count) - count), count) + np.arange(count.sum())
        for column, values in part.items():
            columns[column][positions] = values
        columns["split"][positions] = SPLITS.index(name)
        parts[number] = {}  # its memory is no longer needed
    user_id, timestamp = columns["user_id"], columns["timestamp"]
    if ((timestamp[1:] < timestamp[:-1]) & (user_id[1:] == user_id[:-1])).any():
        raise IncompatibleFormatError(f"The events in {files.root} are not in time order.", REMEDY)
    return Events(**columns)


def _in_order_of_users(part: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Sort a split by user if needed: part files from Spark have each user in order, but perhaps not the users."""
    users = part["user_id"]
    if np.all(users[1:] >= users[:-1]):
        return part
    order = np.argsort(users, kind="stable")
    return {name: column[order] for name, column in part.items()}


def _read_split(manifest: Manifest, files: PreparedFiles, name: SplitName) -> dict[str, NDArray[Any]]:
    columns = _query(
        manifest,
        files,
        files.split(name),
        "SELECT CAST(user_id AS BIGINT) AS user_id, CAST(movie_id AS BIGINT) AS movie_id,"
        " CAST(preference AS TINYINT) AS preference, CAST(timestamp AS BIGINT) AS timestamp"
        " FROM read_parquet($path, hive_partitioning = false)",
    )
    if not np.isin(columns["preference"], list(BUCKETS)).all():
        raise IncompatibleFormatError(
            f"{files.split(name)} is damaged: it has a preference other than −2, −1, +1 and +2.", REMEDY
        )
    return columns


def _read_movies(manifest: Manifest, files: PreparedFiles) -> Movies:
    columns = _query(
        manifest,
        files,
        files.movies,
        "SELECT movie_id, title, coalesce(year, 0) AS year, coalesce(array_to_string(genres, '|'), '') AS genres,"
        " coalesce(CAST(imdb_id AS VARCHAR), '') AS imdb_id,"
        " coalesce(CAST(CAST(tmdb_id AS BIGINT) AS VARCHAR), '') AS tmdb_id"
        " FROM read_parquet($path, hive_partitioning = false) ORDER BY movie_id",
    )
    return Movies(
        movie_id=columns["movie_id"].astype(np.int64),
        title=[str(title) for title in columns["title"]],
        year=[int(year) or None for year in columns["year"]],
        genres=[genres.split("|") if genres else [] for genres in columns["genres"]],
        imdb_id=[str(imdb_id) or None for imdb_id in columns["imdb_id"]],
        tmdb_id=[int(tmdb_id) if tmdb_id else None for tmdb_id in columns["tmdb_id"]],
    )
