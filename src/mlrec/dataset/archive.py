"""Taking files out of a zip archive that is not to be trusted: the one way in for `fetch` and `prepare` alike."""

from __future__ import annotations

import copy
import errno
import os
import re
import shutil
import stat
import struct
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import NoReturn, Self

from mlrec.dataset.look_alikes import look_alike
from mlrec.errors import FetchError, InputError, MlrecError
from mlrec.progress import SILENT, Progress

LARGEST_MEMBER = 4_000_000_000
"""Bytes; four times the largest ratings file of any edition. What is larger must not be packed too tightly."""
_TIGHTEST = 100
"""Times that a large file may be longer than its packed form; ratings are four times as long."""
_BLOCK = 1 << 20
# The record at the end of an archive, behind it at most the longest comment; it counts entries in 16 bits.
_LONGEST_END = 22 + (1 << 16)
_MANY_ENTRIES = 1 << 16
_COUNTED_ELSEWHERE = 0xFFFF  # in the larger record of a zip64 archive
_HINT = "The archive is damaged or not the right one: get it again."


class Archive:
    """A zip archive, open for the time of a block.

    Parameters
    ----------
    path
        The archive.
    label
        How messages name it, if not by its file name.
    error
        What to raise where it cannot be read or is refused.
    way_out
        What else a person can do, appended to hints.

    Attributes
    ----------
    hint
        What to do about an archive that is not as it should be.

    Raises
    ------
    InputError
        Or the error that was given, if it is not a zip archive that can be read.
    """

    def __init__(self, path: Path, label: str = "", error: type[InputError] = InputError, way_out: str = "") -> None:
        self._label = label or path.name
        self._error = error
        self.hint = f"{_HINT} {way_out}".rstrip()
        with self._reading(f"{self._label} is not a readable zip archive"):
            require_zip(path, self._label, error)
            self._file = zipfile.ZipFile(path)
            listed, told = len(self._file.infolist()), _entries_told(path)
            if told not in (listed % _MANY_ENTRIES, _COUNTED_ELSEWHERE):
                raise zipfile.BadZipFile(f"Its directory lists {listed:,} entries and should list {told:,}")

    def __enter__(self) -> Self:
        """Return the archive."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the archive."""
        self._file.close()

    def names(self) -> list[str]:
        """Names of the files in it, with their folders; what a Mac adds is left out."""
        names = (info.filename for info in self._file.infolist())
        return [name for name in names if not name.endswith("/") and not name.startswith("__MACOSX/")]

    def unpack(self, targets: Mapping[str, Path], progress: Progress = SILENT) -> None:
        """Unpack files to places that do not exist yet; nothing is written elsewhere.

        Parameters
        ----------
        targets
            Where each file goes, by its name in the archive.
        progress
            Told of the bytes.

        Raises
        ------
        InputError
            Or the error that was given to the archive, if the archive is damaged, a file is encrypted, packed in an
            unusual way or longer than the archive says, or any entry points out of the archive.
        OSError
            If there is not enough room.
        """
        self._refuse_dishonest()
        chosen = {self._checked(self._file.getinfo(name)): target for name, target in targets.items()}
        needed = sum(info.file_size for info in chosen)
        for folder in {target.parent for target in targets.values()}:
            free = shutil.disk_usage(folder).free
            if needed > free:
                message = f"{self._label} unpacks to {needed:,} bytes and {free:,} are free"
                raise OSError(errno.ENOSPC, message, str(folder))
        with progress.task(f"Unpacking {self._label}", needed, "bytes") as task:
            for info, target in chosen.items():
                with target.open("xb") as out:
                    for block in self._blocks(info):
                        out.write(block)
                        task.advance(len(block))

    def _refuse_dishonest(self) -> None:
        """Refuse an archive that no honest packer has made, and one whose directory does not fit its entries."""
        for info in self._file.infolist():
            path = PurePosixPath(info.filename)
            outside = path.is_absolute() or ".." in path.parts or re.search(r"^[A-Za-z]:|\\", info.filename)
            if outside or stat.S_ISLNK(info.external_attr >> 16):
                trouble = "points outside" if outside else "is a link"
                self._refuse(f"{self._label} is refused: its entry {info.filename} {trouble}.")
            # Encrypted, or packed in an unusual way: that matters only for what is to be unpacked.
            with self._reading(f"{self._label}:{info.filename} cannot be unpacked"), suppress(RuntimeError):
                self._file.open(info).close()

    def _checked(self, info: zipfile.ZipInfo) -> zipfile.ZipInfo:
        """The entry of a file that is wanted, if it can be unpacked."""
        label = f"{self._label}:{info.filename}"
        if info.flag_bits & 0x1:
            raise self._error(
                f"{label} is encrypted.", "Unpack the archive yourself, and name the folder in its place."
            )
        # Other decompressors do not let us limit how much comes out at once.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._error(
                f"{label} is packed in a way that mlrec does not read.",
                "Unpack the archive yourself, and name the folder in its place.",
            )
        if info.file_size > LARGEST_MEMBER and info.file_size > _TIGHTEST * info.compress_size:
            self._refuse(
                f"{self._label} is refused: {info.filename} claims {info.file_size:,} bytes,"
                f" packed into {info.compress_size:,}."
            )
        return info

    def _blocks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Read one entry; the last block is followed by the check of its length and of its CRC."""
        trouble = f"{self._label}:{info.filename} cannot be unpacked"
        # zipfile cuts off whatever exceeds the length in the directory. With one byte more to go, it shows.
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
        """The boundary of reading: zipfile and zlib raise whatever damaged bytes lead them to."""
        try:
            yield
        except MlrecError:
            raise
        except Exception as error:
            reason = str(error).strip().rstrip(".") or type(error).__name__
            raise self._error(f"{trouble}: {reason}.", self.hint) from error


def _entries_told(path: Path) -> int:
    """How many entries an archive has by the record at its end, which zipfile does not look at.

    A length in the directory that is damaged may make one entry swallow the next.
    """
    with path.open("rb") as file:
        file.seek(-min(_LONGEST_END, file.seek(0, os.SEEK_END)), os.SEEK_END)
        end = file.read()
    (told,) = struct.unpack_from("<H", end, end.rindex(b"PK\x05\x06") + 10)
    return int(told)


def require_zip(path: Path, label: str, error: type[InputError]) -> None:
    """Raise an error if a file is something else by its first bytes, such as a web page or a pointer of Git LFS."""
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
    """Unpack the files of the given base names, in whatever folder of the archive they lie, directly into `target`.

    Parameters
    ----------
    path
        The zip archive.
    members
        Base names to unpack. Of several entries with the same one, the outermost is taken.
    target
        An existing folder; nothing is written elsewhere.
    optional
        Members that may be missing.
    label
        How messages name the archive, if not by its file name.
    progress
        Told of the bytes.

    Raises
    ------
    FetchError
        If the archive is damaged, refused (see `Archive`) or lacks a member.
    OSError
        If there is not enough room.
    """
    with Archive(path, label, FetchError, "Or name another with --from.") as archive:
        chosen: dict[str, str] = {}
        for name in sorted(archive.names(), key=lambda name: name.count("/")):
            if (base := PurePosixPath(name).name) in members:
                chosen.setdefault(base, name)
        if missing := [member for member in members if member not in chosen and member not in optional]:
            raise FetchError(f"{label or path.name} does not contain {missing[0]}.", archive.hint)
        archive.unpack({name: target / base for base, name in chosen.items()}, progress)
