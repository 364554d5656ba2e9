"""Compare two models of a data directory on the same held-out movies.

Models that learned from different data can be compared too. Both are evaluated on the current data, and only on events
that neither has learned from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.documents import to_json
from mlrec.artifacts.model_folder import Model
from mlrec.dataset.events import Events
from mlrec.dataset.reading import HeldOut, PreparedData, read_prepared
from mlrec.errors import DataChangedError, EmptyResultError, SettingsError
from mlrec.evaluation.bootstrap import Bootstrap
from mlrec.evaluation.estimates import Difference, Figures
from mlrec.evaluation.judging import Judged
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.listers import Known
from mlrec.evaluation.metrics import METRICS
from mlrec.evaluation.summary import summarized
from mlrec.ids import rows_of
from mlrec.machine import available_threads, blas_threads
from mlrec.model.matrix import history_of
from mlrec.progress import SILENT, Progress
from mlrec.settings import DEFAULT_KS, EvaluateSettings, Relevance, RelevanceWithin
from mlrec.workspace import Workspace


@dataclass(frozen=True)
class Comparison:
    """Metrics of two models on the same users and held-out movies.

    Attributes
    ----------
    first, second
        Ids of the models.
    split, history, relevance, relevance_within
        The held-out split, what was known of the users, and which movies are relevant, as in `Evaluation`.
    users
        Number of users in the figures.
    answers_left_out
        Number of held-out events that were ignored because one of the models has learned from them.
    ks
        Cutoffs.
    models
        Model id → metric ("ndcg@10") → estimate.
    difference
        Metric → first minus second, paired by user.
    """

    first: str
    second: str
    split: str
    history: str
    relevance: Relevance
    relevance_within: RelevanceWithin
    users: int
    answers_left_out: int
    ks: tuple[int, ...]
    models: Figures
    difference: dict[str, Difference]

    def to_json(self) -> dict[str, Any]:
        """Return the document that `mlrec models compare --json` prints."""
        return to_json(self)


def compare(
    workspace: Workspace,
    first: str,
    second: str,
    settings: EvaluateSettings | None = None,
    *,
    progress: Progress = SILENT,
) -> Comparison:
    """Compare two models of a data directory on its current prepared data. Nothing is written.

    Parameters
    ----------
    workspace
        The data directory.
    first, second
        Ids of the models.
    settings
        Split, relevance, history, cutoffs and bootstrap. Defaults to `EvaluateSettings()`.
    progress
        Is told how many users are done.

    Raises
    ------
    ModelMissingError
        If a model does not exist.
    SettingsError
        If both ids are the same.
    DataChangedError
        If a model knows the users under other ids than the data.
    EmptyResultError
        If no held-out event is relevant, or the models have learned from all that are.
    """
    if first == second:
        raise SettingsError(
            "A model cannot be compared with itself.", "Choose two models from this list: mlrec models list"
        )
    a, b = (model_folder.open_model(registry.resolve(workspace, model_id)) for model_id in (first, second))
    with progress.task("Reading prepared data"):
        data = read_prepared(workspace)
    return compare_models(data, a, b, settings or EvaluateSettings(), progress=progress)


def compare_models(
    data: PreparedData, first: Model, second: Model, settings: EvaluateSettings, *, progress: Progress = SILENT
) -> Comparison:
    """Compare two models with different ids on some data; see `compare`."""
    return compare_by_user(data, first, second, settings, progress=progress)[0]


def compare_by_user(
    data: PreparedData, first: Model, second: Model, settings: EvaluateSettings, *, progress: Progress = SILENT
) -> tuple[Comparison, dict[str, Judged]]:
    """Compare two models as `compare_models` does; return also the results by user of each model, by id."""
    for model in (first, second):
        if not knows_these_users(model, data):
            raise DataChangedError(
                f"Model {model.model_id} knows users under other ids than the prepared data, because the user offset"
                " has changed.",
                "Compare models that were trained with the current offset.",
            )
    within: RelevanceWithin = "core" if data.manifest.outside_core is None else settings.relevance_within
    all_held_out = data.held_out(settings.split)
    if within == "core":
        all_held_out = all_held_out.only(all_held_out.in_core)
    if not _is_relevant(all_held_out, settings).any():
        raise EmptyResultError(
            f"No user has a relevant movie in the {settings.split} split, so the models cannot be compared.",
            "Use the other split or --relevance any, or prepare with another split ratio.",
        )
    unseen = ~(has_learned(first, all_held_out) | has_learned(second, all_held_out))
    held_out = all_held_out.only(unseen)
    if not _is_relevant(held_out, settings).any():
        raise EmptyResultError(
            f"Models {first.model_id} and {second.model_id} cannot be compared: together, they have learned from all"
            f" relevant movies of the {settings.split} split.",
            "Compare models that were trained with '--on train'.",
        )
    ks = settings.ks or DEFAULT_KS["user-time"]
    found = {model.model_id: _judged(model, data, held_out, settings, ks, progress) for model in (first, second)}
    bootstrap = Bootstrap(found[first.model_id].n_users, settings.resamples, settings.random_seed)
    figures, differences = summarized(found, bootstrap, first.model_id)
    comparison = Comparison(
        first=first.model_id,
        second=second.model_id,
        split=settings.split,
        history="+".join(settings.history_splits),
        relevance=settings.relevance,
        relevance_within=within,
        users=found[first.model_id].n_users,
        answers_left_out=int(np.count_nonzero(~unseen)),
        ks=ks,
        models=figures,
        difference=next(iter(differences.values())),
    )
    return comparison, found


def _judged(
    model: Model,
    data: PreparedData,
    held_out: HeldOut,
    settings: EvaluateSettings,
    ks: tuple[int, ...],
    progress: Progress,
) -> Judged:
    threads = settings.threads or available_threads()
    is_its_data = model.info.prepared_fingerprint == data.manifest.fingerprint
    present = model if is_its_data else _with_events(model, data.events)
    known = Known.of(present, settings.history_splits)
    jury = Jury.of(present, known, held_out, settings, METRICS, ks, threads, progress)
    with blas_threads():
        vectors = jury.user_vectors(present)
        return jury.judged(model.model_id, jury.lister(present.solver(), vectors, present.item_item))


def _with_events(model: Model, events: Events) -> Model:
    """Return a model as it would serve the users of other data: it has no vectors for them, so they are folded in."""
    user_ids, history = history_of(events, rows_of(model.movie_ids, events.movie_ids)[events.movie])
    return replace(model, user_ids=user_ids, history=history, info=replace(model.info, trained_on=()))


def _is_relevant(held_out: HeldOut, settings: EvaluateSettings) -> NDArray[np.bool_]:
    return held_out.preference > 0 if settings.relevance == "liked" else np.ones(len(held_out.preference), dtype=bool)


def knows_these_users(model: Model, data: PreparedData) -> bool:
    """Return whether users have the same ids in a model and in the data."""
    offset, prefix = data.manifest.settings.user_offset, data.manifest.settings.user_prefix
    is_of_kind = (model.user_id_kind, model.movie_id_kind) == (data.manifest.ids.users, data.manifest.ids.movies)
    return is_of_kind and (model.info.user_offset, model.info.user_prefix) == (offset, prefix)


def has_learned(model: Model, held_out: HeldOut) -> NDArray[np.bool_]:
    """Return which held-out events a model has learned from, whatever their preference then, bool (events,)."""
    history = model.history.only(model.info.trained_on)
    n_movies = len(model.movie_ids)
    user_idx = np.repeat(np.arange(len(model.user_ids)), np.diff(history.indptr))
    learned = user_idx[history.movie_idx >= 0] * n_movies + history.movie_idx[history.movie_idx >= 0]
    user = rows_of(model.user_ids, held_out.user_ids)[held_out.user]
    movie = rows_of(model.movie_ids, held_out.movie_ids)[held_out.movie]
    return (user >= 0) & (movie >= 0) & np.isin(user.astype(np.int64) * n_movies + movie, learned)
