"""One model folder: its content, how it is written, and how it is opened without letting damaged files through."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.checksums import Seal
from mlrec.artifacts.choice import Choice
from mlrec.artifacts.documents import Document, Needs, read_document, to_json
from mlrec.artifacts.files import read_json, write_json
from mlrec.artifacts.mapped_history import REMEDY, MappedHistory, damaged_model
from mlrec.artifacts.settings_file import WholeTrainSettings, as_requested
from mlrec.errors import IncompatibleFormatError, ModelMissingError, StateError
from mlrec.ids import LONGEST_ID, IdArray, IdKind, PublicId, kind_of, public, row_of
from mlrec.ranking.content import Content
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.histories import EVENT_ARRAYS, History
from mlrec.ranking.item_item import ItemItem
from mlrec.ranking.movie_vectors import ORIGINS
from mlrec.ranking.popularity import liked_share
from mlrec.settings import FoldInSettings, ItemItemSettings, SplitName, TrainSettings
from mlrec.workspace import ModelFiles

FORMAT_VERSION = 1

_SEAL = Seal()
_CATALOGUE = {"title": list, "year": list, "genres": list}
_OPTIONAL = {"imdb_id": str, "tmdb_id": int, "details": dict}
# Name → dtype and number of dimensions. Ids may also be texts.
_ARRAYS: dict[str, tuple[np.dtype[Any], int]] = {
    "movie_embeddings": (np.dtype("<f4"), 2),
    "user_embeddings": (np.dtype("<f4"), 2),
    "user_ids": (np.dtype("<i8"), 1),
    "movie_ids": (np.dtype("<i8"), 1),
    "popularity": (np.dtype("<i8"), 1),
    "history_indptr": (np.dtype("<i8"), 1),
    "history_movie_idx": (np.dtype("<i4"), 1),
    "history_preference": (np.dtype("<i1"), 1),
    "history_timestamp": (np.dtype("<i8"), 1),
    "history_split": (np.dtype("<i1"), 1),
}
# Arrays that models of earlier versions lack.
_LATER_ARRAYS: dict[str, tuple[np.dtype[Any], int]] = {
    "movie_origin": (np.dtype("<i1"), 1),
    "movie_ratings": (np.dtype("<i8"), 1),
    "recent_share": (np.dtype("<f4"), 1),
    "user_gram": (np.dtype("<f8"), 2),
    "item_item_indptr": (np.dtype("<i8"), 1),
    "item_item_movie_idx": (np.dtype("<i4"), 1),
    "item_item_weight": (np.dtype("<f4"), 1),
}
_ITEM_ITEM = ("item_item_indptr", "item_item_movie_idx", "item_item_weight")
_ID_ARRAYS = ("user_ids", "movie_ids")
# Bytes. Smaller files are compared with their checksums whenever a model is opened, which takes about 10 ms in all.
_QUICKLY_READ = 8 << 20
# Largest possible value of a vector. Real values are about 1; sums of squares must not overflow float32.
_LARGEST_VALUE = 1e15
_IMPOSSIBLE = "a value that is not finite or is impossibly large"
# No movie is older or newer, and no year overflows.
_YEARS = range(-100_000, 100_000)


_FOLD_IN_SETTINGS = ("alpha", "regularization", "dislikes", "half_life", "feedback_weight")


@dataclass(frozen=True)
class Dimensions:
    """The size of a model.

    Attributes
    ----------
    users, movies, factors
        Numbers of users, movies and factors.
    interactions
        Number of events that ALS learned from.
    trained_movies
        Number of movies that ALS learned. None in models of earlier versions, which have no others.
    """

    users: int
    movies: int
    factors: int
    interactions: int
    trained_movies: int | None = None


@dataclass(frozen=True)
class ItemItemInfo:
    """The second opinion of a model.

    Attributes
    ----------
    rule
        How it counts.
    movies, likes_per_user, regularization, weights
        What it was learned from; see `mlrec.model.item_item.ItemItemSize`.
    """

    rule: ItemItemSettings
    movies: int
    likes_per_user: int | None
    regularization: float
    weights: int


@dataclass(frozen=True)
class SinceTraining:
    """What has come to a model since it was trained, through `mlrec update`.

    Attributes
    ----------
    model_id, trained_at
        The model that was trained, and when (ISO 8601).
    updates
        Number of updates since then.
    swipes, users, movies
        Number of swipes, new users and new movies in them.
    """

    model_id: str
    trained_at: str
    updates: int = 0
    swipes: int = 0
    users: int = 0
    movies: int = 0


@dataclass(frozen=True, kw_only=True)
class ModelInfo(Document):
    """The content of `model_info.json`, a model's description.

    Attributes
    ----------
    model_id, kind, created_at
        The model's id, its kind ("als"), and when it was trained (ISO 8601).
    settings
        The settings it was trained with. What was derived from the data is given as its value.
    regularization_follows_data
        Whether the regularization was derived from the data.
    left_to_size
        The other settings that follow the size of the data, because the request left them to it. The iterations of a
        model with a warm start are always among them: so few are enough only after that start.
    warm_start_from
        Id of the model whose movie factors the fit began with. None: it began anew.
    fold_in
        The fold-in rule for the user vectors.
    item_item
        The second opinion. None: the model has none.
    left_to_training
        The settings that the training chose, because the request left them to it.
    choice
        What was chosen on validation, and how the model does there. None: nothing was.
    random_seed
        Seed of the training.
    trained_on
        The splits that it learned from.
    engine
        The library that trained it: name, version, and details of its own.
    judged_by
        Id of the model with the same settings that was evaluated instead, if this one learned from all data or is an
        update.
    since_training
        What has come since the training; None for a model as it was trained.
    note
        The note that was given at the training, if any.
    prepared_fingerprint
        Fingerprint of the prepared data that it was trained on.
    user_offset
        Offset that was added to every user id of the raw data.
    user_prefix
        Text that was put before every user id of the raw data.
    dimensions
        Numbers of users, movies, factors and interactions.
    versions
        Package → version at the training.
    seconds
        Stage of the training → wall-clock seconds.
    """

    model_id: str
    kind: str
    created_at: str
    settings: WholeTrainSettings
    regularization_follows_data: bool = False
    left_to_size: tuple[str, ...] = ()
    warm_start_from: str | None = None
    fold_in: Annotated[FoldInSettings, Needs(_FOLD_IN_SETTINGS)]
    item_item: ItemItemInfo | None = None
    left_to_training: tuple[str, ...] = ()
    choice: Choice | None = None
    random_seed: int | None = None
    trained_on: tuple[SplitName, ...]
    engine: Mapping[str, Any] = field(default_factory=dict)
    judged_by: str | None = None
    since_training: SinceTraining | None = None
    note: str | None = None
    prepared_fingerprint: str
    user_offset: int = 0
    user_prefix: str = ""
    dimensions: Dimensions
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """Title, year, genres, foreign ids and further details of each movie, by movie row.

    Attributes
    ----------
    title, year, genres
        As in the prepared data.
    imdb_id, tmdb_id
        Ids at IMDb and TMDB, as in `Movies`. Empty if no movie has one, and in models of earlier versions.
    details
        Further columns of the movies file, as in `Movies`. Empty as above.
    """

    title: list[str]
    year: list[int | None]
    genres: list[list[str]]
    imdb_id: list[str | None] = field(default_factory=list)
    tmdb_id: list[int | None] = field(default_factory=list)
    details: list[dict[str, str] | None] = field(default_factory=list)

    @property
    def content(self) -> Content:
        """What a movie's vector can be guessed from."""
        return Content(self.year, self.genres, self.details)


@dataclass(frozen=True)
class Model:
    """A model as serving and evaluation use it.

    The arrays of an opened model are memory-mapped and read-only.

    Attributes
    ----------
    model_id
        The model's id.
    info
        The content of model_info.json.
    user_ids, movie_ids
        Public ids by row, ascending, (users,) and (movies,): int64, or UTF-8 for text ids. See `mlrec.ids`.
    movie_factors
        float32 (movies, factors).
    origin
        Where each movie's vector comes from: position in `ORIGINS`, int8 (movies,).
    user_gram
        XᵀX of the user factors of ALS, float64 (factors, factors), for the vectors of further movies. None in models of
        earlier versions.
    user_vectors
        float32 (users, factors); zeros for a user without a liked movie in training. Read them with `vectors_of`, which
        checks them.
    popularity
        Likes in training by movie row, int64 (movies,).
    n_ratings
        Ratings in training by movie row, int64 (movies,). None in models of earlier versions.
    recent_share
        Share of users who liked each movie, by date, float32 (movies,); see `mlrec.ranking.popularity`. In models of
        earlier versions, dates do not matter.
    item_item
        The second opinion. None: the model has none.
    catalogue
        Titles, years, genres and foreign ids of the movies.
    history
        The users' events.
    folder
        The folder that it was opened from; None for a model made in memory.
    """

    model_id: str
    info: ModelInfo
    user_ids: IdArray
    movie_ids: IdArray
    movie_factors: NDArray[np.float32]
    origin: NDArray[np.int8]
    user_gram: NDArray[np.float64] | None
    user_vectors: NDArray[np.float32]
    popularity: NDArray[np.int64]
    n_ratings: NDArray[np.int64] | None
    recent_share: NDArray[np.float32]
    catalogue: Catalogue
    history: History
    item_item: ItemItem | None = None
    folder: Path | None = None

    @property
    def fold_in(self) -> FoldInSettings:
        """The fold-in rule for the user vectors."""
        return self.info.fold_in

    @property
    def is_trained(self) -> NDArray[np.bool_]:
        """Which movies ALS has learned, bool (movies,)."""
        trained: NDArray[np.bool_] = self.origin == ORIGINS.index("trained")
        return trained

    def solver(self) -> FoldIn:
        """Return a new solver for user vectors, by the rule of the model."""
        return FoldIn(self.movie_factors, self.fold_in, self.is_trained)

    @property
    def train_settings(self) -> TrainSettings:
        """The settings as they were requested, without what was derived from the data or chosen on validation."""
        info = self.info
        return as_requested(info.settings, info.regularization_follows_data, info.left_to_size, info.left_to_training)

    @property
    def settings_elsewhere(self) -> TrainSettings:
        """The settings for a training on other data: what was chosen on validation stays, the rest follows the data."""
        return as_requested(self.info.settings, self.info.regularization_follows_data, self.info.left_to_size)

    @property
    def user_id_kind(self) -> IdKind:
        """Whether user ids are whole numbers or texts."""
        return kind_of(self.user_ids)

    @property
    def movie_id_kind(self) -> IdKind:
        """Whether movie ids are whole numbers or texts."""
        return kind_of(self.movie_ids)

    def user_idx(self, user_id: PublicId) -> int | None:
        """Return the row of a user, or None if the model does not know the user."""
        return row_of(self.user_ids, user_id)

    def movie_idx(self, movie_id: PublicId) -> int | None:
        """Return the row of a movie, or None if the model does not know the movie."""
        return row_of(self.movie_ids, movie_id)

    def vectors_of(self, users: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the user vectors of some rows, float32 (rows, factors), after checking them.

        Opening a model does not check its user vectors, because there are too many.

        Raises
        ------
        IncompatibleFormatError
            If a value is impossible.
        """
        vectors = self.user_vectors[users]
        if self.folder is not None and not _are_possible(vectors):
            raise damaged_model(self.folder, f"user_embeddings.npy has {_IMPOSSIBLE}")
        return vectors


def _are_texts(ids: IdArray) -> bool:
    """Whether all ids are UTF-8 and none is empty. Decoding them all at once takes a tenth of the time."""
    first_bytes = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), -1)[:, 0]
    try:
        ids.tobytes().decode()
    except UnicodeDecodeError:
        return False
    # No id may be empty, nor begin in the middle of a character that the id before it has begun.
    return bool(first_bytes.all() and ((first_bytes & 0xC0) != 0x80).all())


def _are_possible(vectors: NDArray[np.float32]) -> bool:
    """Whether all values are possible in a vector. NaN is not: it compares as false."""
    return not vectors.size or bool(vectors.min() > -_LARGEST_VALUE and vectors.max() < _LARGEST_VALUE)


# -- writing -----------------------------------------------------------------------------------------------------------


def write_files(files: ModelFiles, model: Model, write_train_matrix: Callable[[IO[bytes]], object]) -> None:
    """Write the files of a model into an empty folder. The description, which seals the others, is written last.

    metrics.json is not among them, because it comes later and changes.
    """
    with files.train_matrix.open("wb") as file:
        write_train_matrix(file)
    mappings = {
        "user_id_to_index": {str(user_id): row for row, user_id in enumerate(public(model.user_ids))},
        "movie_id_to_index": {str(movie_id): row for row, movie_id in enumerate(public(model.movie_ids))},
    }
    files.mappings.write_text(
        json.dumps({"format_version": FORMAT_VERSION, **mappings}, ensure_ascii=False), encoding="utf-8"
    )
    arrays = {
        "movie_embeddings": model.movie_factors,
        "user_embeddings": model.user_vectors,
        "user_ids": model.user_ids,
        "movie_ids": model.movie_ids,
        "popularity": model.popularity,
        "movie_origin": model.origin,
        "movie_ratings": model.n_ratings,
        "recent_share": model.recent_share,
        "user_gram": model.user_gram,
        **{f"history_{name}": getattr(model.history, name) for name in ("indptr", *EVENT_ARRAYS)},
        **{name: getattr(model.item_item, name.removeprefix("item_item_"), None) for name in _ITEM_ITEM},
    }
    for name, (dtype, _) in (_ARRAYS | _LATER_ARRAYS).items():
        array = arrays[name]
        if array is None:
            continue
        is_text = name in _ID_ARRAYS and kind_of(array) == "text"
        _save(files.array(name), np.ascontiguousarray(array, dtype=None if is_text else dtype))
    files.catalogue.write_text(
        json.dumps({"format_version": FORMAT_VERSION, **_columns(model.catalogue)}, ensure_ascii=False),
        encoding="utf-8",
    )
    info = {"format_version": FORMAT_VERSION, **to_json(replace(model.info, model_id=model.model_id))}
    write_json(files.info, _SEAL.put_on(info, files.info, list(files.root.iterdir())))


def _save(path: Path, array: NDArray[Any]) -> None:
    """Write an array like `np.save`, which would hide a full disk behind an error of its own."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)


# -- opening -----------------------------------------------------------------------------------------------------------


def read_info(files: ModelFiles, *, read_up_to: float = -1) -> ModelInfo:
    """Read a model's description, and compare the other files with the record in it.

    Parameters
    ----------
    files
        The model folder.
    read_up_to
        Largest file, in bytes, whose content is compared. Of larger files only the size is.

    Raises
    ------
    ModelMissingError
        If the folder does not contain a model.
    IncompatibleFormatError
        If the description is damaged or has another format version, or a file differs from its record.
    """
    try:
        info = _as_it_was(read_document(files.info, ModelInfo, FORMAT_VERSION, remedy=REMEDY))
    except FileNotFoundError:
        raise ModelMissingError(f"{files.root} does not contain a model.", "Run 'mlrec train' first.") from None
    if _SEAL.is_intact(info.document, files.info) is False:
        raise damaged_model(files.root, f"{files.info.name} has changed since it was written")
    if difference := _SEAL.difference(info.document, files.info, read_up_to=read_up_to):
        raise damaged_model(files.root, difference)
    return info


def _as_it_was(info: ModelInfo) -> ModelInfo:
    """The description of a model with what earlier versions did without a setting."""
    then: dict[str, Any] = {"popularity_half_life": math.inf, "movies": "core", "item_item": "off"}
    recorded = info.document.get("settings", {})
    changed = {name: value for name, value in then.items() if name not in recorded}
    return replace(info, settings=replace(info.settings, **changed)) if changed else info


def open_model(files: ModelFiles) -> Model:
    """Open a model folder. Large arrays stay on disk until they are used.

    Small files are compared with their checksums, and all values that serving uses for every user are checked. The
    events and vectors of users are checked as they are read (`MappedHistory`, `Model.vectors_of`), or all at once by
    `verify_model`.

    Raises
    ------
    ModelMissingError
        If the folder does not contain a model.
    IncompatibleFormatError
        If a file is missing, damaged, or has another format version.
    """
    info = read_info(files, read_up_to=_QUICKLY_READ)
    arrays = {name: _load(files.array(name), *kind) for name, kind in _ARRAYS.items()}
    arrays |= {
        name: _load(files.array(name), *kind) for name, kind in _LATER_ARRAYS.items() if files.array(name).exists()
    }
    arrays.setdefault("movie_origin", np.zeros(len(arrays["movie_ids"]), dtype=np.int8))
    catalogue = _read_catalogue(files)
    if fault := next(_faults(arrays, catalogue, info), None):
        raise damaged_model(files.root, fault)
    return Model(
        model_id=info.model_id,
        info=info,
        user_ids=arrays["user_ids"],
        movie_ids=arrays["movie_ids"],
        movie_factors=arrays["movie_embeddings"],
        origin=arrays["movie_origin"],
        user_gram=arrays.get("user_gram"),
        user_vectors=arrays["user_embeddings"],
        popularity=arrays["popularity"],
        n_ratings=arrays.get("movie_ratings"),
        recent_share=arrays.get("recent_share", liked_share(arrays["popularity"], len(arrays["user_ids"]))),
        catalogue=catalogue,
        history=MappedHistory(
            **{name: arrays[f"history_{name}"] for name in ("indptr", *EVENT_ARRAYS)},
            folder=files.root,
            n_movies=len(arrays["movie_ids"]),
        ),
        item_item=None if info.item_item is None else _item_item(arrays, info.item_item.rule),
        folder=files.root,
    )


def _item_item(arrays: Mapping[str, NDArray[Any]], rule: ItemItemSettings) -> ItemItem:
    indptr, movie_idx, weight = (arrays[name] for name in _ITEM_ITEM)
    return ItemItem(indptr, movie_idx, weight, rule)


def verify_model(files: ModelFiles) -> Model:
    """Open a model folder and check all of it. Raises the errors of `open_model`."""
    read_info(files, read_up_to=math.inf)
    model = open_model(files)
    model.history.checked()
    model.vectors_of(slice(None))
    return model


def _load(path: Path, dtype: np.dtype[Any], n_dimensions: int) -> NDArray[Any]:
    """Map an array that `_save` or `np.save` wrote."""
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise damaged_model(path.parent, f"{path.name} is missing") from None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}.", "Check the file and its permissions.") from error
    except Exception as error:  # a damaged header makes NumPy's reader raise a dozen kinds of errors
        raise IncompatibleFormatError(f"{path} cannot be read: {error}.", REMEDY) from error
    # An array in Fortran order has the right shape too, but must not pass.
    is_text = path.stem in _ID_ARRAYS and mapped.dtype.kind == "S" and 0 < mapped.dtype.itemsize <= LONGEST_ID
    if (mapped.dtype != dtype and not is_text) or mapped.ndim != n_dimensions or not mapped.flags.c_contiguous:
        raise damaged_model(path.parent, f"{path.name} holds an array of another type or shape")
    if path.stat().st_size != mapped.offset + mapped.nbytes:
        raise damaged_model(path.parent, f"{path.name} is longer than its header says")
    return np.asarray(mapped)


def _read_catalogue(files: ModelFiles) -> Catalogue:
    try:
        document = read_json(files.catalogue, FORMAT_VERSION, _CATALOGUE, remedy=REMEDY, any_depth=True)
    except FileNotFoundError:
        raise damaged_model(files.root, f"{files.catalogue.name} is missing") from None
    title, year, genres = (document[name] for name in _CATALOGUE)
    if not (
        set(map(type, title)) <= {str}
        and set(map(type, year)) <= {int, type(None)}
        and all(number is None or number in _YEARS for number in year)
        and set(map(type, genres)) <= {list}
        and {type(name) for names in genres for name in names} <= {str}
    ):
        raise damaged_model(files.root, f"{files.catalogue.name} has an impossible title, year or genre")
    optional = {name: document.get(name, []) for name in _OPTIONAL}
    for name, kind in _OPTIONAL.items():
        if type(optional[name]) is not list or not set(map(type, optional[name])) <= {kind, type(None)}:
            raise damaged_model(files.root, f"{files.catalogue.name} has an impossible {name}")
    if not {type(text) for one in optional["details"] if one for text in one.values()} <= {str}:
        raise damaged_model(files.root, f"{files.catalogue.name} has impossible details")
    return Catalogue(title, year, genres, **optional)


def _columns(catalogue: Catalogue) -> dict[str, list[Any]]:
    """The columns of a catalogue; foreign ids and details only if there are any."""
    return {name: column for name, column in vars(catalogue).items() if name not in _OPTIONAL or column}


def _faults(arrays: Mapping[str, NDArray[Any]], catalogue: Catalogue, info: ModelInfo) -> Iterator[str]:
    """What is impossible in the arrays of a model, in words."""
    dimensions = info.dimensions
    movie_factors, indptr = arrays["movie_embeddings"], arrays["history_indptr"]
    sizes = {"users": len(arrays["user_ids"]), "movies": len(arrays["movie_ids"]), "factors": movie_factors.shape[1]}
    events = {len(arrays[f"history_{name}"]) for name in EVENT_ARRAYS}
    n_factors = sizes["factors"]
    later = [arrays[name] for name in ("movie_origin", "movie_ratings", "recent_share") if name in arrays]
    by_movie: tuple[Sized, ...] = (movie_factors, arrays["popularity"], *later, *_columns(catalogue).values())
    if (
        not all(sizes.values())
        or sizes != {name: getattr(dimensions, name) for name in sizes}
        or {len(array) for array in by_movie} != {sizes["movies"]}
        or arrays["user_embeddings"].shape != (sizes["users"], sizes["factors"])
        or len(indptr) != sizes["users"] + 1
        or len(events) != 1
        or ("user_gram" in arrays and arrays["user_gram"].shape != (n_factors, n_factors))
    ):
        yield "its files do not match each other"
        return
    for name in _ID_ARRAYS:
        if kind_of(arrays[name]) == "text" and not _are_texts(arrays[name]):
            yield f"{name}.npy has an id that is not text"
        if not (arrays[name][1:] > arrays[name][:-1]).all():
            yield f"{name}.npy is not in ascending order"
    if indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any() or int(indptr[-1]) not in events:
        yield "history_indptr.npy does not divide the events among the users"
    if arrays["popularity"].min() < 0 or arrays["popularity"].max() > sizes["users"]:
        yield "popularity.npy has an impossible number of likes"
    if arrays["movie_origin"].min() < 0 or arrays["movie_origin"].max() >= len(ORIGINS):
        yield "movie_origin.npy has an impossible origin"
    if "movie_ratings" in arrays and (arrays["movie_ratings"] < arrays["popularity"]).any():
        yield "movie_ratings.npy has fewer ratings than likes"
    if "recent_share" in arrays and not (arrays["recent_share"].min() >= 0 and arrays["recent_share"].max() <= 1.001):
        yield "recent_share.npy has an impossible share"
    if "user_gram" in arrays and not np.isfinite(arrays["user_gram"]).all():
        yield f"user_gram.npy has {_IMPOSSIBLE}"
    if not _are_possible(movie_factors):
        yield f"movie_embeddings.npy has {_IMPOSSIBLE}"
    if info.item_item is not None:
        yield from _item_item_faults(arrays, info.item_item, sizes["movies"])


def _item_item_faults(arrays: Mapping[str, NDArray[Any]], info: ItemItemInfo, n_movies: int) -> Iterator[str]:
    """What is impossible in the item-item weights."""
    if missing := [name for name in _ITEM_ITEM if name not in arrays]:
        yield f"{missing[0]}.npy is missing"
        return
    indptr, movie_idx, weight = (arrays[name] for name in _ITEM_ITEM)
    if {len(movie_idx), len(weight)} != {info.weights} or len(indptr) != n_movies + 1:
        yield "its item-item weights do not match each other"
    elif indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any() or indptr[-1] != len(weight):
        yield "item_item_indptr.npy does not divide the weights among the movies"
    elif len(weight):
        if movie_idx.min() < 0 or movie_idx.max() >= n_movies:
            yield "item_item_movie_idx.npy has an impossible movie"
        starts = np.zeros(len(weight), dtype=bool)
        starts[indptr[:-1][indptr[:-1] < len(weight)]] = True
        if not (starts[1:] | (movie_idx[1:] > movie_idx[:-1])).all():
            yield "item_item_movie_idx.npy is not in ascending order"
        if not (weight.min() > 0 and weight.max() < _LARGEST_VALUE):
            yield f"item_item_weight.npy has {_IMPOSSIBLE}"
