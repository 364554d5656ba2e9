"""Evaluate a model and baselines on the same split, history and masks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, assert_never

import numpy as np

from mlrec.artifacts import metrics_file, model_folder, registry
from mlrec.artifacts.documents import to_json
from mlrec.artifacts.model_folder import Model
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.events import Events
from mlrec.dataset.finding import Table
from mlrec.dataset.reading import HeldOut, PreparedData, read_held_out, read_prepared
from mlrec.errors import DataChangedError, EmptyResultError, SettingsError, StateError, TrainingFailedError
from mlrec.evaluation import foreign_lists, splits
from mlrec.evaluation.bootstrap import Bootstrap
from mlrec.evaluation.contest import Contest, chosen_baselines
from mlrec.evaluation.estimates import Differences, Estimate, Figures, without
from mlrec.evaluation.foreign_lists import ForeignLists, ListsReport
from mlrec.evaluation.judging import Judged as JudgedUsers
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.listers import Known
from mlrec.evaluation.memory import Memory
from mlrec.evaluation.metrics import HELD_OUT_USERS_METRICS, METRICS, PUBLISHED_METRICS
from mlrec.evaluation.summary import Segment, segments, summarized
from mlrec.machine import available_threads, blas_threads
from mlrec.model.train import build_model
from mlrec.progress import SILENT, Progress
from mlrec.settings import (
    BASELINES,
    DEFAULT_KS,
    SPLITS,
    EvaluateSettings,
    Judged,
    ProtocolName,
    Relevance,
    RelevanceWithin,
    SplitOn,
)
from mlrec.workspace import Workspace

_NO_DISLIKES = "interactions have no dislikes"
# Users on whom baselines choose their half-life.
_CHOOSING_USERS = 3_000

MODEL = "als"
"""Name of the evaluated model in the figures."""
NO_RIVALS = (MODEL, "sequence", "als-default")
"""The model itself, what learns the order of a page, and the same model with other settings."""


@dataclass(frozen=True)
class RelevantMovies:
    """How many held-out movies are relevant.

    Attributes
    ----------
    movies
        All of them, counted once for each user.
    outside_core
        Those outside the core, which have few ratings.
    unknown
        Those that the model does not know: no list can have them.
    """

    movies: int
    outside_core: int
    unknown: int


@dataclass(frozen=True)
class Seeds:
    """Figures of the model when it is trained with several random seeds.

    Attributes
    ----------
    random_seeds
        The seeds; the first is that of the evaluated model.
    models
        Metric ("ndcg@10") → the figure with each seed.
    spread
        Metric → mean of these figures, with the 95% prediction interval of the next training: mean ± t · s · √(1 + 1/n)
        of the n figures, where s is their standard deviation and t the quantile of Student's distribution.
    """

    random_seeds: tuple[int, ...]
    models: dict[str, tuple[float, ...]]
    spread: dict[str, Estimate]


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a model and of the baselines on one held-out split.

    Attributes
    ----------
    model_id
        The model that was evaluated.
    protocol
        How events were divided into those to learn from, those known of a user, and those to find.
    trained_anew
        Whether the protocol needed a model of its own. If so, it was trained in memory with the settings of `model_id`,
        or with the default settings if that is None.
    split
        The held-out split.
    history
        What was known of the users: "train", "train+val", or "fold-in" for held-out users.
    relevance
        Which held-out movies are relevant: "liked" or "any".
    relevance_within
        Whether all movies can be listed and relevant ("all") or only those of the core ("core"). Data that was prepared
        by an earlier version has only its core.
    users
        Number of users in the figures: those with at least one relevant held-out movie, or a sample of them.
    users_left_out
        Number of users without a relevant held-out movie.
    users_without_taste
        Number of `users` whose taste is unknown. They get popular movies, as in serving.
    sample
        How many users were drawn; None if all were evaluated.
    ks
        Cutoffs.
    relevant
        How many held-out movies are relevant, and how many of them are hard to find.
    models
        Name → metric ("ndcg@10") → estimate; "als" is the model, the others are baselines. A figure that is undefined
        is NaN, and null in JSON.
    differences
        Pair ("als - popularity") → metric → paired difference.
    segments
        Figures by length of the users' history, by popularity of the relevant movies, and by the time since the user's
        last known event.
    skipped
        Baseline that was not evaluated → reason.
    half_lives
        Baseline that looks at dates → the half-life that it chose on validation, in days ("recent") or in later events;
        None: no decay.
    judged
        Which users were evaluated: "all", "others" (those outside the holdout) or "holdout".
    shuffled_sittings
        Whether the order of events within each sitting was dealt anew.
    split_on
        Which events counted when histories were split: "core" or "all".
    seeds
        The figures with other random seeds of the training, if they were asked for.
    not_applicable
        Metric that the data has no use for → reason.
    ordered_by
        What orders the events of a user: "time"; or, in data without times, "file" or "random".
    recommendations
        Name of lists that another system made → what they were like. The names are in `models` too.
    """

    model_id: str | None
    protocol: ProtocolName
    trained_anew: bool
    split: str
    history: str
    relevance: Relevance
    relevance_within: RelevanceWithin
    users: int
    users_left_out: int
    users_without_taste: int
    sample: int | None
    ks: tuple[int, ...]
    relevant: RelevantMovies
    models: Figures
    differences: Differences
    segments: list[Segment]
    skipped: dict[str, str]
    not_applicable: dict[str, str] = field(default_factory=dict)
    ordered_by: str = "time"
    half_lives: dict[str, float | None] = field(default_factory=dict)
    judged: Judged = "all"
    shuffled_sittings: bool = False
    split_on: SplitOn = "core"
    seeds: Seeds | None = None
    recommendations: dict[str, ListsReport] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the document that `mlrec evaluate --json` prints."""
        return to_json(self)


def evaluate(
    workspace: Workspace,
    settings: EvaluateSettings | None = None,
    *,
    model_id: str | None = None,
    recommendations: Mapping[str, Table] | None = None,
    memory: Memory | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Evaluate a model on a held-out split.

    Under the protocol of the prepared folder, the result is saved in the model's folder, unless it is of a sample. A
    protocol that divides the data in another way needs a model of its own, which is trained in memory. Nothing is saved
    then.

    Parameters
    ----------
    workspace
        The data directory.
    settings
        Protocol, split, metrics and baselines. Defaults to `EvaluateSettings()`.
    model_id
        The model; by default the published one. If the protocol needs a model of its own, the settings of this model
        are used.
    recommendations
        Name → lists that another system made, as a file or a data frame, to be evaluated beside the model. They are not
        saved with it.
    memory
        Keeps what the baselines learn, for an evaluation of the same model on the other split.
    progress
        Is told what is being trained, and how many users are done.

    Raises
    ------
    ModelMissingError
        If the model does not exist.
    DataChangedError
        If the model was trained on other prepared data.
    StateError
        If the model has learned from the held-out split, or is an update that knows later swipes.
    EmptyResultError
        If no user has a relevant held-out movie, or the protocol leaves nothing to learn from.
    InputError
        If lists of another system cannot be read.
    SettingsError
        If there are such lists, and the protocol is not that of the prepared folder, from which they were made.
    """
    settings, recommendations = settings or EvaluateSettings(), recommendations or {}
    divided_anew = settings.shuffle_sittings or settings.split_on == "all"
    if settings.protocol is not None or divided_anew:
        prepared = read_manifest(workspace).settings.split
        protocol = settings.protocol or prepared
        if protocol != prepared or divided_anew:
            if recommendations:
                raise _unfit_for_lists(protocol, prepared)
            return _evaluate_anew(workspace, settings, protocol, model_id, progress)
    files = registry.resolve(workspace, model_id)
    model = model_folder.open_model(files)
    if settings.split in model.info.trained_on:
        raise StateError(
            f"Model {model.model_id} has learned from the {settings.split} split, so it cannot be evaluated on it.",
            f"Evaluate the model with the same settings that has not: mlrec evaluate --model {judge}"
            if (judge := model.info.judged_by)
            else "Evaluate a model that was trained with '--on train'.",
        )
    since = model.info.since_training
    if since is not None and since.swipes:
        raise StateError(
            f"Model {model.model_id} is an update of {since.model_id}, and knows swipes that came after the held-out"
            " events.",
            f"Evaluate the model that was trained: mlrec evaluate --model {model.info.judged_by or since.model_id}",
        )
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_held_out, workspace, settings.split)
        known = Known.of(model, settings.history_splits)
        held_out = reading.result()
    if held_out.manifest.fingerprint != model.info.prepared_fingerprint:
        raise DataChangedError(
            f"The prepared data has changed since model {model.model_id} was trained.",
            "Train again, or prepare the data that the model was trained on.",
        )
    lists = foreign_lists.read_all(recommendations, model, taken=(MODEL, *BASELINES), progress=progress)
    protocol = held_out.manifest.settings.split
    validation = partial(read_held_out, workspace, "val") if settings.split != "val" else lambda: held_out
    memory = memory or Memory()
    memory.turn_to(model)
    result = _judge(model, known, held_out, settings, protocol, progress, validation, lists, memory)
    if settings.seeds > 1:
        with progress.task("Reading prepared data"):
            data = read_prepared(workspace)
        result = replace(result, seeds=_seeds(result, model, data, settings, protocol, progress))
    if result.sample is None and result.judged == "all":
        kind = metrics_file.kind_of(result.relevance, result.relevance_within)
        kept = foreign_lists.without_lists(result)
        metrics_file.add_metrics(files, kept.split, kept.history, kind, to_json(kept, without=("recommendations",)))
    return result


def _unfit_for_lists(protocol: ProtocolName, prepared: ProtocolName) -> SettingsError:
    """The error for lists of other systems, which were made from the prepared data, on data that is divided anew."""
    if protocol == prepared:
        return SettingsError(
            "Lists of other systems are made from the prepared data. --shuffle-sittings and --split-on all change what"
            " is known of users.",
            "Leave out these options, or --recommendations.",
        )
    return SettingsError(
        f"Lists of other systems are made from the prepared data, which is split by {prepared}. They cannot be"
        f" evaluated with --protocol {protocol}, which divides the events in another way.",
        "Leave out --protocol."
        if protocol == "held-out-users"
        else f"Leave out --protocol. Or run 'mlrec prepare --split {protocol}', train, and make the lists again.",
    )


def _evaluate_anew(
    workspace: Workspace, settings: EvaluateSettings, protocol: ProtocolName, model_id: str | None, progress: Progress
) -> Evaluation:
    """Train a model for a protocol in memory, and evaluate it."""
    settings_of, train_settings = registry.settings_of(workspace, model_id)
    with progress.task("Reading prepared data"):
        data = read_prepared(workspace)
    if settings.shuffle_sittings:
        splits.require_times(data.manifest)
        data = replace(data, events=splits.shuffled_sittings(data.events, settings.random_seed))
    data = replace(data, events=_divided(data, protocol, settings))
    model, _ = build_model(data, replace(train_settings, on="train", threads=settings.threads), progress=progress)
    judged_as = settings
    if protocol == "held-out-users":
        # Whichever split is asked for, what is folded in of these users is marked as validation and the rest as test.
        judged_as = replace(settings, split="test", history="known")
    validation = partial(data.held_out, "val") if protocol != "held-out-users" else None
    known = Known.of(model, judged_as.history_splits)
    result = _judge(model, known, data.held_out(judged_as.split), judged_as, protocol, progress, validation)
    if settings.seeds > 1:
        result = replace(result, seeds=_seeds(result, model, data, judged_as, protocol, progress))
    if protocol == "held-out-users":
        n_learned_from = len(np.unique(data.events.user[data.events.split == SPLITS.index("train")]))
        result = replace(
            result, split=settings.split, history="fold-in", users_left_out=result.users_left_out - n_learned_from
        )
    return replace(
        result,
        model_id=settings_of,
        trained_anew=True,
        shuffled_sittings=settings.shuffle_sittings,
        split_on=settings.split_on,
    )


def _seeds(
    result: Evaluation,
    model: Model,
    data: PreparedData,
    settings: EvaluateSettings,
    protocol: ProtocolName,
    progress: Progress,
) -> Seeds:
    """Train the model with other random seeds in memory, and evaluate each as the model was evaluated."""
    first = model.info.settings.random_seed
    seeds = tuple((first + number) % 2**32 for number in range(settings.seeds))
    found = [result.models[MODEL]]
    for seed in seeds[1:]:
        trained = replace(model.settings_elsewhere, on="train", threads=settings.threads, random_seed=seed)
        other, _ = build_model(data, trained, progress=progress)
        alone = replace(settings, baselines=(), resamples=1000)
        known = Known.of(other, alone.history_splits)
        found.append(_judge(other, known, data.held_out(settings.split), alone, protocol, progress).models[MODEL])
    figures = {metric: tuple(own[metric].value for own in found) for metric in found[0]}
    return Seeds(seeds, figures, {metric: _spread(values) for metric, values in figures.items()})


def _spread(values: tuple[float, ...]) -> Estimate:
    from scipy.special import stdtrit

    n, mean, standard_deviation = len(values), float(np.mean(values)), float(np.std(values, ddof=1))
    margin = float(stdtrit(n - 1, 0.975)) * standard_deviation * math.sqrt(1 + 1 / n)
    return Estimate(mean, mean - margin, mean + margin)


def _divided(data: PreparedData, protocol: ProtocolName, settings: EvaluateSettings) -> Events:
    ratio, counted = data.manifest.settings.split_ratio, None
    if settings.split_on == "all":
        counted = np.ones(len(data.events), dtype=bool)
    if protocol == "global-time":
        splits.require_times(data.manifest)
    match protocol:
        case "user-time":
            return splits.by_user_time(data.events, ratio, counted)
        case "global-time":
            return splits.by_global_time(data.events, ratio, counted)
        case "held-out-users":
            return splits.by_held_out_users(
                data.events, settings.split, settings.relevance, settings.held_out_share, settings.random_seed
            )
        case _:
            assert_never(protocol)


def _judge(
    model: Model,
    known: Known,
    held_out: HeldOut,
    settings: EvaluateSettings,
    protocol: ProtocolName,
    progress: Progress,
    validation: Callable[[], HeldOut] | None = None,
    lists: Mapping[str, ForeignLists] | None = None,
    memory: Memory | None = None,
) -> Evaluation:
    """Evaluate a model and the baselines.

    `validation` reads the split on which baselines choose their half-life. None: they take the usual one.
    """
    metrics = {
        **METRICS,
        **(HELD_OUT_USERS_METRICS if protocol == "held-out-users" else {}),
        **(PUBLISHED_METRICS if settings.published_ndcg else {}),
    }
    ks, threads = settings.ks or DEFAULT_KS[protocol], settings.threads or available_threads()
    everybody = Jury.of(model, known, held_out, settings, metrics, ks, threads, progress)
    if not len(everybody.users):
        raise EmptyResultError(
            f"No user has a relevant movie in the {settings.split} split.",
            "Evaluate the other split, use --relevance any, or prepare with other thresholds.",
        )
    jury = everybody.sampled()
    found: dict[str, JudgedUsers] = {}
    lists = lists or {}
    with blas_threads():
        vectors = jury.user_vectors(model)
        choosing = None if validation is None else partial(_jury_of_validation, model, validation, settings, threads)
        contest = Contest(jury, held_out.manifest, choosing, model.solver(), vectors, memory or Memory())
        chosen, skipped = chosen_baselines(model, known, held_out.manifest, protocol, settings)
        found[MODEL] = jury.judged(MODEL, jury.lister(model.solver(), vectors, model.item_item))
        for name in chosen:
            try:
                found[name] = jury.judged(name, contest.lister(name))
            except TrainingFailedError as error:
                skipped[name] = f"cannot be trained ({error.message})"
        found |= foreign_lists.judged(lists, jury)
        bootstrap = Bootstrap(len(jury.users), settings.resamples, settings.random_seed)
        figures, differences = summarized(found, bootstrap, MODEL)
        not_applicable = {f"disliked@{k}": _NO_DISLIKES for k in ks} if held_out.manifest.settings.implicit else {}
        figures, differences = without(figures, not_applicable), without(differences, not_applicable)
        parts = segments(
            found,
            bootstrap,
            n_known=np.diff(known.history.indptr)[jury.users],
            n_relevant=jury.judge.held_out.n_relevant,
            popularity=known.likes_in_train,
            n_after_pause=None if jury.judge.held_out.pauses is None else jury.judge.held_out.pauses.n_relevant,
            ks=ks,
        )
    outside_core, unknown = jury.judge.held_out.n_outside.sum(axis=1).tolist()
    return Evaluation(
        model_id=model.model_id,
        protocol=protocol,
        trained_anew=False,
        split=settings.split,
        history="+".join(settings.history_splits),
        relevance=settings.relevance,
        relevance_within=jury.within,
        users=len(jury.users),
        users_left_out=jury.judge.held_out.users_left_out,
        users_without_taste=int(np.count_nonzero(~vectors[jury.users].any(axis=1))),
        sample=settings.sample if len(jury.users) < len(everybody.users) else None,
        ks=ks,
        relevant=RelevantMovies(int(jury.judge.held_out.n_relevant.sum()), outside_core, unknown),
        models=figures,
        differences=differences,
        segments=parts,
        skipped=skipped,
        not_applicable=not_applicable,
        ordered_by=held_out.manifest.reading.order,
        half_lives={
            name: half_life if math.isfinite(half_life) else None for name, half_life in contest.half_lives.items()
        },
        judged=settings.users,
        recommendations={name: own.report(jury) for name, own in lists.items()},
    )


def _jury_of_validation(
    model: Model, validation: Callable[[], HeldOut], settings: EvaluateSettings, threads: int
) -> Jury:
    """The jury by which baselines choose their half-life: some users outside the holdout."""
    settings = replace(settings, split="val", users="others", sample=_CHOOSING_USERS)
    # No baseline mixes the model's popularity by date into its lists, so it is not derived.
    known = replace(Known.of(model, ("train",)), half_life=None)
    return Jury.of(model, known, validation(), settings, METRICS, (10,), threads).sampled()
