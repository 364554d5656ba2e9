"""The `Ratings` engine for one machine, with DuckDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from mlrec.dataset.database import literal, located
from mlrec.dataset.ratings import Counts
from mlrec.dataset.sources import RawFile
from mlrec.dataset.sql_steps import SqlSteps
from mlrec.dataset.text_files import Survey, count_blank_lines, survey
from mlrec.dataset.text_rows import record_blocks
from mlrec.dataset.ties import Ties
from mlrec.errors import InputError
from mlrec.settings import PrepareSettings, SplitName


class DuckDBRatings:
    """Ratings as a table in the preparation's own database. See `Ratings`.

    Parameters
    ----------
    sql
        The preparation's database.
    settings
        How to prepare.
    """

    def __init__(self, sql: SqlSteps, settings: PrepareSettings) -> None:
        self._sql = sql
        self._settings = settings
        self._may_repeat = True

    def engine(self) -> dict[str, str]:
        """See `Ratings`."""
        import duckdb

        return {"name": "duckdb", "version": duckdb.__version__}

    def read(self, file: RawFile) -> int:
        """See `Ratings`. Uses DuckDB's own reader if every row is good, and reads row by row otherwise."""
        sql = self._sql
        sql.set_file(file)
        if file.layout == "parquet":
            rows = self._read_parquet(file)
        else:
            with ThreadPoolExecutor(1) as surveying:
                counting = surveying.submit(survey, file.path, file.label)
                is_read = self._read_quickly(file)
                found = counting.result()
            is_read = is_read and self._is_accounted_for(file, found)
            rows = sql.value("SELECT count(*) FROM ratings") if is_read else self._read_by_row(file, found)
        sql.run("26_disorder", "Reading ratings")
        self._may_repeat = sql.value("SELECT count(*) FROM (FROM disorder LIMIT 1)") > 0
        return rows

    def _read_quickly(self, file: RawFile) -> bool:
        """Read the file with DuckDB's reader. Returns whether it could read every row."""
        sql = self._sql
        try:
            sql.run(f"20_rating_fields_{file.layout}", "Reading ratings", file)
            sql.run("21_ratings_typed", "Reading ratings", file)
            sql.run("25_tally", "Reading ratings", file)
        except InputError:
            if file.layout == "delimited":  # e.g. mixed line ends, which the slow reader accepts
                return False
            raise
        return not (
            (file.layout == "delimited" and sql.value("SELECT count(*) FROM reject_errors"))
            or sql.value("SELECT count(*) FROM ratings WHERE NOT valid")
            or sql.value("SELECT count(*) FROM core_movies ANTI JOIN movies USING (movie_id)")
        )

    def _is_accounted_for(self, file: RawFile, found: Survey) -> bool:
        """Whether DuckDB has read everything in the file. Its reader handles neither quotes nor mixed line ends."""
        if not found.is_uniform or (found.has_quotes and file.knows_quotes):
            return False
        rows = self._sql.value("SELECT count(*) FROM ratings")
        missing = found.lines - file.header_lines - rows
        return missing == 0 or missing == count_blank_lines(file.path, file.label)

    def _read_by_row(self, file: RawFile, found: Survey) -> int:
        """Read a text file with mlrec's own reader, which keeps or rejects every row. Returns the number of rows."""
        sql = self._sql
        sql.connection.execute("DROP TABLE IF EXISTS ratings")
        rows = 0
        with sql.progress.task("Reading ratings row by row", found.lines, "lines") as task:
            sql.execute("22_rating_rows_delimited", file)
            sql.execute("23_judge_ratings", file)
            for block in chain([[]], record_blocks(file, found.encoding)):  # an empty file also needs its table
                sql.load([block])
                sql.execute("24_ratings_by_row", file)
                rows += sql.value("SELECT count(*) FROM newly_judged")
                task.advance(sql.value("SELECT count(*) FROM raw_lines"))
        sql.run("25_tally", "Reading ratings row by row")
        return rows

    def _read_parquet(self, file: RawFile) -> int:
        sql = self._sql
        if not self._read_quickly(file):
            sql.connection.execute("DROP TABLE IF EXISTS ratings")
            sql.run("22_rating_rows_parquet", "Reading ratings row by row", file)
            sql.run("23_judge_ratings", "Reading ratings row by row", file)
            sql.run("24_ratings_by_row", "Reading ratings row by row", file)
            sql.run("25_tally", "Reading ratings row by row")
        return sql.value("SELECT count(*) FROM read_parquet($path)", path=literal(file.path))

    def counts(self) -> Counts:
        """See `Ratings`."""
        ratings, users = self._sql.rows("SELECT coalesce(sum(n), 0), count(*) FROM core_users")[0]
        return Counts(int(ratings), users, self._sql.value("SELECT count(*) FROM core_movies WHERE n > 0"))

    def by_value(self) -> list[tuple[float, int]]:
        """See `Ratings`."""
        return [tuple(row) for row in self._sql.rows("SELECT rating, count(*) FROM ratings GROUP BY ALL ORDER BY ALL")]

    def by_day(self) -> list[tuple[int, int]]:
        """See `Ratings`."""
        query = "SELECT timestamp // 86400 AS day, count(*) FROM ratings GROUP BY day ORDER BY day"
        return [tuple(row) for row in self._sql.rows(query)]

    def judge_swipes(self) -> None:
        """See `Ratings`."""
        self._sql.run("27_judge_swipes", "Checking swipes")

    def drop_forgotten(self) -> int:
        """See `Ratings`."""
        self._sql.run("28_drop_forgotten", "Removing forgotten users")
        gone = self._sql.value("SELECT count(*) FROM gone")
        if gone:
            self._sql.run("25_tally", "Counting")
        return gone

    def merge_swipes(self) -> None:
        """See `Ratings`."""
        self._sql.run("29_merge_swipes", "Merging swipes")
        self._sql.run("25_tally", "Counting")

    def drop_duplicates(self) -> bool:
        """See `Ratings`."""
        if not self._may_repeat:
            return False
        sql = self._sql
        sql.run("30_duplicates", "Looking for duplicates")
        if not sql.value("SELECT count(*) FROM repeated"):
            return False
        sql.run("31_standing", "Dropping duplicates")
        sql.run("32_drop_duplicates", "Dropping duplicates")
        sql.run("25_tally", "Counting")
        return True

    def drop_rare_movies(self) -> int:
        """See `Ratings`."""
        self._sql.run("40_core_movies", "Filtering movies")
        return self._sql.value("SELECT count(*) FROM core_movies")

    def drop_rare_users(self) -> int:
        """See `Ratings`."""
        self._sql.run("41_core_users", "Filtering users")
        return self._sql.value("SELECT count(*) FROM core_users")

    def split(self) -> None:
        """See `Ratings`."""
        self._sql.run("50_preferences", "Sorting")
        self._sql.run("51_dealt_events" if self._settings.ties == "random" else "51_events", "Sorting")
        if self._settings.split == "global-time":
            self._sql.run("60_cutoff_times", "Splitting")
            self._sql.run("61_split_global_time", "Splitting")
        else:
            self._sql.run("61_split_user_time", "Splitting")
            self._sql.run("62_last_train_times", "Counting ties")
            self._sql.run("63_ties", "Counting ties")

    def write_split(self, name: SplitName, path: Path) -> int:
        """See `Ratings`."""
        self._sql.run("70_write_split", f"Writing {name}", path=located(path), split=name)
        return self._sql.value("SELECT count(*) FROM read_parquet($path)", path=literal(path))

    def ties(self) -> Ties:
        """See `Ratings`."""
        return Ties(*self._sql.rows(f"SELECT {', '.join(Ties._fields)} FROM ties")[0])

    def cutoff_times(self) -> tuple[int, int]:
        """See `Ratings`."""
        val_from, test_from = self._sql.rows("SELECT val_from, test_from FROM cutoff_times")[0]
        return val_from, test_from
