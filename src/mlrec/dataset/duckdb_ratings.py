"""The `Ratings` engine for one machine, with DuckDB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from mlrec.artifacts.prepared import OutsideCore
from mlrec.dataset.database import literal, located
from mlrec.dataset.forms import TICKS_PER_SECOND, Forms, IdCounts, Look, TimeForm, decided, joined
from mlrec.dataset.placing import OrderedEvents
from mlrec.dataset.ratings import Counts, OtherForms, ReadRatings
from mlrec.dataset.scales import FIVE_STARS, INTERACTIONS, Scale, recognized
from mlrec.dataset.sources import CSV_COLUMNS, RawFile
from mlrec.dataset.sql_steps import SqlSteps
from mlrec.dataset.text_files import Survey, count_blank_lines, survey
from mlrec.dataset.text_rows import LineBlock, record_blocks
from mlrec.dataset.ties import Ties
from mlrec.errors import InputError
from mlrec.ids import IdKind
from mlrec.settings import SPLITS, PrepareSettings, SplitName

# Clocks whose times are whole numbers.
_NUMBER_CLOCKS = ("s", "ms", "us", "ns")
# Rows by which the forms of a file are guessed.
_SAMPLE = 2000


@dataclass(frozen=True)
class _Found:
    """What was read.

    Attributes
    ----------
    rows
        Number of all rows.
    look
        What their values look like.
    by_value
        How often each finite rating occurs, also off the scale.
    is_quick
        Whether they were read quickly, so that no rating was compared with the scale.
    """

    rows: int
    look: Look
    by_value: Mapping[float, int]
    is_quick: bool = False


class DuckDBRatings:
    """Ratings as a table in the preparation's own database. See `Ratings`.

    Parameters
    ----------
    sql
        The preparation's database.
    settings
        How to prepare.

    Attributes
    ----------
    forms, scale
        How the values of the file are written that was read last, and the scale of its ratings.
    """

    def __init__(self, sql: SqlSteps, settings: PrepareSettings) -> None:
        self._sql = sql
        self._settings = settings
        self._may_repeat = True
        self._is_narrow = False
        self._ties = Ties(0, 0, 0)
        self.forms = Forms()
        self.scale = FIVE_STARS

    def engine(self) -> dict[str, str]:
        """See `Ratings`."""
        import duckdb

        return {"name": "duckdb", "version": duckdb.__version__}

    def guess(self, file: RawFile) -> Forms:
        """Guess how the values of a file are written, by its first rows."""
        import duckdb

        sql = self._sql
        sql.set_file(file)
        sql.set("words", False)
        sql.execute("22_look")
        # The first rows may be the odd ones, or damaged. Later all rows are looked at, and faults are told then.
        with suppress(InputError, duckdb.Error, UnicodeDecodeError, OverflowError):
            if file.layout == "parquet":
                sql.execute("20_rating_fields_parquet", file)
                sql.connection.execute(f"CREATE OR REPLACE TEMP TABLE sample AS FROM rating_fields LIMIT {_SAMPLE}")
            else:
                first = next(iter(record_blocks(file, file.encoding)), [])
                sql.load(
                    [first[:_SAMPLE] if isinstance(first, list) else LineBlock(first.first, first.lines[:_SAMPLE])]
                )
                sql.execute(f"22_rating_rows_{file.layout}", file)
                sql.connection.execute("CREATE OR REPLACE TEMP TABLE sample AS FROM split_rows WHERE width > 0")
            return decided(self._look("sample"), self._settings, file.label)
        return decided(Look(), self._settings, file.label)

    def read(self, file: RawFile, forms: Forms, scale: Scale | None) -> ReadRatings:
        """See `Ratings`. Uses DuckDB's own reader if every row is good, and reads row by row otherwise."""
        self._sql.connection.execute("DROP TABLE IF EXISTS ratings")
        self._sql.set_file(file)
        self.use(forms, scale or FIVE_STARS)
        read = self._read_parquet if file.layout == "parquet" else self._read_text
        found = read(file, knows_scale=scale is not None)
        actual = decided(found.look, self._settings, file.label)
        if actual != forms:
            raise OtherForms(actual, scale)
        if scale is None:
            scale = recognized(found.by_value, file.label, self._settings)
            fits = all(scale.has(value) or value == scale.unrated for value in found.by_value)
            # Row by row, the bad rows were judged by the usual scale. Quickly, none was looked for.
            if not fits if found.is_quick else scale != FIVE_STARS:
                raise OtherForms(actual, scale)
            self.use(actual, scale)
        return self._finished(found, actual, scale)

    def use(self, forms: Forms, scale: Scale) -> None:
        """Tell the SQL how the values are written."""
        sql = self._sql
        sql.set("words", forms.words)
        sql.set("clock", forms.clock)
        sql.set("ticks_per_second", TICKS_PER_SECOND.get(forms.clock, 1))
        sql.set("scale", scale.to_sql())
        sql.execute(f"01_users_{forms.users}")
        self.forms, self.scale = forms, scale

    def _finished(self, found: _Found, forms: Forms, scale: Scale) -> ReadRatings:
        """Bring the rows that were read into the form of the later steps."""
        sql = self._sql
        self._may_repeat = True
        if not forms.has_texts:  # texts are compared when they are numbered, which takes a tenth of the time
            self._look_at_order()
        if forms.has_file_order:
            sql.run("26_positions_file", "Ordering")
        elif forms.clock == "random":
            sql.run("26_positions_random", "Ordering")
        unrated = 0
        if scale.unrated is not None:
            sql.run("26_unrated", "Reading ratings")
            unrated = sql.value("SELECT n FROM unrated")
            sql.run("25_tally", "Counting")
        # Quickly, only good rows were read.
        is_counted = found.is_quick and scale.unrated is None
        by_value = sorted(found.by_value.items()) if is_counted else self.by_value()
        return ReadRatings(found.rows, forms, scale, by_value, unrated)

    def combine_interactions(self, strong_from: float | None) -> float:
        """See `Ratings`."""
        sql = self._sql
        sql.set("strong_from", strong_from)
        sql.run("26_interactions", "Counting interactions")
        self.scale = INTERACTIONS
        sql.set("scale", self.scale.to_sql())
        sql.run("25_tally", "Counting interactions")
        self._may_repeat = False
        return float(sql.rows("SELECT strong_from FROM threshold")[0][0] or 0)

    def make_catalogue(self) -> None:
        """See `Ratings`."""
        self._sql.run("26_catalogue", "Listing movies")

    def _read_text(self, file: RawFile, *, knows_scale: bool) -> _Found:
        if file.layout != "delimited" or file.skip_blanks:
            return self._read_by_row(file, survey(file.path, file.label))
        of_numbers = self._is_of_numbers(file)
        with ThreadPoolExecutor(1) as surveying:
            counting = surveying.submit(survey, file.path, file.label, file.header_lines)
            is_read = self._read_quickly(file, knows_scale=knows_scale, of_numbers=of_numbers)
            surveyed = counting.result()
        if is_read and of_numbers and not self._are_written_as_usual(file, surveyed):
            is_read = self._read_quickly(file, knows_scale=knows_scale)
        if is_read and self._is_accounted_for(file, surveyed):
            return self._quickly_found()
        return self._read_by_row(file, surveyed)

    def _is_of_numbers(self, file: RawFile) -> bool:
        """Whether all columns of a text file seem to be numbers, without quotes."""
        forms = self.forms
        return (
            set(file.columns) == set(CSV_COLUMNS["ratings"])
            and forms.users == forms.movies == "integer"
            and forms.clock in _NUMBER_CLOCKS
            and not (forms.words or file.quoted_start)
            and file.delimiter.encode() < b"A"  # letters are told by the largest byte
        )

    def _are_written_as_usual(self, file: RawFile, found: Survey) -> bool:
        """Whether all numbers that DuckDB has read were written in their usual form.

        See 20_rating_numbers_delimited.sql.
        """
        if found.has_letters or found.has_quotes:
            return False
        self._sql.execute("21_length_of_numbers")
        rows, length = self._sql.rows("SELECT (SELECT count(*) FROM ratings), length FROM length_of_numbers")[0]
        self._sql.connection.execute("ALTER TABLE ratings DROP COLUMN rating_length")
        separators = (len(file.columns) - 1) * len(file.delimiter.encode())
        return found.row_bytes == int(length or 0) + int(rows) * separators

    def _read_quickly(self, file: RawFile, *, knows_scale: bool, of_numbers: bool = False) -> bool:
        """Read the file with DuckDB's reader. Returns whether all rows were read and seem good.

        If the scale is not known yet, ratings off the scale are not looked for. Of a file of numbers, it remains to be
        seen how they are written.
        """
        sql = self._sql
        try:
            sql.run(f"20_rating_{'numbers' if of_numbers else 'fields'}_{file.layout}", "Reading ratings", file)
            self._is_narrow = of_numbers and self.forms.clock == "s" and self._read_narrowly(file)
            if not self._is_narrow:
                self._read_into("21_ratings_numbers" if of_numbers else "21_ratings_typed", file)
            sql.run("25_tally", "Reading ratings", file)
        except InputError:
            if file.layout == "delimited":  # e.g. mixed line ends, which the slow reader accepts
                return False
            raise
        return not (
            (file.layout == "delimited" and sql.value("SELECT count(*) FROM reject_errors"))
            or sql.value("SELECT count(*) FROM ratings WHERE NOT is_good(user_id, movie_id, rating, timestamp)")
            or (knows_scale and sql.value("SELECT count(*) FROM ratings WHERE NOT is_on_scale(rating)"))
            or sql.value("SELECT count(*) FROM core_movies ANTI JOIN movies USING (movie_id) WHERE has_catalogue()")
        )

    def _read_narrowly(self, file: RawFile) -> bool:
        """Read numbers of 32 bits. Returns whether all fit; at the first that does not, it is over."""
        with suppress(InputError):
            self._read_into("21_ratings_narrow", file)
            return True
        return False

    def _read_into(self, step: str, file: RawFile) -> None:
        for table in ("reject_errors", "reject_scans"):  # of an earlier reading
            self._sql.connection.execute(f"DROP TABLE IF EXISTS {table}")
        self._sql.run(step, "Reading ratings", file)

    def _is_accounted_for(self, file: RawFile, found: Survey) -> bool:
        """Whether DuckDB has read everything in the file.

        Its reader does not handle mixed line ends, and was told of quotes only if the first rows have some. A record
        over several lines is missing among the lines.
        """
        if not found.is_uniform or (found.has_quotes and file.knows_quotes and not file.quoted_start):
            return False
        rows = self._sql.value("SELECT count(*) FROM ratings")
        missing = found.lines - file.header_lines - rows
        return missing == 0 or missing == count_blank_lines(file.path, file.label)

    def _quickly_found(self) -> _Found:
        """What the rows look like that were read quickly: all are good in the forms that they were read in."""
        sql, forms = self._sql, self.forms
        by_value = self._by_value("ratings")
        rows = sum(by_value.values())
        times: dict[TimeForm, int] = {}
        if self._is_narrow:
            times = {"s": rows}
        elif forms.clock in _NUMBER_CLOCKS:
            times = dict(sql.rows("SELECT clock_of(timestamp), count(*) FROM ratings GROUP BY ALL"))
        elif forms.clock in ("fraction", "date", "ymd"):
            times = {forms.clock: rows}
        elif forms.clock == "iso":
            times = {"moment": rows}
        look = Look(
            users=self._id_counts("core_users", "user_id", forms.users),
            movies=self._id_counts("core_movies", "movie_id", forms.movies),
            times=times,
            numbers=0 if forms.words else rows,
            words=rows if forms.words else 0,
        )
        return _Found(rows, look, by_value, is_quick=True)

    def _id_counts(self, table: str, column: str, kind: IdKind) -> IdCounts:
        """Count the ids of rows that were read quickly, through the number of each id's ratings."""
        field = f"CAST({column} AS VARCHAR)"
        if kind == "text" and column == "user_id":
            field = f"substr({column}, length(getvariable('user_prefix')) + 1)"
        query = (
            f"SELECT coalesce(sum(n), 0), coalesce(sum(CASE WHEN is_whole({field}) THEN n END), 0),"
            f" min(CASE WHEN is_whole({field}) THEN {field} END), min(CASE WHEN NOT is_whole({field}) THEN {field} END)"
            f" FROM {table}"
        )
        given, whole, number, text = self._sql.rows(query)[0]
        return IdCounts(int(given), int(whole), number, text)

    def _read_by_row(self, file: RawFile, found: Survey) -> _Found:
        """Read a text file with mlrec's own reader, which keeps or rejects every row."""
        sql = self._sql
        self._is_narrow = False
        sql.connection.execute("DROP TABLE IF EXISTS ratings")
        looks = []
        rows, by_value = 0, Counter[float]()
        with sql.progress.task("Reading ratings row by row", found.lines, "lines") as task:
            sql.execute(f"22_rating_rows_{file.layout}", file)
            for block in chain([[]], record_blocks(file, found.encoding)):  # an empty file also needs its table
                sql.load([block])
                n, look, values = self._judge_block(file)
                rows += n
                looks.append(look)
                by_value.update(values)
                task.advance(sql.value("SELECT count(*) FROM raw_lines"))
        sql.run("25_tally", "Reading ratings row by row")
        return _Found(rows, joined(looks), by_value)

    def _judge_block(self, file: RawFile) -> tuple[int, Look, Mapping[float, int]]:
        """Judge a block of rows. Returns their number, what they look like, and how often each rating occurs."""
        sql = self._sql
        sql.connection.execute("CREATE OR REPLACE TEMP TABLE rating_rows AS FROM split_rows")
        sql.execute("23_judge_ratings", file)
        sql.execute("24_ratings_by_row", file)
        rows = sql.value("SELECT count(*) FROM newly_judged")
        return rows, self._look("rating_rows"), self._by_value("newly_judged")

    def _read_parquet(self, file: RawFile, *, knows_scale: bool) -> _Found:
        sql = self._sql
        if self._read_quickly(file, knows_scale=knows_scale):
            return self._quickly_found()
        sql.connection.execute("DROP TABLE IF EXISTS ratings")
        with sql.progress.task("Reading ratings row by row"):
            sql.execute("22_rating_rows_parquet", file)
            rows, look, by_value = self._judge_block(file)
            sql.execute("25_tally")
        return _Found(rows, look, by_value)

    def _look(self, table: str) -> Look:
        query = f"FROM look_at('{table}')"
        *ids, times, odd_time, numbers, words = self._sql.rows(query)[0]
        return Look(IdCounts(*ids[:4]), IdCounts(*ids[4:]), times, odd_time, int(numbers), int(words))

    def _by_value(self, table: str) -> Counter[float]:
        query = f"SELECT rating, count(*) FROM {table} WHERE isfinite(rating) GROUP BY rating"
        return Counter(dict(self._sql.rows(query)))

    def counts(self) -> Counts:
        """See `Ratings`."""
        ratings, users = self._sql.rows("SELECT coalesce(sum(n), 0), count(*) FROM core_users")[0]
        return Counts(int(ratings), users, self._sql.value("SELECT count(*) FROM core_movies WHERE n > 0"))

    def by_value(self) -> list[tuple[float, int]]:
        """See `Ratings`."""
        return [tuple(row) for row in self._sql.rows("SELECT rating, count(*) FROM ratings GROUP BY ALL ORDER BY ALL")]

    def by_day(self) -> list[tuple[int, int]]:
        """See `Ratings`."""
        if self.forms.clock in ("file", "random"):
            return []
        query = "SELECT seconds_of(timestamp) // 86400 AS day, count(*) FROM ratings GROUP BY day ORDER BY day"
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
        self.widen()
        self._sql.run("29_merge_swipes", "Merging swipes")
        self._sql.run("25_tally", "Counting")

    def widen(self) -> None:
        """Hold all ids and times in 64 bits."""
        if self._is_narrow:
            self._sql.run("29_widen", "Reading ratings")
            self._is_narrow = False

    def number_texts(self) -> None:
        """See `Ratings`."""
        kinds = {"users": self.forms.users, "movies": self.forms.movies}
        texts = [name for name, kind in kinds.items() if kind == "text"]
        if texts:
            self._sql.run(f"29_texts_{texts[0] if len(texts) == 1 else 'both'}", "Numbering texts")
            self._sql.run("25_tally", "Counting")
            self._look_at_order()

    def _look_at_order(self) -> None:
        """Find out whether the order of the rows rules out duplicates."""
        sql = self._sql
        sql.run("26_disorder", "Looking for duplicates")
        query = "SELECT is_out_of_order OR user_runs > (SELECT count(*) FROM core_users) FROM disorder"
        self._may_repeat &= bool(sql.value(query))

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
        for name in ("users", "movies"):  # as they were before the first round
            self._sql.connection.execute(f"CREATE TABLE IF NOT EXISTS rated_{name} AS FROM core_{name}")
        self._sql.run("40_core_movies", "Filtering movies")
        return self._sql.value("SELECT count(*) FROM core_movies")

    def drop_rare_users(self) -> int:
        """See `Ratings`."""
        self._sql.run("41_core_users", "Filtering users")
        return self._sql.value("SELECT count(*) FROM core_users")

    def split(self) -> None:
        """See `Ratings`."""
        is_dealt, is_global = self._settings.ties == "random", self._settings.split == "global-time"
        if not self.forms.has_texts:
            self._narrow()
        self._sql.run("50_preferences", "Sorting")
        self._sql.run("50_outside", "Sorting")
        self._sql.run("51_dealt_events" if is_dealt else "51_events", "Sorting")
        with self._sql.progress.task("Placing events"):
            self._ties = OrderedEvents(self._sql, self.forms).look(at_outside=not is_dealt, at_ties=not is_global)
        self._sql.run("52_dealt_outside_events" if is_dealt else "52_outside_events", "Sorting")
        if is_global:
            self._sql.run("60_cutoff_times", "Splitting")
        for step in ("61_split", "64_outside"):
            self._sql.run(f"{step}_global_time" if is_global else f"{step}_user_time", "Splitting")

    def _narrow(self) -> None:
        """Let the sort hold what fits into 32 bits in as many."""
        sql = self._sql
        sql.run("50_widths", "Sorting")
        narrow_ids, narrow_times = sql.rows("SELECT narrow_ids, narrow_times FROM widths")[0]
        if narrow_ids:
            sql.run("50_narrow_ids", "Sorting")
        if narrow_times:
            sql.run("50_narrow_times", "Sorting")

    def write_split(self, name: SplitName, path: Path) -> int:
        """See `Ratings`."""
        step = "70_write_texts" if self.forms.has_texts else "70_write_split"
        self._sql.run(step, f"Writing {name}", path=located(path), split=name)
        return self._sql.value("SELECT count(*) FROM read_parquet($path)", path=literal(path))

    def write_outside(self, path: Path) -> OutsideCore:
        """See `Ratings`."""
        step = "70_write_outside_texts" if self.forms.has_texts else "70_write_outside"
        self._sql.run(step, "Writing events outside the core", path=located(path))
        return outside_core(self._sql, literal(path))

    def ties(self) -> Ties:
        """See `Ratings`."""
        return self._ties

    def cutoff_times(self) -> tuple[int, int]:
        """See `Ratings`."""
        val_from, test_from = self._sql.rows("SELECT val_from, test_from FROM cutoff_times")[0]
        return val_from, test_from


def outside_core(sql: SqlSteps, files: str) -> OutsideCore:
    """Count the events outside the core that were written to some files."""
    counts = "count(*), count(DISTINCT movie_id), count(DISTINCT user_id)"
    events, movies, users = sql.rows(f"SELECT {counts} FROM read_parquet($path)", path=files)[0]
    splits = dict(sql.rows("SELECT split, count(*) FROM read_parquet($path) GROUP BY split", path=files))
    return OutsideCore(events, movies, users, {name: splits.get(name, 0) for name in SPLITS})
