"""The content of a swipe log, for tests of the commands around it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import Event, SwipeStore
from mlrec.workspace import Workspace

MLREC = str(Path(sys.executable).with_name("mlrec"))
COLUMNS = ["user_id", "event_id", "movie_id", "title", "preference", "at", "undone", "client_id"]
AT = 1_700_000_000  # 2023-11-14 22:13:20 UTC


def document(done) -> dict:
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@contextmanager
def opened(data: Path) -> Iterator[SwipeStore]:
    store = open_store(None, Workspace(data))
    yield store
    store.close()


def events_of(data: Path, user_id: int) -> list[Event]:
    with opened(data) as store:
        return list(store.events(user_id))
