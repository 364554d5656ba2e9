"""Plain copies of raw files: without a compression that the SQL readers do not know, and in UTF-8."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mlrec.dataset.compression import ENDINGS, LARGEST_FILE, MAX_RATIO, Bomb, Limited, compression_of, opened
from mlrec.errors import InputError
from mlrec.progress import SILENT, Progress

_BLOCK = 1 << 20
# The readers go by these endings.
_COMPRESSED_NAME = re.compile(r".*\.(gz|bz2|xz|zst)", re.IGNORECASE | re.DOTALL)
_LONGEST_LINE = 1 << 24


def unpacked(path: Path, folder: Path, label: str, progress: Progress = SILENT) -> Path:
    """A file that the readers open as it is: plain, or compressed with gzip and named so.

    Parameters
    ----------
    path
        The file, with any compression and name.
    folder
        Where a copy, or a link with another name, is put if the readers would not open the file itself.
    label
        Its name in messages.
    progress
        Reports the bytes of a copy.

    Raises
    ------
    InputError
        If the file cannot be read, or unpacks to far more than its size suggests.
    """
    compression = compression_of(path)
    if compression == "gz" and path.suffix == ".gz":
        return path
    if compression is None and not _COMPRESSED_NAME.fullmatch(path.name):
        return path
    folder.mkdir(exist_ok=True)
    if compression in (None, "gz"):
        link = free(folder, "link.gz" if compression else "link.txt")
        link.symlink_to(path.absolute())
        return link
    target = free(folder, "unpacked" + path.name.lower().removesuffix(ENDINGS[compression])[-20:].replace("/", "_"))
    with target.open("xb") as out:
        for block in blocks(path, label, progress):
            out.write(block)
    return target


def blocks(path: Path, label: str, progress: Progress = SILENT) -> Iterator[bytes]:
    """The content of a compressed file in blocks.

    Raises
    ------
    InputError
        If the file cannot be read, or unpacks to far more than its size suggests.
    """
    packed = path.stat().st_size
    with progress.task(f"Unpacking {label}", None, "bytes") as task, opened(path, label) as file:
        limited = Limited(file, packed)
        try:
            while block := limited.read(_BLOCK):
                task.advance(len(block))
                yield block
        except Bomb:
            raise InputError(
                f"{label} is refused: it unpacks to more than {max(LARGEST_FILE, MAX_RATIO * packed):,} bytes, and has"
                f" {packed:,}.",
                "The file is damaged or not the right one. If it is right, unpack it yourself.",
            ) from None


def rewritten(
    path: Path, folder: Path, label: str, encoding: str | None, *, without_comments: bool, progress: Progress = SILENT
) -> Path:
    """A copy of a text file in UTF-8 or, with comments taken out, in its own encoding. Lines keep their numbers.

    Parameters
    ----------
    path
        A plain or gzipped file.
    folder
        Where the copy is put.
    label
        Its name in messages.
    encoding
        Python's name of its encoding, if it is to become UTF-8.
    without_comments
        Whether lines that begin with # become empty.
    progress
        Reports the characters.

    Raises
    ------
    InputError
        If the file cannot be read, or not in the encoding.
    """
    folder.mkdir(exist_ok=True)
    target = free(folder, "text")
    with (
        progress.task(f"Converting {label}", None, "bytes") as task,
        opened(path, label) as file,
        io.TextIOWrapper(file, encoding or "latin-1", newline="") as source,
        target.open("x", encoding="utf-8" if encoding else "latin-1", newline="") as out,
    ):
        try:
            for text in _without_comments(source) if without_comments else iter(lambda: source.read(_BLOCK), ""):
                out.write(text)
                task.advance(len(text))
        except UnicodeError as error:
            raise InputError(
                f"{label} is not text in {encoding}: {error}.",
                "Use another --encoding, or none to have it recognized.",
            ) from error
    return target


def _without_comments(source: IO[str]) -> Iterator[str]:
    begins_line = True
    is_comment = False
    while line := source.readline(_LONGEST_LINE):
        is_comment = line.startswith(("#", "\ufeff#", "\xef\xbb\xbf#")) if begins_line else is_comment
        begins_line = line.endswith(("\n", "\r"))
        yield line[len(line.rstrip("\r\n")) :] if is_comment else line


def free(folder: Path, name: str) -> Path:
    """A path in a folder at which there is nothing yet."""
    path, number = folder / name, 1
    while path.exists() or path.is_symlink():
        number += 1
        path = folder / f"{number}-{name}"
    return path
