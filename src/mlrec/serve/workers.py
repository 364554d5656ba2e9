"""Starting and stopping the service: one process, or several on one port."""

from __future__ import annotations

import ipaddress
import json
import logging
import math
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from mlrec.artifacts import registry
from mlrec.errors import SettingsError, StateError
from mlrec.serve.app import create_app
from mlrec.serve.keys import Keys, session_secret
from mlrec.serve.metrics import SHARED_FOLDER
from mlrec.serve.rate_limit import make_table
from mlrec.serve.service import open_recommender
from mlrec.settings import ServiceSettings
from mlrec.workspace import Workspace

_BACKLOG = 2048
_LAST_SECONDS = 5.0


def serve(settings: ServiceSettings, on_listening: Callable[[str], None]) -> None:
    """Serve until a signal comes: the first lets requests in flight finish, the second ends at once.

    SIGHUP reads the API keys again.

    Parameters
    ----------
    settings
        How to serve.
    on_listening
        Is called with the address of the service as soon as connections are accepted.

    Raises
    ------
    SettingsError
        If the address is not a loopback address and there are no API keys, or the keys have a fault.
    StateError
        If the address cannot be listened on, or there is no model.
    """
    _check_exposure(settings)
    workspace = Workspace(Path(settings.data_dir))
    if settings.model is None:
        registry.resolve(workspace)  # where there is no model, that is all there is to say
    secret = session_secret(workspace.session_secret)
    with _listening(settings) as listeners, _shared_files(settings) as rate_table:
        address = _address(settings.host, listeners[0])
        factory = partial(create_app, settings, secret, rate_table)
        config = partial(
            uvicorn.Config,
            log_config=_log_config(settings.access_log),
            access_log=False,  # ours knows routes and request ids
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=math.ceil(settings.grace_seconds),
        )
        if settings.workers == 1:
            _Server(config(factory()), on_started=partial(on_listening, address)).run(listeners)
        else:
            _check_resources(settings)
            workers = _Workers(config(factory, factory=True, workers=settings.workers), listeners, settings)
            on_listening(address)
            workers.run()


def _check_exposure(settings: ServiceSettings) -> None:
    if settings.api_key_file is not None:
        return
    host = settings.host
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return
    if host != "localhost":
        raise SettingsError(
            f"{host} is not a loopback address: without API keys, everybody who reaches it could do everything.",
            "Name a file of keys with --api-key-file, or leave --host out.",
        )


@contextmanager
def _listening(settings: ServiceSettings) -> Iterator[list[socket.socket]]:
    """Bind a socket for each worker to accept connections from, all on the same port.

    The kernel spreads connections over the sockets. From a single one, whichever worker wakes up first takes all that
    have come, and those of a proxy stay with it for good. Only Linux spreads them; elsewhere all workers share one
    socket. The sockets belong to this process, so connections to a worker that has died wait for the next one.

    With the protocol named, asyncio switches Nagle's algorithm off for each connection. With protocol 0 it does not,
    and each answer on a kept connection waits 40 ms for an acknowledgement (uvicorn issue 3149).
    """
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise StateError(
            f"{settings.host} is not an address: {error.strerror}.", "Name another with --host."
        ) from error
    family, _, _, _, address = found[0]
    n_sockets = settings.workers if sys.platform == "linux" else 1
    with ExitStack() as stack:
        try:
            if n_sockets > 1:
                _bound(family, address, shares_port=False).close()  # sockets that share a port also share a taken one
            listeners: list[socket.socket] = []
            for _ in range(n_sockets):
                listeners.append(stack.enter_context(_bound(family, address, shares_port=n_sockets > 1)))
                address = listeners[0].getsockname()
            for listener in listeners:
                listener.listen(_BACKLOG)
                listener.set_inheritable(True)
        except OSError as error:
            raise StateError(
                f"Port {settings.port} of {settings.host} cannot be listened on: {error.strerror}.",
                "Name another with --port, or 0 for any free one.",
            ) from error
        yield listeners


def _bound(family: int, address: Any, *, shares_port: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _address(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


@contextmanager
def _shared_files(settings: ServiceSettings) -> Iterator[Path | None]:
    """A folder for what workers share, for as long as the service runs. Yields the file of the rate limit, if any."""
    folder = Path(tempfile.mkdtemp(prefix="mlrec-serve-"))
    try:
        if settings.workers > 1:
            (folder / "counts").mkdir()
            os.environ[SHARED_FOLDER] = str(folder / "counts")
        table = None
        if settings.rate_limit:
            table = folder / "moments"
            make_table(table)
        yield table
    finally:
        os.environ.pop(SHARED_FOLDER, None)
        shutil.rmtree(folder, ignore_errors=True)


def _check_resources(settings: ServiceSettings) -> None:
    """Tell faults of model, store and keys here, before they are told by each worker."""
    Keys(settings.api_key_file)
    open_recommender(settings).close()


class _Server(uvicorn.Server):
    """The service in this process."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as uvicorn calls it
        """End after the requests in flight, or at once if it is the second signal. No swipe is lost in either way."""
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True


class _Workers(Multiprocess):
    """The service in several processes, of which each is started again if it dies."""

    def __init__(self, config: uvicorn.Config, listeners: list[socket.socket], settings: ServiceSettings) -> None:
        super().__init__(config, listeners)
        self._settings = settings

    def init_processes(self) -> None:
        """Start all workers."""
        self.processes = [self._started(number) for number in range(self.processes_num)]

    def _started(self, number: int) -> Process:
        process = Process(self.config, [self.sockets[number % len(self.sockets)]])
        # A SIGHUP would end a worker that does not handle it yet. It inherits the mask, and `Service.start` lifts it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return process

    def keep_subprocess_alive(self) -> None:
        """Start a worker again that has died or does not answer. One that could not start ends the service."""
        for number, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
            else:
                self.processes[number] = self._started(number)

    def handle_hup(self) -> None:
        """Let every worker read the API keys again. Without keys, the terminal is gone, and the service ends."""
        if self._settings.api_key_file is None:
            self.should_exit.set()
            return
        for process in self.processes:
            if process.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGHUP)

    def handle_ttin(self) -> None:
        """Do nothing: a terminal sends this signal. For uvicorn, it means one more worker."""

    def handle_ttou(self) -> None:
        """Do nothing, as above: connections to the socket of a worker less would wait for ever."""

    def join_all(self) -> None:
        """Wait until all workers have ended; not longer than they are given, and not after another signal."""
        self.signal_queue.clear()
        deadline = time.monotonic() + self._settings.grace_seconds + _LAST_SECONDS
        while any(process.process.is_alive() for process in self.processes):
            if self.signal_queue or time.monotonic() > deadline:
                for process in self.processes:
                    process.process.kill()
            time.sleep(0.05)


def _log_config(access_log: bool) -> dict[str, Any]:
    """Everything goes to stderr, as lines of JSON."""
    level = "INFO" if access_log else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": "mlrec.serve.workers.Lines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "loggers": {
            "mlrec": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "mlrec.serve.access": {"level": level},
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        },
    }


class Lines(logging.Formatter):
    """A log in lines of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; the access log brings the fields of its own."""
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "process": record.process,
        }
        if isinstance(record.args, dict):
            return json.dumps(entry | record.args)
        entry["message"] = record.getMessage()
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)
