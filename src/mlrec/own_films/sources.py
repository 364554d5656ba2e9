"""Finding the files of an export: in a folder, in the zip as it was downloaded, or a single file; and reading them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from mlrec.dataset.archive import Archive
from mlrec.errors import InputError
from mlrec.own_films.rows import LARGEST_FILE, CsvFile, Rows, Service, read_csv
from mlrec.own_films.services import (
    is_imdb,
    is_letterboxd,
    is_netflix,
    known_files,
    read_imdb,
    read_letterboxd,
    read_netflix,
    read_trakt,
)

# An export has a few dozen files; a folder with more is probably not one.
_MOST_FILES = 2_000
_ZIP = b"PK\x03\x04"
_EXPECTED = (
    "Pass the export of Letterboxd, IMDb, Trakt or Netflix as it was downloaded: the zip, its folder, or one of its"
    " files."
)


@dataclass(frozen=True)
class ExportFile:
    """A file of an export that was read.

    Attributes
    ----------
    name
        Its name, with its folders in the export.
    service
        Who wrote it.
    rows
        How many rows it has.
    """

    name: str
    service: Service
    rows: int


@dataclass(frozen=True)
class Export:
    """What a person's export says.

    Attributes
    ----------
    files
        The files that say something about films, in the order in which they were read.
    rows
        Their rows, file by file.
    notes
        What is worth telling about the reading, as sentences.
    """

    files: tuple[ExportFile, ...]
    rows: Rows
    notes: tuple[str, ...]


def read_export(path: Path | IO[bytes]) -> Export:
    """Read the export of a person's films, whichever service wrote it.

    Files that say nothing about films are passed over, and so are Letterboxd's folders `deleted` and `orphaned`.

    Parameters
    ----------
    path
        A folder, a zip archive or a file; or an open binary file, for stdin.

    Raises
    ------
    InputError
        If it cannot be read, if an archive is damaged or refused, or if no file is one of a known service.
    """
    if not isinstance(path, Path):
        return _read_each(iter([("stdin", "stdin", _bounded(path, "stdin"))]), "stdin")
    if path.is_dir():
        return _read_each(_of_folder(path), str(path))
    if _starts_with(path, _ZIP):
        with TemporaryDirectory(prefix="mlrec-") as folder:
            return _read_each(_of_archive(path, Path(folder)), path.name)
    return _read_each(iter([(path.name, path.name, content_of(path, path.name))]), path.name)


def is_export(path: Path) -> bool:
    """Whether a path is an export of films rather than a file of swipes. It is not read further than its header."""
    if path.is_dir():
        files = [*path.glob("*.csv"), *path.glob("*.json"), *path.glob("likes/*.csv")]
        return any(map(is_export, files[:_MOST_FILES]))
    if not path.is_file():
        return False
    if _starts_with(path, _ZIP) or path.suffix.lower() == ".json":
        return True
    with path.open("rb") as file:
        head = file.read(4096).partition(b"\n")[0]
    try:
        header = read_csv(head, path.name)
    except InputError:
        return False
    return is_letterboxd(header) or is_imdb(header) or is_netflix(header)


def _read_each(contents: Iterator[tuple[str, str, bytes]], label: str) -> Export:
    files: list[ExportFile] = []
    rows: Rows = []
    notes: list[str] = []
    trouble: InputError | None = None
    for name, file_label, content in contents:
        try:
            found = _read_one(name, file_label, content)
        except InputError as error:
            trouble = trouble or error
            notes.append(f"{error.message} It is passed over.")
            continue
        if found is not None:
            service, own, own_notes = found
            files.append(ExportFile(name, service, len(own)))
            rows += own
            notes += own_notes
    if not files:
        raise trouble or InputError(f"{label} is not an export of films that mlrec knows.", _EXPECTED)
    return Export(tuple(files), rows, tuple(notes))


def _read_one(name: str, label: str, content: bytes) -> tuple[Service, Rows, list[str]] | None:
    """Read a file of an export; None if it says nothing about films.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    if PurePosixPath(name).suffix.lower() == ".json" or content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{"):
        of_trakt = read_trakt(content, label)
        return None if of_trakt is None else ("trakt", of_trakt, [])
    file: CsvFile = read_csv(content, label)
    if is_letterboxd(file):
        return "letterboxd", read_letterboxd(file, name), []
    if is_imdb(file):
        return "imdb", read_imdb(file), []
    if is_netflix(file):
        return "netflix", *read_netflix(file)
    return None


def _of_folder(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    names = []
    for parent, folders, files in os.walk(folder):
        folders.sort()
        names += [(Path(parent) / file).relative_to(folder).as_posix() for file in files]
        if len(names) > _MOST_FILES:
            raise InputError(f"{folder} has over {_MOST_FILES:,} files.", _EXPECTED)
    for name in known_files(names):
        yield name, name, content_of(folder / name, name)


def _of_archive(path: Path, folder: Path) -> Iterator[tuple[str, str, bytes]]:
    with Archive(path) as archive:
        names = archive.names()
        if len(names) > _MOST_FILES:
            raise InputError(f"{path.name} has over {_MOST_FILES:,} files.", _EXPECTED)
        chosen = known_files(names)
        for name in chosen:
            if archive.size(name) > LARGEST_FILE:
                raise _too_large(f"{path.name}:{name}")
        # Under numbers: names of an archive may be too long for a disk, or differ in case only.
        targets = {name: folder / str(number) for number, name in enumerate(chosen)}
        archive.unpack(targets)
        for name, target in targets.items():
            yield name, f"{path.name}:{name}", content_of(target, name)


def _starts_with(path: Path, beginning: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(beginning)) == beginning
    except OSError as error:
        raise _unreadable(path, error) from error


def content_of(path: Path, label: str) -> bytes:
    """Return the content of a file of an export. Raises `InputError` if it cannot be read, or is too large for one."""
    try:
        with path.open("rb") as file:
            return _bounded(file, label)
    except OSError as error:
        raise _unreadable(path, error) from error


def _bounded(file: IO[bytes], label: str) -> bytes:
    content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise _too_large(label)
    return content


def _too_large(label: str) -> InputError:
    return InputError(f"{label} is larger than {LARGEST_FILE >> 20} MiB.", _EXPECTED)


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be read: {error.strerror}.", _EXPECTED)
