"""Write stores of swipes with text ids in the formats of this mlrec: make_stores.py FOLDER

An existing folder is not touched: what a version wrote is golden, and is never written again. Redis is a server of the
script's own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import redis

from mlrec.ids import PublicId
from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import Draft, StoredVector, SwipeStore

USERS: tuple[PublicId, ...] = (1, 1001, "1", "a b", "a}b{c*", "é🎬", "x" * 200)
FORGOTTEN: tuple[PublicId, ...] = (3, "gone")


def fill(store: SwipeStore) -> None:
    """Users and movies of both kinds, with undo, idempotency keys, vectors and a blocklist."""
    for position, user_id in enumerate(USERS):
        store.append(user_id, Draft(2, 1, 1_700_000_000, idempotency_key="a-1"))
        store.append(user_id, Draft("tt0111161", -2, 1_700_000_010 + position))
        store.append(user_id, Draft(" 7\n", 0, 1_700_000_020, idempotency_key="é"))
        store.append(user_id, Draft("tt0111161", 0, 1_700_000_030, undoes=2))
        store.save_vector(user_id, StoredVector("model fold-in", bytes([position, 255])))
    for gone in FORGOTTEN:
        store.append(gone, Draft("2", 1, 1_700_000_000))
        store.forget(gone, 1_700_000_040)
    store.forget("allowed again", 1_700_000_040)
    store.allow("allowed again")


def content(store: SwipeStore) -> list[dict[str, Any]]:
    """What the store returns for every user."""
    found = []
    for user_id in USERS:
        vector = store.vector(user_id)
        assert vector is not None
        events = [list(event) for event in store.events(user_id)]
        found.append({"user": user_id, "events": events, "vector": [vector.stamp, list(vector.values)]})
    return found


def dumped(client: Any) -> dict[str, Any]:
    """All keys of a Redis database as JSON."""
    found: dict[str, Any] = {}
    for key in sorted(client.keys("*")):
        match client.type(key):
            case b"hash":
                found[key.decode()] = {
                    "hash": {name.decode(): value.decode("latin-1") for name, value in client.hgetall(key).items()}
                }
            case b"stream":
                entries = [
                    [entry_id.decode(), {name.decode(): value.decode() for name, value in fields.items()}]
                    for entry_id, fields in client.xrange(key)
                ]
                found[key.decode()] = {"stream": entries}
            case _:
                found[key.decode()] = {"string": client.get(key).decode()}
    return found


def main(folder: Path) -> None:
    """Fill a store of each kind, and note what it returns."""
    folder.mkdir()
    expected = {}
    with closing(open_store(folder / "users.db", None)) as store:
        fill(store)
        expected["users.db"] = content(store)
    with tempfile.TemporaryDirectory() as place:
        socket = Path(place, "redis.sock")
        server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", place])
        while not socket.exists():
            time.sleep(0.05)
        with closing(open_store(f"unix://{socket}", None)) as store:
            fill(store)
            expected["redis.json"] = content(store)
        with redis.Redis.from_url(f"unix://{socket}") as client:
            (folder / "redis.json").write_text(json.dumps(dumped(client), indent=1))
        server.terminate()
        server.wait()
    (folder / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
