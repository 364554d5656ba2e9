"""The `Ratings` engine for a cluster, with Spark.

Each table that later steps read more than once is a folder of Parquet files in the scratch folder. No work is lost with
an executor, and DuckDB, which holds the small tables, reads the same files.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from mlrec.artifacts.prepared import OutsideCore
from mlrec.dataset.database import literal, located
from mlrec.dataset.duckdb_ratings import DuckDBRatings, outside_core
from mlrec.dataset.forms import DATES, SQL_TYPES, TICKS_PER_SECOND, Forms
from mlrec.dataset.ratings import Counts, OtherForms, ReadRatings
from mlrec.dataset.scales import FIVE_STARS, Scale, recognized
from mlrec.dataset.sources import CSV_COLUMNS, RawFile
from mlrec.dataset.sql_steps import SqlSteps, kept_by, text_of
from mlrec.dataset.text_files import WINDOWS_1252, Encoding
from mlrec.dataset.text_rows import has_records_over_lines
from mlrec.dataset.ties import Ties
from mlrec.errors import InputError
from mlrec.preferences import BUCKETS
from mlrec.settings import PrepareSettings, SplitName
from mlrec.spark.session import Spark, uri

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# A row id from Spark: the partition number above these bits, the row's number in the partition below.
_PARTITION_BITS = 33
_RATING = "user_id, movie_id, rating, timestamp"
# How DuckDB reads a kept table. A parent folder with a name like key=value must not become a column.
_KEPT = "read_parquet($path, hive_partitioning = false)"


class SparkRatings:
    """Ratings as views and Parquet folders of a Spark session. See `Ratings`.

    Parameters
    ----------
    spark
        The session.
    sql
        The preparation's database, for small tables.
    settings
        How to prepare.
    scratch
        A folder for tables. Every executor must see it under this path.
    """

    def __init__(self, spark: Spark, sql: SqlSteps, settings: PrepareSettings, scratch: Path) -> None:
        self._spark = spark
        self._sql = sql
        self._settings = settings
        self._scratch = scratch / "spark"
        self._numbers = count()
        self._folders: dict[str, Path] = {}
        self._has_swipes = False
        self._duckdb = DuckDBRatings(sql, settings)
        self._is_handed_over = False
        self._kinds = Forms()

    def engine(self) -> dict[str, str]:
        """See `Ratings`."""
        return {"name": "spark", "version": self._spark.session.version, "master": self._spark.settings.master}

    # -- reading -----------------------------------------------------------------------------------------------------

    def guess(self, file: RawFile) -> Forms:
        """See `Ratings`. DuckDB reads the first rows."""
        return self._duckdb.guess(file)

    def read(self, file: RawFile, forms: Forms, scale: Scale | None) -> ReadRatings:
        """See `Ratings`. Spark itself reads the forms of MovieLens. Other files are read by DuckDB, which hands over.

        If a text file has bad rows, a second pass numbers its lines.
        """
        self._is_handed_over = not self._is_plain(file, forms)
        if self._is_handed_over:
            return self._duckdb.read(file, forms, scale)
        with self._spark.job("Reading ratings"):
            self._define_reading(file)
            self._define_steps(forms, scale or FIVE_STARS)
            # Row ids of several passes are compared, so the file must be partitioned the same way each time, whatever
            # the number of executors.
            session = self._spark.session
            session.conf.set("spark.sql.files.minPartitionNum", str(session.sparkContext.defaultParallelism))
            self._register_rows("movies", "SELECT movie_id FROM movies")
            self._judge(file, "utf-8")
            first_lines = {0: 1}
            bad = self._count("judged", "reason IS NOT NULL")
            if file.layout == "delimited" and bad:
                first_lines, encoding = self._survey()
                if encoding != "utf-8":
                    self._judge(file, encoding)
                if self._count("judged", "reason = 'unclosed quote'"):
                    _refuse_records_over_lines(file, encoding)
            rows = self._count("judged")
            if bad > self._settings.max_reject_share * rows and not file.elsewhere:
                # Perhaps the values are written otherwise. DuckDB looks at all of them, and judges the rows alike.
                self._is_handed_over = True
                return self._duckdb.read(file, forms, scale)
            scale = self._recognized(file, scale)
            self._take_rejects(file, first_lines)
            is_rated = "true" if scale.unrated is None else f"rating <> {scale.unrated!r}"
            self._duckdb.use(forms, scale)  # DuckDB judges and merges swipes
            self._view("ratings", f"SELECT {_RATING} FROM judged WHERE reason IS NULL AND {is_rated}")
            unrated = self._count("judged", f"reason IS NULL AND NOT ({is_rated})")
            self._run("25_tally")
        return ReadRatings(rows, forms, scale, self.by_value(), unrated)

    def _is_plain(self, file: RawFile, forms: Forms) -> bool:
        """Whether Spark itself can read a file.

        Raises
        ------
        InputError
            If neither Spark nor DuckDB can.
        """
        # Its SQL knows quotes in fields between commas only.
        has_plain_fields = file.delimiter == "," or not file.knows_quotes
        is_plain = (
            forms == Forms()
            and (file.layout == "parquet" or (file.layout == "delimited" and has_plain_fields))
            and not file.skip_blanks
            and not self._settings.implicit
        )
        if file.elsewhere and not is_plain:
            raise InputError(
                f"Spark cannot read {file.label}: on a remote file system, ids must be whole numbers, times seconds"
                " since 1970, and files CSV or Parquet.",
                "Copy the file to this machine, or convert it.",
            )
        return is_plain

    def _recognized(self, file: RawFile, scale: Scale | None) -> Scale:
        """The scale of the ratings that were read. Raises OtherForms if they were judged by another one."""
        if scale is not None:
            return scale
        query = f"SELECT rating, count(*) FROM {_KEPT} WHERE isfinite(rating) GROUP BY rating"
        by_value = dict(self._sql.rows(query, path=self._pattern("judged")))
        found = recognized(by_value, file.label, self._settings)
        if found != FIVE_STARS:
            raise OtherForms(Forms(), found)
        return found

    def combine_interactions(self, strong_from: float | None) -> float:
        """See `Ratings`. Files of interactions are read by DuckDB."""
        return self._duckdb.combine_interactions(strong_from)

    def make_catalogue(self) -> None:
        """See `Ratings`."""
        if self._is_handed_over:
            self._duckdb.make_catalogue()
        else:
            self._sql.connection.execute(
                "INSERT INTO movies (movie_id, title, genres)"
                f" SELECT movie_id, CAST(movie_id AS VARCHAR), [] FROM {_KEPT} ORDER BY movie_id",
                {"path": self._pattern("core_movies")},
            )

    def number_texts(self) -> None:
        """See `Ratings`. Ratings that DuckDB has read are handed over to Spark here, with ids as they are."""
        if not self._is_handed_over:
            return
        self._is_handed_over = False
        with self._spark.job("Handing over ratings"):
            self._define_steps(self._duckdb.forms, self._duckdb.scale)
            self._duckdb.widen()
            self._register_rows("ratings", f"SELECT {_RATING} FROM ratings")
            self._sql.connection.execute("DROP TABLE ratings; DROP TABLE core_movies; DROP TABLE core_users")
            self._run("25_tally")

    def _define_reading(self, file: RawFile) -> None:
        """Define the description of the file as SQL functions."""
        places = " ".join(f"WHEN '{name}' THEN {file.columns.index(name)}" for name in CSV_COLUMNS["ratings"])
        delimiter = file.delimiter.replace("\t", r"\t")
        self._define(
            {
                "delimiter() RETURNS STRING": f"'{delimiter}'",
                "header_lines() RETURNS INT": file.header_lines,
                "ratings_width() RETURNS INT": len(file.columns),
                "place_of(name STRING) RETURNS INT": f"CASE name {places} END",
            }
        )

    def _define_steps(self, forms: Forms, scale: Scale) -> None:
        """Define the settings, the scale and the clock as SQL functions."""
        settings = self._settings
        self._kinds = forms
        points = ", ".join(f"{point!r}D" for point in scale.cut_points)
        shares = ", ".join(f"{share}L" for share in settings.split_ratio)
        preferences = ", ".join(str(int(swipe)) for swipe in BUCKETS)
        seconds = "ticks"
        if forms.clock in DATES:
            seconds = "shiftright(ticks, 40) * 86400L"
        elif forms.clock in TICKS_PER_SECOND:
            seconds = f"ticks div {TICKS_PER_SECOND[forms.clock]}L"
        self._define(
            {
                "shifted(user_id BIGINT) RETURNS BIGINT": f"try_add(user_id, {settings.user_offset}L)",
                "random_seed() RETURNS BIGINT": f"{settings.random_seed}L",
                "scale_low() RETURNS DOUBLE": f"CAST('{scale.low!r}' AS DOUBLE)",
                "scale_high() RETURNS DOUBLE": f"CAST('{scale.high!r}' AS DOUBLE)",
                "scale_is_above_low() RETURNS BOOLEAN": str(scale.above_low).lower(),
                "unrated() RETURNS DOUBLE": "CAST(NULL AS DOUBLE)" if scale.unrated is None else f"{scale.unrated!r}D",
                "has_catalogue() RETURNS BOOLEAN": str(self._has_catalogue()).lower(),
                "min_user_ratings() RETURNS INT": settings.min_user_ratings,
                "min_movie_ratings() RETURNS INT": settings.min_movie_ratings,
                "cut_point(i INT) RETURNS DOUBLE": f"element_at(array({points}), i)",
                "preference_of_bucket(i INT) RETURNS INT": f"element_at(array({preferences}), i)",
                "share_of(n BIGINT, part INT) RETURNS BIGINT": (
                    f"n * element_at(array({shares}), part) div {sum(settings.split_ratio)}L"
                ),
                "n_train(n BIGINT) RETURNS BIGINT": "CASE WHEN n < 3 THEN n ELSE share_of(n, 1) END",
                "n_val(n BIGINT) RETURNS BIGINT": "CASE WHEN n < 3 THEN 0L ELSE share_of(n, 2) END",
                "seconds_of(ticks BIGINT) RETURNS BIGINT": seconds,
                "written_time(ticks BIGINT, position INT) RETURNS BIGINT": (
                    "CAST(position AS BIGINT)" if forms.clock == "random" else seconds
                ),
            }
        )

    def _has_catalogue(self) -> bool:
        return bool(self._sql.value("SELECT CAST(getvariable('has_catalogue') AS INTEGER)"))

    def _define(self, functions: Mapping[str, object]) -> None:
        for head, body in functions.items():
            self._spark.session.sql(f"CREATE OR REPLACE TEMPORARY FUNCTION {head} RETURN {body}")

    def _judge(self, file: RawFile, encoding: Encoding) -> None:
        """Check every row."""
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            if file.layout == "parquet":
                self._raw_rows(file).createOrReplaceTempView("raw_rows")
            else:
                self._raw_lines(file, encoding).createOrReplaceTempView("raw_lines")
            self._run("00_setup")
            self._run(f"22_rating_rows_{file.layout}")
            self._run("23_judge_ratings")
            self._keep("judged", self._spark.session.table("judged_ratings"))
        except (Py4JError, PySparkException) as error:
            if found := re.search(r"\[(FAILED_READ_FILE|CANNOT_READ_FILE_FOOTER)[^\]]*\]", str(error)):
                raise InputError(
                    f"{file.label} cannot be read: it is damaged ({found[1]}).", "Get the file again."
                ) from error
            raise

    def _raw_lines(self, file: RawFile, encoding: Encoding) -> DataFrame:
        from pyspark.sql import functions

        lines = self._spark.reader.text(_place(file))
        text = functions.col("value")
        if encoding != "utf-8":
            text = functions.decode(text.cast("binary"), "ISO-8859-1")
        if encoding == "windows-1252":
            text = functions.translate(text, "".join(map(chr, WINDOWS_1252)), "".join(WINDOWS_1252.values()))
        return lines.select(functions.monotonically_increasing_id().alias("line"), text.alias("text"))

    def _raw_rows(self, file: RawFile) -> DataFrame:
        from pyspark.sql import functions

        rows = self._spark.reader.parquet(_place(file))
        types = dict(rows.dtypes)

        def column(name: str) -> Column:
            own = file.own_names[name]
            quoted = f"`{own.replace('`', '``')}`"
            return _field_text(quoted, "rating" if name == "rating" else types[own]).alias(name)

        columns = [column(name) for name in CSV_COLUMNS["ratings"]]
        return rows.select(functions.col("_metadata.row_index").alias("line"), *columns)

    def _survey(self) -> tuple[dict[int, int], Encoding]:
        """The line number at which each partition begins, and the encoding; see `text_files.Survey`.

        The partitions are pieces of the file, in file order.
        """
        rows = self._spark.session.sql(
            f"SELECT shiftright(line, {_PARTITION_BITS}) AS part, count(*) AS n,"
            " bool_and(is_valid_utf8(text)) AS valid,"
            r" bool_or(decode(CAST(text AS BINARY), 'ISO-8859-1') RLIKE r'[\x80-\x9f]') AS has_c1"
            " FROM raw_lines GROUP BY part ORDER BY part"
        ).collect()
        first_lines, before = {}, 0
        for row in rows:
            first_lines[row["part"]] = before + 1
            before += row["n"]
        if all(row["valid"] for row in rows):
            return first_lines, "utf-8"
        return first_lines, "windows-1252" if any(row["has_c1"] for row in rows) else "latin-1"

    def _take_rejects(self, file: RawFile, first_lines: dict[int, int]) -> None:
        """Add the bad rows to the rejects, with their line numbers."""
        self._sql.connection.execute(
            "INSERT INTO rejects SELECT $label, first_line + (line & ((1::BIGINT << $bits) - 1)), text, reason"
            f" FROM {_KEPT} JOIN (SELECT unnest($parts) AS part, unnest($first_lines) AS first_line)"
            " ON part = line >> $bits WHERE reason IS NOT NULL",
            {
                "label": file.label,
                "bits": _PARTITION_BITS,
                "path": self._pattern("judged"),
                "parts": list(first_lines),
                "first_lines": list(first_lines.values()),
            },
        )

    # -- steps -------------------------------------------------------------------------------------------------------

    def counts(self) -> Counts:
        """See `Ratings`."""
        if self._is_handed_over:
            return self._duckdb.counts()
        users, movies = self._pattern("core_users"), self._pattern("core_movies")
        query = f"SELECT coalesce(sum(n), 0), count(*) FROM {_KEPT}"
        ratings, n_users = self._sql.rows(query, path=users)[0]
        n_movies = self._sql.value(f"SELECT count(*) FROM {_KEPT} WHERE n > 0", path=movies)
        return Counts(int(ratings), n_users, n_movies)

    def by_value(self) -> list[tuple[float, int]]:
        """See `Ratings`."""
        if self._is_handed_over:
            return self._duckdb.by_value()
        with self._spark.job("Counting ratings"):
            rows = self._spark.session.sql("SELECT rating, count(*) FROM ratings GROUP BY rating").collect()
        return sorted((row[0], row[1]) for row in rows)

    def by_day(self) -> list[tuple[int, int]]:
        """See `Ratings`."""
        if self._is_handed_over:
            return self._duckdb.by_day()
        query = "SELECT timestamp div 86400 AS day, count(*) FROM ratings GROUP BY day"
        with self._spark.job("Counting ratings"):
            return sorted((row[0], row[1]) for row in self._spark.session.sql(query).collect())

    def judge_swipes(self) -> None:
        """See `Ratings`. DuckDB checks them against the ratings of the same users and movies."""
        if self._is_handed_over:
            self._duckdb.judge_swipes()
            return
        self._has_swipes = True
        with self._spark.job("Checking swipes"):
            self._register_rows("swiped", "SELECT user_id, movie_id FROM swipes")
            self._keep_rows("rated", f"SELECT {_RATING} FROM ratings SEMI JOIN swiped USING (user_id, movie_id)")
        self._sql.connection.execute(
            f"CREATE TABLE ratings AS SELECT {_RATING} FROM {_KEPT}",
            {"path": self._pattern("rated")},
        )
        self._sql.run("27_judge_swipes", "Checking swipes")

    def drop_forgotten(self) -> int:
        """See `Ratings`."""
        if self._is_handed_over:
            return self._duckdb.drop_forgotten()
        with self._spark.job("Removing forgotten users"):
            self._register_rows("forgotten", "SELECT user_id FROM forgotten")
            self._keep_rows("gone", "SELECT DISTINCT user_id FROM ratings SEMI JOIN forgotten USING (user_id)")
            self._sql.connection.execute(
                f"CREATE TEMP TABLE gone AS FROM {_KEPT}",
                {"path": self._pattern("gone")},
            )
            gone = self._sql.value("SELECT count(*) FROM gone")
            if gone:
                self._keep_rows("ratings", f"SELECT {_RATING} FROM ratings ANTI JOIN gone USING (user_id)")
                self._run("25_tally")
        if gone and self._has_swipes:
            self._sql.connection.execute("DELETE FROM ratings USING gone WHERE ratings.user_id = gone.user_id")
        return gone

    def merge_swipes(self) -> None:
        """See `Ratings`. DuckDB merges the swiped pairs, and Spark replaces its own rows with the result."""
        if self._is_handed_over:
            self._duckdb.merge_swipes()
            return
        self._sql.run("29_merge_swipes", "Merging swipes")
        with self._spark.job("Merging swipes"):
            self._register_rows("settled", f"SELECT {_RATING} FROM ratings")
            self._keep_rows(
                "ratings",
                f"SELECT {_RATING} FROM ratings ANTI JOIN swiped USING (user_id, movie_id)"
                f" UNION ALL SELECT {_RATING} FROM settled",
            )
            self._run("25_tally")

    def drop_duplicates(self) -> bool:
        """See `Ratings`."""
        with self._spark.job("Looking for duplicates"):
            self._run("30_duplicates")
        if not self._count("repeated"):
            return False
        with self._spark.job("Dropping duplicates"):
            self._run("31_standing")
            self._keep_rows(
                "ratings",
                f"SELECT {_RATING} FROM ratings ANTI JOIN repeated USING (user_id, movie_id)"
                f" UNION ALL SELECT {_RATING} FROM standing",
            )
            self._run("25_tally")
        return True

    def drop_rare_movies(self) -> int:
        """See `Ratings`."""
        with self._spark.job("Filtering movies"):
            self._run("40_core_movies")
        return self._count("core_movies")

    def drop_rare_users(self) -> int:
        """See `Ratings`."""
        with self._spark.job("Filtering users"):
            self._run("41_core_users")
        return self._count("core_users")

    def split(self) -> None:
        """See `Ratings`."""
        with self._spark.job("Sorting and splitting"):
            dealt = "dealt_" if self._settings.ties == "random" else ""
            self._run("50_preferences")
            self._run("50_outside")
            self._run(f"51_{dealt}events")
            self._run(f"52_{dealt}outside_events")
            if self._settings.split == "global-time":
                self._run("60_cutoff_times")
                self._run("61_split_global_time")
                self._run("64_outside_global_time")
            else:
                self._run("61_split_user_time")
                self._run("64_outside_user_time")
            splits = self._new_folder("splits")
            events = self._spark.session.table("split_events")
            in_order = events.sortWithinPartitions("user_id", "ticks", "movie_id").drop("position", "ticks")
            in_order.write.partitionBy("split").parquet(uri(splits))
            self._folders["splits"] = splits
            self._keep("outside_splits", self._spark.session.table("split_outside"))
            if self._settings.split == "user-time":
                # Read what was written: counting from the view would sort again.
                self._spark.read_parquet(splits, in_order.schema).createOrReplaceTempView("split_events")
                self._run("62_last_train_times")
                self._run("63_ties")
        self._sql.connection.execute(
            f"CREATE TABLE core_movies AS FROM {_KEPT}",
            {"path": self._pattern("core_movies")},
        )

    def write_split(self, name: SplitName, path: Path) -> int:
        """See `Ratings`. Writes a folder of part files; sorted by name, they hold the events in order."""
        parts = self._folders["splits"] / f"split={name}"
        if parts.is_dir():
            parts.rename(path)
            for leftover in path.glob(".*"):
                leftover.unlink()
        else:
            path.mkdir()
            self._sql.connection.execute(
                f"COPY (SELECT NULL::{SQL_TYPES[self._kinds.users]} AS user_id,"
                f" NULL::{SQL_TYPES[self._kinds.movies]} AS movie_id, 0::TINYINT AS preference,"
                " 0::BIGINT AS timestamp WHERE false) TO $path (FORMAT parquet)",
                {"path": located(path / "part-00000.parquet")},
            )
        return self._sql.value(f"SELECT count(*) FROM {_KEPT}", path=f"{literal(path)}/*.parquet")

    def write_outside(self, path: Path) -> OutsideCore:
        """See `Ratings`. There are few such events: DuckDB sorts them into one file."""
        columns = "user_id, movie_id, preference, timestamp, position, split"
        self._sql.connection.execute(
            f"COPY (SELECT {columns} FROM {_KEPT} ORDER BY user_id, position, ticks, movie_id) TO $out"
            " (FORMAT parquet, COMPRESSION zstd)",
            {"path": self._pattern("outside_splits"), "out": located(path)},
        )
        return outside_core(self._sql, literal(path))

    def ties(self) -> Ties:
        """See `Ratings`."""
        query = f"SELECT {', '.join(Ties._fields)} FROM {_KEPT}"
        return Ties(*self._sql.rows(query, path=self._pattern("ties"))[0])

    def cutoff_times(self) -> tuple[int, int]:
        """See `Ratings`."""
        query = f"SELECT val_from, test_from FROM {_KEPT}"
        val_from, test_from = self._sql.rows(query, path=self._pattern("cutoff_times"))[0]
        return val_from, test_from

    # -- tables ------------------------------------------------------------------------------------------------------

    def _run(self, step: str) -> None:
        """Execute the statements of one SQL file, and keep the tables that it marks."""
        text = text_of("spark", step)
        for statement in text.split(";\n"):
            if statement.strip():
                self._spark.session.sql(statement)
        for name in kept_by(text):
            self._keep(name, self._spark.session.table(f"new_{name}"))

    def _view(self, name: str, query: str) -> None:
        self._spark.session.sql(query).createOrReplaceTempView(name)

    def _keep_rows(self, name: str, query: str) -> None:
        self._keep(name, self._spark.session.sql(query))

    def _keep(self, name: str, rows: DataFrame) -> None:
        """Write rows to the scratch folder, replacing earlier rows of this name. Later steps read them by the name."""
        folder = self._new_folder(name)
        rows.write.parquet(uri(folder))
        self._spark.read_parquet(folder, rows.schema).createOrReplaceTempView(name)
        former = self._folders.get(name)
        self._folders[name] = folder
        if former is not None:
            shutil.rmtree(former)

    def _register_rows(self, name: str, query: str) -> None:
        """Pass rows from DuckDB to Spark."""
        folder = self._new_folder(name)
        folder.mkdir(parents=True)
        path = folder / "part-00000.parquet"
        self._sql.connection.execute(f"COPY ({query}) TO $path (FORMAT parquet)", {"path": located(path)})
        self._spark.read_parquet(path).createOrReplaceTempView(name)

    def _count(self, name: str, condition: str = "true") -> int:
        """The number of rows kept under this name, or of those that meet a condition."""
        return self._sql.value(f"SELECT count(*) FROM {_KEPT} WHERE {condition}", path=self._pattern(name))

    def _new_folder(self, name: str) -> Path:
        return self._scratch / f"{next(self._numbers):03}-{name}"

    def _pattern(self, name: str) -> str:
        """The pattern by which DuckDB reads the table kept under this name."""
        return f"{literal(self._folders[name])}/*.parquet"


def _field_text(column: str, kind: str) -> Column:
    """A value of a Parquet file as text, following field_text in sql/duckdb/00_setup.sql."""
    from pyspark.sql import functions

    if kind in ("float", "double"):
        limit = 2**24 if kind == "float" else 2**53
        return functions.expr(
            f"CASE WHEN isnan({column}) OR {column} <> rint({column}) THEN CAST({column} AS STRING)"
            f" WHEN abs({column}) < {limit}D THEN CAST(CAST({column} AS BIGINT) AS STRING)"
            f" ELSE format_string('%e', CAST({column} AS DOUBLE)) END"
        )
    if kind.startswith("decimal"):
        return functions.expr(f"regexp_replace(CAST({column} AS STRING), '[.]0+$', '')")
    return functions.expr(f"CAST({column} AS STRING)")


def _refuse_records_over_lines(file: RawFile, encoding: Encoding) -> None:
    """Refuse a file in which a quoted field contains a line break.

    Spark splits a file at every line break, so it would read other rows than DuckDB.

    Raises
    ------
    InputError
        If there is such a record, or there may be one in a file that only Spark can read.
    """
    if file.elsewhere or has_records_over_lines(file, encoding):
        raise InputError(
            f"Spark cannot read {file.label}: it has a quoted field with a line break, or a quote that is not closed.",
            "Prepare without --engine spark, or remove the line breaks from the file.",
        )


def _place(file: RawFile) -> str:
    """The URI that Spark reads a raw file by."""
    return file.elsewhere.uri if file.elsewhere else uri(file.path)
