"""A damaged users.db: every call of the store answers or says in a sentence what is wrong, whatever bytes are there."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from mlrec.errors import MlrecError
from mlrec.serving.stores.interface import Draft, StoredVector
from mlrec.serving.stores.sqlite import SqliteStore

DAMAGES = int(os.environ.get("MLREC_FUZZ", "300"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """A store of several pages and everything that a store may hold."""
    path = tmp_path_factory.mktemp("sound") / "users.db"
    store = SqliteStore(path)
    for user_id in range(1, 6):
        store.extend((user_id, Draft(n, n % 5 - 2, 100 + n, client_id=f"client {n}" if n % 2 else None)) for n in range(40))
        store.append(user_id, Draft(39, 0, 200, undoes=40))
        store.save_vector(user_id, StoredVector("model fold-in", bytes(range(256))))
    store.forget(5, 300)
    assert store.check() == []
    store.close()
    return path


def damaged(content: bytes, draw: random.Random) -> bytes:
    """One to three bytes changed, a run of bytes overwritten, a page in another's place, or the end cut off."""
    damaged, kind = bytearray(content), draw.randrange(6)
    # Half of the damage hits the header, the schema and the beginnings of pages, where it does most.
    weak = [*range(100), *(start + offset for start in range(0, len(content), 4096) for offset in range(16))]
    position = draw.choice(weak) if draw.random() < 0.5 else draw.randrange(len(content))
    if kind < 3:
        for offset in range(kind + 1):
            damaged[(position + offset * 7) % len(content)] = draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])
    elif kind == 3:
        length = draw.randrange(1, 200)
        damaged[position : position + length] = draw.randbytes(length)
    elif kind == 4:
        pages = len(content) // 4096
        here, there = 4096 * draw.randrange(pages), 4096 * draw.randrange(pages)
        damaged[here : here + 4096] = content[there : there + 4096]
    else:
        del damaged[draw.randrange(len(content)) :]
    return bytes(damaged)


CALLS = {
    "head": lambda store: [store.head(user_id) for user_id in range(7)],
    "events": lambda store: [store.events(user_id) for user_id in range(7)],
    "after": lambda store: store.events(2, after=30),
    "vector": lambda store: [store.vector(user_id) for user_id in range(7)],
    "user_ids": lambda store: store.user_ids(),
    "forgotten": lambda store: store.forgotten(),
    "counts": lambda store: store.counts(),
    "describe": lambda store: store.describe(),
    "check": lambda store: store.check(),
    "save_vector": lambda store: store.save_vector(1, StoredVector("m", b"v")),
    "append": lambda store: store.append(1, Draft(1, 1, 1, client_id="client 7"), in_order=True),
    "append new": lambda store: store.append(2, Draft(1, 1, 1, client_id="new"), in_order=True),
    "extend": lambda store: store.extend((user_id, Draft(1, 1, 1)) for user_id in (1, 2, 3, 9)),
    "forget": lambda store: store.forget(3, 5),
    "allow": lambda store: store.allow(5),
}


@pytest.mark.parametrize("part", range(3))
def test_every_call_on_damaged_bytes_answers_or_tells(sound, tmp_path, part):
    content = sound.read_bytes()
    told = 0
    for number in range(part, DAMAGES, 3):
        path = tmp_path / f"{number}.db"
        path.write_bytes(damaged(content, random.Random(number)))
        store = SqliteStore(path)
        for name, call in CALLS.items():
            try:
                call(store)
            except MlrecError as error:
                told += 1
                assert error.message
                assert error.hint
            except BaseException as error:
                raise AssertionError(f"damage {number}: {name} has raised {error!r}") from error
        store.close()
    assert told > DAMAGES // 3  # the damage does some
