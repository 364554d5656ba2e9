"""Search for training settings on validation, and evaluate the result on test after the search."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.documents import to_json
from mlrec.artifacts.prepared import read_manifest
from mlrec.artifacts.settings_file import write_settings
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.errors import DataChangedError, EmptyResultError, SettingsError, TrainingFailedError
from mlrec.evaluation.bootstrap import Bootstrap, ratio
from mlrec.evaluation.estimates import Differences, Figures
from mlrec.evaluation.judging import Judged as JudgedUsers
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.listers import Known
from mlrec.evaluation.metrics import METRICS, Metric
from mlrec.evaluation.summary import summarized
from mlrec.evaluation.tuning.study import Counts, Origin, Study, Trial, open_study
from mlrec.machine import available_threads, blas_threads
from mlrec.model import als
from mlrec.model.item_item import learn_item_item
from mlrec.model.learn import check_learnable
from mlrec.model.matrix import catalogue_of, number_rows, signed_matrix
from mlrec.model.train import for_data
from mlrec.progress import SILENT, Progress
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.item_item import ItemItem
from mlrec.ranking.popularity import recent_share
from mlrec.settings import (
    EvaluateSettings,
    Judged,
    TrainSettings,
    TuneSettings,
)
from mlrec.workspace import Workspace, as_path

METRIC = "ndcg@10"
"""The metric to maximize: NDCG of liked movies on validation."""
_NDCG = {"ndcg": METRICS["ndcg"]}

BEST, DEFAULT = "best", "default"
"""Names of the two models in a verdict."""

# After these numbers of sweeps a trial may end early. Of the best fifth of 70 random settings on the demo data, none
# was below the median after 6 sweeps, and 3 of 14 were after 2. The ranks after 6 and after 2 sweeps correlate with
# those after 24 by 0.95 and 0.69.
_CHECKED_SWEEPS = (6, 12, 24)
# The same after a start on a part of the users, which replaces most of the sweeps.
_CHECKED_AFTER_START = (2, 6)

_SHOWN_TRIALS = 5


@dataclass(frozen=True)
class Verdict:
    """The best and the default settings on one held-out split, evaluated as by `mlrec evaluate`.

    Attributes
    ----------
    split, history
        The held-out split, and what was known of the users ("train" or "train+val").
    users
        Number of users in the figures.
    models
        "best" and "default" → metric → estimate.
    differences
        "best - default" → metric → paired difference.
    """

    split: str
    history: str
    users: int
    models: Figures
    differences: Differences

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain JSON values."""
        return to_json(self)


@dataclass(frozen=True)
class Tuned:
    """The result of a tuning.

    Attributes
    ----------
    study
        Name of the study.
    origin
        What the trials have in common.
    counts
        Number of trials in the study, including those of earlier runs.
    best
        The best trial. Its value comes from the sample and is optimistic, because it is the largest of many.
    top
        The best trials, best first.
    is_default
        Whether the best settings are the default settings.
    importance
        Setting → its share in which trials are among the best; empty if there are too few trials to tell.
    val, test
        Verdicts on validation and test. `test` is None if no user likes anything there.
    seconds
        Wall-clock seconds of the search in this run, and of the verdicts.
    settings_file
        The file with the best settings.
    """

    study: str
    origin: Origin
    counts: Counts
    best: Trial
    top: list[Trial]
    is_default: bool
    importance: dict[str, float]
    val: Verdict
    test: Verdict | None
    seconds: dict[str, float]
    settings_file: Path

    def to_json(self) -> dict[str, Any]:
        """Return the document that `mlrec tune --json` prints."""
        return {
            "study": self.study,
            "origin": asdict(self.origin),
            "trials": asdict(self.counts),
            "best": self.best.to_json(),
            "top": [trial.to_json() for trial in self.top],
            "is_default": self.is_default,
            "importance": self.importance,
            "val": self.val.to_json(),
            "test": self.test and self.test.to_json(),
            "seconds": self.seconds,
            "settings_file": str(self.settings_file),
        }


def tune(
    workspace: Workspace,
    settings: TuneSettings | None = None,
    *,
    fresh: bool = False,
    out: str | PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Tuned:
    """Search for training settings on the prepared data of a workspace, and write the best to a file.

    No model is written. The test split is not read before the search is over. An interrupt keeps the finished trials,
    and the next call with the same arguments continues from them.

    Parameters
    ----------
    workspace
        The data directory.
    settings
        Study, number of trials, time limit, sample and seed. Defaults to `TuneSettings()`.
    fresh
        Discard the trials of an earlier study with the same name.
    out
        The file to write the settings to; by default a file named after the study, in the data directory.
    progress
        Is told how many trials are finished, and the best value so far.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    PreparedDataMissingError
        If no data has been prepared.
    EmptyResultError
        If no user likes anything in train or in validation.
    WorkspaceLockedError
        If another process is tuning the same study.
    DataChangedError, StudyChangedError
        If the study was made on other data or with another seed or sample, or if the data changed during the call.
    TrainingFailedError
        If no settings gave finite factors.
    """
    settings = settings or TuneSettings()
    files = workspace.study(settings.study)
    target = files.settings if out is None else _checked_target(as_path("out", out), workspace)
    started = time.monotonic()
    deadline = started + settings.minutes * 60 if settings.minutes else float("inf")
    threads = settings.threads or available_threads()
    read_manifest(workspace)  # fail before anything is written to what may be the wrong directory
    with blas_threads():
        with progress.task("Reading prepared data"):
            tuning_data = _TuningData(read_prepared(workspace, ("train", "val")), threads)
            validation = tuning_data.jury(
                _on_validation(settings, "others"),
                _NDCG,
            )
        origin = Origin(
            tuning_data.fingerprint, METRIC, "val", "liked", settings.sample, settings.random_seed, users="others"
        )
        n_likes = int(tuning_data.interactions.popularity.sum())
        with open_study(files, origin, n_likes, fresh=fresh) as study:
            if study.origin.users != origin.users:  # a study of an earlier version
                validation = tuning_data.jury(_on_validation(settings, study.origin.users), _NDCG)
            _search(study, tuning_data, validation, settings.trials, deadline, progress)
            searched = time.monotonic()
            counts, top, importance = study.counts, study.best(_SHOWN_TRIALS), study.importance()
            if not top:
                raise TrainingFailedError(
                    f"None of the {counts.finished} trials gave finite factors.",
                    "Check the data, or start another study with '--study NEW'.",
                )
            best = top[0]
            default = study.default
            with progress.task("Evaluating the best and the default settings"):
                val, test = _verdicts(
                    workspace, tuning_data.fingerprint, {BEST: best.settings, DEFAULT: default}, threads
                )
            tuned = Tuned(
                study=settings.study,
                origin=study.origin,
                counts=counts,
                best=best,
                top=top,
                is_default=best.settings == default,
                importance=importance,
                val=val,
                test=test,
                seconds={
                    "search": round(searched - started, 3),
                    "verdicts": round(time.monotonic() - searched, 3),
                },
                settings_file=target,
            )
            write_settings(target, best.settings, _provenance(tuned))
    return tuned


def _on_validation(settings: TuneSettings, users: Judged) -> EvaluateSettings:
    return EvaluateSettings(split="val", users=users, sample=settings.sample, random_seed=settings.random_seed)


def _checked_target(out: Path, workspace: Workspace) -> Path:
    """Refuse a file that cannot or must not be written, before hours of work."""
    path = out.resolve()  # the file behind a link is replaced, not the link
    if not path.parent.is_dir():
        raise SettingsError(f"There is no folder {path.parent}.", "Create the folder, or write to another one.")
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path} is not a regular file.", "Write the settings to another file.")
    folders = (workspace.raw, workspace.prepared.root, workspace.models)
    if any(folder.resolve() in path.parents for folder in folders) or path == workspace.users_db.resolve():
        raise SettingsError(f"{path} is inside the data directory.", "Write the settings to another folder.")
    if path.suffix == workspace.study("any").journal.suffix:
        raise SettingsError(f"{path} has the name of a study's journal.", "Write the settings to a .json file.")
    try:
        with TemporaryFile(dir=path.parent):
            return path
    except OSError as error:
        raise SettingsError(
            f"No file can be created in {path.parent}: {error.strerror}.", "Write the settings to another folder."
        ) from error


def _search(
    study: Study, tuning_data: _TuningData, validation: Jury, trials: int, deadline: float, progress: Progress
) -> None:
    def judge(settings: TrainSettings, tell: Callable[[int, float], None]) -> float:
        found = 0.0

        def look(sweeps: int, movie_factors: NDArray[np.float32]) -> None:
            nonlocal found
            checked = _CHECKED_AFTER_START if settings.starts_on else _CHECKED_SWEEPS
            if sweeps == settings.sweeps or sweeps in checked:
                as_trained = tuning_data.as_trained(settings)
                item_item = tuning_data.item_item(as_trained)
                ndcg = _judged(validation, movie_factors, as_trained, item_item).per_user[METRIC]
                found = ratio(ndcg.numerators, ndcg.denominators)
                if sweeps < settings.sweeps:
                    tell(sweeps, found)

        tuning_data.fit(settings, look)
        return found

    with progress.task("Tuning", trials, "trials") as task:

        def tell_best() -> None:
            for best in study.best(1):
                task.say(f"Tuning, best {METRIC} {best.value:.4f} (trial {best.number})")

        done = min(study.counts.finished, trials)
        task.advance(done)
        tell_best()
        # At least one trial runs, however short the time limit.
        while done < trials and (not done or time.monotonic() < deadline):
            study.run_trial(judge)
            done += 1
            task.advance()
            tell_best()


def _verdicts(
    workspace: Workspace, fingerprint: str, candidates: dict[str, TrainSettings], threads: int
) -> tuple[Verdict, Verdict | None]:
    """Return verdicts on validation and test; None for test if no user likes anything there. Only this reads test."""
    tuning_data = _TuningData(read_prepared(workspace), threads)
    if tuning_data.fingerprint != fingerprint:
        raise DataChangedError(
            "The prepared data changed during the tuning.",
            "Prepare the earlier data again, or start another study with '--study NEW'.",
        )
    models = {name: (settings, tuning_data.fit(settings)) for name, settings in candidates.items()}
    val = _verdict(tuning_data, EvaluateSettings(split="val", users="others"), models)
    try:
        return val, _verdict(tuning_data, EvaluateSettings(split="test", users="others"), models)
    except EmptyResultError:  # test may be empty in small data; the settings are still good
        return val, None


def _verdict(
    tuning_data: _TuningData, settings: EvaluateSettings, models: dict[str, tuple[TrainSettings, NDArray[np.float32]]]
) -> Verdict:
    jury = tuning_data.jury(settings, METRICS)
    judged = {}
    for name, (train, movie_factors) in models.items():
        as_trained = tuning_data.as_trained(train)
        judged[name] = _judged(jury, movie_factors, as_trained, tuning_data.item_item(as_trained))
    bootstrap = Bootstrap(len(jury.users), settings.resamples, settings.random_seed)
    figures, differences = summarized(judged, bootstrap, BEST)
    return Verdict(settings.split, "+".join(settings.history_splits), len(jury.users), figures, differences)


def _provenance(tuned: Tuned) -> dict[str, Any]:
    """What a settings file records about its study."""

    def headline(verdict: Verdict) -> dict[str, Any]:
        told = to_json(verdict)
        return {name: rows[METRIC] for table in ("models", "differences") for name, rows in told[table].items()}

    return {
        "name": tuned.study,
        **asdict(tuned.origin),
        "trials": asdict(tuned.counts),
        "trial": tuned.best.number,
        "val": headline(tuned.val),
        "test": tuned.test and headline(tuned.test),
    }


def _judged(
    jury: Jury, movie_factors: NDArray[np.float32], settings: TrainSettings, item_item: ItemItem | None
) -> JudgedUsers:
    fold_in = FoldIn(movie_factors, settings.fold_in)
    return jury.judged("trial", jury.lister(fold_in, jury.folded_in(fold_in), item_item))


class _TuningData:
    """Prepared data in memory: what every trial learns from and is evaluated on. It is the core, which ALS learns."""

    def __init__(self, data: PreparedData, threads: int) -> None:
        self._data = data
        self._threads = threads
        self.fingerprint = data.manifest.fingerprint
        self._half_life = for_data(TrainSettings(), data.manifest).popularity_half_life
        self.interactions = number_rows(data.events, ("train",))
        self._train = self.interactions.history.only(("train",))
        self._preferences = signed_matrix(self._train, len(self.interactions.movie_ids))
        check_learnable(self._preferences, TrainSettings())
        self._item_item: ItemItem | None = None

    def fit(
        self,
        settings: TrainSettings,
        after_sweep: Callable[[int, NDArray[np.float32]], object] | None = None,
    ) -> NDArray[np.float32]:
        """Train, and return the movie factors, float32 (movies, factors)."""
        return als.fit(self._preferences, settings, self._threads, SILENT, after_sweep).movies

    def as_trained(self, settings: TrainSettings) -> TrainSettings:
        """The settings as a training on this data would use them."""
        return for_data(settings, self._data.manifest)

    def item_item(self, settings: TrainSettings) -> ItemItem | None:
        """The second opinion by the rule of some settings. It is learned once, because all trials have the same."""
        rule = settings.second_opinion
        if rule is None:
            return None
        if self._item_item is None:
            self._item_item, _ = learn_item_item(self._train, self.interactions.is_trained, rule, self._threads)
        return self._item_item.with_rule(rule)

    def jury(self, settings: EvaluateSettings, metrics: Mapping[str, Metric]) -> Jury:
        """Return the jury for a split. Raises `EmptyResultError` if no user likes anything in it."""
        known = Known(
            train=self._train,
            history=self.interactions.history.only(settings.history_splits),
            popularity=self.interactions.popularity,
            share=recent_share(self._train, len(self.interactions.movie_ids), self._half_life),
            half_life=self._half_life if math.isfinite(self._half_life) else None,
            genres=catalogue_of(self._data.movies, self.interactions.movie_ids).genres,
            is_trained=self.interactions.is_trained,
        )
        held_out = self._data.held_out(settings.split)
        within_core = replace(settings, relevance_within="core")
        jury = Jury.of(self.interactions, known, held_out, within_core, metrics, (10,), self._threads)
        if not len(jury.users):
            raise EmptyResultError(
                f"No user has a relevant movie in the {settings.split} split.",
                "Prepare with other thresholds or another split ratio.",
            )
        return jury.sampled()
