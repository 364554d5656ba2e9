"""Where swipes are kept: SQLite by default, Redis, or memory, behind one interface."""

from __future__ import annotations

from pathlib import Path

from mlrec.errors import SettingsError
from mlrec.serving.stores.interface import SwipeStore
from mlrec.workspace import Workspace

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


def open_store(name: str | Path | None, workspace: Workspace | None) -> SwipeStore:
    """Open the store that a name means.

    Parameters
    ----------
    name
        `redis://host:6379/0`, `rediss://…` or `unix:///path/to/redis.sock` for Redis; `memory` for this process's
        memory; anything else is the path of an SQLite file. None is `users.db` in the data directory, or memory where
        there is no data directory.
    workspace
        The data directory, which relative paths are relative to; None is the working directory.

    Raises
    ------
    MissingExtraError
        If Redis is asked for and its client is not installed.
    SettingsError
        If the name is of no known kind.
    """
    text = str(name) if name is not None else str(workspace.users_db.absolute()) if workspace else "memory"
    if text.startswith(_REDIS_SCHEMES):
        from mlrec.serving.stores.redis import RedisStore

        return RedisStore(text)
    if text == "memory":
        from mlrec.serving.stores.memory import MemoryStore

        return MemoryStore()
    if "://" in text or not text:
        raise SettingsError(f"'{text}' is no store.", "Give a path, redis://host:6379/0, unix:///socket or memory.")
    from mlrec.serving.stores.sqlite import SqliteStore

    return SqliteStore((workspace.root if workspace else Path()) / text)
