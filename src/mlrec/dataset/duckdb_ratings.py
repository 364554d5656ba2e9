"""Ratings in DuckDB, on one machine."""

from __future__ import annotations

from pathlib import Path

from mlrec.dataset.database import literal
from mlrec.dataset.ratings import Counts
from mlrec.dataset.sources import RawFile, with_encoding
from mlrec.dataset.steps import Steps
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
        """See `Ratings`. Read as numbers if all is well, and row by row if not."""
        steps = self._steps
        steps.describe(file)
        if self._read_as_numbers(file):
            rows = steps.value("SELECT count(*) FROM ratings")
        else:
            steps.connection.execute("DROP TABLE IF EXISTS ratings")
            before = steps.value("SELECT count(*) FROM rejects")
            steps.describe(with_encoding(file) if file.layout == "delimited" else file)
            steps.run(f"22_rating_rows_{file.layout}", "Reading ratings row by row", file)
            steps.run("23_judge_ratings", "Reading ratings row by row", file)
            steps.run("23_ratings_by_row", "Reading ratings row by row", file)
            steps.run("24_tally", "Reading ratings row by row")
            bad = steps.value("SELECT count(*) FROM rejects") - before
            rows = steps.value("SELECT count(*) FROM ratings") + bad
        steps.run("25_disorder", "Reading ratings")
        self._may_repeat = steps.value("SELECT count(*) FROM (FROM disorder LIMIT 1)") > 0
        return rows

    def _read_as_numbers(self, file: RawFile) -> bool:
        """Whether the quick way could read every row."""
        steps = self._steps
        try:
            steps.run(f"20_rating_numbers_{file.layout}", "Reading ratings", file)
            steps.run("21_ratings_typed", "Reading ratings", file)
            steps.run("24_tally", "Reading ratings", file)
        except InputError:
            if file.layout == "delimited":  # line ends of two kinds, for one; the slow way takes them
                return False
            raise
        unreadable = file.layout == "delimited" and steps.value("SELECT count(*) FROM reject_errors")
        return not (
            unreadable
            or steps.value("SELECT count(*) FROM ratings WHERE NOT valid")
            or steps.value("SELECT count(*) FROM core_movies ANTI JOIN movies USING (movie_id)")
        )

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
        self._steps.run("70_write_split", f"Writing {name}", path=str(path), split=name)
        return self._steps.value("SELECT count(*) FROM read_parquet($path)", path=literal(path))

    def ties(self) -> Ties:
        """See `Ratings`."""
        return Ties(*self._steps.rows(f"SELECT {', '.join(Ties._fields)} FROM ties")[0])

    def moments(self) -> tuple[int, int]:
        """See `Ratings`."""
        val_from, test_from = self._steps.rows("SELECT val_from, test_from FROM moments")[0]
        return val_from, test_from
