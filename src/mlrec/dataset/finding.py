"""Finding the raw files of a data set: in a folder, in an archive, or where the user says."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
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
    found = _found(raw) if ratings is None else None
    openers: dict[Role, Opener] = found.openers(raw, examiner) if found else {}
    given: Mapping[Role, Table | None] = {"ratings": ratings, "movies": movies, "links": links}
    for role, place in given.items():
        if place is not None:
            openers[role] = partial(open_frame if is_frame(place) else _open_given, role, place, examiner)
    source = opened_source(openers)
    return replace(source, notes=found.passed_over()) if found and source.movies is None else source


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

    A folder may also hold folders of parts. `beside` has the names of all files there.
    """

    place: Path
    members: Mapping[Role, str]
    folders: Mapping[Role, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the place in messages."""
        inside = PurePosixPath(next(iter(self.members.values()), "")).parent
        return self.place.name if self.place.is_dir() or inside == PurePosixPath() else f"{self.place.name}:{inside}"

    def openers(self, raw: Path, examiner: Examiner) -> dict[Role, Opener]:
        """What opens each file."""
        if not self.place.is_dir():
            with _archive(self.place) as archive:
                if isinstance(archive, Archive):
                    archive.require_room(self.members.values(), examiner.scratch)
            return {role: partial(self._open_packed, role, member, examiner) for role, member in self.members.items()}
        files: dict[Role, Opener] = {
            role: partial(self._open, role, self.place / member, raw, examiner) for role, member in self.members.items()
        }
        for role, folder in self.folders.items():
            if role not in files:
                files[role] = partial(_open_parts, role, self.place / folder, raw, examiner)
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

    def _open_packed(self, role: Role, member: str, examiner: Examiner, movie_name: str | None) -> RawFile:
        return _open_member(role, self.place, self.place.name, member, examiner, movie_name)


def _found(raw: Path) -> _Candidate:
    """The one data set in a folder or an archive."""
    if not raw.exists():
        raise RawDataMissingError(
            f"{raw} does not exist.",
            "Start with the demo data: mlrec run demo. Or put your ratings there and run: mlrec run",
        )
    if raw.is_file():
        candidates = _in_archive(raw)
    elif found := _in_folder(raw):
        candidates = found
    else:
        candidates = [
            found
            for entry in sorted(raw.iterdir())
            if not entry.name.startswith(".")
            for found in (_in_folder(entry) if entry.is_dir() else _in_archive(entry))
        ]
        # An archive beside the folder it was unpacked to is the same data set, not a second one.
        folders = {candidate.place.name for candidate in candidates if candidate.place.is_dir()}
        candidates = [found for found in candidates if found.place.is_dir() or _stem(found.place) not in folders]
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
        return [
            _Candidate(folder, members, {role: name for role, name in parts.items() if role not in members}, beside)
        ]
    return []


def choose_without_ratings(names: Iterable[str]) -> Mapping[Role, str]:
    """The files of movies and links among these names, for ratings that are in a folder of parts."""
    found = choose([*names, "ratings.csv"]) or {}
    return {role: name for role, name in found.items() if role != "ratings"}


def _stem(path: Path) -> str:
    return re.sub(r"\.(zip|tar(\.\w+)?|tgz|tbz2?|txz|tzst)$", "", path.name, flags=re.IGNORECASE)


def _in_archive(path: Path) -> list[_Candidate]:
    """The data sets in an archive: those in its outermost folder, or folders of equal depth, that have one."""
    if not (_ZIP_NAME.fullmatch(path.name) or _TAR_NAME.fullmatch(path.name)):
        return []
    with _archive(path) as archive:
        names = archive.names()
    folders: dict[PurePosixPath, list[str]] = {}
    for name in names:
        folders.setdefault(PurePosixPath(name).parent, []).append(name)
    complete = {folder: chosen for folder, members in folders.items() if (chosen := choose(members))}
    outermost = min((len(folder.parts) for folder in complete), default=0)
    return [
        _Candidate(path, chosen, beside=tuple(folders[folder]))
        for folder, chosen in complete.items()
        if len(folder.parts) == outermost
    ]


def _archive(path: Path) -> Archive | TarArchive:
    """Open an archive of the kind that its name says."""
    return TarArchive(path, str(path)) if _TAR_NAME.fullmatch(path.name) else Archive(path, str(path))


def _open_member(
    role: Role, place: Path, place_label: str, member: str, examiner: Examiner, movie_name: str | None
) -> RawFile:
    name = PurePosixPath(member).name
    path = examiner.scratch / name
    if path.exists():
        folder = examiner.scratch / role
        folder.mkdir(exist_ok=True)
        path = free(folder, name)
    kind = TarArchive if is_tar(place, place_label) else Archive
    with kind(place, place_label) as archive:
        archive.unpack({member: path}, examiner.progress)
    file = examiner.examined(role, path, f"{place_label}:{member}", name=name, movie_name=movie_name)
    return replace(file, given=file.given or (path,))


# -- where the user says -----------------------------------------------------------------------------------------------


def _open_given(role: Role, place: str, examiner: Examiner, movie_name: str | None) -> RawFile:
    """Open a file that the user has named."""
    if is_remote(place):
        raise SettingsError(
            f"--{role} takes a file on this machine, not {place}.", "Name the folder of the data set: --raw URL"
        )
    path = Path(place)
    if path.is_file():
        return _open_file(role, path, place, examiner, movie_name)
    if path.is_dir():
        chosen = choose(entry.name for entry in path.iterdir() if entry.is_file()) or {}
        if role in chosen:
            return _open_file(role, path / chosen[role], str(path / chosen[role]), examiner, movie_name)
        return _open_parts(role, path, path.parent, examiner, movie_name, label=place)
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
    """Open a file, or the only data file in an archive."""
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    if is_zip or is_tar(path, label):
        kind = Archive if is_zip else TarArchive
        with kind(path, label) as archive:
            member = _only_member(role, archive.names(), label)
        return _open_member(role, path, label, member, examiner, movie_name)
    return examiner.examined(role, path, label, movie_name=movie_name)


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
    role: Role, folder: Path, base: Path, examiner: Examiner, movie_name: str | None, *, label: str = ""
) -> RawFile:
    """Open a folder of part files, which may lie deeper, in folders such as year=2024."""
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(name.startswith(("_", ".")) for name in path.relative_to(folder).parts)
    )
    if not paths:
        raise InputError(f"{label or folder} has no part files.", "Check the folder.")
    parts = [Part(path, str(path.relative_to(base)), keys_of(path.relative_to(folder))) for path in paths]
    return joined(examiner, role, parts, label or str(folder.relative_to(base)), movie_name=movie_name)
