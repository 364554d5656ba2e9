"""Progress in a Jupyter notebook: one line below the cell, with a bar if the amount of work is known."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from mlrec.progress import SILENT, Progress, Task

# Seconds between two updates of the line: each is a message to the browser.
_PAUSE = 0.1
_MEGABYTE = 1e6


def notebook_progress() -> Progress:
    """Return what shows progress in a Jupyter notebook: a line below the cell. Elsewhere it shows nothing.

    The functions of the pipeline use it if the caller passes no `progress`. IPython is never imported for this.
    """
    return NotebookProgress() if _in_notebook() else SILENT


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    # The kernel's shell sends rich output to a browser; that of a terminal has no kernel.
    return shell is not None and getattr(shell, "kernel", None) is not None


class NotebookProgress:
    """Shows the task that runs. The line is empty when no task runs."""

    def __init__(self) -> None:
        self._line: Any = None

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        """Show a piece of work until the context ends."""
        task = _NotebookTask(self, label, total, unit)
        try:
            task.show()
            yield task
        finally:
            self.show("")

    def show(self, text: str) -> None:
        """Replace the line. `text` is HTML."""
        if self._line is None:
            from IPython.display import display  # it is loaded, or there would be no notebook

            self._line = display({"text/html": text, "text/plain": ""}, raw=True, display_id=True)
        else:
            self._line.update({"text/html": text, "text/plain": ""}, raw=True)


class _NotebookTask:
    def __init__(self, line: NotebookProgress, label: str, total: int | None, unit: str) -> None:
        self._line, self._label, self._total, self._unit = line, label, total, unit
        self._done = 0
        self._next = 0.0

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        if time.monotonic() >= self._next:
            self.show()

    def say(self, label: str) -> None:
        self._label = label
        self.show()

    def show(self) -> None:
        self._next = time.monotonic() + _PAUSE
        bar = "" if self._total is None else f'<progress value="{self._done}" max="{max(self._total, 1)}"></progress> '
        self._line.show(f"<div>{bar}{escape(self._label)}{self._amount()}</div>")

    def _amount(self) -> str:
        if self._unit == "bytes":
            done, total = (f"{count / _MEGABYTE:,.1f}" for count in (self._done, self._total or 0))
            return f": {done} of {total} MB" if self._total else f": {done} MB"
        if self._total is None:
            return f": {self._done:,} {escape(self._unit)}" if self._done else ""
        return f": {self._done:,} of {self._total:,} {escape(self._unit)}"
