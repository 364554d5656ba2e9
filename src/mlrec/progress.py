"""How long-running work reports progress. A front end passes an object that shows it; by default, nothing is shown."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Task(Protocol):
    """One piece of work in progress."""

    def advance(self, amount: int = 1) -> None:
        """Report that `amount` more units are done."""

    def say(self, label: str) -> None:
        """Replace the label of the work."""


class Progress(Protocol):
    """A receiver of progress reports."""

    def task(self, label: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Task]:
        """Begin a piece of work, which ends with the context. `total` is None if the amount is unknown.

        `unit` is "bytes" for transfers, and a word such as "iterations" otherwise.
        """


class _SilentTask:
    def advance(self, amount: int = 1) -> None:
        pass

    def say(self, label: str) -> None:
        pass


class SilentProgress:
    """The default for library callers: reports nothing."""

    def task(self, label: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Task]:  # noqa: ARG002
        """Return a task whose reports go nowhere."""
        return nullcontext(_SilentTask())


SILENT = SilentProgress()
