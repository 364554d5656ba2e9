"""The layout of a data directory, which no other module knows, and the lock that admits one writer at a time."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from mlrec.errors import WorkspaceLockedError, unfit
from mlrec.locks import exclusive
from mlrec.settings import SplitName


def as_path(name: str, value: object) -> Path:
    """Convert a caller's argument to a path.

    Parameters
    ----------
    name
        Name of the argument.
    value
        Its value.

    Raises
    ------
    SettingsError
        If it is not a path.
    """
    try:
        text = os.fspath(value)  # type: ignore[call-overload]
    except TypeError:
        text = None
    if not isinstance(text, str) or not text or "\0" in text:
        raise unfit(name, "a path", value)
    return Path(text)


@dataclass(frozen=True)
class PreparedFiles:
    """The files of one prepared folder."""

    root: Path

    @property
    def manifest(self) -> Path:
        """Counts, settings and the fingerprint. It is written last, so if it exists, the folder is complete."""
        return self.root / "manifest.json"

    @property
    def movies(self) -> Path:
        """The movie catalogue."""
        return self.root / "movies.parquet"

    @property
    def rejects(self) -> Path:
        """Every input row that could not be used, with the reason."""
        return self.root / "rejects.csv"

    @property
    def outside(self) -> Path:
        """The events outside the core (a file, or a folder of part files), with their place in time.

        Folders of earlier versions have none.
        """
        return self.root / "outside.parquet"

    def split(self, name: SplitName) -> Path:
        """The events of one split (a file, or a folder of part files), ordered by user, time and movie."""
        return self.root / f"{name}.parquet"


@dataclass(frozen=True)
class ModelFiles:
    """The files of one model folder."""

    root: Path

    @property
    def info(self) -> Path:
        """Settings, dimensions, versions and origin; written last."""
        return self.root / "model_info.json"

    @property
    def metrics(self) -> Path:
        """Evaluation results by split, history and relevance."""
        return self.root / "metrics.json"

    @property
    def mappings(self) -> Path:
        """Public ids to row numbers."""
        return self.root / "mappings.json"

    @property
    def train_matrix(self) -> Path:
        """Signed preferences, users × movies, CSR float32."""
        return self.root / "R_train.npz"

    @property
    def movie_embeddings(self) -> Path:
        """Movie factors, float32 (movies, factors)."""
        return self.root / "movie_embeddings.npy"

    @property
    def user_embeddings(self) -> Path:
        """User vectors, float32 (users, factors)."""
        return self.root / "user_embeddings.npy"

    @property
    def catalogue(self) -> Path:
        """Title, year and genres of each movie of the model."""
        return self.root / "catalogue.json"

    def array(self, name: str) -> Path:
        """One of the arrays that serving maps into memory."""
        return self.root / f"{name}.npy"


@dataclass(frozen=True)
class StudyFiles:
    """The files of one tuning study."""

    root: Path
    name: str

    @property
    def journal(self) -> Path:
        """All trials, appended while the study runs. It also carries the lock that admits one tuning run per study."""
        return self.root / f"{self.name}.journal"

    @property
    def settings(self) -> Path:
        """The best settings, unless the caller names another file."""
        return self.root / f"{self.name}.json"


@dataclass(frozen=True)
class RawFiles:
    """The files that fetch keeps in the raw folder in addition to the data itself."""

    root: Path

    @property
    def marker(self) -> Path:
        """The record of what fetch put there."""
        return self.root / "SOURCE.json"

    @property
    def incoming(self) -> Path:
        """Incoming files. They are not in the scratch folder, because raw may be a link to another volume."""
        return self.root / ".incoming"

    def part(self, archive: str) -> Path:
        """An archive being downloaded. It stays after an interrupt, so that the download can resume."""
        return self.root / f".{archive}.part"


@dataclass(frozen=True, init=False)
class Workspace:
    """A data directory.

    Parameters
    ----------
    root
        The directory itself (`--data-dir`), a path or a string. It need not exist yet.

    Raises
    ------
    SettingsError
        If it is neither.
    """

    root: Path

    def __init__(self, root: str | PathLike[str]) -> None:
        object.__setattr__(self, "root", as_path("root", root))

    @property
    def raw(self) -> Path:
        """The folder for MovieLens files."""
        return self.root / "raw"

    @property
    def raw_files(self) -> RawFiles:
        """The files that fetch keeps in the raw folder."""
        return RawFiles(self.raw)

    @property
    def prepared(self) -> PreparedFiles:
        """The prepared folder that readers use."""
        return PreparedFiles(self.root / "prepared")

    @property
    def prepared_new(self) -> PreparedFiles:
        """The prepared folder being written."""
        return PreparedFiles(self.root / "prepared.new")

    @property
    def prepared_old(self) -> PreparedFiles:
        """The prepared folder being replaced."""
        return PreparedFiles(self.root / "prepared.old")

    @property
    def failed_rejects(self) -> Path:
        """The rejects of a preparation that stopped because of too many bad rows."""
        return self.root / "rejects.csv"

    @property
    def scratch(self) -> Path:
        """Temporary files of the current writer; removed when it ends or by the next writer."""
        return self.root / ".scratch"

    @property
    def spark_log(self) -> Path:
        """Spark's own log of its last use."""
        return self.root / "spark.log"

    @property
    def users_db(self) -> Path:
        """The swipe log, unless the caller names another store."""
        return self.root / "users.db"

    @property
    def session_secret(self) -> Path:
        """What `mlrec serve` signs the sessions of people on its page with."""
        return self.root / "serve-session.key"

    @property
    def swipe_rejects(self) -> Path:
        """Unusable rows of the last imported swipe log."""
        return self.root / "swipes.rejects.csv"

    @property
    def film_rejects(self) -> Path:
        """Rows of the last imported export of a person's films that no swipe was made of."""
        return self.root / "films.rejects.csv"

    @property
    def models(self) -> Path:
        """All model folders, and the pointer to the published one."""
        return self.root / "models"

    @property
    def current_pointer(self) -> Path:
        """A text file with the id of the published model."""
        return self.models / "CURRENT"

    def model(self, model_id: str) -> ModelFiles:
        """The folder of one model."""
        return ModelFiles(self.models / model_id)

    def unfinished_model(self, model_id: str) -> ModelFiles:
        """The sibling folder in which a model is written before it gets its name."""
        return ModelFiles(self.models / f".{model_id}.new")

    def unfinished_models(self) -> list[ModelFiles]:
        """All such siblings. Under the write lock, these are what killed writers left behind."""
        return [ModelFiles(path) for path in self.models.glob(".*.new")]

    @property
    def next_step(self) -> str:
        """The command that comes next on the way to a first model, by which files there are; none is read."""
        if self.prepared.manifest.exists():
            return "mlrec train"
        try:
            has_raw = any(not entry.name.startswith(".") for entry in self.raw.iterdir())
        except FileNotFoundError:
            has_raw = False
        except OSError:  # prepare says what is wrong with it
            has_raw = True
        return "mlrec prepare" if has_raw else "mlrec run demo"

    @property
    def next_step_hint(self) -> str:
        """The same as the hint of an error."""
        if self.next_step != "mlrec run demo":
            return f"Next: {self.next_step}"
        return f"Start with the demo data: mlrec run demo. Or put your ratings into {self.raw} and run: mlrec run"

    def study(self, name: str) -> StudyFiles:
        """The files of one tuning study."""
        return StudyFiles(self.root / "tuning", name)

    def vectors(self, model_id: str) -> Path:
        """The exported vectors of a model, unless the caller names another folder."""
        return self.root / "vectors" / model_id

    @contextmanager
    def writing(self, what: str) -> Iterator[Path]:
        """Hold the write lock of this data directory, and own its scratch folder.

        Parameters
        ----------
        what
            The name of the work ("prepare", "train"), shown to others who find the directory locked.

        Yields
        ------
        Path
            An empty scratch folder, removed at the end.

        Raises
        ------
        WorkspaceLockedError
            If another process is writing.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        # Several attempts, because a reader that repairs an interrupted swap holds the lock for a moment.
        with self._lock(attempts=10) as handle:
            if handle is None:
                holder = self._lock_file.read_text(errors="replace")[:200].strip() or "another process"
                raise WorkspaceLockedError(
                    f"{self.root} is in use by {holder}.", "Wait until it is done, then try again."
                )
            os.ftruncate(handle, 0)
            os.write(handle, f"mlrec {what} (process {os.getpid()})".encode())
            try:
                shutil.rmtree(self.scratch, ignore_errors=True)
                self.scratch.mkdir()
                yield self.scratch
            finally:
                shutil.rmtree(self.scratch, ignore_errors=True)
                os.ftruncate(handle, 0)

    @contextmanager
    def unless_writing(self) -> Iterator[bool]:
        """Hold the write lock if nobody else does, for a reader that finds something to repair.

        Yields
        ------
        bool
            Whether the lock is held.
        """
        with self._lock(attempts=1) as handle:
            yield handle is not None

    @property
    def _lock_file(self) -> Path:
        """The file to lock. It says which process is writing."""
        return self.root / ".lock"

    @contextmanager
    def _lock(self, attempts: int) -> Iterator[int | None]:
        """Try to lock the lock file. Yields the open file, or None if another process holds the lock."""
        with ExitStack() as lock:
            handle = None
            for attempt in range(attempts):
                if attempt:
                    time.sleep(0.01)
                with suppress(BlockingIOError):
                    handle = lock.enter_context(exclusive(self._lock_file, wait=False, create=True))
                    break
            yield handle
