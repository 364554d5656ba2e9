"""Updating a model without training: new movies, the vectors of movies outside the core, popularity, and users.

The factors of the core stay as ALS has learned them. Everything else is computed from them, from the events and from
the content of the movies, by the code that training uses. So an update gives what training with the same factors of the
core would give (tests/integration/test_update.py).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts import registry
from mlrec.artifacts.documents import to_json
from mlrec.artifacts.model_folder import Catalogue, Model, ModelInfo, SinceTraining
from mlrec.dataset.reading import Movies
from mlrec.errors import StateError
from mlrec.ids import IdArray, PublicId, array_of, public, rows_of
from mlrec.machine import available_threads, blas_threads
from mlrec.model.learn import vectors_of_movies
from mlrec.model.matrix import catalogue_of, counts_by_movie
from mlrec.progress import SILENT, Progress
from mlrec.ranking.effective_history import STRANGER, KnownHistory, Merged, SwipeLog, merged
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.histories import EVENT_ARRAYS, History, bounds_of_kept, picked
from mlrec.ranking.movie_vectors import ORIGINS, Core
from mlrec.ranking.popularity import recent_share
from mlrec.settings import SPLITS
from mlrec.workspace import ModelFiles, Workspace

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# A retrain is due once so large a part of what the model knows has come since the training.
_DUE_SHARE = 0.1
# Movies outside the core that have as many ratings as those of the core by default, as a share of the core.
_GROWN_RATINGS, _GROWN_SHARE = 20, 0.05


@dataclass(frozen=True)
class Updated:
    """The result of an update.

    Attributes
    ----------
    model_id
        Id of the new model; that of the former one if nothing has changed.
    updated_from
        Id of the model that was updated.
    published
        Whether serving opens the model from now on.
    movies_added, movies_changed
        Movies that the file of movies has and the model had not, or had with another title, year, genres or details.
    movies_folded_in
        How many movies outside the core have a vector from the ratings of users.
    swipes, users_added, users_removed
        Swipes that came since the last training or update, users who were new, and forgotten users who were removed.
    since_training
        What came since the last training, in all updates.
    retrain_because
        Why a retrain is due; empty if it is not.
    warnings
        What the user should know.
    seconds
        Wall-clock seconds of each stage.
    """

    model_id: str
    updated_from: str
    published: bool
    movies_added: int
    movies_changed: int
    movies_folded_in: int
    swipes: int
    users_added: int
    users_removed: int
    since_training: SinceTraining
    retrain_because: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: Mapping[str, float]

    @property
    def is_new(self) -> bool:
        """Whether there was anything to update."""
        return self.model_id != self.updated_from

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec update --json` prints."""
        return to_json(self)


def update(
    workspace: Workspace,
    logs: Iterable[tuple[PublicId, SwipeLog]],
    *,
    movies: Movies | None = None,
    forgotten: Iterable[PublicId] = (),
    warnings: tuple[str, ...] = (),
    publish: bool = True,
    progress: Progress = SILENT,
) -> Updated:
    """Update the published model, save the result as a new model, and publish it. The caller holds the write lock.

    Parameters
    ----------
    workspace
        The data directory.
    logs
        Users and their swipes, whose ids are of the kinds of the model.
    movies
        The movies file as it is now. None: there is none, and the model keeps its movies.
    forgotten
        Users to remove from the model.
    warnings
        What the caller has to tell, for the result.
    publish
        Whether to publish the model.
    progress
        Reports each stage.

    Raises
    ------
    ModelMissingError
        If no model is published.
    StateError
        If the published model was trained by an earlier version, or learned only the core.
    TrainingFailedError
        If a vector is not finite. Nothing is saved.
    """
    from scipy import sparse

    started = time.perf_counter()
    seconds: dict[str, float] = {}

    def done(stage: str) -> None:
        nonlocal started
        now = time.perf_counter()
        seconds[stage], started = round(now - started, 3), now

    files = registry.resolve(workspace)
    model = registry.open_published(workspace)
    _require_updatable(model)
    with progress.task("Merging swipes"):
        catalogue = _Catalogue.of(model, movies)
        users = _Users.of(model, catalogue, logs, array_of(forgotten, model.user_id_kind))
    done("merge")
    if not (catalogue.n_added or catalogue.n_changed or users.is_changed):
        return _unchanged(model, warnings, seconds)
    with progress.task("Folding in movies and users"), blas_threads():
        updated = _updated(model, catalogue, users)
    done("fold_in")
    with progress.task("Saving"):
        matrix = _spread(sparse.load_npz(files.train_matrix), users.former, catalogue.row, updated)
        done("matrix")
        updated = replace(updated, info=replace(updated.info, seconds=seconds))
        written = registry.write_model(workspace, updated, lambda file: sparse.save_npz(file, matrix, compressed=False))
        if publish:
            registry.publish(workspace, updated.model_id)
    done("save")
    return _told(updated, model, catalogue, users, written if publish else None, warnings, seconds)


def retrain_reasons(model: Model) -> tuple[str, ...]:
    """Say why a retrain is due, if it is: too much has come since the training."""
    found = []
    dimensions, since = model.info.dimensions, model.info.since_training
    if since is not None:
        for what, n, of in (
            ("swipes", since.swipes, dimensions.interactions),
            ("new users", since.users, dimensions.users - since.users),
        ):
            if n >= _DUE_SHARE * max(of, 1):
                found.append(f"{n:,} {what} since the training, which knew {of:,}")
    if model.n_ratings is not None:
        grown = int(np.count_nonzero(~model.is_trained & (model.n_ratings >= _GROWN_RATINGS)))
        trained = int(model.is_trained.sum())
        if grown >= max(1, _GROWN_SHARE * trained):
            found.append(
                f"{grown:,} movies outside the core have {_GROWN_RATINGS} ratings or more now; the core has {trained:,}"
            )
    return tuple(found)


def _require_updatable(model: Model) -> None:
    if model.user_gram is None:
        raise StateError(
            f"Model {model.model_id} was trained by an earlier version of mlrec, and cannot be updated.",
            "Train once more: mlrec train",
        )
    if model.train_settings.movies == "core":
        raise StateError(
            f"Model {model.model_id} knows only the movies of its core, so there is nothing to update.",
            "Train a model that knows all movies: mlrec train",
        )


@dataclass(frozen=True)
class _Catalogue:
    """The movies of the updated model.

    Attributes
    ----------
    movie_ids
        Ids, ascending.
    row
        The row of each movie of the former model, int32.
    content
        Title, year, genres and so on.
    n_added, n_changed
        How many movies are new, and how many have other content than before.
    """

    movie_ids: IdArray
    row: NDArray[np.int32]
    content: Catalogue
    n_added: int
    n_changed: int

    @classmethod
    def of(cls, model: Model, movies: Movies | None) -> _Catalogue:
        former = model.catalogue
        identity = np.arange(len(model.movie_ids), dtype=np.int32)
        if movies is None or not len(movies.movie_id):
            return cls(model.movie_ids, identity, former, 0, 0)
        there = rows_of(model.movie_ids, movies.movie_id)
        added = movies.movie_id[there < 0]
        width = np.promote_types(model.movie_ids.dtype, added.dtype)
        known = np.asarray(model.movie_ids).astype(width)
        movie_ids = np.insert(known, np.searchsorted(known, added.astype(width)), added)
        row = rows_of(movie_ids, known)
        listed = catalogue_of(movies, movies.movie_id)
        content = _listed_over(former, row, listed, rows_of(movie_ids, movies.movie_id), len(movie_ids))
        now = _entries(content, row)
        n_changed = sum(then != own for then, own in zip(_entries(former, identity), now, strict=True))
        return cls(movie_ids, row, content, len(added), n_changed)


def _listed_over(
    former: Catalogue, former_rows: NDArray[np.int32], listed: Catalogue, listed_rows: NDArray[np.int32], n: int
) -> Catalogue:
    """Catalogue of all movies: as the file lists them now, and as they were if it no longer does."""
    columns: dict[str, list[Any]] = {}
    for name in vars(former):
        column: list[Any] = [None] * n
        for source, rows in ((former, former_rows), (listed, listed_rows)):
            for row, value in zip(rows.tolist(), getattr(source, name), strict=False):
                column[row] = value
        columns[name] = column if any(value is not None for value in column) else []
    return Catalogue(**columns)


def _entries(catalogue: Catalogue, rows: NDArray[np.int32]) -> list[tuple[Any, ...]]:
    columns = [column or [None] * (int(rows.max(initial=-1)) + 1) for column in vars(catalogue).values()]
    return [tuple(column[row] for column in columns) for row in rows.tolist()]


@dataclass(frozen=True)
class _Users:
    """The users of the updated model.

    Attributes
    ----------
    user_ids
        Ids, ascending.
    former
        The row of each in the former model, −1 for a new user, int64.
    history
        Their events, with the rows of the new catalogue.
    is_swiped
        Which users have other events than before, bool (users,).
    n_swipes, n_added, n_removed
        How many swipes are new, how many users are, and how many were removed.
    """

    user_ids: IdArray
    former: NDArray[np.int64]
    history: History
    is_swiped: NDArray[np.bool_]
    n_swipes: int
    n_added: int
    n_removed: int

    @property
    def is_changed(self) -> bool:
        """Whether there is any difference to the former model."""
        return bool(self.is_swiped.any()) or self.n_removed > 0

    @classmethod
    def of(
        cls, model: Model, catalogue: _Catalogue, logs: Iterable[tuple[PublicId, SwipeLog]], forgotten: IdArray
    ) -> _Users:
        history = model.history.checked()
        movie_idx = np.where(history.movie_idx >= 0, catalogue.row[history.movie_idx], -1).astype(np.int32)
        history = replace(history, movie_idx=movie_idx)
        learned = np.array([name in model.info.trained_on for name in SPLITS])
        changed: dict[PublicId, Merged] = {}
        is_forgotten = set(public(forgotten))
        for user_id, log in logs:
            if user_id in is_forgotten:
                continue
            row = model.user_idx(user_id)
            own = slice(0, 0) if row is None else history.of(row)
            known = STRANGER
            if row is not None:
                known = KnownHistory(
                    history.movie_idx[own], history.preference[own], history.timestamp[own], learned[history.split[own]]
                )
            found = merged(known, history.split[own], log, catalogue.movie_ids, int(np.argmax(learned)))
            if found.is_changed and (row is not None or len(found.movie_idx)):
                changed[user_id] = found
        kind = model.user_id_kind
        known_ids, swiped_ids = np.asarray(model.user_ids), np.unique(array_of(changed, kind))
        added = swiped_ids[rows_of(known_ids, swiped_ids) < 0]
        width = np.promote_types(known_ids.dtype, added.dtype) if len(added) else known_ids.dtype
        user_ids = np.insert(known_ids.astype(width), np.searchsorted(known_ids, added), added)
        gone = rows_of(user_ids, forgotten)
        user_ids = np.delete(user_ids, gone[gone >= 0])
        former = rows_of(known_ids, user_ids).astype(np.int64)
        by_row = dict(zip(rows_of(user_ids, array_of(changed, kind)).tolist(), changed.values(), strict=True))
        return cls(
            user_ids,
            former,
            _joined(history, former, by_row),
            rows_of(swiped_ids, user_ids) >= 0,
            sum(one.n_new for one in changed.values()),
            len(added),
            int((rows_of(known_ids, forgotten) >= 0).sum()),
        )


def _joined(history: History, former: NDArray[np.int64], changed: Mapping[int, Merged]) -> History:
    """The events of users: those of their former rows, or those that have replaced them, by new row."""
    rows = sorted(changed)
    # The new events follow all former ones, as further users.
    lengths = [len(changed[row].movie_idx) for row in rows]
    bounds = np.concatenate([history.indptr, history.indptr[-1] + np.cumsum(lengths, dtype=np.int64)])
    source = former.copy()
    source[rows] = len(history.indptr) - 1 + np.arange(len(rows))
    indptr, positions = picked(bounds, source)
    columns = {
        name: np.concatenate([getattr(history, name), *(getattr(changed[row], name) for row in rows)])[positions]
        for name in EVENT_ARRAYS
    }
    return History(indptr, **columns)


def _updated(model: Model, catalogue: _Catalogue, users: _Users) -> Model:
    """Compute everything that training computes after ALS."""
    settings, n_movies = model.info.settings, len(catalogue.movie_ids)
    threads = settings.threads or available_threads()
    is_trained = np.zeros(n_movies, dtype=bool)
    is_trained[catalogue.row] = model.is_trained
    factors = np.zeros((n_movies, model.movie_factors.shape[1]), dtype=np.float32)
    factors[catalogue.row] = np.where(model.is_trained[:, None], model.movie_factors, 0.0)
    assert model.user_gram is not None  # see `_require_updatable`
    core = Core(factors, is_trained, np.array(model.user_gram))

    history = users.history.only(model.info.trained_on)
    movies = vectors_of_movies(core, history, catalogue.content.content, settings, threads)
    known = history.movie_idx >= 0
    n_ratings, popularity = counts_by_movie(history.movie_idx, history.preference, n_movies)
    vectors = np.zeros((len(users.user_ids), factors.shape[1]), dtype=np.float32)
    is_known = users.former >= 0
    vectors[is_known] = model.vectors_of(users.former[is_known])
    if settings.user_vectors == "fold-in":
        # Vectors of other users depend on the core alone.
        outside = bounds_of_kept(history.indptr, known & ~is_trained[history.movie_idx])
        again = np.flatnonzero(users.is_swiped | (np.diff(outside) > 0))
        own = history.of_users(again)
        vectors[again] = FoldIn(movies.vectors, model.fold_in, is_trained).user_vectors(
            own.indptr, own.movie_idx, own.preference, threads=threads
        )
    info = _info_of(model, catalogue, users)
    return Model(
        model_id=info.model_id,
        info=info,
        user_ids=users.user_ids,
        movie_ids=catalogue.movie_ids,
        movie_factors=movies.vectors,
        origin=movies.origin,
        user_gram=core.user_gram,
        user_vectors=vectors,
        popularity=popularity,
        n_ratings=n_ratings,
        recent_share=recent_share(history, n_movies, settings.popularity_half_life),
        catalogue=catalogue.content,
        history=users.history,
        item_item=None if model.item_item is None else model.item_item.with_rows(catalogue.row, n_movies),
    )


def _info_of(model: Model, catalogue: _Catalogue, users: _Users) -> ModelInfo:
    created_at = datetime.now(UTC)
    before = model.info.since_training or SinceTraining(model.model_id, model.info.created_at)
    return replace(
        model.info,
        model_id=f"{created_at:%Y%m%dT%H%M%S}-als-{secrets.token_hex(2)}",
        created_at=created_at.isoformat(timespec="seconds"),
        judged_by=model.info.judged_by or before.model_id,
        dimensions=replace(model.info.dimensions, users=len(users.user_ids), movies=len(catalogue.movie_ids)),
        since_training=replace(
            before,
            updates=before.updates + 1,
            swipes=before.swipes + users.n_swipes,
            users=before.users + users.n_added,
            movies=before.movies + catalogue.n_added,
        ),
        seconds={},
        document={},
    )


def _spread(
    matrix: csr_matrix, former_user: NDArray[np.int64], movie_row: NDArray[np.int32], updated: Model
) -> csr_matrix:
    """The matrix that ALS learned from, with the rows of the updated model."""
    from scipy import sparse

    lengths = np.append(np.diff(matrix.indptr), 0)
    kept = matrix[former_user[former_user >= 0]]
    return sparse.csr_matrix(
        (kept.data, movie_row[kept.indices], np.concatenate([[0], np.cumsum(lengths[former_user])])),
        shape=(len(updated.user_ids), len(updated.movie_ids)),
    )


def _unchanged(model: Model, warnings: tuple[str, ...], seconds: Mapping[str, float]) -> Updated:
    return Updated(
        model_id=model.model_id,
        updated_from=model.model_id,
        published=True,
        movies_added=0,
        movies_changed=0,
        movies_folded_in=int((model.origin == ORIGINS.index("folded-in")).sum()),
        swipes=0,
        users_added=0,
        users_removed=0,
        since_training=model.info.since_training or SinceTraining(model.model_id, model.info.created_at),
        retrain_because=retrain_reasons(model),
        warnings=warnings,
        seconds=seconds,
    )


def _told(
    updated: Model,
    model: Model,
    catalogue: _Catalogue,
    users: _Users,
    published: ModelFiles | None,
    warnings: tuple[str, ...],
    seconds: Mapping[str, float],
) -> Updated:
    assert updated.info.since_training is not None
    return Updated(
        model_id=updated.model_id,
        updated_from=model.model_id,
        published=published is not None,
        movies_added=catalogue.n_added,
        movies_changed=catalogue.n_changed,
        movies_folded_in=int((updated.origin == ORIGINS.index("folded-in")).sum()),
        swipes=users.n_swipes,
        users_added=users.n_added,
        users_removed=users.n_removed,
        since_training=updated.info.since_training,
        retrain_because=retrain_reasons(updated),
        warnings=warnings,
        seconds=seconds,
    )
