"""Stores for tests: one of each kind; Redis is a real server of the test's own, SQLite a real file."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import zlib
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlrec.ids import IdKind, PublicId
from tests.processes import wait_until

KINDS = ("sqlite", "redis", "memory")

NASTY = (
    "42", " 7", "7 ", "1_23", "007", "0x1F", "1e3", "+4", "-", "=", "=x", "a}b{c", "{", "}", "*", "?", "[a-z]",
    "\\", "^", "%41", "%", "%%", "a b", "a\nb", "\x1b[31mred", "it's", '"', "$HOME", "a:log", "tt0111161",
    "é", "e\u0301",
    "\t", "#", "\x7f", "\x85", "-n",
    "🎬", "\u202e", "\uffff", "\U0010ffff", "x" * 200, "é" * 100, "🎬" * 50, "null", "None", "memory",
)  # fmt: skip
"""Texts that a store, a pattern, a shell or a terminal could take for something else."""


@dataclass(frozen=True)
class Ids:
    """Ids of one kind for users and of one for movies. Tests number them; a text id stands for each number."""

    users: IdKind
    movies: IdKind

    def user(self, number: int) -> PublicId:
        return number if self.users == "integer" else text_of(number)

    def movie(self, number: int) -> PublicId:
        return number if self.movies == "integer" else text_of(number)

    def __str__(self) -> str:
        return f"{self.users}-{self.movies}"


ID_KINDS = (Ids("integer", "integer"), Ids("text", "text"), Ids("integer", "text"), Ids("text", "integer"))


def text_of(number: int) -> str:
    """A text id for a number: a nasty one for small numbers, otherwise the digits."""
    return NASTY[number] if 0 <= number < len(NASTY) else str(number)


def in_order(ids: Iterable[PublicId]) -> list[PublicId]:
    """As every store lists ids: numbers, then texts by their bytes."""
    return sorted(ids, key=lambda one: (isinstance(one, str), one if isinstance(one, int) else 0, str(one).encode()))


class RedisServer:
    """A `redis-server` process on a socket in a folder, with an append-only file there."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "",
             "--appendonly", "yes", "--appendfsync", "always", "--logfile", "redis.log", *self.options],
        )  # fmt: skip
        try:
            wait_until(self._answers, pause=0.02)
        except AssertionError:
            raise AssertionError((self.folder / "redis.log").read_text()) from None

    def _answers(self) -> bool:
        """Whether the server takes commands, or refuses them to those without a password."""
        with socket.socket(socket.AF_UNIX) as peer:
            try:
                peer.connect(str(self.socket))
            except OSError:
                return False
            peer.sendall(b"PING\r\n")
            return peer.recv(100).startswith((b"+PONG", b"-NOAUTH"))

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)
        self.socket.unlink(missing_ok=True)


@contextmanager
def redis_server(folder: Path, *options: str):
    """A running server; a skip with the reason on a machine without one, a failure in continuous integration."""
    if shutil.which("redis-server") is None:
        assert not os.environ.get("CI"), "redis-server is missing"
        pytest.skip("redis-server is not installed")
    server = RedisServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def planned_swipe(name: str, number: int) -> tuple[int, int, int, int]:
    """User, movie row, preference and time of a worker's nth swipe: five users shared by all, many movies twice."""
    draw = zlib.crc32(f"{name}-{number}".encode())
    return 9_000_001 + draw % 5, draw // 5 % 400, (-2, -1, 0, 1, 2)[draw // 2000 % 5], 1_700_000_000 + draw % 1_000_000
