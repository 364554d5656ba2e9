"""Reading the prepared folder into arrays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.prepared import REMEDY, SEAL, Manifest, read_manifest
from mlrec.dataset.database import as_interrupts, connect, literal
from mlrec.dataset.events import Events, OfUsersAndMovies, joined
from mlrec.dataset.sql_steps import first_line
from mlrec.errors import IncompatibleFormatError, MlrecError, StateError
from mlrec.ids import IdArray, IdKind, array_of, text_fault
from mlrec.preferences import BUCKETS
from mlrec.settings import SPLITS, SplitName
from mlrec.workspace import PreparedFiles, Workspace

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

_VARIABLE_FILES = "read_parquet(getvariable('parts'), hive_partitioning = false)"
# Nobody prepares data so often that more attempts would help.
_ATTEMPTS = 10


@dataclass(frozen=True)
class Movies:
    """The movie catalogue, ordered by id.

    Attributes
    ----------
    movie_id, title, year, genres
        As in movies.csv; year is None where it has none.
    imdb_id, tmdb_id
        As in links.csv: "tt0114709" and 862; None where it has none.
    details
        Further columns of the movies file, as texts by name; None where it has none. Empty if no movie has any.
    """

    movie_id: IdArray
    title: list[str]
    year: list[int | None]
    genres: list[list[str]]
    imdb_id: list[str | None]
    tmdb_id: list[int | None]
    details: list[dict[str, str] | None] = field(default_factory=list)


@dataclass(frozen=True)
class HeldOut(OfUsersAndMovies):
    """One split, with the manifest of its folder; arrays as in `Events`."""

    manifest: Manifest
    user: NDArray[np.int32]
    movie: NDArray[np.int32]
    preference: NDArray[np.int8]
    timestamp: NDArray[np.int64]
    in_core: NDArray[np.bool_]
    user_ids: IdArray
    movie_ids: IdArray

    @classmethod
    def of(cls, manifest: Manifest, events: Events) -> HeldOut:
        """Take all of some events."""
        return cls(manifest, **{one.name: getattr(events, one.name) for one in fields(cls) if one.name != "manifest"})

    def only(self, keep: NDArray[np.bool_]) -> HeldOut:
        """Keep some events; `keep` is (events,)."""
        columns = ("user", "movie", "preference", "timestamp", "in_core")
        return replace(self, **{name: getattr(self, name)[keep] for name in columns})


@dataclass(frozen=True)
class PreparedData:
    """A prepared folder in memory."""

    manifest: Manifest
    events: Events
    movies: Movies

    def held_out(self, name: SplitName) -> HeldOut:
        """Return one of the splits that were read."""
        return HeldOut.of(self.manifest, self.events.only(self.events.split == SPLITS.index(name)))


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
        lambda folder: PreparedData(folder.manifest, _read_events(folder, splits), _read_movies(folder)),
    )


def read_movies(workspace: Workspace) -> Movies:
    """Read the movie catalogue of a workspace's prepared folder. Raises the same errors as `read_prepared`."""
    return _consistently(workspace, _read_movies)


def read_held_out(workspace: Workspace, name: SplitName) -> HeldOut:
    """Read one split of a workspace's prepared folder. Raises the same errors as `read_prepared`."""
    return _consistently(workspace, lambda folder: HeldOut.of(folder.manifest, _read_events(folder, (name,))))


def _consistently(workspace: Workspace, read: Callable[[_Folder], T]) -> T:
    """Read several files of one prepared folder, starting over if a new folder replaces it meanwhile."""
    files = workspace.prepared
    for _ in range(_ATTEMPTS):
        manifest = read_manifest(workspace)
        try:
            with connect() as connection:
                result = read(_Folder(connection, manifest, files))
        except IncompatibleFormatError:
            if read_manifest(workspace) == manifest:
                raise
        else:
            if read_manifest(workspace) == manifest:
                return result
    raise StateError(f"{files.root} keeps changing while it is read.", "Wait until 'mlrec prepare' is done.")


@dataclass(frozen=True)
class _Folder:
    """A prepared folder, and the database that reads it."""

    connection: duckdb.DuckDBPyConnection
    manifest: Manifest
    files: PreparedFiles

    @contextmanager
    def reading(self, paths: Iterable[Path]) -> Iterator[_Query]:
        """Query files of the folder, or folders of part files, after comparing them with their record."""
        parts = {path: sorted(path.glob("*.parquet")) if path.is_dir() else [path] for path in paths}
        for path, own in parts.items():
            if not own or not all(part.exists() for part in own):
                raise IncompatibleFormatError(f"The prepared data is incomplete: {path} is missing.", REMEDY)
        names = ", ".join(str(path) for path in parts)
        try:
            every = [part for own in parts.values() for part in own]
            if altered := [
                part for part in every if SEAL.is_altered(self.manifest.document, self.files.manifest, part)
            ]:
                raise IncompatibleFormatError(f"{altered[0]} is damaged: it has changed since it was written.", REMEDY)
            with as_interrupts():
                yield _Query(self.connection, {path: [literal(part) for part in own] for path, own in parts.items()})
        except MlrecError:
            raise
        except (OSError, MemoryError) as error:
            raise StateError(
                f"{names} cannot be read: {error}.", "Check the file, its permissions and the free memory."
            ) from error
        except Exception as error:  # on damaged Parquet, DuckDB raises a dozen kinds of errors
            raise IncompatibleFormatError(
                f"{names} cannot be read: {first_line(error) or repr(error)}", REMEDY
            ) from error


class _Query:
    """Queries on files of the prepared folder."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, parts: Mapping[Path, list[str]]) -> None:
        self._connection = connection
        self._parts = parts

    def columns(self, query: str, *paths: Path) -> dict[str, NDArray[Any]]:
        """The columns of a query; `{files}` in it is what to read."""
        parts = [part for path in paths for part in self._parts[path]]
        self._connection.execute("SET VARIABLE parts = $parts", {"parts": parts})
        columns = self._connection.execute(query.replace("{files}", _VARIABLE_FILES)).fetchnumpy()
        if any(isinstance(column, np.ma.MaskedArray) for column in columns.values()):
            raise IncompatibleFormatError(f"{paths[0]} is damaged: a value is missing.", REMEDY)
        return columns

    def ids(self, column: str, kind: IdKind, *paths: Path) -> IdArray:
        """The distinct ids of a column, ascending; of text ids, also remember the positions for `position_of`."""
        query = f"SELECT DISTINCT {column} AS id FROM {{files}} ORDER BY id"
        found = self.columns(query, *paths)["id"]
        if kind == "text":
            if fault := next(filter(None, map(text_fault, found)), None):
                raise IncompatibleFormatError(f"{paths[0].parent} is damaged: a {column} {fault}.", REMEDY)
            self._connection.execute(f"CREATE TYPE {column}_key AS ENUM ({query.replace('{files}', _VARIABLE_FILES)})")
        return array_of(found.tolist(), kind)


def _read_events(folder: _Folder, splits: tuple[SplitName, ...]) -> Events:
    """Merge splits into the total order. Each split is in order, and a user's splits follow each other in time."""
    manifest, files = folder.manifest, folder.files
    kinds = {"user_id": manifest.ids.users, "movie_id": manifest.ids.movies}
    paths = [files.split(name) for name in splits]
    outside = [files.outside] if manifest.outside_core is not None else []
    with folder.reading([*paths, *outside]) as query:
        # The ids of texts are looked up in DuckDB, which passes on their positions.
        texts = {name: query.ids(name, kind, *paths, *outside) for name, kind in kinds.items() if kind == "text"}
        ids = {
            name: f"CAST(enum_code(CAST({name} AS {name}_key)) AS INTEGER)"
            if name in texts
            else f"CAST({name} AS BIGINT)"
            for name in kinds
        }
        parts = {SPLITS.index(name): _in_order_of_users(_read_split(query, files.split(name), ids)) for name in splits}
        around = [_in_order_of_users(_read_outside(query, path, ids, splits)) for path in outside]
    events = joined(parts, *around)
    # Only among all splits do positions mean something. Somebody may have rewritten a split since, too.
    if not (events.are_in_time_order and set(splits) == set(SPLITS)):
        if not events.only(events.in_core).are_in_time_order:
            raise IncompatibleFormatError(f"The events in {files.root} are not in time order.", REMEDY)
        events = events.by_time()
    # What was read of a text is its position among all of them.
    if "user_id" in texts:
        events = replace(events, user=events.user_ids.astype(np.int32)[events.user], user_ids=texts["user_id"])
    if "movie_id" in texts:
        events = replace(events, movie=events.movie_ids.astype(np.int32)[events.movie], movie_ids=texts["movie_id"])
    return events


def _read_outside(
    query: _Query, path: Path, ids: Mapping[str, str], splits: tuple[SplitName, ...]
) -> dict[str, NDArray[Any]]:
    """The events outside the core that belong to some splits, of users of the core: others have no position in it."""
    names = ", ".join(f"'{name}'" for name in SPLITS)
    chosen = ", ".join(str(SPLITS.index(name)) for name in splits)
    columns = query.columns(
        f"SELECT {ids['user_id']} AS user_id, {ids['movie_id']} AS movie_id,"
        " CAST(preference AS TINYINT) AS preference, CAST(timestamp AS BIGINT) AS timestamp,"
        " CAST(position AS BIGINT) AS position, CAST(split AS TINYINT) AS split"
        f" FROM (SELECT * REPLACE (list_position([{names}], split) - 1 AS split) FROM {{files}})"
        f" WHERE position >= 0 AND (split IS NULL OR split IN ({chosen}))",
        path,
    )
    if not _are_preferences(columns["preference"]):
        raise IncompatibleFormatError(f"{path} is damaged: it has an impossible preference.", REMEDY)
    return columns


def _in_order_of_users(part: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Sort a split by user if needed: part files from Spark have each user in order, but perhaps not the users."""
    users = part["user_id"]
    if np.all(users[1:] >= users[:-1]):
        return part
    order = np.argsort(users, kind="stable")
    return {name: column[order] for name, column in part.items()}


def _read_split(query: _Query, path: Path, ids: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    columns = query.columns(
        f"SELECT {ids['user_id']} AS user_id, {ids['movie_id']} AS movie_id,"
        " CAST(preference AS TINYINT) AS preference, CAST(timestamp AS BIGINT) AS timestamp FROM {files}",
        path,
    )
    if not _are_preferences(columns["preference"]):
        raise IncompatibleFormatError(f"{path} is damaged: it has a preference other than −2, −1, +1 and +2.", REMEDY)
    return columns


def _are_preferences(values: NDArray[np.int8]) -> bool:
    """Whether all are among `BUCKETS`. `np.isin` takes ten times as long."""
    return bool(((values >= min(BUCKETS)) & (values <= max(BUCKETS)) & (values != 0)).all())


_MOVIES = (
    "SELECT CAST(movie_id AS {kind}) AS movie_id, title, coalesce(year, 0) AS year,"
    " coalesce(array_to_string(genres, '|'), '') AS genres, coalesce(CAST(imdb_id AS VARCHAR), '') AS imdb_id,"
    " coalesce(CAST(CAST(tmdb_id AS BIGINT) AS VARCHAR), '') AS tmdb_id{details} FROM {files} ORDER BY movie_id"
)
_DETAILS = ", coalesce(CAST(details AS VARCHAR), '') AS details"
_ID_TYPES: Mapping[IdKind, str] = {"integer": "BIGINT", "text": "VARCHAR"}


def movies_of(connection: duckdb.DuckDBPyConnection, kind: IdKind) -> Movies:
    """Return the movies in the table movies of a preparation's database."""
    query = _MOVIES.format(kind=_ID_TYPES[kind], details=_DETAILS, files="movies")
    return _movies_from(connection.execute(query).fetchnumpy(), kind, "movies")


def _read_movies(folder: _Folder) -> Movies:
    kind, file = folder.manifest.ids.movies, folder.files.movies
    with folder.reading([file]) as query:
        schema = query.columns("SELECT column_name FROM (DESCRIBE SELECT * FROM {files})", file)
        details = _DETAILS if "details" in schema["column_name"].tolist() else ""
        columns = query.columns(_MOVIES.format(kind=_ID_TYPES[kind], details=details, files="{files}"), file)
    return _movies_from(columns, kind, str(file))


def _movies_from(columns: Mapping[str, NDArray[Any]], kind: IdKind, place: str) -> Movies:
    return Movies(
        movie_id=array_of(columns["movie_id"].tolist(), kind),
        title=[str(title) for title in columns["title"]],
        year=[int(year) or None for year in columns["year"]],
        genres=[genres.split("|") if genres else [] for genres in columns["genres"]],
        imdb_id=[str(imdb_id) or None for imdb_id in columns["imdb_id"]],
        tmdb_id=[int(tmdb_id) if tmdb_id else None for tmdb_id in columns["tmdb_id"]],
        details=[_details_of(text, place) for text in columns["details"]] if "details" in columns else [],
    )


def _details_of(text: str, place: str) -> dict[str, str] | None:
    """The further columns of a movie, which are the text of a JSON object."""
    try:
        details = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        details = None
    if not isinstance(details, dict) or not {type(value) for value in details.values()} <= {str}:
        raise IncompatibleFormatError(f"{place} is damaged: it has impossible details.", REMEDY)
    return details or None
