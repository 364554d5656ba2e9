"""Exporting the vectors of a model for other programs, as `mlrec export` does."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.documents import to_json
from mlrec.dataset.vectors_file import write_vectors
from mlrec.errors import unfit
from mlrec.progress import Progress
from mlrec.progress_line import notebook_progress
from mlrec.serving.stores import open_store
from mlrec.settings import DEFAULT_DATA_DIR, DEFAULT_VECTOR_FORMAT, VectorFormat, converted
from mlrec.workspace import Workspace, as_path


@dataclass(frozen=True)
class ExportResult:
    """The result of `export_vectors`.

    Attributes
    ----------
    model_id
        The model.
    folder
        The folder that was written.
    format
        Format of the files.
    files
        Their names.
    users, movies, factors
        Number of user vectors and of movie vectors, and their length.
    users_left_out
        Number of users of the model who are forgotten in the store of swipes, and are not in the files.
    """

    model_id: str
    folder: Path
    format: VectorFormat
    files: tuple[str, ...]
    users: int
    movies: int
    factors: int
    users_left_out: int

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec export --json` prints."""
        return to_json(self) | {"folder": str(self.folder)}


def export_vectors(
    data_dir: str | PathLike[str] | Workspace = DEFAULT_DATA_DIR,
    folder: str | PathLike[str] | None = None,
    *,
    file_format: VectorFormat = DEFAULT_VECTOR_FORMAT,
    model_id: str | None = None,
    store: str | PathLike[str] | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> ExportResult:
    """Write ids, vectors and titles of a model to a folder, as `mlrec export` does.

    The score of a movie for a user is the inner product of their vectors. User vectors are those saved with the model,
    without later swipes. Users who are forgotten in the store are left out.

    Parameters
    ----------
    data_dir
        The data directory.
    folder
        The folder to write, which appears only when it is complete. Defaults to `vectors/MODEL` in the data directory.
    file_format
        "parquet": `movies.parquet` (movie_id, title, year, genres, origin, ratings, vector) and `users.parquet`
        (user_id, vector). "npy": `movie_vectors.npy` and `user_vectors.npy`, float32 (rows, factors) in C order, with
        `movie_ids.npy` and `user_ids.npy`, int64 or text, and `movies.csv`. "csv": `movies.csv` and `users.csv`, one
        column per factor.
    model_id
        Defaults to the published model.
    store
        The swipe store, as `Recommender.open` takes it. Defaults to `users.db` in the data directory.
    force
        Replace vectors that were exported to the folder before.
    progress
        Reports that files are written. None: a line in a Jupyter notebook, and nothing elsewhere.

    Raises
    ------
    SettingsError
        If an argument has the wrong type.
    InputError
        If the folder contains other files, or exported vectors and `force` is False.
    ModelMissingError
        If there is no such model.
    IncompatibleFormatError
        If the model is damaged.
    StateError
        If the store cannot be read, or the disk is full.
    """
    workspace = data_dir if isinstance(data_dir, Workspace) else Workspace(as_path("data_dir", data_dir))
    chosen = None if folder is None else as_path("folder", folder)
    kind: VectorFormat = converted("file_format", file_format, VectorFormat)
    model_id, force = converted("model_id", model_id, str | None), converted("force", force, bool)
    if not isinstance(store, str | PathLike | None):
        raise unfit("store", "the name of a store", store)
    progress = notebook_progress() if progress is None else progress
    model = model_folder.open_model(registry.resolve(workspace, model_id))
    with closing(open_store(None if store is None else str(store), workspace)) as opened:
        forgotten = opened.forgotten()
    target = (chosen or workspace.vectors(model.model_id)).resolve()
    with progress.task("Writing vectors"):
        written = write_vectors(target, model, kind, without=forgotten, force=force)
    return ExportResult(
        model_id=model.model_id,
        folder=chosen or workspace.vectors(model.model_id),
        format=kind,
        files=tuple(written["files"]),
        users=written["users"],
        movies=written["movies"],
        factors=written["factors"],
        users_left_out=len(model.user_ids) - written["users"],
    )
