"""Turning raw ratings into the prepared folder: runs the steps in sql/, counts what they leave, writes the manifest.

Each step is an SQL file. Python chooses between the readers of the raw formats, repeats the rounds of the core filter
until nothing changes, and decides whether the result may replace the last prepared folder.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts import prepared
from mlrec.artifacts.documents import to_json
from mlrec.artifacts.prepared import (
    Cutoffs,
    IdKinds,
    Input,
    InputFile,
    Manifest,
    MergedSwipes,
    Reading,
    Rejects,
    StepCount,
    TieSummary,
)
from mlrec.dataset.catalogue import CatalogueReader, opened_database, without_links
from mlrec.dataset.database import located
from mlrec.dataset.duckdb_ratings import DuckDBRatings
from mlrec.dataset.editions import ML_100K_GENRES
from mlrec.dataset.finding import Table, find_source
from mlrec.dataset.forms import SQL_TYPES, Forms
from mlrec.dataset.pieces import name_pieces
from mlrec.dataset.ratings import OtherForms, Ratings, ReadRatings
from mlrec.dataset.scales import FIVE_STARS, INTERACTIONS, chosen, doubts
from mlrec.dataset.sources import RawSource, Role, is_remote
from mlrec.dataset.sql_steps import SqlSteps
from mlrec.dataset.ties import Ties
from mlrec.errors import EmptyResultError, InputError, SettingsError, TooManyRejectsError
from mlrec.ids import IdKind, PublicId, of_kind, public
from mlrec.machine import installed_version
from mlrec.preferences import BUCKETS
from mlrec.progress import SILENT, Progress
from mlrec.ranking.standing_swipes import StandingSwipes
from mlrec.settings import SPLITS, PrepareSettings
from mlrec.workspace import PreparedFiles, Workspace

if TYPE_CHECKING:
    from mlrec.spark.session import Spark

# Increased whenever the SQL produces different rows from the same input and settings.
_RULES_VERSION = 2
# Settings that affect how the work is done, not the result.
_NEUTRAL_SETTINGS = ("memory_limit", "threads", "max_reject_share")
_SWIPE_LOG = "swipe log"
# The file is read again at most for its ids and times, and for its scale.
_READINGS = 3
# Interactions that make a like a strong one.
_SEVERAL = 2.0
# From this share of superlikes on, they hardly say anything.
_TOO_MANY_STRONG = 0.75
_KIND_NAMES: Mapping[IdKind, str] = {"integer": "a whole number", "text": "a text"}
# Settings added later that have no effect unless ties are ordered at random. Older folders keep their fingerprint.
_RANDOM_TIES_SETTINGS = ("ties", "random_seed")
_FIRST_DAY = date(1970, 1, 1)
_LATER_SETTINGS = (
    "unrated", "implicit", "strong_from", "columns", "separator", "encoding",
    "time_format", "timezone", "no_time", "user_prefix",
)  # fmt: skip
# The fates of swipes in 27_judge_swipes.sql, and the names of their counts in `MergedSwipes`.
_FATES = {"merged": "merged", "skip": "skips", "outdated": "outdated", "rejected": "rejected"}


@dataclass(frozen=True)
class Prepared:
    """The result of a preparation.

    Attributes
    ----------
    folder
        The prepared folder.
    manifest
        Its manifest.
    """

    folder: Path
    manifest: Manifest

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know although the preparation succeeded."""
        return self.manifest.warnings

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec prepare --json` prints: the manifest as it was written."""
        return dict(self.manifest.document)


def prepare(
    workspace: Workspace,
    settings: PrepareSettings | None = None,
    *,
    raw: Path | str | None = None,
    ratings: Table | None = None,
    movies: Table | None = None,
    links: Table | None = None,
    swipes: StandingSwipes | None = None,
    forgotten: Collection[PublicId] = (),
    spark: Spark | None = None,
    progress: Progress = SILENT,
) -> Prepared:
    """Turn raw ratings, and optionally the app's swipes, into the prepared folder of a workspace.

    Parameters
    ----------
    workspace
        The data directory to write to. The last prepared folder stays as it is until the new one is complete.
    settings
        Defaults to `PrepareSettings()`.
    raw
        A folder or archive with the raw files; by default the workspace's own raw folder. With Spark it may also be
        the URL of a folder, such as `hdfs://…` or `s3a://…`.
    ratings, movies, links
        Single files or data frames, instead of those in `raw`. See `mlrec.dataset.finding.find_source`.
    swipes
        Swipes to merge into the ratings. A swipe replaces a rating of the same movie unless the rating is later.
    forgotten
        Ids of users to leave out, as serving knows them.
    spark
        The Spark session to process the ratings on. Without one, DuckDB processes them; the rows are the same. The data
        directory must be on a file system that all executors share.
    progress
        Reports each step.

    Raises
    ------
    InputError
        If the raw files are missing or unreadable, have too many bad rows, or leave nothing after filtering.
    StateError
        If disk space or the memory limit is too small, Spark fails, or another process is writing.
    """
    settings = settings or PrepareSettings()
    started = time.perf_counter()
    with workspace.writing("prepare") as scratch:
        given = {"ratings": ratings, "movies": movies, "links": links}
        source = _source(raw or workspace.raw, given, scratch, settings, spark, progress)
        settings = _with_id_kinds(settings, source.ratings.id_kinds)
        with prepared.replacing(workspace) as files:
            with opened_database(scratch, settings) as connection:
                sql = SqlSteps(connection, progress)
                run = _Preparation(sql, _ratings(spark, sql, settings, scratch), source, settings)
                manifest = _prepare_into(files, run, swipes, forgotten, workspace.failed_rejects)
            manifest = replace(manifest, seconds=round(time.perf_counter() - started, 3))
            prepared.complete(files, to_json(manifest))
        workspace.failed_rejects.unlink(missing_ok=True)
    return Prepared(workspace.prepared.root, prepared.read_manifest(workspace))


def _source(
    raw: Path | str,
    given: Mapping[str, Table | None],
    scratch: Path,
    settings: PrepareSettings,
    spark: Spark | None,
    progress: Progress,
) -> RawSource:
    """Find the raw files, here or on a file system that only Spark can read."""
    if isinstance(raw, str) and is_remote(raw):
        if spark is None:
            raise SettingsError(f"{raw} can be read only with Spark.", "Add --engine spark.")
        from mlrec.dataset.spark_sources import find_remote_source

        return find_remote_source(spark, raw, scratch, settings)
    return find_source(Path(raw), scratch, settings, **given, progress=progress)


def _with_id_kinds(settings: PrepareSettings, kinds: Mapping[str, IdKind]) -> PrepareSettings:
    """The settings with the kinds of ids that a data frame has, unless the settings say them."""
    if settings.user_ids == "auto" and "user" in kinds:
        settings = replace(settings, user_ids=kinds["user"])
    if settings.movie_ids == "auto" and "movie" in kinds:
        settings = replace(settings, movie_ids=kinds["movie"])
    return settings


def _ratings(spark: Spark | None, sql: SqlSteps, settings: PrepareSettings, scratch: Path) -> Ratings:
    """The ratings on the chosen engine."""
    if spark is None:
        return DuckDBRatings(sql, settings)
    from mlrec.dataset.spark_ratings import SparkRatings

    return SparkRatings(spark, sql, settings, scratch)


def _prepare_into(
    files: PreparedFiles,
    run: _Preparation,
    swipes: StandingSwipes | None,
    forgotten: Collection[PublicId],
    failed_rejects: Path,
) -> Manifest:
    """Write everything except the manifest, and return the manifest."""
    with ThreadPoolExecutor(1) as hashing:
        checksums = hashing.submit(lambda: {file.role: file.sha256() for file in run.source.files})
        run.read()
        run.take_in(swipes, forgotten)
        run.check_rejects(failed_rejects)
        run.drop_forgotten()
        run.merge_swipes()
        run.drop_duplicates()
        run.filter_core()
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        read = run.input_summary(checksums.result())
        fingerprint = _fingerprint(read, run, run.app_checksums())
        run.write(files.movies, files.rejects)
        return Manifest(
            created_at=created_at,
            mlrec_version=installed_version(),
            input=read,
            settings=run.resolved_settings(),
            ids=IdKinds(run.forms.users, run.forms.movies),
            reading=run.reading(),
            engine=run.ratings.engine(),
            swipes=run.swipe_summary(),
            steps=tuple(run.steps),
            rejects=run.reject_summary(),
            warnings=tuple(run.warnings),
            rating_histogram=run.rating_histogram,
            ratings_per_month=run.ratings_per_month,
            ties=run.tie_summary(),
            fingerprint=fingerprint,
            splits={name: run.ratings.write_split(name, files.split(name)) for name in SPLITS},
            outside_core=run.ratings.write_outside(files.outside),
            moments=run.cutoff_times(),
        )


class _TooMany(NamedTuple):
    """An input with more bad rows than allowed."""

    label: str
    bad: int
    rows: int


class _Preparation:
    """One run of the steps. The small tables are in DuckDB; the engine holds the ratings."""

    def __init__(self, sql: SqlSteps, ratings: Ratings, source: RawSource, settings: PrepareSettings) -> None:
        self.sql = sql
        self.ratings = ratings
        self.source = source
        self.settings = settings
        self.steps: list[StepCount] = []
        self.warnings = [*map(without_links, source.left_out), *source.notes]
        self.catalogue = CatalogueReader(sql, source.movies, source.links, warnings=self.warnings)
        self.rows_read = self.catalogue.rows_read
        self.forms = Forms()
        self.scale = FIVE_STARS
        self.unrated = 0
        self.strong_from: float | None = None
        self.has_swipes = False
        self.users_gone = 0
        self.ties: Ties | None = None
        self.rating_histogram: dict[str, int] = {}
        self.ratings_per_month: dict[str, int] = {}

    # -- steps -------------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Read movies, links and ratings, and set bad rows aside."""
        self.sql.run("00_setup", "Setting up")
        for name in (
            "user_offset",
            "user_prefix",
            "min_user_ratings",
            "min_movie_ratings",
            "split_ratio",
            "random_seed",
            "time_format",
            "timezone",
        ):
            value = getattr(self.settings, name)
            self.sql.set(name, list(value) if isinstance(value, tuple) else value)
        self.sql.set("genre_names", list(ML_100K_GENRES))
        self.sql.set("preferences", [int(swipe) for swipe in BUCKETS])
        self.sql.set("has_catalogue", self.source.movies is not None)
        self.sql.use_timezone(self.settings.timezone)
        found = self._read_files()
        self.forms, self.scale = found.forms, found.scale
        self.unrated = found.unrated
        self._note("read")
        by_value = dict(found.by_value)
        self.rating_histogram = {f"{rating:.15g}": count for rating, count in by_value.items()}
        per_month: Counter[str] = Counter()
        for day, count in self.ratings.by_day():
            per_month[(_FIRST_DAY + timedelta(days=day)).isoformat()[:7]] += count
        self.ratings_per_month = dict(per_month)
        if not self.settings.implicit:
            self.warnings += doubts(self.scale, by_value, self.settings)
        else:
            default = None if self.source.ratings.amount_kind == "duration" else _SEVERAL
            self.strong_from = self.ratings.combine_interactions(self.settings.strong_from or default)
            self.scale = INTERACTIONS
            self._note("combined")
            self._warn_of_strong_interactions()
        if self.source.movies is None:
            self.ratings.make_catalogue()
            self.catalogue.read_links()

    def _warn_of_strong_interactions(self) -> None:
        if self.settings.strong_from is not None:
            return
        by_value = dict(self.ratings.by_value())
        share = by_value.get(INTERACTIONS.high, 0) / max(sum(by_value.values()), 1)
        if share >= _TOO_MANY_STRONG:
            self.warnings.append(
                f"{share:.0%} of the pairs of a user and a movie count as superlikes. For fewer, raise the sum that"
                " makes a superlike: --strong-from N"
            )

    def _read_files(self) -> ReadRatings:
        """Read the files, again if their values turn out to be written otherwise than the first rows."""
        ratings = self.source.ratings
        forms, scale = self.ratings.guess(ratings), chosen(self.settings)
        read_as: IdKind | None = None
        for _ in range(_READINGS):
            if forms.movies != read_as:
                self.sql.connection.execute("DELETE FROM rejects")
                self.catalogue.read(forms.movies)
                read_as = forms.movies
            try:
                found = self.ratings.read(ratings, forms, scale)
            except OtherForms as other:
                forms, scale = other.forms, other.scale
                self.sql.connection.execute("DELETE FROM rejects WHERE file = $file", {"file": ratings.label})
            else:
                self.rows_read["ratings"] = found.rows
                return found
        raise InputError(
            f"{ratings.label}: it cannot be told how the values are written.",
            "Say how: --user-ids, --movie-ids, --time-format, --scale.",
        )

    def take_in(self, swipes: StandingSwipes | None, forgotten: Collection[PublicId]) -> None:
        """Load the list of forgotten users, and check the swipes as rows of the input."""
        users, movies = (SQL_TYPES[kind] for kind in (self.forms.users, self.forms.movies))
        known = public(np.unique(of_kind(list(forgotten), self.forms.users)))
        self.sql.load_table("forgotten", {"user_id": (known, users)})
        if swipes is not None:
            self.has_swipes = True
            # "at" is a reserved word in DuckDB.
            types = {"user_id": users, "movie_id": movies}
            kept = _of_kinds(swipes, self.forms)
            self.sql.load_table(
                "swipes",
                {
                    "timestamp" if name == "at" else name: (column[kept].tolist(), types.get(name, "BIGINT"))
                    for name, column in vars(swipes).items()
                },
            )
            self.ratings.judge_swipes()
            self._reject_of_other_kinds(swipes, ~kept)
            self.rows_read["swipes"] = self.sql.value("SELECT count(*) FROM judged_swipes") + int((~kept).sum())

    def _reject_of_other_kinds(self, swipes: StandingSwipes, chosen: NDArray[np.bool_]) -> None:
        """Put swipes with ids of another kind than those of the data among the rejects."""
        if not chosen.any():
            return
        kinds = {"userId": self.forms.users, "movieId": self.forms.movies}
        reason = " and ".join(f"{name} must be {_KIND_NAMES[kind]}" for name, kind in kinds.items())
        rows = zip(*(column[chosen].tolist() for column in vars(swipes).values()), strict=True)
        self.sql.connection.executemany(
            "INSERT INTO rejects VALUES (?, ?, ?, ?)",
            [
                (_SWIPE_LOG, event_id, f"{user},{movie},{preference},{at}", reason)
                for user, movie, preference, at, event_id in rows
            ],
        )

    def check_rejects(self, report: Path) -> None:
        """Stop if an input has more bad rows than the settings allow or if no rating is left; bad rows are reported.

        Each input is checked on its own: otherwise a large catalogue would hide that half of the ratings are bad. Links
        are optional, so bad ones only cause a warning.
        """
        too_many = None
        for role, rows in self.rows_read.items():
            label = self._label(role)
            bad = self.sql.value("SELECT count(*) FROM rejects WHERE file = $file", file=label)
            if bad <= self.settings.max_reject_share * rows:
                continue
            if role == "links":
                self.warnings.append(f"{bad:,} of {rows:,} rows of {label} are bad and were skipped.")
            else:
                too_many = too_many or _TooMany(label, bad, rows)
        if too_many is None and self.steps[-1].ratings:
            return
        query = "SELECT line, reason FROM rejects WHERE file = $file ORDER BY line, text LIMIT 1"
        line, reason = self.sql.rows(query, file=too_many.label)[0] if too_many else (0, "")
        has_rejects = bool(self.sql.value("SELECT count(*) FROM rejects"))
        if has_rejects:
            self._write_rejects(report)
        if too_many is None:
            raise EmptyResultError(
                f"{self.source.ratings.label} contains no " + ("usable ratings." if has_rejects else "ratings."),
                f"The bad rows are in {report}." if has_rejects else "Check the file.",
            )
        allowed = self.settings.max_reject_share
        if too_many.label == _SWIPE_LOG:
            ways = "Prepare without swipes"
        elif reason == "unknown movie":
            ways = "Complete the movies file, or leave it out to use ids as titles"
        else:
            ways = "Correct the file"
        raise TooManyRejectsError(
            f"{too_many.bad:,} of {too_many.rows:,} rows of {too_many.label} are bad"
            f" ({too_many.bad / too_many.rows:.1%}, allowed {allowed:.1%}); the first is line {line}: {reason}.",
            f"All bad rows are in {report}. {ways}, or allow more with --max-reject-share."
            " The last prepared data is unchanged.",
        )

    def _label(self, role: str) -> str:
        """Name of a role's input in the rejects."""
        return next((file.label for file in self.source.files if file.role == role), _SWIPE_LOG)

    def drop_forgotten(self) -> None:
        """Remove forgotten users."""
        if self.sql.value("SELECT count(*) FROM forgotten"):
            self.users_gone = self.ratings.drop_forgotten()
        if self.users_gone:
            self._note("without forgotten users")

    def merge_swipes(self) -> None:
        """Replace earlier ratings with swipes."""
        if self.has_swipes:
            self.ratings.merge_swipes()
            self._note("with swipes")
        self.ratings.number_texts()

    def drop_duplicates(self) -> None:
        """Keep one rating per user and movie."""
        if self.ratings.drop_duplicates():
            self._note("deduplicated")
        else:
            self.steps.append(replace(self.steps[-1], name="deduplicated"))

    def filter_core(self) -> None:
        """Drop rare movies and users in turn until nothing changes, then sort what is left."""
        rounds = 0
        while not rounds or self.steps[-1].ratings < self.steps[-2].ratings:
            rounds += 1
            label = f"core round {rounds}"
            if not self.ratings.drop_rare_movies():
                raise EmptyResultError(
                    f"No ratings are left: no movie has {self.settings.min_movie_ratings} or more ratings ({label}).",
                    "Lower --min-movie-ratings.",
                )
            if not self.ratings.drop_rare_users():
                raise EmptyResultError(
                    f"No ratings are left: no user has {self.settings.min_user_ratings} or more ratings"
                    f" of the remaining movies ({label}).",
                    "Lower --min-user-ratings or --min-movie-ratings.",
                )
            self._note(label)
        self.ratings.split()
        if self.settings.split == "user-time":
            self.ties = self.ratings.ties()
            if warning := self.ties.warning(self.settings.ties):
                self.warnings.append(warning)

    def write(self, movies: Path, rejects: Path) -> None:
        """Write the catalogue and the rejects."""
        has_details = self.sql.value("SELECT count(details) FROM movies")
        step = "71_write_movies_details" if has_details else "71_write_movies"
        self.sql.run(step, "Writing", path=located(movies))
        self._write_rejects(rejects)

    def _write_rejects(self, path: Path) -> None:
        """Write the rejects. Those of a file that was joined from several get the names of its parts."""
        for file in self.source.files:
            name_pieces(self.sql, file)
        self.sql.run("72_write_rejects", "Writing rejects", path=located(path))

    # -- reports -----------------------------------------------------------------------------------------------------

    def input_summary(self, checksums: Mapping[Role, str]) -> Input:
        """Describe the raw files."""
        files = tuple(
            InputFile(
                role=file.role,
                file=file.label,
                bytes=file.bytes,
                sha256=checksums[file.role],
                layout=file.layout,
                encoding=file.encoding,
            )
            for file in self.source.files
        )
        return Input(files, self.rows_read)

    def reject_summary(self) -> Rejects:
        """Count the rejects by reason, most frequent first."""
        by_reason = dict(
            self.sql.rows("SELECT reason, count(*) AS n FROM rejects GROUP BY reason ORDER BY n DESC, reason")
        )
        return Rejects(sum(by_reason.values()), by_reason)

    def swipe_summary(self) -> MergedSwipes | None:
        """Count the standing swipes by their fate; None if no swipes were given."""
        if not self.has_swipes:
            return None
        fates = dict(self.sql.rows("SELECT fate, count(*) FROM judged_swipes GROUP BY fate"))
        return MergedSwipes(sum(fates.values()), **{name: fates.get(fate, 0) for fate, name in _FATES.items()})

    def tie_summary(self) -> TieSummary | None:
        """How ties affect the split; None for a split that does not cut between them."""
        return None if self.ties is None else TieSummary(self.settings.ties, **self.ties._asdict())

    def resolved_settings(self) -> PrepareSettings:
        """The settings with the scale that was recognized, if it can be given as settings."""
        settings, scale = self.settings, self.scale
        if settings.implicit or not scale.low <= scale.cut_points[0] < scale.cut_points[2] < scale.high:
            return settings
        if scale.above_low:
            return replace(settings, cut_points=scale.cut_points, max_rating=scale.high)
        return replace(settings, cut_points=scale.cut_points, scale=(scale.low, scale.high))

    def reading(self) -> Reading:
        """How the ratings file was read."""
        zone = f"; times without a zone are in {self.settings.timezone}" if self.forms.has_zones else ""
        return Reading(
            file=self.source.ratings.label,
            unusual=self.source.ratings.unusual,
            columns=dict(self.source.ratings.names),
            clock=self.forms.clock,
            time=self.forms.clock_name + zone,
            scale=self.scale.title,
            unrated=self.unrated,
            strong_from=self.strong_from,
        )

    def app_checksums(self) -> dict[str, str]:
        """Hashes of what the app changed in the rows; empty if it changed nothing."""
        queries = {}
        if self.users_gone:
            queries["forgotten"] = "SELECT user_id FROM gone ORDER BY user_id"
        if self.has_swipes:
            queries["swipes"] = (
                "SELECT user_id, movie_id, preference, timestamp FROM judged_swipes"
                " WHERE fate IN ('merged', 'skip') ORDER BY user_id, movie_id"
            )
        tables = {name: self.sql.connection.execute(query).fetchnumpy() for name, query in queries.items()}
        return {name: _hash_of(table) for name, table in tables.items() if len(table["user_id"])}

    def cutoff_times(self) -> Cutoffs | None:
        """Epoch seconds at which validation and test begin, for a split by global-time."""
        if self.settings.split != "global-time":
            return None
        return Cutoffs(*self.ratings.cutoff_times())

    def _note(self, name: str) -> None:
        """Record what is left after a step."""
        self.steps.append(StepCount(name, *self.ratings.counts()))


def _hash_of(table: Mapping[str, NDArray[Any]]) -> str:
    if all(column.dtype != object for column in table.values()):
        return hashlib.sha256(np.stack([column.astype("<i8") for column in table.values()]).tobytes()).hexdigest()
    return hashlib.sha256(json.dumps([column.tolist() for column in table.values()]).encode()).hexdigest()


def _of_kinds(swipes: StandingSwipes, forms: Forms) -> NDArray[np.bool_]:
    """Which swipes have ids of the kinds of the data, bool (swipes,)."""

    def fits(ids: NDArray[Any], kind: IdKind) -> NDArray[np.bool_]:
        return np.array([isinstance(one, str) == (kind == "text") for one in ids.tolist()], dtype=bool)

    return fits(swipes.user_id, forms.users) & fits(swipes.movie_id, forms.movies)


def _fingerprint(read: Input, run: _Preparation, app_checksums: Mapping[str, str]) -> str:
    """Hash of everything that determines the prepared rows: rules, input bytes, swipes, forgotten users, settings.

    Settings that were added later count only if they are used, so that older folders keep their fingerprint.
    """
    settings = run.resolved_settings()
    left_out = _NEUTRAL_SETTINGS + (() if settings.ties == "random" else _RANDOM_TIES_SETTINGS)
    if settings.no_time == "random":
        left_out = tuple(name for name in left_out if name != "random_seed")
    unused = {"user_ids", "movie_ids", "scale"} | {
        name for name in _LATER_SETTINGS if getattr(run.settings, name) == getattr(PrepareSettings, name)
    }
    values = {name: value for name, value in settings.to_json().items() if name not in left_out and name not in unused}
    origin = {
        "rules": _RULES_VERSION,
        "input": [(file.role, file.sha256) for file in read.files],
        "settings": {**values, "cut_points": list(run.scale.cut_points), "max_rating": run.scale.high},
        **app_checksums,
    }
    return hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()
