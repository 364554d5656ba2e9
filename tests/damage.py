"""Seeded damage to a file's bytes, as caused by failing disks, broken copies and editors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


def damaged(content: bytes, seed: int) -> bytes:
    """Content with one damage: a bit or a byte changed, bytes inserted, deleted or zeroed, an end cut off or added."""
    rng = np.random.default_rng(seed)
    while True:
        # Half of the damage is near the ends, where headers and footers are.
        near = min(len(content), 200)
        place = int(rng.integers(max(len(content), 1)))
        if near and rng.random() < 0.5:
            place = int(rng.choice([rng.integers(near), len(content) - 1 - rng.integers(near)]))
        length = int(rng.integers(1, 9))
        before, after = content[:place], content[place:]
        noise = rng.integers(256, size=length, dtype=np.uint8).tobytes()
        match int(rng.integers(7)):
            case 0 if after:
                changed = before + bytes([after[0] ^ 1 << int(rng.integers(8))]) + after[1:]
            case 1:
                changed = before + noise[:1] + after[1:]
            case 2:
                changed = before + noise + after
            case 3:
                changed = before + after[length:]
            case 4:
                changed = before + bytes(len(after[:length])) + after[length:]
            case 5:
                changed = before
            case _:
                changed = content + noise
        if changed != content:
            return changed


@contextmanager
def damage(path: Path, seed: int) -> Iterator[bytes]:
    """A damaged file for the time of a block, which is given the damaged bytes."""
    content = path.read_bytes()
    changed = damaged(content, seed)
    path.write_bytes(changed)
    try:
        yield changed
    finally:
        path.write_bytes(content)
