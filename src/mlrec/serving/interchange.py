"""Swipe logs as CSV files, to read and to write: for backups, and for moving from one store to another."""

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
from mlrec.errors import InputError, StateError, TooManyRejectsError
from mlrec.progress import SILENT, Progress, Task
from mlrec.serving.history import HistoryEvent
from mlrec.serving.stores.interface import Draft, Event, SwipeStore
from mlrec.serving.swipe_rows import COLUMNS, RowReader, SwipeRow
from mlrec.settings import PrepareSettings
from mlrec.untrusted_text import for_spreadsheet, for_terminal

# Below the length at which the csv module gives up on a field.
_LONGEST_LINE = 100_000
_BATCH = 10_000

_BREAKS = re.compile("[\0\r\n]+")
_CONFLICT = "idempotency key of another swipe"

_TABLES = """
PRAGMA journal_mode = OFF;
CREATE TABLE usable (user_id, line, movie_id, preference, at, idempotency_key, text);
CREATE TABLE rejects (line, text, reason);
"""


@dataclass(frozen=True)
class Imported:
    """Outcome of an import.

    Attributes
    ----------
    imported
        Swipes that have been logged.
    already_there
        Rows whose swipe was in the log before.
    undone
        Rows of swipes that had been taken back; they are left out.
    rejects
        How many rows could not be used for each reason, the most frequent first.
    rejects_file
        Where those rows are listed; None if there are none.
    """

    imported: int
    already_there: int
    undone: int
    rejects: Mapping[str, int]
    rejects_file: Path | None

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as plain JSON values."""
        return {
            "imported": self.imported,
            "already_there": self.already_there,
            "undone": self.undone,
            "rejects": {"rows": sum(self.rejects.values()), "by_reason": dict(self.rejects)},
            "rejects_file": None if self.rejects_file is None else str(self.rejects_file),
        }


def export_swipes(file: IO[bytes], logs: Iterable[tuple[int, Iterable[HistoryEvent]]]) -> int:
    """Write swipe logs as CSV, UTF-8, with a header; returns how many swipes were written.

    Titles are for people, who may open the file in a spreadsheet: one that would be a formula there has an apostrophe
    before it. Ids, those of the application's own among them, are what an import reads, and stand as they are.

    Parameters
    ----------
    file
        An open file.
    logs
        Users, and the events of each in the order of the log.
    """
    rows = csv.writer(_Utf8(file), lineterminator="\n")
    rows.writerow(COLUMNS)
    written = 0
    for user_id, events in logs:
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
                    # One that would break the line is left out; the swipe is known without it.
                    "" if _BREAKS.search(event.idempotency_key or "") else event.idempotency_key,
                )
            )
            written += 1
    return written


def import_swipes(
    file: IO[bytes],
    label: str,
    store: SwipeStore,
    rejects_file: Path,
    *,
    movie_ids: Collection[int] | None,
    max_reject_share: float = PrepareSettings.max_reject_share,
    size: int | None = None,
    progress: Progress = SILENT,
) -> Imported:
    """Log the swipes of a CSV file, all of them in one go. What is in the log already is not logged again.

    Parameters
    ----------
    file
        The open file, read once from its beginning to its end; see `RowReader` for its columns.
    label
        How the file is named to people.
    store
        Where to. Rows keep their order within a user.
    rejects_file
        Where the rows that cannot be used are listed, with line and reason; not written if there are none.
    movie_ids
        The movies that are known; a row about another is rejected. None takes any movie.
    max_reject_share
        More bad rows than this share of all rows stop the import.
    size
        Bytes of the file, if known.
    progress
        Told of the bytes that are read and the swipes that are logged.

    Raises
    ------
    InputError
        If the file is no UTF-8 text or its header cannot be used.
    TooManyRejectsError
        If too many rows are bad. Nothing has been logged; the rows are listed.
    StoreUnavailableError, IncompatibleFormatError
        If the store cannot be written.
    """
    # An unnamed database is a temporary file: the rows are sorted by user there, not in memory.
    with closing(sqlite3.connect("", isolation_level=None)) as scratch:
        try:
            run = _Import(scratch, label, store, max_reject_share, rejects_file)
            run.read(file, movie_ids, size, progress)
            return run.log(progress)
        except sqlite3.OperationalError as error:
            raise StateError(
                f"The rows of {label} cannot be sorted: {error}.",
                "That needs room for temporary files; the variable SQLITE_TMPDIR names another folder for them.",
            ) from error


class _Import:
    """One run, on one temporary database."""

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

    def read(self, file: IO[bytes], movie_ids: Collection[int] | None, size: int | None, progress: Progress) -> None:
        """Judge every row, and keep those that can be used."""
        lines = _lines(file, self.label)
        header = next(lines, None)
        if header is None:
            raise InputError(f"{self.label} is empty.", "Its first line names the columns: mlrec users import --help")
        reader = RowReader(header.text.removeprefix("\ufeff"), self.label)
        forgotten = frozenset(self.store.forgotten())
        with progress.task(f"Reading {self.label}", size, "bytes") as task:
            while batch := list(islice(lines, _BATCH)):
                self._keep(self._usable(reader, batch, movie_ids, forgotten))
                task.advance(sum(line.length for line in batch))
        self._stop_if_too_many()

    def _usable(
        self, reader: RowReader, lines: Sequence[_Line], movie_ids: Collection[int] | None, forgotten: frozenset[int]
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
                 # Only the id of a swipe can still turn out to be wrong.
                 line.text if draft.idempotency_key is not None else None)
                for line, (user_id, draft, _) in rows
            ),
        )  # fmt: skip
        self.usable += cursor.rowcount

    def _reject(self, line: int, text: str, reason: str) -> None:
        self.rejects[reason] += 1
        self.scratch.execute("INSERT INTO rejects VALUES (?, ?, ?)", (line, text, reason))

    def log(self, progress: Progress) -> Imported:
        """Log what is new, and list what was rejected."""
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

    def _new(self, task: Task) -> Iterator[tuple[int, Draft]]:
        """The drafts that the log lacks, user by user, those of a user in the order of the file."""
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
            f"{bad:,} of {self.rows:,} rows are bad ({bad / self.rows:.1%}, allowed {self.max_reject_share:.1%}),"
            f" the first is {self.label}, line {line}: {reason}.",
            f"All of them are in {self.rejects_file}. Mend the input, or allow more with --max-reject-share."
            " Nothing has been imported.",
        )

    def _write_rejects(self) -> None:
        def write(file: IO[bytes]) -> None:
            keep_private(file.fileno(), self.rejects_file)
            report = csv.writer(_Utf8(file), lineterminator="\n")
            report.writerow(("file", "line", "text", "reason"))
            rows = self.scratch.execute("SELECT line, text, reason FROM rejects ORDER BY line")
            label = for_spreadsheet(self.label)
            report.writerows((label, line, for_spreadsheet(text), reason) for line, text, reason in rows)

        self.rejects_file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.rejects_file, write)


class _UserLog:
    """What tells rows that are in a user's log from new ones."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._swipes: set[tuple[int, int, int]] = set()
        self._by_key: dict[str, tuple[int, int] | None] = {}
        self._latest: dict[tuple[int, int], int] = {}
        for event in events:
            if not event.undoes:
                self._swipes.add((event.movie_id, event.preference, event.at))
            if event.idempotency_key is not None:
                self._by_key[event.idempotency_key] = None if event.undoes else (event.movie_id, event.preference)

    def verdict(self, draft: Draft) -> Literal["new", "there", "conflict"]:
        """Judge the user's next row; one that is new counts as logged from then on."""
        movie_id, preference, at, _, key = draft
        is_there = (movie_id, preference, at) in self._swipes
        if key is not None and key in self._by_key:
            return "there" if is_there or self._by_key[key] == (movie_id, preference) else "conflict"
        # Whoever likes, dislikes and likes again within a second has swiped three times; a row that only says once more
        # what the one before it said is a repetition.
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
    """The lines of a file, one a row: a field may be quoted, but not run over two lines."""
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            raise InputError(f"{label}, line {number} is over {_LONGEST_LINE:,} bytes long.", "Is it a CSV file?")
        try:
            yield _Line(number, line.decode().rstrip("\r\n"), len(line))
        except UnicodeDecodeError:
            raise InputError(
                f"{label} is not UTF-8: see line {number}.", "Save it as UTF-8, as spreadsheets can, and try again."
            ) from None


class _Utf8:
    """An open file as the csv module wants it, whatever the terminal's encoding."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())
