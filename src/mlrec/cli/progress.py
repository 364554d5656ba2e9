"""Progress bars on a terminal, and nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mlrec.cli import render
from mlrec.progress import SILENT, Progress, Task

# In a terminal with fewer columns than this, a bar would leave no room for its label.
_NARROW = 80


class _TerminalProgress:
    """One temporary bar or spinner on stderr per task."""

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        from rich import progress

        columns: list[progress.ProgressColumn] = [
            progress.SpinnerColumn("dots" if render.err().encoding.startswith("utf") else "line"),
            progress.TextColumn("{task.description}", markup=False),
        ]
        is_narrow = render.err().width < _NARROW
        if (total is not None or unit == "bytes") and not is_narrow:
            columns.append(progress.BarColumn())
        if unit == "bytes":
            columns.append(progress.DownloadColumn())
            columns += [] if is_narrow else [progress.TransferSpeedColumn(), progress.TimeRemainingColumn()]
        elif total is not None:
            columns.append(progress.MofNCompleteColumn())
            columns += [] if is_narrow else [progress.TextColumn(unit), progress.TimeRemainingColumn()]
        columns.append(progress.TimeElapsedColumn())
        with progress.Progress(*columns, console=render.err(), transient=True) as bar:
            yield _TerminalTask(bar, bar.add_task(render.plain(label), total=total))


class _TerminalTask:
    def __init__(self, bar: object, task_id: int) -> None:
        self._bar = bar
        self._task_id = task_id

    def advance(self, amount: int = 1) -> None:
        self._bar.advance(self._task_id, amount)  # type: ignore[attr-defined]

    def say(self, label: str) -> None:
        self._bar.update(self._task_id, description=render.plain(label))  # type: ignore[attr-defined]


def progress() -> Progress:
    """Return the progress reporter for this process."""
    return _TerminalProgress() if sys.stderr.isatty() else SILENT
