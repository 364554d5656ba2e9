"""Running mlrec in a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import time

from tests.cli.swipe_log.log import MLREC
from tests.waiting import is_readable


class Terminal:
    """A command on a real pseudo-terminal."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [MLREC, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "120"} | environment,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def read(self, until: str | None = None) -> str:
        """Read until a text has been seen, or else to the end."""
        deadline = time.monotonic() + 60
        while until is None or until not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if not is_readable(self.master, 1):
                continue
            try:
                self.seen += os.read(self.master, 10_000).decode(errors="replace")
            except OSError:  # the other end is closed
                break
        return self.seen

    def answer(self, text: str) -> None:
        os.write(self.master, text.encode())

    def finish(self) -> int:
        self.read()
        os.close(self.master)
        return self.process.wait(timeout=60)
