"""Ratings in DuckDB, on one machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from mlrec.dataset.database import literal, located
from mlrec.dataset.ratings import Counts
from mlrec.dataset.sources import RawFile
from mlrec.dataset.steps import Steps
from mlrec.dataset.text_files import Survey, count_blank_lines, survey
from mlrec.dataset.text_rows import record_blocks
from mlrec.dataset.ties import Ties
from mlrec.errors import InputError
from mlrec.settings import PrepareSettings, SplitName


class DuckDBRatings:
    """Ratings as a table of the database that holds the rest. See `Ratings`.

    Parameters
    ----------
    steps
        The preparation's database.
    settings
        How to prepare.
    """

    def __init__(self, steps: Steps, settings: PrepareSettings) -> None:
        self._steps = steps
        self._settings = settings
        self._may_repeat = True

    def describe(self) -> dict[str, str]:
        """See `Ratings`."""
        import duckdb

        return {"name": "duckdb", "version": duckdb.__version__}

    def read(self, file: RawFile) -> int:
        """See `Ratings`. Read by DuckDB's own reader if all is well, and row by row if not."""
        steps = self._steps
        steps.describe(file)
        if file.layout == "parquet":
            rows = self._read_parquet(file)
        else:
            with ThreadPoolExecutor(1) as surveying:
                counting = surveying.submit(survey, file.path, file.label)
                is_read = self._read_quickly(file)
                found = counting.result()
            is_read = is_read and self._is_accounted_for(file, found)
            rows = steps.value("SELECT count(*) FROM ratings") if is_read else self._read_by_row(file, found)
        steps.run("25_disorder", "Reading ratings")
        self._may_repeat = steps.value("SELECT count(*) FROM (FROM disorder LIMIT 1)") > 0
        return rows

    def _read_quickly(self, file: RawFile) -> bool:
        """Whether DuckDB's reader could take every row."""
        steps = self._steps
        try:
            steps.run(f"20_rating_fields_{file.layout}", "Reading ratings", file)
            steps.run("21_ratings_typed", "Reading ratings", file)
            steps.run("24_tally", "Reading ratings", file)
        except InputError:
            if file.layout == "delimited":  # line ends of two kinds, for one; the slow way takes them
                return False
            raise
        return not (
            (file.layout == "delimited" and steps.value("SELECT count(*) FROM reject_errors"))
            or steps.value("SELECT count(*) FROM ratings WHERE NOT valid")
            or steps.value("SELECT count(*) FROM core_movies ANTI JOIN movies USING (movie_id)")
        )

    def _is_accounted_for(self, file: RawFile, found: Survey) -> bool:
        """Whether DuckDB has read all that the file holds. It knows neither quotes nor two kinds of line ends."""
        if not found.is_uniform or (found.has_quotes and file.knows_quotes):
            return False
        rows = self._steps.value("SELECT count(*) FROM ratings")
        missing = found.lines - file.header_lines - rows
        return missing == 0 or missing == count_blank_lines(file.path, file.label)

    def _read_by_row(self, file: RawFile, found: Survey) -> int:
        """Read a text file by our own reader; every row is kept or rejected. Returns their number."""
        steps = self._steps
        steps.connection.execute("DROP TABLE IF EXISTS ratings")
        rows = 0
        with steps.progress.task("Reading ratings row by row", found.lines, "lines") as task:
            steps.execute("22_rating_rows_delimited", file)
            steps.execute("23_judge_ratings", file)
            for block in chain([[]], record_blocks(file, found.encoding)):  # an empty file has an empty table, too
                steps.load([block])
                steps.execute("23_ratings_by_row", file)
                rows += steps.value("SELECT count(*) FROM newly_judged")
                task.advance(steps.value("SELECT count(*) FROM raw_lines"))
        steps.run("24_tally", "Reading ratings row by row")
        return rows

    def _read_parquet(self, file: RawFile) -> int:
        steps = self._steps
        if not self._read_quickly(file):
            steps.connection.execute("DROP TABLE IF EXISTS ratings")
            steps.run("22_rating_rows_parquet", "Reading ratings row by row", file)
            steps.run("23_judge_ratings", "Reading ratings row by row", file)
            steps.run("23_ratings_by_row", "Reading ratings row by row", file)
            steps.run("24_tally", "Reading ratings row by row")
        return steps.value("SELECT count(*) FROM read_parquet($path)", path=literal(file.path))

    def counts(self) -> Counts:
        """See `Ratings`."""
        ratings, users = self._steps.rows("SELECT coalesce(sum(n), 0), count(*) FROM core_users")[0]
        return Counts(int(ratings), users, self._steps.value("SELECT count(*) FROM core_movies WHERE n > 0"))

    def by_value(self) -> list[tuple[float, int]]:
        """See `Ratings`."""
        return [
            tuple(row) for row in self._steps.rows("SELECT rating, count(*) FROM ratings GROUP BY ALL ORDER BY ALL")
        ]

    def by_day(self) -> list[tuple[int, int]]:
        """See `Ratings`."""
        query = "SELECT timestamp // 86400 AS day, count(*) FROM ratings GROUP BY day ORDER BY day"
        return [tuple(row) for row in self._steps.rows(query)]

    def judge_swipes(self) -> None:
        """See `Ratings`."""
        self._steps.run("26_judge_swipes", "Judging swipes")

    def drop_forgotten(self) -> int:
        """See `Ratings`."""
        self._steps.run("27_drop_forgotten", "Leaving out forgotten users")
        gone = self._steps.value("SELECT count(*) FROM gone")
        if gone:
            self._steps.run("24_tally", "Counting")
        return gone

    def merge_swipes(self) -> None:
        """See `Ratings`."""
        self._steps.run("28_merge_swipes", "Merging swipes")
        self._steps.run("24_tally", "Counting")

    def drop_duplicates(self) -> bool:
        """See `Ratings`."""
        if not self._may_repeat:
            return False
        steps = self._steps
        steps.run("30_duplicates", "Looking for duplicates")
        if not steps.value("SELECT count(*) FROM repeated"):
            return False
        steps.run("31_standing", "Dropping duplicates")
        steps.run("32_drop_duplicates", "Dropping duplicates")
        steps.run("24_tally", "Counting")
        return True

    def drop_rare_movies(self) -> int:
        """See `Ratings`."""
        self._steps.run("40_core_movies", "Filtering movies")
        return self._steps.value("SELECT count(*) FROM core_movies")

    def drop_rare_users(self) -> int:
        """See `Ratings`."""
        self._steps.run("41_core_users", "Filtering users")
        return self._steps.value("SELECT count(*) FROM core_users")

    def split(self) -> None:
        """See `Ratings`."""
        self._steps.run("50_preferences", "Sorting")
        self._steps.run("51_dealt_events" if self._settings.ties == "random" else "51_events", "Sorting")
        if self._settings.split == "global-time":
            self._steps.run("60_moments", "Splitting")
            self._steps.run("61_split_global_time", "Splitting")
        else:
            self._steps.run("61_split_user_time", "Splitting")
            self._steps.run("62_ties", "Looking at ties")

    def write_split(self, name: SplitName, path: Path) -> int:
        """See `Ratings`."""
        self._steps.run("70_write_split", f"Writing {name}", path=located(path), split=name)
        return self._steps.value("SELECT count(*) FROM read_parquet($path)", path=literal(path))

    def ties(self) -> Ties:
        """See `Ratings`."""
        return Ties(*self._steps.rows(f"SELECT {', '.join(Ties._fields)} FROM ties")[0])

    def moments(self) -> tuple[int, int]:
        """See `Ratings`."""
        val_from, test_from = self._steps.rows("SELECT val_from, test_from FROM moments")[0]
        return val_from, test_from
