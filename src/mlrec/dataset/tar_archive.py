"""Unpacking files from an untrusted tar archive, plain or compressed."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Self, cast

from mlrec.dataset.compression import LARGEST_FILE, MAX_RATIO, Bomb, Limited, opened
from mlrec.errors import InputError, MlrecError
from mlrec.progress import SILENT, Progress

_BLOCK = 1 << 20
_HINT = "The archive is damaged or not the right one. Get it again."
_ORDINARY = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


class TarArchive:
    """A tar archive. It is read from its beginning to its end each time; nothing in it is trusted.

    Parameters
    ----------
    path
        The archive.
    label
        Its name in messages; by default its file name.

    Raises
    ------
    InputError
        If the file is not a readable tar archive, or no honest tool creates such a one: an entry points outside, is a
        link or a device, or the archive unpacks to far more than its size suggests.
    """

    def __init__(self, path: Path, label: str = "") -> None:
        self._path = path
        self._label = label or path.name
        self._names = [member.name for member, _ in self._members()]

    def __enter__(self) -> Self:
        """Return the archive."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the archive is open only while it is read."""

    def names(self) -> list[str]:
        """Names of the files in the archive, with their folders, without the extra files that macOS adds."""
        return [name for name in self._names if not PurePosixPath(name).name.startswith("._")]

    def unpack(self, targets: Mapping[str, Path], progress: Progress = SILENT) -> None:
        """Unpack files to paths that do not exist yet. Nothing is written elsewhere.

        Parameters
        ----------
        targets
            Target path of each file, by its name in the archive.
        progress
            Reports the bytes.
        """
        written = set()
        with self._reading(), progress.task(f"Unpacking {self._label}", None, "bytes") as task:
            for member, content in self._members():
                # Of two entries of one name, the later one replaces the earlier when tar unpacks.
                target = targets.get(member.name)
                if target is None or content is None:
                    continue
                length = 0
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb" if member.name in written else "xb") as out:
                    while block := content.read(_BLOCK):
                        out.write(block)
                        length += len(block)
                        task.advance(len(block))
                written.add(member.name)
                if length != member.size:
                    raise InputError(
                        f"{self._label}:{member.name} cannot be unpacked: it has {length:,} bytes, and should have"
                        f" {member.size:,}.",
                        _HINT,
                    )

    def _members(self) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
        """The files in the archive, each with its content, which can be read only until the next one."""
        with self._reading(), opened(self._path, self._label) as file:
            limited = Limited(file, self._path.stat().st_size)
            with tarfile.open(fileobj=cast("IO[bytes]", limited), mode="r|") as archive:
                for member in archive:
                    self._require_honest(member)
                    if member.isreg():
                        yield member, archive.extractfile(member)
            while limited.read(_BLOCK):  # what follows the end also belongs to the checksum of a compressed file
                pass
            if limited.tail.strip(b"\0") or not limited.tail:
                raise InputError(f"{self._label} is not a readable tar archive: its end is missing.", _HINT)

    def _require_honest(self, member: tarfile.TarInfo) -> None:
        path = PurePosixPath(member.name)
        trouble = None
        if path.is_absolute() or ".." in path.parts or re.search(r"^[A-Za-z]:|\\|\0", member.name):
            trouble = "points outside"
        elif member.issym() or member.islnk():
            trouble = "is a link"
        elif not member.isdir() and (member.type not in _ORDINARY or member.issparse()):
            trouble = "is not an ordinary file"
        if trouble:
            raise InputError(f"{self._label} is refused: its entry {member.name} {trouble}.", _HINT)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn any exception into an InputError: on damaged bytes, tarfile may raise anything."""
        try:
            yield
        except Bomb:
            packed = self._path.stat().st_size
            raise InputError(
                f"{self._label} is refused: it unpacks to more than {max(LARGEST_FILE, MAX_RATIO * packed):,} bytes,"
                f" and has {packed:,}.",
                _HINT,
            ) from None
        except (MlrecError, GeneratorExit):
            raise
        except OSError as error:
            if error.errno is not None:  # of the disk
                raise
            raise self._unreadable(error) from error
        except Exception as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InputError:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        return InputError(f"{self._label} is not a readable tar archive: {reason}.", _HINT)


def is_tar(path: Path, label: str) -> bool:
    """Whether a file, perhaps compressed, begins as a tar archive does."""
    try:
        with opened(path, label) as file:
            beginning = file.read(512)
    except InputError:
        return False
    return len(beginning) == 512 and (beginning[257:262] == b"ustar" or _is_old_header(beginning))


def _is_old_header(header: bytes) -> bool:
    """Whether this is the header of an entry in the oldest form of tar, by its checksum."""
    try:
        declared = int(header[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    return declared == sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
