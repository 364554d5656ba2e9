"""Single key presses from a terminal."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_SEQUENCES = {
    b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left",
    b"\x1bOA": "up", b"\x1bOB": "down", b"\x1bOC": "right", b"\x1bOD": "left",
}  # fmt: skip
_WAIT_SECONDS = 0.2


class Keys:
    """Key presses as names: a letter, or "up", "down", "left", "right", "space", "enter", "escape"."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._pending = b""
        self._has_resumed = False

    def has_resumed(self) -> bool:
        """Whether the process has continued after Ctrl-Z, so that the screen must be redrawn. True once per stop."""
        was, self._has_resumed = self._has_resumed, False
        return was

    def resume(self) -> None:
        """Take the terminal back from the shell."""
        tty.setcbreak(self._handle)
        self._has_resumed = True

    def next(self) -> str | None:
        """Return the next key. Without one, return None after a moment, so that the caller can check the window's size.

        Raises
        ------
        EOFError
            If the terminal is gone.
        """
        if not self._pending:
            ready, _, _ = select.select([self._handle], [], [], _WAIT_SECONDS)
            if not ready:
                return None
            self._pending = os.read(self._handle, 1024)
            if not self._pending:
                raise EOFError
        for sequence, name in _SEQUENCES.items():
            if self._pending.startswith(sequence):
                self._pending = self._pending[len(sequence) :]
                return name
        if self._pending.startswith((b"\x1b[", b"\x1bO")):  # a function key, whole
            self._pending = b""
            return "unknown"
        first, self._pending = self._pending[:1], self._pending[1:]
        names = {b" ": "space", b"\r": "enter", b"\n": "enter", b"\x1b": "escape", b"\x04": "q"}
        return names.get(first, first.decode(errors="replace"))


@contextmanager
def key_presses() -> Iterator[Keys]:
    """Read single keys from the terminal on stdin within a block. Ctrl-C still interrupts."""
    handle = sys.stdin.fileno()
    keys = Keys(handle)
    before = termios.tcgetattr(handle)
    on_resume = signal.signal(signal.SIGCONT, lambda *_: keys.resume())
    try:
        tty.setcbreak(handle)
        yield keys
    finally:
        signal.signal(signal.SIGCONT, on_resume)
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
