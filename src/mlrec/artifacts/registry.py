"""The models of a data directory: adding one, publishing it, going back to an earlier one, and deleting."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from mlrec.artifacts.files import sync, sync_tree, write_atomically
from mlrec.artifacts.metrics_file import Metrics, readable_metrics
from mlrec.artifacts.model_folder import Model, ModelInfo, open_model, read_info, verify_model, write_files
from mlrec.errors import IncompatibleFormatError, ModelMissingError, StateError
from mlrec.locks import exclusive
from mlrec.settings import TrainSettings
from mlrec.workspace import ModelFiles, Workspace

# More often than this, nobody publishes a model and deletes the former one while it is opened.
_LOOKS = 10


def write_model(workspace: Workspace, model: Model, write_train_matrix: Callable[[IO[bytes]], object]) -> ModelFiles:
    """Write a model folder: complete under its id, or not at all. The caller holds the write lock.

    Parameters
    ----------
    workspace
        Where to.
    model
        What to write.
    write_train_matrix
        Writes R_train.npz to an open file. It comes from the caller, since serving shares this module and must not need
        scipy.
    """
    _remove_leftovers(workspace)
    files = workspace.unfinished_model(model.model_id)
    files.root.mkdir(parents=True)
    try:
        write_files(files, model, write_train_matrix)
        sync_tree(files.root)
        finished = workspace.model(model.model_id)
        files.root.rename(finished.root)
    except BaseException:
        shutil.rmtree(files.root, ignore_errors=True)
        raise
    sync(workspace.models)
    return finished


def published_id(workspace: Workspace) -> str | None:
    """Return the id of the published model, if any."""
    try:
        return workspace.current_pointer.read_text(errors="replace").strip() or None
    except FileNotFoundError:
        return None


def resolve(workspace: Workspace, model_id: str | None = None) -> ModelFiles:
    """Return the folder of a model, by default the published one.

    Raises
    ------
    ModelMissingError
        If there is none.
    """
    wanted = published_id(workspace) if model_id is None else model_id
    if wanted is None:
        if unpublished := list_ids(workspace):
            raise ModelMissingError(
                f"No model in {workspace.models} is published.",
                f"Publish one: mlrec models use {unpublished[-1]}",
            )
        raise ModelMissingError(f"There is no model in {workspace.root} yet.", workspace.next_step_hint)
    if wanted not in list_ids(workspace):
        raise ModelMissingError(f"There is no model '{wanted}' in {workspace.models}.", "See 'mlrec models list'.")
    return workspace.model(wanted)


def list_ids(workspace: Workspace) -> list[str]:
    """Return the ids of all complete models, oldest first."""
    if not workspace.models.is_dir():
        return []
    return sorted(
        entry.name
        for entry in workspace.models.iterdir()
        if not entry.name.startswith(".") and ModelFiles(entry).info.exists()
    )


def open_published(workspace: Workspace) -> Model:
    """Open the published model, also while others are published and deleted.

    Raises
    ------
    ModelMissingError
        If there is none.
    IncompatibleFormatError
        If it is damaged, or of another format.
    """
    for _ in range(_LOOKS):
        published = published_id(workspace)
        try:
            return open_model(resolve(workspace, published))
        except (ModelMissingError, IncompatibleFormatError):
            # It may have been deleted after another one was published in its place.
            if published_id(workspace) == published:
                raise
    raise StateError(f"The published model in {workspace.models} changes all the time.", "Try again.")


@dataclass(frozen=True)
class Summary:
    """What a listing shows of a model.

    Attributes
    ----------
    model_id
        Its id.
    info
        Its description; None if that cannot be read, or does not fit the sizes of its files.
    metrics
        Its evaluation results; empty if they cannot be read.
    """

    model_id: str
    info: ModelInfo | None
    metrics: Metrics

    @property
    def kind(self) -> str:
        """The kind of the model, or "damaged"."""
        return "damaged" if self.info is None else self.info.kind

    def to_json(self) -> dict[str, Any]:
        """Return an entry of what `mlrec models list --json` prints."""
        document = {} if self.info is None else self.info.document
        return {
            "model_id": self.model_id,
            "created_at": document.get("created_at"),
            "kind": self.kind,
            "settings": document.get("settings", {}),
            "prepared_fingerprint": document.get("prepared_fingerprint"),
            "judged_by": document.get("judged_by"),
            "note": document.get("note"),
            "metrics": dict(self.metrics.document),
        }


def summary(workspace: Workspace, model_id: str) -> Summary:
    """What a listing shows of a model. Its arrays are not opened.

    A model whose description cannot be read, or does not fit the sizes of its files, is of kind "damaged", so that the
    others can still be listed.
    """
    files = workspace.model(model_id)
    try:
        return Summary(model_id, read_info(files), readable_metrics(files))
    except StateError:
        return Summary(model_id, None, Metrics())


def settings_of(workspace: Workspace, model_id: str | None = None) -> tuple[str | None, TrainSettings]:
    """A model's id and what was asked for at its training; by default the published one's, or no id and the defaults.

    Raises
    ------
    ModelMissingError
        If there is no such model.
    """
    wanted = published_id(workspace) if model_id is None else model_id
    if wanted is None:
        return None, TrainSettings()
    return wanted, open_model(resolve(workspace, wanted)).train_settings


# -- publishing and deleting -------------------------------------------------------------------------------------------


def publish(workspace: Workspace, model_id: str) -> None:
    """Make a model the one that serving opens.

    Raises
    ------
    ModelMissingError
        If there is no such model.
    IncompatibleFormatError
        If any of its files is damaged.
    """
    with _held(workspace, model_id) as files:
        verify_model(files)
        _point_to(workspace, files)


def publish_in_place_of(workspace: Workspace, published: str | None, model_id: str) -> bool:
    """Publish a model if another one is still the published one, or none is; return whether that was so.

    Raises as `publish` does.
    """
    with _held(workspace, model_id) as files:
        verify_model(files)
        if published_id(workspace) != published:
            return False
        _point_to(workspace, files)
    return True


@contextmanager
def _held(workspace: Workspace, model_id: str) -> Iterator[ModelFiles]:
    """Find a model, and keep it from being deleted and others from being published meanwhile."""
    resolve(workspace, model_id)  # without any model there is perhaps no folder that could be locked
    with exclusive(workspace.models):
        yield resolve(workspace, model_id)


def _point_to(workspace: Workspace, files: ModelFiles) -> None:
    write_atomically(workspace.current_pointer, lambda file: file.write(f"{files.root.name}\n".encode()))


def remove(workspace: Workspace, model_id: str) -> None:
    """Delete a model that is not published. The caller holds the write lock.

    Raises
    ------
    ModelMissingError
        If there is no such model.
    StateError
        If it is published.
    """
    with _held(workspace, model_id) as files:
        if files.root.name == published_id(workspace):
            raise StateError(f"Model {model_id} is published.", "Publish another first: mlrec models use <id>")
        _take_out_of_sight(workspace, files)
    _remove_leftovers(workspace)


def prune(workspace: Workspace, keep: int) -> list[str]:
    """Delete all but the newest `keep` models and the published one. The caller holds the write lock.

    Returns the ids of the deleted models.
    """
    doomed: list[str] = []
    if workspace.models.is_dir():
        with exclusive(workspace.models):
            published = published_id(workspace)
            ids = list_ids(workspace)
            doomed = [model_id for model_id in ids[: max(len(ids) - keep, 0)] if model_id != published]
            for model_id in doomed:
                _take_out_of_sight(workspace, workspace.model(model_id))
    _remove_leftovers(workspace)
    return doomed


def _take_out_of_sight(workspace: Workspace, files: ModelFiles) -> None:
    """Rename what is to be deleted: one step, so that an interrupt leaves no half model under a valid id."""
    files.root.rename(workspace.unfinished_model(files.root.name).root)


def _remove_leftovers(workspace: Workspace) -> None:
    """Delete what is out of sight, and what a training or a removal that was killed has left."""
    for leftover in workspace.unfinished_models():
        shutil.rmtree(leftover.root)
