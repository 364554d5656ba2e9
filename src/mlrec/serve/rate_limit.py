"""A limit on the requests of each client, shared by all workers.

Generic cell rate algorithm (ITU-T I.371): for each client, the moment at which the next request is due. A request that
comes earlier than a burst before it is refused. The moments lie in a file in memory that the workers map.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import time
from pathlib import Path

_SLOTS = 1 << 16
_WAYS = 4
_SLOT = struct.Struct("<Qd")


class RateLimit:
    """At most so many requests a minute from each client, in bursts of up to a sixth of them.

    Two workers that count the same client at the same instant may count one request less. Clients beyond 65,536 at a
    time take the places of those who were quiet longest.

    Parameters
    ----------
    per_minute
        Requests a minute.
    path
        The file of moments, which exists; see `make_table`.
    """

    def __init__(self, per_minute: int, path: Path) -> None:
        self._interval = 60 / per_minute
        self._burst = max(1, per_minute // 6) * self._interval
        with path.open("r+b") as file:
            self._table = mmap.mmap(file.fileno(), _SLOTS * _SLOT.size)

    def seconds_to_wait(self, client: str, now: float | None = None) -> float:
        """Count a request of a client. 0 if it may pass; otherwise the seconds after which the next one may."""
        now = time.time() if now is None else now
        tag = int.from_bytes(hashlib.blake2b(client.encode(errors="replace"), digest_size=8).digest(), "little") or 1
        first = tag % (_SLOTS // _WAYS) * _WAYS
        places = [(first + way) * _SLOT.size for way in range(_WAYS)]
        found = [(*_SLOT.unpack_from(self._table, place), place) for place in places]
        mine = next(((due, place) for other, due, place in found if other == tag), None)
        due, place = mine or (0.0, min(found, key=lambda one: one[1])[2])
        due = max(due, now)
        if due - now > self._burst - self._interval / 2:
            return due - now - self._burst + self._interval
        _SLOT.pack_into(self._table, place, tag, due + self._interval)
        return 0.0


def make_table(path: Path) -> None:
    """Make an empty file of moments."""
    with path.open("wb") as file:
        file.truncate(_SLOTS * _SLOT.size)
