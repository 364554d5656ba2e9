"""A real `mlrec serve` for a test: its processes, its address, and what it wrote to its log."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

MLREC = Path(sys.executable).with_name("mlrec")
NEW_USER = 7_000_001
TOY_STORY, SHAWSHANK, SILENCE = 1, 318, 593


class Service:
    """A running service."""

    def __init__(self, process: subprocess.Popen[str], address: str, log: Path) -> None:
        self.process, self.address, self._log = process, address, log
        self.client = httpx.Client(base_url=address, timeout=60)

    def log(self) -> list[dict[str, Any]]:
        """The lines of the log so far."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def log_text(self) -> str:
        return self._log.read_text()

    def workers(self) -> list[int]:
        """The processes that serve, if there are several."""
        found = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True
        )
        return [int(line.split()[0]) for line in found.stdout.splitlines() if "spawn_main" in line]

    def has_pending(self, pool: str) -> bool:
        """Whether a call runs or waits in the worker that happens to answer."""
        with httpx.Client(base_url=self.address, timeout=60) as client:  # a new connection may reach another worker
            found = re.search(rf'mlrec_pending_calls{{pool="{pool}"}} (\S+)', client.get("/metrics").text)
        assert found is not None
        return float(found[1]) > 0

    def stop(self, sig: int = signal.SIGTERM, seconds: float = 30) -> int:
        self.process.send_signal(sig)
        return self.process.wait(seconds)


def command(data: Path, *options: str) -> list[str]:
    return [str(MLREC), "serve", "--data-dir", str(data), "--port", "0", *options]


@contextmanager
def serving(data: Path, *options: str, **environment: str) -> Iterator[Service]:
    """Serve a data directory; the service is ready, and ends with the block."""
    log = data / f"serve-{time.monotonic_ns()}.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command(data, *options),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            env={**os.environ, **environment},
        ) as process,
    ):
        try:
            service = Service(process, _address(process, log), log)
            with service.client:
                _wait_until_ready(service)
                yield service
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            assert process.stdout is not None
            process.stdout.close()


def _address(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://\S+?(?=/docs| |$)", line):
            return found[0]
    raise AssertionError(f"the service did not start: {log.read_text()}")


def _wait_until_ready(service: Service, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if service.client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert service.process.poll() is None, service.log_text()
        time.sleep(0.05)
    raise AssertionError(f"not ready after {seconds} seconds: {service.log_text()}")
