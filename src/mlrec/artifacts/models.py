"""Model folders: what is in one, writing it, publishing it, and going back to an earlier one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.files import exclusive, read_json, sync, sync_tree, write_atomically, write_json
from mlrec.errors import IncompatibleFormatError, ModelMissingError, StateError
from mlrec.settings import SPLITS, FoldInSettings, SplitName, TrainSettings
from mlrec.workspace import ModelFiles, Workspace

FORMAT_VERSION = 1
METRICS_FORMAT_VERSION = 1
_INFO_KEYS = (
    "model_id", "created_at", "kind", "settings", "fold_in", "trained_on", "prepared_fingerprint", "dimensions",
)  # fmt: skip
_CATALOGUE_KEYS = ("title", "year", "genres")
_HISTORY_ARRAYS = ("indptr", "movie_idx", "preference", "timestamp", "split")


@dataclass(frozen=True)
class History:
    """What the model's data says that each user did: all splits, in time order.

    Attributes
    ----------
    indptr
        The events of user row i are indptr[i]:indptr[i + 1]; int64 (users + 1,).
    movie_idx
        Movie rows, int32 (events,); −1 for a movie that the model does not know, whose event still ages the others.
    preference
        −2, −1, +1 or +2, int8 (events,).
    timestamp
        Epoch seconds, int64 (events,).
    split
        Position in `SPLITS`, int8 (events,).
    """

    indptr: NDArray[np.int64]
    movie_idx: NDArray[np.int32]
    preference: NDArray[np.int8]
    timestamp: NDArray[np.int64]
    split: NDArray[np.int8]

    def of(self, user_idx: int) -> slice:
        """Positions of one user's events."""
        return slice(int(self.indptr[user_idx]), int(self.indptr[user_idx + 1]))

    def only(self, splits: tuple[SplitName, ...]) -> History:
        """Keep the events of some splits; user rows stay the same."""
        if set(splits) == set(SPLITS):
            return self
        keep = np.array([name in splits for name in SPLITS])[self.split]
        return History(
            indptr=np.searchsorted(np.flatnonzero(keep), self.indptr),
            **{name: getattr(self, name)[keep] for name in _HISTORY_ARRAYS if name != "indptr"},
        )

    def of_users(self, users: NDArray[np.int64]) -> History:
        """Keep some users, in their order."""
        indptr, events = picked(self.indptr, users)
        return History(indptr, **{name: getattr(self, name)[events] for name in _HISTORY_ARRAYS if name != "indptr"})


def picked(indptr: NDArray[np.int64], users: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bounds of some users' entries once they are put together, and where these entries lie now."""
    lengths = indptr[users + 1] - indptr[users]
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    return bounds, np.arange(bounds[-1]) + np.repeat(indptr[users] - bounds[:-1], lengths)


@dataclass(frozen=True)
class Catalogue:
    """Title, year and genres by movie row."""

    title: list[str]
    year: list[int | None]
    genres: list[list[str]]


@dataclass(frozen=True)
class Model:
    """A model as serving and evaluation use it. Arrays of an opened model are memory-mapped and read-only.

    Attributes
    ----------
    model_id
        Its id.
    info
        The content of model_info.json.
    user_ids, movie_ids
        Public ids by row, ascending, int64.
    movie_factors
        Float32 (movies, factors).
    user_vectors
        Float32 (users, factors); zeros for a user without a liked movie in training.
    popularity
        Likes in training by movie row, int64.
    catalogue, history
        See there.
    """

    model_id: str
    info: Mapping[str, Any]
    user_ids: NDArray[np.int64]
    movie_ids: NDArray[np.int64]
    movie_factors: NDArray[np.float32]
    user_vectors: NDArray[np.float32]
    popularity: NDArray[np.int64]
    catalogue: Catalogue
    history: History

    @property
    def fold_in(self) -> FoldInSettings:
        """The fold-in rule of the user vectors."""
        return FoldInSettings.from_json(self.info["fold_in"])

    @property
    def train_settings(self) -> TrainSettings:
        """What was asked for at training: a regularization that followed the data is None here."""
        settings = TrainSettings.from_json(self.info["settings"])
        return replace(settings, regularization=None) if self.info.get("regularization_follows_data") else settings

    def user_idx(self, user_id: int) -> int | None:
        """Row of a user, or None for one that the model does not know."""
        return _row(self.user_ids, user_id)

    def movie_idx(self, movie_id: int) -> int | None:
        """Row of a movie, or None for one that the model does not know."""
        return _row(self.movie_ids, movie_id)


def _row(ids: NDArray[np.int64], wanted: int) -> int | None:
    if not -(2**63) <= wanted < 2**63:
        return None
    position = int(np.searchsorted(ids, wanted))
    return position if position < len(ids) and ids[position] == wanted else None


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
        _write_files(files, model, write_train_matrix)
        sync_tree(files.root)
        finished = workspace.model(model.model_id)
        files.root.rename(finished.root)
    except BaseException:
        shutil.rmtree(files.root, ignore_errors=True)
        raise
    sync(workspace.models)
    return finished


def _write_files(files: ModelFiles, model: Model, write_train_matrix: Callable[[IO[bytes]], object]) -> None:
    with files.train_matrix.open("wb") as file:
        write_train_matrix(file)
    mappings = {
        "user_id_to_index": {str(user_id): row for row, user_id in enumerate(model.user_ids.tolist())},
        "movie_id_to_index": {str(movie_id): row for row, movie_id in enumerate(model.movie_ids.tolist())},
    }
    files.mappings.write_text(json.dumps({"format_version": FORMAT_VERSION, **mappings}), encoding="utf-8")
    arrays = {
        files.movie_embeddings: model.movie_factors,
        files.user_embeddings: model.user_vectors,
        files.array("user_ids"): model.user_ids,
        files.array("movie_ids"): model.movie_ids,
        files.array("popularity"): model.popularity,
        **{files.array(f"history_{name}"): getattr(model.history, name) for name in _HISTORY_ARRAYS},
    }
    for path, array in arrays.items():
        with path.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    files.catalogue.write_text(
        json.dumps({"format_version": FORMAT_VERSION, **vars(model.catalogue)}, ensure_ascii=False),
        encoding="utf-8",
    )
    write_json(files.info, {"format_version": FORMAT_VERSION, "model_id": model.model_id, **model.info})


def open_model(files: ModelFiles) -> Model:
    """Open a model folder; large arrays stay on disk until they are touched.

    Raises
    ------
    ModelMissingError
        If the folder holds no model.
    IncompatibleFormatError
        If a file is missing, damaged, or of another format version.
    """
    try:
        info = read_json(files.info, FORMAT_VERSION, _INFO_KEYS)
    except FileNotFoundError:
        raise ModelMissingError(f"{files.root} holds no model.", "Run 'mlrec train' first.") from None
    try:
        catalogue = read_json(files.catalogue, FORMAT_VERSION, _CATALOGUE_KEYS)
        model = Model(
            model_id=info["model_id"],
            info=info,
            user_ids=_load(files.array("user_ids")),
            movie_ids=_load(files.array("movie_ids")),
            movie_factors=_load(files.movie_embeddings),
            user_vectors=_load(files.user_embeddings),
            popularity=_load(files.array("popularity")),
            catalogue=Catalogue(catalogue["title"], catalogue["year"], catalogue["genres"]),
            history=History(**{name: _load(files.array(f"history_{name}")) for name in _HISTORY_ARRAYS}),
        )
    except (FileNotFoundError, ValueError) as error:
        raise IncompatibleFormatError(
            f"The model in {files.root} is damaged: {error}.", "Train again, or use another model."
        ) from error
    if not _is_consistent(model):
        raise IncompatibleFormatError(
            f"The model in {files.root} is damaged: its files do not fit each other.",
            "Train again, or use another model.",
        )
    return model


def _is_consistent(model: Model) -> bool:
    n_movies, n_users, history = len(model.movie_ids), len(model.user_ids), model.history
    return (
        {n_movies} == {len(model.movie_factors), len(model.popularity), *map(len, vars(model.catalogue).values())}
        and n_users == len(model.user_vectors) == len(history.indptr) - 1
        and {int(history.indptr[-1])} == {len(getattr(history, name)) for name in _HISTORY_ARRAYS if name != "indptr"}
    )


def _load(path: Path) -> NDArray[Any]:
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty")
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


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
        raise ModelMissingError(f"There is no model in {workspace.root} yet.", "Run 'mlrec train' first.")
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


def summary(workspace: Workspace, model_id: str) -> dict[str, Any]:
    """What a listing shows of a model: id, creation time, kind, settings and metrics. Its arrays are not opened.

    A model whose description cannot be read is of kind "damaged", so that the others can still be listed.
    """
    files = workspace.model(model_id)
    try:
        info = read_json(files.info, FORMAT_VERSION, _INFO_KEYS)
    except IncompatibleFormatError:
        unknown: dict[str, Any] = {
            "created_at": None,
            "kind": "damaged",
            "settings": {},
            "prepared_fingerprint": None,
            "metrics": {},
        }
        return {"model_id": model_id, **unknown}
    shown = {name: info[name] for name in ("model_id", "created_at", "kind", "settings", "prepared_fingerprint")}
    return shown | {"metrics": _readable_metrics(files)}


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


def publish(workspace: Workspace, model_id: str) -> None:
    """Make a model the one that serving opens."""
    files = _publishable(workspace, model_id)
    with exclusive(workspace.models):
        _point_to(workspace, files)


def publish_in_place_of(workspace: Workspace, published: str | None, model_id: str) -> bool:
    """Publish a model if another one is still the published one, or none is; return whether that was so."""
    files = _publishable(workspace, model_id)
    with exclusive(workspace.models):
        if published_id(workspace) != published:
            return False
        _point_to(workspace, files)
    return True


def _publishable(workspace: Workspace, model_id: str) -> ModelFiles:
    files = resolve(workspace, model_id)
    open_model(files)  # one that cannot be opened must not be published
    return files


def _point_to(workspace: Workspace, files: ModelFiles) -> None:
    write_atomically(workspace.current_pointer, lambda file: file.write(f"{files.root.name}\n".encode()))


def remove(workspace: Workspace, model_id: str) -> None:
    """Delete a model that is not published. The caller holds the write lock."""
    files = resolve(workspace, model_id)
    if files.root.name == published_id(workspace):
        raise StateError(f"Model {model_id} is published.", "Publish another first: mlrec models use <id>")
    # Out of sight in one step, so that an interrupt leaves no half model under a valid id.
    doomed = workspace.unfinished_model(model_id)
    files.root.rename(doomed.root)
    shutil.rmtree(doomed.root)


def prune(workspace: Workspace, keep: int) -> list[str]:
    """Delete all but the newest `keep` models and the published one. The caller holds the write lock.

    Returns the ids of the deleted models.
    """
    published = published_id(workspace)
    ids = list_ids(workspace)
    doomed = [model_id for model_id in ids[: max(len(ids) - keep, 0)] if model_id != published]
    for model_id in doomed:
        remove(workspace, model_id)
    _remove_leftovers(workspace)
    return doomed


def _remove_leftovers(workspace: Workspace) -> None:
    """Delete what a training or a removal that was killed has left unfinished."""
    for leftover in workspace.unfinished_models():
        shutil.rmtree(leftover.root)


def read_metrics(files: ModelFiles) -> dict[str, Any]:
    """Return a model's evaluation results: split → history → relevance → result. Empty if it was never evaluated."""
    try:
        document = read_json(files.metrics, METRICS_FORMAT_VERSION)
    except FileNotFoundError:
        return {}
    results = {name: value for name, value in document.items() if name != "format_version"}
    if not all(
        isinstance(own, dict) and all(isinstance(one, dict) for one in own.values()) for own in results.values()
    ):
        raise IncompatibleFormatError(f"{files.metrics} is damaged.", "Evaluate the model again.")
    return results


def add_metrics(files: ModelFiles, split: str, history: str, relevance: str, result: Mapping[str, Any]) -> None:
    """Put one evaluation result beside the others of a model; it replaces figures of the same kind.

    What an earlier one had of other list lengths or baselines stays. A file that cannot be read is written anew.

    Raises
    ------
    ModelMissingError
        If the model has been deleted meanwhile.
    """
    try:
        with exclusive(files.info):
            results = _readable_metrics(files)
            kept = results.setdefault(split, {}).setdefault(history, {})
            kept[relevance] = _merged(kept.get(relevance), result)
            write_json(files.metrics, {"format_version": METRICS_FORMAT_VERSION, **results})
    except FileNotFoundError:
        raise ModelMissingError(
            f"Model {files.root.name} was deleted while it was evaluated.", "See 'mlrec models list'."
        ) from None


def _readable_metrics(files: ModelFiles) -> dict[str, Any]:
    try:
        return read_metrics(files)
    except IncompatibleFormatError:
        return {}


def _merged(earlier: object, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what an earlier one has beyond it."""
    merged = dict(result)
    if isinstance(earlier, dict) and {"ks", "models", "differences"} <= earlier.keys():
        merged["ks"] = sorted({*earlier["ks"], *result["ks"]})
        for table in ("models", "differences"):
            rows = {**earlier[table], **result[table]}
            merged[table] = {name: {**earlier[table].get(name, {}), **own} for name, own in rows.items()}
    return merged
