"""The models of a data directory: add a model, publish it, go back to an earlier one, and delete."""

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

# An opening is repeated only if another model is published and the old one deleted meanwhile. That is rare.
_ATTEMPTS = 10


def write_model(workspace: Workspace, model: Model, write_train_matrix: Callable[[IO[bytes]], object]) -> ModelFiles:
    """Write a model folder, which appears complete under its id or not at all. The caller holds the write lock.

    Parameters
    ----------
    workspace
        The data directory.
    model
        The model.
    write_train_matrix
        Writes R_train.npz to an open file. The caller provides it because serving imports this module and must not need
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
    """Return the folder of a model, by default of the published one.

    Raises
    ------
    ModelMissingError
        If the model does not exist, or none is published.
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
        raise ModelMissingError(
            f"There is no model '{wanted}' in {workspace.models}.", "List the models: mlrec models list"
        )
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
    """Open the published model, even while other processes publish and delete models.

    Raises
    ------
    ModelMissingError
        If no model is published.
    IncompatibleFormatError
        If the model is damaged or has another format version.
    """
    for _ in range(_ATTEMPTS):
        published = published_id(workspace)
        try:
            return open_model(resolve(workspace, published))
        except (ModelMissingError, IncompatibleFormatError):
            # Unless another model was published meanwhile and this one deleted, the error is real.
            if published_id(workspace) == published:
                raise
    raise StateError(f"The published model in {workspace.models} keeps changing.", "Try again.")


@dataclass(frozen=True)
class Summary:
    """A model as a listing shows it.

    Attributes
    ----------
    model_id
        The model's id.
    info
        Its description; None if the description cannot be read or does not match the sizes of the files.
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
        """Return the model's entry in the output of `mlrec models list --json`."""
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
    """Return what a listing shows of a model, without opening its arrays.

    If the description cannot be read or does not match the sizes of the files, the model's kind is "damaged", so that
    the other models can still be listed.
    """
    files = workspace.model(model_id)
    try:
        return Summary(model_id, read_info(files), readable_metrics(files))
    except StateError:
        return Summary(model_id, None, Metrics())


def settings_of(workspace: Workspace, model_id: str | None = None) -> tuple[str | None, TrainSettings]:
    """Return a model's id and its training settings: what was chosen on validation for it, and λ by the data.

    Parameters
    ----------
    workspace
        The data directory.
    model_id
        The model; by default the published one. If none is published, the result is None and the default settings.

    Raises
    ------
    ModelMissingError
        If the model does not exist.
    """
    wanted = published_id(workspace) if model_id is None else model_id
    if wanted is None:
        return None, TrainSettings().started()
    return wanted, open_model(resolve(workspace, wanted)).settings_elsewhere


# -- publishing and deleting -------------------------------------------------------------------------------------------


def publish(workspace: Workspace, model_id: str) -> None:
    """Make a model the one that serving opens.

    Raises
    ------
    ModelMissingError
        If the model does not exist.
    IncompatibleFormatError
        If any of its files is damaged.
    """
    with _held(workspace, model_id) as files:
        verify_model(files)
        _point_to(workspace, files)


def publish_in_place_of(workspace: Workspace, published: str | None, model_id: str) -> bool:
    """Publish a model only if `published` (None for no model) is still the published one; return whether it was.

    Raises the errors of `publish`.
    """
    with _held(workspace, model_id) as files:
        verify_model(files)
        if published_id(workspace) != published:
            return False
        _point_to(workspace, files)
    return True


@contextmanager
def _held(workspace: Workspace, model_id: str) -> Iterator[ModelFiles]:
    """Find a model. Until the block ends, no other process can delete a model or publish one."""
    resolve(workspace, model_id)  # before any model is trained, there may be no folder to lock
    with exclusive(workspace.models):
        yield resolve(workspace, model_id)


def _point_to(workspace: Workspace, files: ModelFiles) -> None:
    write_atomically(workspace.current_pointer, lambda file: file.write(f"{files.root.name}\n".encode()))


def remove(workspace: Workspace, model_id: str) -> None:
    """Delete a model that is not published. The caller holds the write lock.

    Raises
    ------
    ModelMissingError
        If the model does not exist.
    StateError
        If the model is published.
    """
    with _held(workspace, model_id) as files:
        if files.root.name == published_id(workspace):
            raise StateError(
                f"Model {model_id} is published and cannot be removed.",
                "Publish another model first: mlrec models use ID",
            )
        _hide(workspace, files)
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
                _hide(workspace, workspace.model(model_id))
    _remove_leftovers(workspace)
    return doomed


def _hide(workspace: Workspace, files: ModelFiles) -> None:
    """Hide a model folder before deleting it, so that an interrupt leaves no incomplete model under a valid id."""
    files.root.rename(workspace.unfinished_model(files.root.name).root)


def _remove_leftovers(workspace: Workspace) -> None:
    """Delete hidden folders, including those that a killed training or removal left."""
    for leftover in workspace.unfinished_models():
        shutil.rmtree(leftover.root)
