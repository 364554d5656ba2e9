"""Processes that tests start and wait for: none outlives its test, and no test waits forever."""

from __future__ import annotations

import logging
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def give_children_default_signals() -> None:
    """Go on ignoring what this process has to ignore, and let the processes that it starts begin with the defaults.

    `nohup`, and a shell that runs pytest in the background, have it ignore signals. Its children would ignore them,
    too, and a test that interrupts one would wait for its end in vain. A handler that does nothing ignores a signal
    as well, but is not passed on: a new program begins with the default in its place.
    """
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # these two Python itself ignores
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""A browser of this machine, if there is one."""


@contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A running process, which is killed at the end of the block if it still runs."""
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], Any], *, seconds: float = 120, pause: float = 0.005) -> None:
    """Wait until a condition holds; a failure if it takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still not so after {seconds} seconds"
        time.sleep(pause)


@contextmanager
def services_end_at_once() -> Iterator[None]:
    """Let `mlrec serve` in this process stop as soon as it has started, as if a signal had come."""
    import pytest
    import uvicorn
    from uvicorn.supervisors import Multiprocess
    from uvicorn.supervisors.multiprocess import SIGNALS

    from mlrec.serve import workers

    async def started(server: workers._Server, sockets: Any = None) -> None:
        await uvicorn.Server.startup(server, sockets)
        server.should_exit = True

    def run(service: workers._Workers) -> None:
        service.processes_num = 1
        service.should_exit.set()
        Multiprocess.run(service)

    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers._Server, "startup", started)
        patch.setattr(workers._Workers, "run", run)
        try:
            yield
        finally:  # what belongs to a process of its own
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for name in ("mlrec", "mlrec.serve.access", "uvicorn"):
                logger = logging.getLogger(name)
                logger.handlers.clear()
                logger.propagate = True
                logger.setLevel(logging.NOTSET)
