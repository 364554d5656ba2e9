"""Compressed files, told by their content: what they are compressed with, and reading them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, cast

from mlrec.errors import InputError, MissingExtraError, MlrecError

Compression = Literal["gz", "bz2", "xz", "zst"]

LARGEST_FILE = 4_000_000_000
"""In bytes: four times the largest ratings file of any edition. The compression ratio of larger files is limited."""
MAX_RATIO = 100
"""Highest compression ratio of a file larger than that. Ratings have a ratio of about four."""

_BEGINNINGS: Mapping[bytes, Compression] = {
    b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst",
}  # fmt: skip
ENDINGS: Mapping[Compression, str] = {"gz": ".gz", "bz2": ".bz2", "xz": ".xz", "zst": ".zst"}
# What xz may allocate; its strongest preset needs 65 MB.
_XZ_MEMORY = 1 << 28


def compression_of(path: Path) -> Compression | None:
    """What a file is compressed with, by its first bytes."""
    with path.open("rb") as file:
        beginning = file.read(8)
    return next((name for magic, name in _BEGINNINGS.items() if beginning.startswith(magic)), None)


@contextmanager
def opened(path: Path, label: str) -> Iterator[IO[bytes]]:
    """Open a plain or compressed file for reading within a `with` block.

    Raises
    ------
    InputError
        If the file cannot be read; also if that turns out within the block.
    MissingExtraError
        If it is compressed with Zstandard, and this version of Python cannot read that by itself.
    """
    try:
        with _decompressed(path, compression_of(path)) as file:
            yield file
    except MlrecError:
        raise
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, MemoryError) as error:
        raise InputError(
            f"{label} cannot be read: {str(error).rstrip('.') or type(error).__name__}.",
            "Check the file's permissions. If it is damaged, get it again.",
        ) from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        raise InputError(f"{label} cannot be read: {error}.", "It is damaged. Get it again.") from error


def _decompressed(path: Path, compression: Compression | None) -> IO[bytes]:
    if compression == "gz":
        return cast("IO[bytes]", gzip.open(path))
    if compression == "bz2":
        return cast("IO[bytes]", bz2.open(path))
    if compression == "xz":
        with path.open("rb") as file:
            lzma.LZMADecompressor(memlimit=_XZ_MEMORY).decompress(file.read(1 << 10), max_length=1)
        return cast("IO[bytes]", lzma.open(path))
    if compression == "zst":
        return cast("IO[bytes]", _zstd().open(path))
    return path.open("rb")


def _zstd() -> Any:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError as error:
        raise MissingExtraError("zstd", "Reading a file compressed with Zstandard") from error
    return zstd


class Bomb(Exception):  # noqa: N818  # the caller turns it into its own error
    """A file unpacks to far more than its size suggests."""


class Limited:
    """The content of a compressed file, read with a limit on the ratio of its size to that of the file.

    Parameters
    ----------
    file
        The open content.
    packed
        Size of the compressed file.
    """

    def __init__(self, file: IO[bytes], packed: int) -> None:
        self._file = file
        self._limit = max(LARGEST_FILE, MAX_RATIO * packed)
        self.length = 0
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        """Read some bytes. Raises Bomb once there are too many."""
        block = self._file.read(size)
        self.length += len(block)
        if block:
            self.tail = (self.tail + block[-512:])[-512:]
        if self.length > self._limit:
            raise Bomb
        return block
