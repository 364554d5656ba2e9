"""Unpacking files from an untrusted zip archive; both `fetch` and `prepare` read archives only through this module."""

from __future__ import annotations

import copy
import errno
import os
import re
import shutil
import stat
import struct
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import NoReturn, Self

from mlrec.dataset.compression import LARGEST_FILE, MAX_RATIO
from mlrec.dataset.look_alikes import look_alike
from mlrec.errors import FetchError, InputError, MlrecError
from mlrec.progress import SILENT, Progress

_BLOCK = 1 << 20
# The record at the end of an archive with the longest possible comment after it. It counts entries in 16 bits.
_LONGEST_END = 22 + (1 << 16)
_MANY_ENTRIES = 1 << 16
_COUNTED_ELSEWHERE = 0xFFFF  # a zip64 archive counts in another, larger record
_HINT = "The archive is damaged or not the right one. Get it again."


class Archive:
    """A zip archive, open within a `with` block.

    Parameters
    ----------
    path
        The archive.
    label
        Name of the archive in messages; by default its file name.
    error
        The class of error to raise if the archive cannot be read or is refused.
    way_out
        Another way to go on, appended to hints.

    Attributes
    ----------
    hint
        What to do about an unusable archive.

    Raises
    ------
    InputError
        Or the given error class, if the file is not a readable zip archive.
    """

    def __init__(self, path: Path, label: str = "", error: type[InputError] = InputError, way_out: str = "") -> None:
        self._label = label or path.name
        self._error = error
        self.hint = f"{_HINT} {way_out}".rstrip()
        with self._reading(f"{self._label} is not a readable zip archive"):
            require_zip(path, self._label, error)
            self._file = zipfile.ZipFile(path)
            listed, declared = len(self._file.infolist()), _declared_entries(path)
            if declared not in (listed % _MANY_ENTRIES, _COUNTED_ELSEWHERE):
                raise zipfile.BadZipFile(f"Its directory lists {listed:,} entries and should list {declared:,}")

    def __enter__(self) -> Self:
        """Return the archive."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the archive."""
        self._file.close()

    def names(self) -> list[str]:
        """Names of the files in the archive, with their folders, without the extra files that macOS adds."""
        names = (info.filename for info in self._file.infolist())
        return [name for name in names if not name.endswith("/") and not name.startswith("__MACOSX/")]

    def size(self, name: str) -> int:
        """Return how many bytes a file unpacks to, as the archive says."""
        return self._file.getinfo(name).file_size

    def unpack(self, targets: Mapping[str, Path], progress: Progress = SILENT) -> None:
        """Unpack files to paths that do not exist yet. Nothing is written elsewhere.

        Parameters
        ----------
        targets
            Target path of each file, by its name in the archive.
        progress
            Reports the bytes.

        Raises
        ------
        InputError
            Or the error class given to the archive. Raised if the archive is damaged, if a file is encrypted,
            compressed with an unsupported method or longer than the archive says, or if any entry points outside the
            target folder.
        OSError
            If there is not enough disk space.
        """
        self._refuse_dishonest()
        chosen = {self._checked(self._file.getinfo(name)): target for name, target in targets.items()}
        for folder in {target.parent for target in targets.values()}:
            folder.mkdir(parents=True, exist_ok=True)
            self.require_room(targets, folder)
        needed = sum(info.file_size for info in chosen)
        with progress.task(f"Unpacking {self._label}", needed, "bytes") as task:
            for info, target in chosen.items():
                with target.open("xb") as out:
                    for block in self._blocks(info):
                        out.write(block)
                        task.advance(len(block))

    def require_room(self, names: Iterable[str], folder: Path) -> None:
        """Raise OSError if files of the archive, by their declared sizes, do not fit on the disk of a folder."""
        needed, free = sum(self._file.getinfo(name).file_size for name in names), shutil.disk_usage(folder).free
        if needed > free:
            message = f"{self._label} unpacks to {needed:,} bytes and {free:,} are free"
            raise OSError(errno.ENOSPC, message, str(folder))

    def _refuse_dishonest(self) -> None:
        """Refuse an archive that no honest tool creates, or whose directory does not match its entries."""
        for info in self._file.infolist():
            path = PurePosixPath(info.filename)
            outside = path.is_absolute() or ".." in path.parts or re.search(r"^[A-Za-z]:|\\", info.filename)
            if outside or stat.S_ISLNK(info.external_attr >> 16):
                trouble = "points outside" if outside else "is a link"
                self._refuse(f"{self._label} is refused: its entry {info.filename} {trouble}.")
            # An encrypted or unusually compressed entry matters only if it is to be unpacked.
            with self._reading(f"{self._label}:{info.filename} cannot be unpacked"), suppress(RuntimeError):
                self._file.open(info).close()

    def _checked(self, info: zipfile.ZipInfo) -> zipfile.ZipInfo:
        """Return the entry of a requested file if it can be unpacked, else raise."""
        label = f"{self._label}:{info.filename}"
        if info.flag_bits & 0x1:
            raise self._error(f"{label} is encrypted.", "Unpack the archive yourself and pass the folder instead.")
        # Other decompressors cannot limit how much they produce at once.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._error(
                f"{label} is compressed with a method that mlrec cannot read.",
                "Unpack the archive yourself and pass the folder instead.",
            )
        if info.file_size > max(LARGEST_FILE, MAX_RATIO * info.compress_size):
            self._refuse(
                f"{self._label} is refused: {info.filename} claims {info.file_size:,} bytes,"
                f" packed into {info.compress_size:,}."
            )
        return info

    def _blocks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Read one entry. After the last block, its length and CRC are checked."""
        trouble = f"{self._label}:{info.filename} cannot be unpacked"
        # zipfile cuts off whatever exceeds the length in the directory. Asking for one more byte reveals it.
        unlimited = copy.copy(info)
        unlimited.file_size += 1
        length = 0
        with self._reading(trouble), self._file.open(unlimited) as source:
            while block := source.read(_BLOCK):
                length += len(block)
                if length > info.file_size:
                    self._refuse(f"{trouble}: it is longer than the {info.file_size:,} bytes that the archive says.")
                yield block
        if length != info.file_size:
            self._refuse(f"{trouble}: it has {length:,} bytes, and should have {info.file_size:,}.")

    def _refuse(self, message: str) -> NoReturn:
        raise self._error(message, self.hint)

    @contextmanager
    def _reading(self, trouble: str) -> Iterator[None]:
        """Turn any exception into the archive's error: on damaged bytes, zipfile and zlib may raise anything."""
        try:
            yield
        except MlrecError:
            raise
        except Exception as error:
            reason = str(error).strip().rstrip(".") or type(error).__name__
            raise self._error(f"{trouble}: {reason}.", self.hint) from error


def _declared_entries(path: Path) -> int:
    """The number of entries in the record at the end of an archive, which zipfile ignores.

    A damaged length in the directory can make one entry swallow the next; this number reveals it.
    """
    with path.open("rb") as file:
        file.seek(-min(_LONGEST_END, file.seek(0, os.SEEK_END)), os.SEEK_END)
        end = file.read()
    (declared,) = struct.unpack_from("<H", end, end.rindex(b"PK\x05\x06") + 10)
    return int(declared)


def require_zip(path: Path, label: str, error: type[InputError]) -> None:
    """Raise an error if a file's first bytes show something else, such as a web page or a Git LFS pointer."""
    if found := look_alike(path, ".zip"):
        raise error(f"{label} is not a readable zip archive: it is {found.what}.", found.hint)


def unpack(
    path: Path,
    members: Sequence[str],
    target: Path,
    *,
    optional: Collection[str] = (),
    label: str = "",
    progress: Progress = SILENT,
) -> None:
    """Unpack the files with the given base names, from any folder of the archive, directly into `target`.

    Parameters
    ----------
    path
        The zip archive.
    members
        Base names to unpack. If several entries have the same one, the outermost is taken.
    target
        An existing folder. Nothing is written elsewhere.
    optional
        Members that may be missing.
    label
        Name of the archive in messages; by default its file name.
    progress
        Reports the bytes.

    Raises
    ------
    FetchError
        If the archive is damaged, refused (see `Archive`) or lacks a member.
    OSError
        If there is not enough disk space.
    """
    with Archive(path, label, FetchError, "Or pass another archive with --from.") as archive:
        chosen: dict[str, str] = {}
        for name in sorted(archive.names(), key=lambda name: name.count("/")):
            if (base := PurePosixPath(name).name) in members:
                chosen.setdefault(base, name)
        if missing := [member for member in members if member not in chosen and member not in optional]:
            raise FetchError(f"{label or path.name} does not contain {missing[0]}.", archive.hint)
        archive.unpack({name: target / base for base, name in chosen.items()}, progress)
