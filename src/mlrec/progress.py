"""How long work tells that it goes on: an object that does nothing unless a front end puts one in its place."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Task(Protocol):
    """One piece of work that is under way."""

    def advance(self, amount: int = 1) -> None:
        """Report that `amount` more units are done."""

    def say(self, label: str) -> None:
        """Put another label in place of the one that the work began with."""


class Progress(Protocol):
    """Receiver of progress reports."""

    def task(self, label: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Task]:
        """Begin a piece of work; it ends with the context. `total` is None where the amount is unknown.

        `unit` is "bytes" for transfers, and a word such as "iterations" otherwise.
        """


class _SilentTask:
    def advance(self, amount: int = 1) -> None:
        pass

    def say(self, label: str) -> None:
        pass


class SilentProgress:
    """Progress for library callers: says nothing."""

    def task(self, label: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Task]:  # noqa: ARG002
        """Return a task whose reports go nowhere."""
        return nullcontext(_SilentTask())


SILENT = SilentProgress()
