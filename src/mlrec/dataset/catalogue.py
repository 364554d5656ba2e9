"""Reading the file of movies, and the links to other sites, into the table movies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlrec.dataset.database import connect, load_duckdb, located
from mlrec.dataset.editions import ML_100K_GENRES
from mlrec.dataset.finding import Table, find_catalogue
from mlrec.dataset.genres import listed
from mlrec.dataset.reading import Movies, movies_of
from mlrec.dataset.sources import RawFile
from mlrec.dataset.sql_steps import SqlSteps, first_line
from mlrec.dataset.text_rows import record_blocks
from mlrec.errors import InputError, StateError, TooManyRejectsError
from mlrec.ids import IdKind
from mlrec.machine import available_threads
from mlrec.progress import SILENT, Progress
from mlrec.settings import PrepareSettings

if TYPE_CHECKING:
    import duckdb


@dataclass
class CatalogueReader:
    """Reads the files of one data set that describe movies.

    Attributes
    ----------
    sql
        A database in which 00_setup has run.
    movies, links
        The files; each may be None.
    rows_read
        Role → number of rows of its file.
    warnings
        Why links could not be used, if so.
    """

    sql: SqlSteps
    movies: RawFile | None
    links: RawFile | None
    rows_read: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def read(self, kind: IdKind) -> None:
        """Fill the table movies, from ids of this kind. Bad rows go to rejects."""
        self.sql.execute(f"02_movies_{kind}")
        if self.movies:
            self._read_file(self.movies, "10_movie_rows", "11_movies")
            self.read_links()

    def read_links(self) -> None:
        """Add the ids at IMDb and TMDB to the table movies."""
        if self.links:
            try:
                self._read_file(self.links, "12_link_rows", "13_links")
            except InputError as error:
                if (warning := without_links(error)) not in self.warnings:  # links may be read twice
                    self.warnings.append(warning)

    def _read_file(self, file: RawFile, rows_step: str, step: str) -> None:
        label = f"Reading {file.role}"
        self.sql.set_file(file)
        if file.layout != "parquet":
            with self.sql.progress.task(label):
                self.sql.load(record_blocks(file, file.encoding))
        self.sql.run(f"{rows_step}_{file.layout}", label, file)
        if file.role == "movies":
            self._read_listed_genres(file)
        self.sql.run(step, label, file)
        self.rows_read[file.role] = self.sql.value(f"SELECT count(*) FROM judged_{file.role}")

    def _read_listed_genres(self, file: RawFile) -> None:
        """Read genres that are written as lists of Python or JSON, which SQL cannot."""
        self.sql.execute("10_listed_genres", file)
        rows = self.sql.rows("FROM genre_lists")
        found = {text: genres for (text,) in rows if (genres := listed(text)) is not None}
        self.sql.connection.execute("DELETE FROM listed_genres")
        if found:
            self.sql.connection.execute(
                "INSERT INTO listed_genres SELECT unnest($texts), unnest($genres)",
                {"texts": list(found), "genres": list(found.values())},
            )


@dataclass(frozen=True)
class FoundMovies:
    """The movies that raw files describe.

    Attributes
    ----------
    movies
        The movies.
    file
        Name of the movies file.
    warnings
        What the user should know, such as rows that could not be used.
    """

    movies: Movies
    file: str
    warnings: tuple[str, ...]


def read_catalogue(
    raw: Path,
    scratch: Path,
    kind: IdKind,
    settings: PrepareSettings,
    *,
    movie_name: str,
    movies: Table | None = None,
    links: Table | None = None,
    progress: Progress = SILENT,
) -> FoundMovies | None:
    """Read the movies file of a data set, without its ratings. Returns None if there is none.

    Parameters
    ----------
    raw
        The folder or archive with the raw files. It need not exist.
    scratch
        An existing folder for temporary files.
    kind
        What movie ids are.
    settings
        How the files are read: separator, encoding, memory, share of bad rows that is allowed.
    movie_name
        The name of the movies' column in the ratings file.
    movies, links
        Single files or data frames, instead of those in `raw`.
    progress
        Reports each step.

    Raises
    ------
    InputError
        If the file cannot be read, or has too many bad rows.
    StateError
        If the disk or the memory is too small.
    """
    found = find_catalogue(raw, scratch, settings, movie_name, movies=movies, links=links, progress=progress)
    if found.get("movies") is None:
        return None
    with opened_database(scratch, settings) as connection:
        sql = SqlSteps(connection, progress)
        sql.run("00_setup", "Setting up")
        sql.set("genre_names", list(ML_100K_GENRES))
        reader = CatalogueReader(sql, found["movies"], found.get("links"))
        reader.read(kind)
        label = found["movies"].label
        bad = sql.value("SELECT count(*) FROM rejects WHERE file = $file", file=label)
        if bad:
            rows = reader.rows_read["movies"]
            query = "SELECT line, reason FROM rejects WHERE file = $file ORDER BY line, text LIMIT 1"
            line, reason = sql.rows(query, file=label)[0]
            said = f"{bad:,} of {rows:,} rows of {label} are bad; the first is line {line}: {reason}."
            if bad > settings.max_reject_share * rows:
                raise TooManyRejectsError(said, "Correct the file. The published model is unchanged.")
            reader.warnings.append(f"{said} They were skipped.")
        return FoundMovies(movies_of(sql.connection, kind), label, tuple(reader.warnings))


@contextmanager
def opened_database(scratch: Path, settings: PrepareSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory database that spills into the scratch folder; its failures become a StateError."""
    load_duckdb()
    import duckdb

    if "?" in str(scratch):
        raise StateError(f"DuckDB cannot use a path with a question mark: {scratch}.", "Use another --data-dir.")
    try:
        with connect(
            threads=settings.threads or available_threads(),
            memory_limit=settings.memory_limit,
            temp_directory=located(scratch / "spill"),
        ) as connection:
            yield connection
    except duckdb.OutOfMemoryException as error:
        raise StateError(
            f"The memory limit of {settings.memory_limit} is too small for this data.",
            "Increase --memory-limit, or free space on the disk that holds the data directory.",
        ) from error
    except (duckdb.IOException, duckdb.TransactionException) as error:
        raise StateError(
            f"A file cannot be read or written: {first_line(error)}", "Check the disk and the file."
        ) from error


def without_links(error: InputError) -> str:
    """Say that the links are left out, and why."""
    return f"Continuing without links: {error.message} {error.hint}"
