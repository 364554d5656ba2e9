"""The prepared folder as a whole: its manifest, and how a new folder replaces the old one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

from mlrec.artifacts.checksums import Seal
from mlrec.artifacts.documents import Document, DocumentError, Needs, read_document
from mlrec.artifacts.files import sync, sync_tree, write_json
from mlrec.errors import IncompatibleFormatError, PreparedDataMissingError
from mlrec.ids import IdKind
from mlrec.settings import COLUMN_ROLES, SPLITS, PrepareSettings, SplitName, TieRule
from mlrec.workspace import PreparedFiles, Workspace

FORMAT_VERSION = 1
SEAL = Seal(section="engine")
"""The manifest's seal, in its section about the engine: the rest is the same whichever engine prepared the data."""
REMEDY = "Run 'mlrec prepare' again."
"""What to do about damaged prepared data."""
# A swap takes two renames, so a reader need not look for longer than a second.
_ATTEMPTS = 200
_PAUSE = 0.005


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A raw file. What the engine did not record is None."""

    role: str | None = None
    file: str
    bytes: int | None = None
    sha256: str
    layout: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Input:
    """The raw files, and how many rows of each were read."""

    files: tuple[InputFile, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MergedSwipes:
    """What happened to the swipes that were in the log and not undone."""

    standing: int
    merged: int
    skips: int
    outdated: int
    rejected: int


@dataclass(frozen=True)
class StepCount:
    """Ratings, users and movies that are left after a step."""

    name: str
    ratings: int
    users: int
    movies: int


@dataclass(frozen=True)
class Rejects:
    """How many rows could not be used, in all and by reason."""

    rows: int = 0
    by_reason: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class IdKinds:
    """Whether the ids of users and movies are whole numbers or texts."""

    users: IdKind = "integer"
    movies: IdKind = "integer"


@dataclass(frozen=True)
class Reading:
    """How the ratings file was read.

    Attributes
    ----------
    file
        The file.
    columns
        user, movie, rating and time → the file's own name of the column.
    unusual
        What is worth telling about the file, such as its encoding.
    clock, time
        How times are written; see `mlrec.dataset.forms.Clock`. And the same in words.
    scale
        The scale of the ratings, in words.
    unrated
        Number of rows that say that a movie was seen, without a rating.
    strong_from
        For interactions: from which sum of the amounts on a like is a strong one.
    """

    file: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    unusual: tuple[str, ...] = ()
    clock: str = "s"
    time: str = ""
    scale: str = ""
    unrated: int = 0
    strong_from: float | None = None

    def summary(self, ids: IdKinds) -> str:
        """What was recognized, in one line such as "ratings.csv: user = uid, movie = isbn (texts), rating = score"."""
        notes = {
            "user": "texts" if ids.users == "text" else "",
            "movie": "texts" if ids.movies == "text" else "",
            "rating": self.scale,
            "time": self.time,
        }
        columns = [
            f"{role} = {own}" + (f" ({notes[role]})" if notes.get(role) else "")
            for role, own in sorted(self.columns.items(), key=lambda one: COLUMN_ROLES.index(one[0]))
        ]
        if "rating" not in self.columns:
            columns.append("each row is an interaction")
        if "time" not in self.columns:
            columns.append(f"times {self.time}")
        return f"{self.file}: {', '.join([*columns, *self.unusual])}"

    @property
    def order(self) -> str:
        """What orders the events of a user: "time", or without times "file" or "random"."""
        return "time" if self.has_times else self.clock

    @property
    def has_times(self) -> bool:
        """Whether events have times, and not only an order."""
        return self.clock not in ("file", "random")


@dataclass(frozen=True)
class TieSummary:
    """The effect of ties on the split; see `mlrec.dataset.ties.Ties`."""

    rule: TieRule
    users: int
    users_cut_in_ties: int
    users_held_out_by_ties: int


@dataclass(frozen=True)
class Cutoffs:
    """Epoch seconds at which validation and test begin; None if the split is empty."""

    val_from: int | None
    test_from: int | None


@dataclass(frozen=True)
class OutsideCore:
    """The events outside the core: those on dropped movies, and those of dropped users.

    Attributes
    ----------
    events, movies, users
        Their number, and how many movies and users they have.
    splits
        Split → number of events, by their place in time.
    purpose
        What the core is for, and what these events are for.
    """

    events: int
    movies: int
    users: int
    splits: Mapping[SplitName, int]
    purpose: str = (
        "The splits hold the core, from which movie factors are learned. The events outside it, on movies with few"
        " ratings, give these movies their vectors."
    )


@dataclass(frozen=True, kw_only=True)
class Manifest(Document):
    """The content of `manifest.json`, the description of a prepared folder. What the engine did not count is empty.

    Attributes
    ----------
    created_at, mlrec_version
        When it was prepared (ISO 8601), and by which version of mlrec.
    input
        The raw files.
    settings
        The settings it was prepared with.
    ids
        The kinds of ids.
    reading
        How the ratings file was read.
    engine
        Name and version of the engine, and its files with their checksums.
    swipes
        What happened to the swipes to merge; None if no swipes were to be merged.
    steps
        What is left after each step, in order.
    rejects
        Rows that could not be used.
    warnings
        What the user should know although the preparation succeeded.
    rating_histogram, ratings_per_month
        Ratings that were read, by value and by calendar month (UTC).
    ties
        The effect of ties on the split; None for a split that does not cut between ties.
    fingerprint
        Identifies the data: the same input and settings give the same fingerprint.
    splits
        Split → number of events.
    outside_core
        The events outside the core; None in folders of earlier versions, which have none.
    moments
        Where a global time split cuts; None for other splits.
    seconds
        Wall-clock seconds of the preparation.
    """

    created_at: str = ""
    mlrec_version: str = ""
    input: Input = Input()
    settings: Annotated[PrepareSettings, Needs(("split", "user_offset"))]
    ids: IdKinds = IdKinds()
    reading: Reading = Reading()
    engine: Mapping[str, Any] = field(default_factory=dict)
    swipes: MergedSwipes | None = None
    steps: tuple[StepCount, ...] = ()
    rejects: Rejects = Rejects()
    warnings: tuple[str, ...] = ()
    rating_histogram: Mapping[str, int] = field(default_factory=dict)
    ratings_per_month: Mapping[str, int] = field(default_factory=dict)
    ties: TieSummary | None = None
    fingerprint: str
    splits: Mapping[SplitName, int]
    outside_core: OutsideCore | None = None
    moments: Cutoffs | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse a manifest without one of the splits."""
        if missing := [name for name in SPLITS if name not in self.splits]:
            raise DocumentError(f"splits.{missing[0]} is missing")


def complete(files: PreparedFiles, manifest: Mapping[str, Any]) -> None:
    """Complete a prepared folder: flush all of it to disk, then write the manifest. Now readers may use it.

    Parameters
    ----------
    files
        The folder.
    manifest
        A `Manifest` as plain JSON values.
    """
    sync_tree(files.root)
    content = [path for path in files.root.rglob("*") if path.is_file() and path != files.rejects]
    document = {"format_version": FORMAT_VERSION, **manifest}
    write_json(files.manifest, SEAL.put_on(document, files.manifest, content))


def read_manifest(workspace: Workspace) -> Manifest:
    """Return the manifest of the prepared folder. A swap that was interrupted halfway is finished first.

    Raises
    ------
    PreparedDataMissingError
        If no data has been prepared yet.
    IncompatibleFormatError
        If the manifest is damaged or has another format version.
    """
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            return _read_manifest(workspace.prepared)
        # The prepared folder is checked last: a swap that ended meanwhile has put it in place.
        places = (workspace.prepared_new, workspace.prepared_old, workspace.prepared)
        if not any(files.manifest.exists() for files in places):
            break
        # Either a writer is between its two renames and needs no help, or one was killed there.
        with workspace.unless_writing() as free:
            if free:
                finish_swap(workspace)
        time.sleep(_PAUSE)
    raise PreparedDataMissingError(f"There is no prepared data in {workspace.root}.", workspace.next_step_hint)


def _read_manifest(files: PreparedFiles) -> Manifest:
    manifest = read_document(files.manifest, Manifest, FORMAT_VERSION, remedy=REMEDY)
    if SEAL.is_intact(manifest.document, files.manifest) is False:  # manifests of earlier versions have no seal
        raise IncompatibleFormatError(f"{files.manifest} is damaged: it has changed since it was written.", REMEDY)
    return manifest


@contextmanager
def replacing(workspace: Workspace) -> Iterator[PreparedFiles]:
    """Write a new prepared folder, which replaces the old one if the block succeeds and is removed if it fails.

    The caller holds the write lock, and calls `complete` last.

    Yields
    ------
    PreparedFiles
        An empty folder.
    """
    finish_swap(workspace)
    new = workspace.prepared_new
    shutil.rmtree(new.root, ignore_errors=True)
    new.root.mkdir(parents=True)
    try:
        yield new
    except BaseException:
        shutil.rmtree(new.root, ignore_errors=True)
        raise
    shutil.rmtree(workspace.prepared_old.root, ignore_errors=True)
    if workspace.prepared.root.exists():
        workspace.prepared.root.rename(workspace.prepared_old.root)
    finish_swap(workspace)
    sync(workspace.root)
    shutil.rmtree(workspace.prepared_old.root, ignore_errors=True)


def finish_swap(workspace: Workspace) -> None:
    """Complete or undo a swap that stopped between its two renames. The caller holds the write lock.

    Between the renames, `prepared` is missing. The new folder takes its place if it is complete; its manifest is
    written last. Otherwise the old folder comes back.
    """
    if workspace.prepared.root.exists():
        return
    for candidate in (workspace.prepared_new, workspace.prepared_old):
        if candidate.manifest.exists():
            candidate.root.rename(workspace.prepared.root)
            return
