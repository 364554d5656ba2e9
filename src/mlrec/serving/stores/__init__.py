"""Stores of swipes behind one interface: SQLite by default, Redis, or memory."""

from __future__ import annotations

from pathlib import Path

from mlrec.serving.stores.interface import SwipeStore
from mlrec.serving.stores.names import file_name, is_redis_url
from mlrec.workspace import Workspace


def open_store(name: str | Path | None, workspace: Workspace | None, wait_seconds: float | None = None) -> SwipeStore:
    """Open the store with the given name.

    Parameters
    ----------
    name
        `redis://host:6379/0`, `rediss://…` or `unix:///path/to/redis.sock` for Redis; `valkey://…` or `valkeys://…` for
        Valkey; `memory` for this process's memory. Anything else is the path of an SQLite file. None means `users.db`
        in the data directory, or memory if there is no data directory.
    workspace
        The data directory, which relative paths are relative to; None means the working directory.
    wait_seconds
        Most seconds that a call waits for another process's lock on a file, or for an answer of a server. None: 30 for
        a file and 5 for a server.

    Raises
    ------
    MissingExtraError
        If the name is a Redis URL and the Redis client is not installed.
    SettingsError
        If the name is not valid, or is a Redis URL that cannot be used.
    """
    text = "memory" if name is None else str(name)
    if name is None and workspace is not None:
        path = workspace.users_db.absolute()
    elif is_redis_url(text):
        from mlrec.serving.stores.redis import RedisStore

        return RedisStore(text, wait_seconds)
    elif text == "memory":
        from mlrec.serving.stores.memory import MemoryStore

        return MemoryStore()
    else:
        path = (workspace.root if workspace else Path()) / file_name(text)
    from mlrec.serving.stores.sqlite import SqliteStore

    return SqliteStore(path, wait_seconds)
