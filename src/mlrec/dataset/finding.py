"""Finding the raw files of a data set: in a folder, in an archive, or where the user says."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from os.path import commonpath
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from mlrec.dataset.archive import Archive
from mlrec.dataset.examining import Examiner
from mlrec.dataset.frames import is_frame, open_frame
from mlrec.dataset.joining import Part, joined, keys_of
from mlrec.dataset.names import choose, choose_folders, has_data_ending
from mlrec.dataset.sources import RawFile, RawSource, Role, is_remote
from mlrec.dataset.tar_archive import TarArchive, is_tar
from mlrec.dataset.unpacking import free
from mlrec.errors import InputError, RawDataMissingError, SettingsError
from mlrec.progress import SILENT, Progress
from mlrec.settings import PrepareSettings

_ZIP_NAME = re.compile(r".*\.zip", re.IGNORECASE | re.DOTALL)
_TAR_NAME = re.compile(r".*\.(tar(\.(gz|bz2|xz|zst))?|tgz|tbz2?|txz|tzst)", re.IGNORECASE | re.DOTALL)
# What tells part files of one writer apart: numbers, and ids such as those in Spark's names.
_NUMBERS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+", re.IGNORECASE)
_KEY_VALUES = re.compile(r"=[^/]*")
_WANTED = (
    "It should contain ratings.csv and movies.csv, or the files or the zip of a MovieLens edition. A file of another"
    " name: --ratings FILE. The demo data: mlrec run demo"
)

Table = Any
"""A place, as text, or a data frame (see `mlrec.dataset.frames`)."""

_SHOWN_FILES = 5

Opener = Callable[[str | None], RawFile]
"""Opens a file. The argument is the name of the movies' column in the ratings file, or None for that file itself."""


def find_source(
    raw: Path,
    scratch: Path,
    settings: PrepareSettings | None = None,
    *,
    ratings: Table | None = None,
    movies: Table | None = None,
    links: Table | None = None,
    progress: Progress = SILENT,
) -> RawSource:
    """Find the files of a data set, and find out how they are to be read.

    Files directly in the folder take precedence over those in its subfolders and archives. Members of an archive are
    unpacked into `scratch`.

    Parameters
    ----------
    raw
        A folder, or an archive. Not looked at if `ratings` is given.
    scratch
        An existing folder for unpacked files.
    settings
        What the user says about the files. Defaults to `PrepareSettings()`.
    ratings, movies, links
        Places of single files: a file of any name, an archive with one, a folder of part files, or a pattern such as
        `logs/*.csv`. Or data frames, which are copied into `scratch`.
    progress
        Reports the bytes that are unpacked.

    Raises
    ------
    RawDataMissingError
        If there are no ratings.
    InputError
        If there are several data sets, or a file cannot be used.
    """
    examiner = Examiner(settings or PrepareSettings(), scratch, progress)
    found = _found(raw, examiner) if ratings is None else None
    openers: dict[Role, Opener] = found.openers(raw, examiner) if found else {}
    given: Mapping[Role, Table | None] = {"ratings": ratings, "movies": movies, "links": links}
    for role, place in given.items():
        if place is not None:
            openers[role] = partial(open_frame if is_frame(place) else _open_given, role, place, examiner)
    source = opened_source(openers)
    return replace(source, notes=found.passed_over()) if found and source.movies is None else source


def find_catalogue(
    raw: Path,
    scratch: Path,
    settings: PrepareSettings,
    movie_name: str,
    *,
    movies: Table | None = None,
    links: Table | None = None,
    progress: Progress = SILENT,
) -> dict[Role, RawFile]:
    """Find and open the files that describe movies, but not the ratings. Links that cannot be used are left out.

    Parameters are as in `find_source`; `raw` need not exist. `movie_name` is the name of the movies' column in the
    ratings file.
    """
    examiner = Examiner(settings, scratch, progress)
    openers: dict[Role, Opener] = {}
    if movies is None and raw.exists():
        openers = _found(raw, examiner).openers(raw, examiner)
    given: Mapping[Role, Table | None] = {"movies": movies, "links": links}
    for role, place in given.items():
        if place is not None:
            openers[role] = partial(open_frame if is_frame(place) else _open_given, role, place, examiner)
    files: dict[Role, RawFile] = {}
    if "movies" in openers:
        files["movies"] = openers["movies"](movie_name)
    if "links" in openers:
        with suppress(InputError):
            files["links"] = openers["links"](movie_name)
    return files


def find_recommendations(place: Table, scratch: Path, progress: Progress = SILENT) -> RawFile:
    """Find and open lists that another system made: a place or a data frame, as in `find_source`.

    Raises
    ------
    InputError
        If the file is missing or cannot be used.
    """
    examiner = Examiner(PrepareSettings(), scratch, progress)
    return (open_frame if is_frame(place) else _open_given)("recommendations", place, examiner, None)


def opened_source(openers: Mapping[Role, Opener]) -> RawSource:
    """Open the files of a data set. Links are optional: if they cannot be used, the reason goes to `left_out`."""
    files: dict[Role, RawFile] = {"ratings": openers["ratings"](None)}
    movie_name = files["ratings"].own_names.get("movie_id", "movieId")
    left_out: list[InputError] = []
    for role in (role for role in openers if role != "ratings"):
        try:
            files[role] = openers[role](movie_name)
        except InputError as error:
            if role != "links":
                raise
            left_out.append(error)
    return RawSource(files["ratings"], files.get("movies"), files.get("links"), tuple(left_out))


# -- in a folder or an archive -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Candidate:
    """Files that belong together in a folder or an archive, not yet opened.

    There may also be folders of parts. `beside` has the names of all files there.
    """

    place: Path | _Packed
    members: Mapping[Role, str]
    folders: Mapping[Role, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the data set in messages."""
        if isinstance(self.place, Path):
            return self.place.name
        inside = PurePosixPath(next(chain(self.members.values(), self.folders.values()))).parent
        return self.place.label if inside == PurePosixPath() else f"{self.place.label}:{inside}"

    def openers(self, raw: Path, examiner: Examiner) -> dict[Role, Opener]:
        """What opens each file."""
        if not isinstance(self.place, Path):
            packed = self.place
            packed.require_room(self.members.values(), examiner.scratch)
            return {
                **{role: partial(packed.open_parts, role, folder, examiner) for role, folder in self.folders.items()},
                **{role: partial(packed.open_member, role, member, examiner) for role, member in self.members.items()},
            }
        files: dict[Role, Opener] = {
            role: partial(self._open, role, self.place / member, raw, examiner) for role, member in self.members.items()
        }
        for role, folder in self.folders.items():
            if role not in files:
                place = self.place / folder
                files[role] = partial(_open_parts, role, place, str(place.relative_to(raw)), examiner)
        return files

    def passed_over(self) -> tuple[str, ...]:
        """Tell which files beside the ratings could have the movies, although their names do not say so."""
        known = set(self.members.values())
        others = sorted(name for name in self.beside if name not in known and has_data_ending(name))
        if not others:
            return ()
        some = ", ".join(others[:_SHOWN_FILES]) + (", …" if len(others) > _SHOWN_FILES else "")
        return (
            f"There is no file of movies, so titles are ids. If one of these has the movies, add --movies FILE: {some}",
        )

    @staticmethod
    def _open(role: Role, path: Path, raw: Path, examiner: Examiner, movie_name: str | None) -> RawFile:
        return examiner.examined(role, path, str(path.relative_to(raw)), movie_name=movie_name)


def _found(raw: Path, examiner: Examiner) -> _Candidate:
    """The one data set in a folder or an archive."""
    if not raw.exists():
        raise RawDataMissingError(
            f"{raw} does not exist.",
            "Start with the demo data: mlrec run demo. Or put your ratings there and run: mlrec run",
        )
    if raw.is_file():
        candidates = _in_archive(_Packed(raw, raw.name), examiner)
    elif not (candidates := _in_folder(raw)):
        entries = sorted(entry for entry in raw.iterdir() if not entry.name.startswith("."))
        candidates = [found for entry in entries if entry.is_dir() for found in _in_folder(entry)]
        # An archive beside the folder it was unpacked to is the same data set, not a second one.
        unpacked = {candidate.name for candidate in candidates}
        for entry in entries:
            if entry.is_file() and _stem(entry) not in unpacked:
                candidates += _in_archive(_Packed(entry, entry.name), examiner)
    if not candidates:
        raise RawDataMissingError(f"{raw} does not contain ratings.", _WANTED)
    if len(candidates) > 1:
        places = ", ".join(candidate.name for candidate in candidates)
        raise InputError(
            f"{raw} contains more than one data set: {places}.",
            "Choose one of them with --raw, or move the others away.",
        )
    return candidates[0]


def _in_folder(folder: Path) -> list[_Candidate]:
    entries = list(folder.iterdir())
    members = choose(entry.name for entry in entries if entry.is_file()) or {}
    # A folder of ratings and other files is a data set of its own, not a folder of parts.
    parts = choose_folders(
        entry.name
        for entry in entries
        if entry.is_dir() and choose(inner.name for inner in entry.iterdir() if inner.is_file()) is None
    )
    if "ratings" not in members and "ratings" in parts:
        members = choose_without_ratings(entry.name for entry in entries if entry.is_file())
    if "ratings" in members or "ratings" in parts:
        beside = tuple(entry.name for entry in entries if entry.is_file())
        parts = {role: name for role, name in parts.items() if role not in members}
        return [_Candidate(folder, members, parts, beside)]
    return []


def choose_without_ratings(names: Iterable[str]) -> Mapping[Role, str]:
    """The files of movies and links among these names, for ratings that are in a folder of parts."""
    found = choose([*names, "ratings.csv"]) or {}
    return {role: name for role, name in found.items() if role != "ratings"}


def _stem(path: Path) -> str:
    return re.sub(r"\.(zip|tar(\.\w+)?|tgz|tbz2?|txz|tzst)$", "", path.name, flags=re.IGNORECASE)


def _in_archive(packed: _Packed, examiner: Examiner, *, is_inner: bool = False) -> list[_Candidate]:
    """The data sets in an archive: those in its outermost folder, or folders of equal depth, that have one.

    If it has nothing but another archive, those in that one.
    """
    if not _is_archive_name(packed.path.name):
        return []
    files: dict[PurePosixPath, list[str]] = {}
    for name in packed.names:
        files.setdefault(PurePosixPath(name).parent, []).append(name)
    found = [
        _Candidate(packed, chosen, beside=tuple(beside))
        for folder, beside in files.items()
        if (chosen := choose(beside))
    ]
    found = found or [
        _Candidate(packed, choose_without_ratings(files.get(folder, ())), parts, tuple(files.get(folder, ())))
        for folder, parts in _folders_of_parts(packed.names).items()
    ]
    if not found and not is_inner and (inner := packed.unpacked_inner(examiner)):
        return _in_archive(inner, examiner, is_inner=True)
    outermost = min((_depth(one) for one in found), default=0)
    return [one for one in found if _depth(one) == outermost]


def _depth(candidate: _Candidate) -> int:
    return min(len(PurePosixPath(name).parts) for name in chain(candidate.members.values(), candidate.folders.values()))


def _folders_of_parts(names: Iterable[str]) -> dict[PurePosixPath, Mapping[Role, str]]:
    """The folders of an archive that have a folder with parts of the ratings: all such folders in them, by role."""
    inside: dict[PurePosixPath, set[str]] = {}
    for name in names:
        for folder in PurePosixPath(name).parents[:-1]:
            inside.setdefault(folder.parent, set()).add(str(folder))
    found = {folder: choose_folders(folders) for folder, folders in inside.items()}
    return {folder: chosen for folder, chosen in found.items() if "ratings" in chosen}


def _is_archive_name(name: str) -> bool:
    return bool(_ZIP_NAME.fullmatch(name) or _TAR_NAME.fullmatch(name))


@dataclass(frozen=True)
class _Packed:
    """An archive of raw files. `label` is its name in messages."""

    path: Path
    label: str

    def _opened(self) -> Archive | TarArchive:
        is_named_tar = _TAR_NAME.fullmatch(self.path.name)
        return (TarArchive if is_named_tar or is_tar(self.path, self.label) else Archive)(self.path, self.label)

    @cached_property
    def names(self) -> list[str]:
        """Names of the files in the archive. A tar archive is read to its end for them."""
        with self._opened() as archive:
            return archive.names()

    def require_room(self, members: Iterable[str], folder: Path) -> None:
        """Raise OSError if members do not fit on the disk of a folder. The sizes in a tar archive are not known."""
        with self._opened() as archive:
            if isinstance(archive, Archive):
                archive.require_room(members, folder)

    def unpack(self, targets: Mapping[str, Path], progress: Progress) -> None:
        """Unpack members to paths that do not exist yet."""
        with self._opened() as archive:
            archive.unpack(targets, progress)

    def open_member(self, role: Role, member: str, examiner: Examiner, movie_name: str | None) -> RawFile:
        """Open a file of the archive."""
        name = PurePosixPath(member).name
        path = examiner.scratch / name
        if path.exists():
            folder = examiner.scratch / role
            folder.mkdir(exist_ok=True)
            path = free(folder, name)
        self.unpack({member: path}, examiner.progress)
        file = examiner.examined(role, path, f"{self.label}:{member}", name=name, movie_name=movie_name)
        return replace(file, given=file.given or (path,))

    def open_parts(self, role: Role, folder: str, examiner: Examiner, movie_name: str | None) -> RawFile:
        """Open a folder of part files in the archive."""
        base = free(examiner.scratch, f"{role}-parts")
        paths = {name: PurePosixPath(name) for name in self.names}
        inside = {name: path.relative_to(folder) for name, path in paths.items() if path.is_relative_to(folder)}
        self.unpack({name: base / path for name, path in inside.items() if _is_shown(path)}, examiner.progress)
        label = f"{self.label}:{folder}" if folder != "." else self.label
        return _open_parts(role, base, label, examiner, movie_name)

    def unpacked_inner(self, examiner: Examiner) -> _Packed | None:
        """The only archive in this one, unpacked; None if there are data files or other archives."""
        archives = [name for name in self.names if _is_archive_name(name)]
        if len(archives) != 1 or any(map(has_data_ending, self.names)):
            return None
        target = free(examiner.scratch, PurePosixPath(archives[0]).name)
        self.unpack({archives[0]: target}, examiner.progress)
        return _Packed(target, f"{self.label}:{archives[0]}")


def _is_shown(path: PurePath) -> bool:
    """Whether a file of this path can be a part: what writers of parts add has names such as _SUCCESS."""
    return not any(name.startswith(("_", ".")) for name in path.parts)


# -- where the user says -----------------------------------------------------------------------------------------------


def _open_given(role: Role, place: str, examiner: Examiner, movie_name: str | None) -> RawFile:
    """Open a file that the user has named."""
    if is_remote(place):
        raise SettingsError(
            f"--{role} takes a file on this machine, not {place}.",
            "Download it first." if role == "recommendations" else "Name the folder of the data set: --raw URL",
        )
    path = Path(place)
    if path.is_file():
        return _open_file(role, path, place, examiner, movie_name)
    if path.is_dir():
        chosen = choose(entry.name for entry in path.iterdir() if entry.is_file()) or {}
        if role in chosen:
            return _open_file(role, path / chosen[role], str(path / chosen[role]), examiner, movie_name)
        return _open_parts(role, path, path.name, examiner, movie_name, label=place)
    matches = [Path(match) for match in _matching(place) if Path(match).is_file()]
    matches = [match for match in matches if not match.name.startswith(("_", "."))]
    if not matches:
        raise RawDataMissingError(
            f"--{role}: {place} does not exist."
            if not glob.has_magic(place)
            else f"--{role}: no file matches {place}.",
            "Check the path. Put a pattern in quotes, so that the shell leaves it as it is.",
        )
    if len(matches) == 1 and not keys_of(matches[0]):
        return _open_file(role, matches[0], str(matches[0]), examiner, movie_name)
    parts = [Part(match, str(match), keys_of(match)) for match in matches]
    return joined(examiner, role, parts, place, movie_name=movie_name)


def _matching(pattern: str) -> list[str]:
    """The paths that match a pattern, which may be absolute or not; `**` stands for any number of folders."""
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  # Path.glob takes no absolute pattern


def _open_file(role: Role, path: Path, label: str, examiner: Examiner, movie_name: str | None) -> RawFile:
    """Open a file, or the only data in an archive."""
    if _is_zip(path) or is_tar(path, label):
        packed = _Packed(path, label)
        packed = packed.unpacked_inner(examiner) or packed
        folder = _folder_of_parts(role, packed.names)
        if folder is not None:
            return packed.open_parts(role, folder, examiner, movie_name)
        return packed.open_member(role, _only_member(role, packed.names, packed.label), examiner, movie_name)
    return examiner.examined(role, path, label, movie_name=movie_name)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _folder_of_parts(role: Role, names: list[str]) -> str | None:
    """The folder in an archive that has nothing but part files: their names differ only in numbers."""
    if role in (choose(names) or {}):
        return None
    folders = [chosen[role] for chosen in _folders_of_parts(names).values() if role in chosen]
    if len(folders) == 1:
        return folders[0]
    data = [PurePosixPath(name) for name in names if has_data_ending(name) and _is_shown(PurePosixPath(name))]
    if len(data) < 2 or len({_NUMBERS.sub("#", _KEY_VALUES.sub("=", str(path))) for path in data}) > 1:
        return None
    folder = PurePosixPath(commonpath([path.parent for path in data]) or ".")
    while "=" in folder.name:
        folder = folder.parent
    return str(folder)


def _only_member(role: Role, names: list[str], label: str) -> str:
    """The data file of a role in an archive: by its name, or because it is the only one without a role by its name."""
    if any(name == "xl/workbook.xml" for name in names):
        raise InputError(f"{label} is a workbook of a spreadsheet.", "Save its sheet as CSV.")
    found = choose(names) or {}
    if role in found:
        return found[role]
    data = [name for name in names if has_data_ending(name)]
    of_no_role = [name for name in data if name not in found.values()]
    if len(of_no_role) == 1:
        return of_no_role[0]
    some = f": {', '.join(data[:10])}" if data else ""
    raise InputError(
        f"{label} contains {len(data)} files that could have the {role}{some}.",
        f"Unpack it, and name the file: --{role} FILE",
    )


def _open_parts(
    role: Role, folder: Path, name: str, examiner: Examiner, movie_name: str | None, *, label: str = ""
) -> RawFile:
    """Open a folder of part files, which may lie deeper, in folders such as year=2024. Parts are named below `name`."""
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    parts = [Part(folder / path, str(PurePath(name, path)), keys_of(path)) for path in inside if _is_shown(path)]
    if not parts:
        raise InputError(f"{label or name} has no part files.", "Check the folder.")
    return joined(examiner, role, parts, label or name, movie_name=movie_name)
