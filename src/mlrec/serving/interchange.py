"""Exporting swipe logs to CSV files and importing them, for backups and for moving from one store to another."""

from __future__ import annotations

import csv
import re
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from mlrec.artifacts.files import keep_private, write_atomically
from mlrec.errors import InputError, StateError, TooManyRejectsError, in_shell, shown
from mlrec.ids import IdKind, PublicId
from mlrec.progress import SILENT, Progress, Task
from mlrec.serving.history import HistoryEvent
from mlrec.serving.stores.interface import Draft, Event, SwipeStore
from mlrec.serving.swipe_rows import COLUMNS, RowReader, SwipeRow
from mlrec.settings import PrepareSettings
from mlrec.untrusted_text import for_spreadsheet, for_terminal

# Below the length at which the csv module refuses a field.
_LONGEST_LINE = 100_000
_BATCH = 10_000

_BREAKS = re.compile("[\0\r\n]+")
REJECTS_HEADER = ("file", "line", "text", "reason")
"""The columns of the report of rejected rows."""
_CONFLICT = "idempotency key of another swipe"

_TABLES = """
PRAGMA journal_mode = OFF;
CREATE TABLE usable (user_id, line, movie_id, preference, at, idempotency_key, text);
CREATE TABLE rejects (line, text, reason);
"""


@dataclass(frozen=True)
class Imported:
    """The result of an import.

    Attributes
    ----------
    imported
        Number of swipes logged.
    already_there
        Number of rows whose swipe was already in the log.
    undone
        Number of rows skipped because their swipe had been undone.
    rejects
        Number of unusable rows for each reason, most frequent first.
    rejects_file
        The file that lists those rows; None if there are none.
    """

    imported: int
    already_there: int
    undone: int
    rejects: Mapping[str, int]
    rejects_file: Path | None

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        return {
            "imported": self.imported,
            "already_there": self.already_there,
            "undone": self.undone,
            "rejects": {"rows": sum(self.rejects.values()), "by_reason": dict(self.rejects)},
            "rejects_file": None if self.rejects_file is None else str(self.rejects_file),
        }


def export_swipes(file: IO[bytes], logs: Iterable[tuple[PublicId, Sequence[HistoryEvent]]]) -> int:
    """Write swipe logs as CSV in UTF-8 with a header. Returns how many swipes were written.

    Titles are for people, who may open the file in a spreadsheet. A title that would be a formula there gets an
    apostrophe in front. Ids, including the application's own, are written unchanged, because an import reads them.

    Parameters
    ----------
    file
        An open file.
    logs
        Users, each with the events in the order of the log.

    Raises
    ------
    InputError
        If an id has a line break, as `check_exportable` says.
    """
    rows = csv.writer(_Utf8(file), lineterminator="\n")
    rows.writerow(COLUMNS)
    written = 0
    for user_id, events in logs:
        check_exportable(user_id, events)
        for event in events:
            rows.writerow(
                (
                    user_id,
                    event.event_id,
                    event.movie_id,
                    for_spreadsheet(for_terminal(event.title or "")),
                    event.preference,
                    event.at,
                    "true" if event.undone else "false",
                    # A key that would break the line is left out; the swipe can be identified without it.
                    "" if _BREAKS.search(event.idempotency_key or "") else event.idempotency_key,
                )
            )
            written += 1
    return written


def check_exportable(user_id: PublicId, events: Iterable[HistoryEvent]) -> None:
    """Check that a user's swipes can be written to CSV, where a swipe is one line.

    Raises
    ------
    InputError
        If the id of the user or of a movie has a line break.
    """
    for public_id in (user_id, *(event.movie_id for event in events)):
        if isinstance(public_id, str) and _BREAKS.search(public_id):
            whose = "the id" if public_id is user_id else f"the movie id {shown(public_id)}"
            raise InputError(
                f"The swipes of user {in_shell(user_id)} cannot be written to CSV: {whose} has a line break.",
                "Copy the store instead, or use ids without line breaks.",
            )


def import_swipes(
    file: IO[bytes],
    label: str,
    store: SwipeStore,
    rejects_file: Path,
    *,
    movie_ids: Collection[PublicId] | None,
    user_id_kind: IdKind | None = "integer",
    movie_id_kind: IdKind | None = "integer",
    max_reject_share: float = PrepareSettings.max_reject_share,
    size: int | None = None,
    progress: Progress = SILENT,
) -> Imported:
    """Log all swipes of a CSV file together. Swipes that are already in the log are not logged again.

    Parameters
    ----------
    file
        The open file, read once from beginning to end; see `RowReader` for its columns.
    label
        Name of the file in messages.
    store
        The store to log to. Rows keep their order within a user.
    rejects_file
        The file for unusable rows, with line and reason. Not written if there are none.
    movie_ids
        The known movies; rows with other movies are rejected. None accepts any movie.
    user_id_kind, movie_id_kind
        What the ids are. Rows with other ids are rejected. With None, the first rows decide.
    max_reject_share
        The import stops if a larger share of the rows is bad.
    size
        Size of the file in bytes, if known.
    progress
        Reports the bytes read and the swipes logged.

    Raises
    ------
    InputError
        If the file is not UTF-8 text or its header cannot be used.
    TooManyRejectsError
        If too many rows are bad. Nothing is logged; the bad rows are in `rejects_file`.
    StoreUnavailableError, IncompatibleFormatError
        If the store cannot be written.
    """
    # An unnamed database is a temporary file, so the rows are sorted by user on disk, not in memory.
    with closing(sqlite3.connect("", isolation_level=None)) as scratch:
        try:
            run = _Import(scratch, label, store, max_reject_share, rejects_file)
            run.read(file, movie_ids, (user_id_kind, movie_id_kind), size, progress)
            return run.log(progress)
        except sqlite3.OperationalError as error:
            raise StateError(
                f"The rows of {label} cannot be sorted: {error}.",
                "Free space for temporary files, or set the environment variable SQLITE_TMPDIR to another folder.",
            ) from error


class _Import:
    """One import, with its temporary database."""

    def __init__(
        self, scratch: sqlite3.Connection, label: str, store: SwipeStore, max_reject_share: float, rejects_file: Path
    ) -> None:
        self.scratch = scratch
        self.label = label
        self.store = store
        self.max_reject_share = max_reject_share
        self.rejects_file = rejects_file
        self.rows = self.usable = self.undone = self.already_there = 0
        self.rejects: Counter[str] = Counter()
        scratch.executescript(_TABLES)

    def read(
        self,
        file: IO[bytes],
        movie_ids: Collection[PublicId] | None,
        kinds: tuple[IdKind | None, IdKind | None],
        size: int | None,
        progress: Progress,
    ) -> None:
        """Check every row, and keep the usable ones."""
        lines = _lines(file, self.label)
        header = next(lines, None)
        if header is None:
            raise InputError(
                f"{self.label} is empty.", "Its first line must name the columns. See: mlrec users import --help"
            )
        reader = RowReader(header.text.removeprefix("\ufeff"), self.label, *kinds)
        forgotten = frozenset(self.store.forgotten())
        with progress.task(f"Reading {self.label}", size, "bytes") as task:
            while batch := list(islice(lines, _BATCH)):
                reader.settle(line.text for line in batch)
                self._keep(self._usable(reader, batch, movie_ids, forgotten))
                task.advance(sum(line.length for line in batch))
        self._stop_if_too_many()

    def _usable(
        self,
        reader: RowReader,
        lines: Sequence[_Line],
        movie_ids: Collection[PublicId] | None,
        forgotten: frozenset[PublicId],
    ) -> Iterator[tuple[_Line, SwipeRow]]:
        for line in lines:
            if not line.text.strip():
                continue
            self.rows += 1
            row = reader.read(line.text)
            if isinstance(row, str):
                self._reject(line.number, line.text, row)
            elif row.undone:
                self.undone += 1
            elif row.user_id in forgotten:
                self._reject(line.number, line.text, "forgotten user")
            elif movie_ids is not None and row.draft.movie_id not in movie_ids:
                self._reject(line.number, line.text, "unknown movie")
            else:
                yield line, row

    def _keep(self, rows: Iterable[tuple[_Line, SwipeRow]]) -> None:
        cursor = self.scratch.executemany(
            "INSERT INTO usable VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (user_id, line.number, draft.movie_id, draft.preference, draft.at, draft.idempotency_key,
                 # Later, only a row with a key can still be rejected, so only its text is kept.
                 line.text if draft.idempotency_key is not None else None)
                for line, (user_id, draft, _) in rows
            ),
        )  # fmt: skip
        self.usable += cursor.rowcount

    def _reject(self, line: int, text: str, reason: str) -> None:
        self.rejects[reason] += 1
        self.scratch.execute("INSERT INTO rejects VALUES (?, ?, ?)", (line, text, reason))

    def log(self, progress: Progress) -> Imported:
        """Log the new swipes, and write the rejected rows."""
        imported = 0
        if self.usable:
            with progress.task("Logging", self.usable, "rows") as task:
                imported = self.store.extend(self._new(task))
        if self.rejects:
            self._write_rejects()
        return Imported(
            imported=imported,
            already_there=self.usable - imported - self.rejects[_CONFLICT],
            undone=self.undone,
            rejects=dict(sorted(self.rejects.items(), key=lambda item: (-item[1], item[0]))),
            rejects_file=self.rejects_file if self.rejects else None,
        )

    def _new(self, task: Task) -> Iterator[tuple[PublicId, Draft]]:
        """The swipes that are not in the log, user by user; each user's swipes are in the order of the file."""
        rows = self.scratch.execute(
            "SELECT user_id, line, text, movie_id, preference, at, idempotency_key FROM usable ORDER BY user_id, line"
        )
        for user_id, own in groupby(rows, key=itemgetter(0)):
            log = _UserLog(self.store.events(user_id))
            for _, line, text, movie_id, preference, at, key in own:
                draft = Draft(movie_id, preference, at, idempotency_key=key)
                verdict = log.verdict(draft)
                if verdict == "new":
                    yield user_id, draft
                elif verdict == "conflict":
                    self._reject(line, text, _CONFLICT)
                task.advance()
        self._stop_if_too_many()

    def _stop_if_too_many(self) -> None:
        bad = self.rejects.total()
        if bad <= self.max_reject_share * self.rows:
            return
        self._write_rejects()
        line, reason = self.scratch.execute("SELECT line, reason FROM rejects ORDER BY line LIMIT 1").fetchone()
        raise TooManyRejectsError(
            f"{bad:,} of {self.rows:,} rows are bad ({bad / self.rows:.1%}, allowed {self.max_reject_share:.1%});"
            f" the first is {self.label}, line {line}: {reason}.",
            f"All bad rows are in {self.rejects_file}. Correct the file, or allow more with --max-reject-share."
            " Nothing has been imported.",
        )

    def _write_rejects(self) -> None:
        def write(file: IO[bytes]) -> None:
            keep_private(file.fileno(), self.rejects_file)
            report = csv.writer(_Utf8(file), lineterminator="\n")
            report.writerow(REJECTS_HEADER)
            rows = self.scratch.execute("SELECT line, text, reason FROM rejects ORDER BY line")
            label = for_spreadsheet(self.label)
            report.writerows((label, line, for_spreadsheet(text), reason) for line, text, reason in rows)

        self.rejects_file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.rejects_file, write)


class _UserLog:
    """A user's log, to distinguish rows that are already in it from new ones."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._swipes: set[tuple[PublicId, int, int]] = set()
        self._by_key: dict[str, tuple[PublicId, int] | None] = {}
        self._latest: dict[tuple[PublicId, int], int] = {}
        for event in events:
            if not event.undoes:
                self._swipes.add((event.movie_id, event.preference, event.at))
            if event.idempotency_key is not None:
                self._by_key[event.idempotency_key] = None if event.undoes else (event.movie_id, event.preference)

    def verdict(self, draft: Draft) -> Literal["new", "there", "conflict"]:
        """Classify the user's next row. A new row counts as logged from then on."""
        movie_id, preference, at, _, key = draft
        is_there = (movie_id, preference, at) in self._swipes
        if key is not None and key in self._by_key:
            return "there" if is_there or self._by_key[key] == (movie_id, preference) else "conflict"
        # A user who likes, dislikes and likes again within a second has swiped three times. A row that only repeats the
        # opinion of the row before it is a duplicate.
        latest = self._latest.get((movie_id, at))
        if (is_there and latest is None) or (key is None and latest == preference):
            return "there"
        if key is not None:
            self._by_key[key] = (movie_id, preference)
        self._latest[movie_id, at] = preference
        return "new"


class _Line(NamedTuple):
    number: int
    text: str
    length: int


def _lines(file: IO[bytes], label: str) -> Iterator[_Line]:
    """The lines of a file, one per row. A field may be quoted, but must not span two lines."""
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            raise InputError(
                f"{label}, line {number} is over {_LONGEST_LINE:,} bytes long.", "Check that it is a CSV file."
            )
        try:
            yield _Line(number, line.decode().rstrip("\r\n"), len(line))
        except UnicodeDecodeError:
            raise InputError(
                f"{label} is not UTF-8: see line {number}.", "Save the file as UTF-8 and try again."
            ) from None


class _Utf8:
    """A text interface to an open binary file for the csv module, always in UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())
