"""Writing the vectors of a model as NumPy arrays, Parquet or CSV, which pandas and FAISS read as they are.

A folder of exported vectors appears complete or not at all. Its vectors.json says what it holds.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.files import keep_private, read_json, sync, sync_tree, temporary_sibling, write_json
from mlrec.artifacts.model_folder import Model
from mlrec.dataset.database import connect, load_duckdb, located
from mlrec.dataset.sql_steps import first_line
from mlrec.errors import IncompatibleFormatError, InputError, StateError
from mlrec.ids import IdArray, PublicId, kind_of, of_kind, public
from mlrec.machine import installed_version
from mlrec.ranking.movie_vectors import ORIGINS
from mlrec.settings import VectorFormat
from mlrec.untrusted_text import for_spreadsheet

FORMAT_VERSION = 1
DESCRIPTION = "vectors.json"
"""The file that says what an exported folder holds. A folder without it is never replaced."""

# Rows that are handed to DuckDB at a time.
_BLOCK = 20_000


def require_free(folder: Path, *, force: bool) -> None:
    """Check that vectors may be written to a folder: it does not exist, is empty, or has vectors to be replaced.

    Raises
    ------
    InputError
        If the folder has other content, or has vectors and `force` is False.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file.", "Choose a folder that does not exist yet.")
    if not any(folder.iterdir()):
        return
    if not (folder / DESCRIPTION).exists():
        raise InputError(f"{folder} contains other files.", "Choose a folder that does not exist yet.")
    if not force:
        raise InputError(f"{folder} contains exported vectors already.", "Use --force to replace them.")
    try:
        read_json(folder / DESCRIPTION, FORMAT_VERSION)
    except IncompatibleFormatError as error:
        raise InputError(f"{folder} is not replaced: {error.message}", "Remove the folder yourself.") from error


def write_vectors(
    folder: Path, model: Model, kind: VectorFormat, *, without: Collection[PublicId] = (), force: bool = False
) -> dict[str, Any]:
    """Write the vectors of all movies and users of a model to a folder.

    Parameters
    ----------
    folder
        The folder, which appears when it is complete. Folders above it are created.
    model
        The model.
    kind
        "npy", "parquet" or "csv".
    without
        Users to leave out.
    force
        Replace vectors that were exported to the folder before.

    Returns
    -------
    dict
        The content of vectors.json.

    Raises
    ------
    InputError
        As in `require_free`.
    IncompatibleFormatError
        If the model is damaged.
    StateError
        If the disk is full or fails.
    """
    require_free(folder, force=force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    kept = ~np.isin(np.asarray(model.user_ids), of_kind(list(without), model.user_id_kind))
    with temporary_sibling(folder, folder=True) as temporary:
        new = temporary / "new"
        new.mkdir()
        names = _WRITERS[kind](new, model, np.flatnonzero(kept), temporary)
        document = {
            "format_version": FORMAT_VERSION,
            "mlrec_version": installed_version(),
            "model_id": model.model_id,
            "format": kind,
            "files": names,
            "users": int(kept.sum()),
            "movies": len(model.movie_ids),
            "factors": int(model.movie_factors.shape[1]),
            "user_ids": model.user_id_kind,
            "movie_ids": model.movie_id_kind,
        }
        for name in names:
            if name.startswith("user"):
                keep_private(new / name, folder / name)
        write_json(new / DESCRIPTION, document)
        sync_tree(new)
        if folder.exists():
            folder.rename(temporary / "old")
        new.rename(folder)
    sync(folder.parent)
    return document


# -- NumPy -------------------------------------------------------------------------------------------------------------


def _write_npy(folder: Path, model: Model, users: NDArray[np.int64], _: Path) -> list[str]:
    """Two arrays for movies and two for users, and the catalogue as CSV; row i of each is the same movie or user."""
    _save(folder / "user_ids.npy", [_loadable(np.asarray(model.user_ids)[users])])
    _save(folder / "user_vectors.npy", (model.vectors_of(users[rows]) for rows in _blocks(len(users))), len(users))
    _save(folder / "movie_ids.npy", [_loadable(model.movie_ids)])
    _save(folder / "movie_vectors.npy", [model.movie_factors])
    _write_catalogue(folder / "movies.csv", model)
    return ["movie_ids.npy", "movie_vectors.npy", "movies.csv", "user_ids.npy", "user_vectors.npy"]


def _save(path: Path, blocks: Iterable[NDArray[Any]], rows: int | None = None) -> None:
    """Write blocks of rows as one array. Unlike `np.save`, say it if the disk is full, and never hold all rows."""
    with path.open("wb") as file:
        for number, block in enumerate(blocks):
            if not number:
                shape = (len(block) if rows is None else rows, *block.shape[1:])
                header = {"descr": np.lib.format.dtype_to_descr(block.dtype), "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(block).tobytes())


def _loadable(ids: IdArray) -> NDArray[Any]:
    """Ids that np.load reads without pickle: int64, or text of a fixed width."""
    return np.array(public(ids), dtype=np.str_) if kind_of(ids) == "text" else np.ascontiguousarray(ids, dtype="<i8")


def _write_catalogue(path: Path, model: Model) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["movie_id", "title", "year", "genres", "origin", "ratings"])
        rows.writerows(_catalogue_rows(model))


def _catalogue_rows(model: Model) -> Iterator[tuple[PublicId, str, int | None, str, str, int | None]]:
    """What is known of each movie, for a file that may be opened in a spreadsheet. Ids are as they are."""
    catalogue = model.catalogue
    origins = [ORIGINS[origin] for origin in model.origin.tolist()]
    ids = public(model.movie_ids)
    ratings = repeat(None, len(ids)) if model.n_ratings is None else model.n_ratings.tolist()
    for movie_id, title, year, genres, origin, n_ratings in zip(
        ids, catalogue.title, catalogue.year, catalogue.genres, origins, ratings, strict=True
    ):
        yield movie_id, for_spreadsheet(title), year, for_spreadsheet("|".join(genres)), origin, n_ratings


# -- Parquet and CSV ---------------------------------------------------------------------------------------------------


def _known(genres: str = "genres") -> str:
    """What the tables say of a movie besides its vector, as SQL. Numbers that stand for nothing become nothing."""
    return f"movie_id, title, nullif(year, 0) AS year, {genres}, origin, nullif(ratings, -1) AS ratings"


def _write_parquet(folder: Path, model: Model, users: NDArray[np.int64], scratch: Path) -> list[str]:
    """movies.parquet and users.parquet with the vector as one column, a list of floats."""
    factors = model.movie_factors.shape[1]
    vector = f"CAST([{', '.join(_factor_names(factors))}] AS FLOAT[{factors}]) AS vector"
    genres = "CASE WHEN genres = '' THEN CAST([] AS VARCHAR[]) ELSE string_split(genres, chr(31)) END AS genres"
    return _write_tables(folder, model, users, scratch, "parquet", f"{_known(genres)}, {vector}", f"user_id, {vector}")


def _write_csv(folder: Path, model: Model, users: NDArray[np.int64], scratch: Path) -> list[str]:
    """movies.csv and users.csv with one column per factor."""
    factors = ", ".join(_factor_names(model.movie_factors.shape[1]))
    return _write_tables(folder, model, users, scratch, "csv", f"{_known()}, {factors}", f"user_id, {factors}")


def _write_tables(
    folder: Path,
    model: Model,
    users: NDArray[np.int64],
    scratch: Path,
    kind: VectorFormat,
    movie_columns: str,
    user_columns: str,
) -> list[str]:
    """Write two tables with DuckDB, in the order of ids."""
    catalogue, is_csv = model.catalogue, kind == "csv"
    shown: Callable[[str], str] = for_spreadsheet if is_csv else str
    joint = "|" if is_csv else "\x1f"
    # 0 stands for a missing year and -1 for a missing count, because NumPy's whole numbers have no missing value.
    movies: dict[str, Any] = {
        "title": _objects([shown(title) for title in catalogue.title]),
        "year": np.array([year or 0 for year in catalogue.year], dtype=np.int32),
        "genres": _objects([shown(joint.join(genres)) for genres in catalogue.genres]),
        "origin": _objects([ORIGINS[origin] for origin in model.origin.tolist()]),
        "ratings": np.full(len(model.movie_ids), -1) if model.n_ratings is None else np.asarray(model.n_ratings),
    }
    options = "(FORMAT csv, HEADER true)" if is_csv else "(FORMAT parquet, COMPRESSION zstd)"
    with (
        _disk_faults(folder),
        connect(located(scratch / "vectors.duckdb"), temp_directory=located(scratch / "spill")) as connection,
    ):

        def write(name: str, ids: IdArray, columns: dict[str, Any], vectors_of: Callable[..., Any], query: str) -> None:
            for rows in _blocks(len(ids)):
                vectors = vectors_of(rows)
                block = {f"{name}_id": _readable(ids[rows])}
                block |= {column: values[rows] for column, values in columns.items()}
                block |= {
                    factor: np.ascontiguousarray(vectors[:, number])
                    for number, factor in enumerate(_factor_names(vectors.shape[1]))
                }
                connection.register("block", block)
                verb = "INSERT INTO exported" if rows.start else "CREATE OR REPLACE TABLE exported AS"
                connection.execute(f"{verb} FROM block")
                connection.unregister("block")
            path = located(folder / f"{name}s.{kind}")
            connection.execute(f"COPY (SELECT {query} FROM exported) TO $path {options}", {"path": path})

        write("movie", np.asarray(model.movie_ids), movies, lambda rows: model.movie_factors[rows], movie_columns)
        kept = np.asarray(model.user_ids)[users]
        write("user", kept, {}, lambda rows: model.vectors_of(users[rows]), user_columns)
    return [f"movies.{kind}", f"users.{kind}"]


def _factor_names(factors: int) -> list[str]:
    return [f"factor_{number}" for number in range(factors)]


def _readable(ids: IdArray) -> NDArray[Any]:
    """Ids in the form that DuckDB reads: int64, or texts as objects."""
    return _objects(public(ids)) if kind_of(ids) == "text" else np.ascontiguousarray(ids)


def _objects(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _blocks(rows: int) -> Iterator[slice]:
    """Slices of at most a block; one empty slice if there are no rows."""
    for start in range(0, max(rows, 1), _BLOCK):
        yield slice(start, min(start + _BLOCK, rows))


@contextmanager
def _disk_faults(folder: Path) -> Iterator[None]:
    """Raise DuckDB's errors as a StateError about the disk: data and queries are mlrec's, so nothing else can fail."""
    load_duckdb()
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise StateError(
            f"{folder} cannot be written: {first_line(error)}", "Check the disk and the free space on it."
        ) from error


_WRITERS: dict[str, Callable[[Path, Model, NDArray[np.int64], Path], list[str]]] = {
    "npy": _write_npy,
    "parquet": _write_parquet,
    "csv": _write_csv,
}
