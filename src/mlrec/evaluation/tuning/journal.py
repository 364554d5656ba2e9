"""The journal of a tuning study: an append-only file of lines, each with a checksum.

It replaces Optuna's own journal, which ignores a last line that it cannot read, and whose lock file would outlive a
killed process. The lines are Optuna's with one additional key. Lines of earlier versions without the key are read too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

from optuna.storages.journal import BaseJournalBackend

_CHECKSUM = "crc32"


class Journal(BaseJournalBackend):
    """A journal that no other process has open.

    Parameters
    ----------
    path
        The file, which must exist. An incomplete last line, left by a killed process, is cut off, so that the next line
        is not appended to it.

    Raises
    ------
    ValueError, RecursionError
        If a line has changed since it was written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("r+b") as file:
            content = file.read()
            complete = content.rfind(b"\n") + 1
            file.truncate(complete)
        lines = content[:complete].split(b"\n")[:-1]
        self._logs = [_read(line, number) for number, line in enumerate(lines, 1)]

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the log entries from a number on."""
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append log entries. They are on disk when the call returns."""
        lines = [json.dumps({**log, _CHECKSUM: _checksum(log)}, separators=(",", ":")) + "\n" for log in logs]
        with self._path.open("ab") as file:
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())
        self._logs += [_read(line.encode(), 0) for line in lines]


def _read(line: bytes, number: int) -> dict[str, Any]:
    try:
        log = json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number} cannot be read ({error})") from error
    if not isinstance(log, dict) or ((own := log.pop(_CHECKSUM, None)) is not None and own != _checksum(log)):
        raise ValueError(f"line {number} has changed since it was written")
    return log


def _checksum(log: dict[str, Any]) -> int:
    return crc32(json.dumps(log, sort_keys=True).encode())
