"""Waiting for a terminal to have something to read."""

from __future__ import annotations

import select


def is_readable(descriptor: int, seconds: float) -> bool:
    """Whether a descriptor can be read within some seconds.

    `select` refuses numbers above 1,023, which a process of many tests reaches.
    """
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(seconds * 1000))
