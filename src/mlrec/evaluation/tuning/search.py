"""Searching for training settings: by validation alone, and a last look at test when the search is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
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
from mlrec.evaluation.judging import Judged
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.metrics import METRICS, Metric
from mlrec.evaluation.scorers import Known
from mlrec.evaluation.summary import summarized
from mlrec.evaluation.tuning.study import Counts, Origin, Study, Trial, open_study
from mlrec.machine import available_threads, blas_threads
from mlrec.model import als
from mlrec.model.learn import check_learnable
from mlrec.model.matrix import catalogue_of, number_rows, signed_matrix
from mlrec.progress import SILENT, Progress
from mlrec.settings import (
    EvaluateSettings,
    FoldInSettings,
    TrainSettings,
    TuneSettings,
    regularization_for,
)
from mlrec.workspace import Workspace, as_path

METRIC = "ndcg@10"
"""What is maximized, of liked movies on validation."""

BEST, DEFAULT = "best", "default"
"""Names of the two models of a verdict."""

# After so many sweeps a trial may end early. Of the best fifth of 70 random settings on the demo data, none was below
# the median after six sweeps, and 3 of 14 after two. Ranks then and after 24 sweeps correlate with .95 and .69.
_LOOKS = (6, 12, 24)

_SHOWN_TRIALS = 5


@dataclass(frozen=True)
class Verdict:
    """The best and the default settings on one held-out part, judged as `mlrec evaluate` does.

    Attributes
    ----------
    split, history
        What was looked for, and what was known ("train" or "train+val").
    users
        Users that the figures run over.
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
        """Return it as plain JSON values."""
        return to_json(self)


@dataclass(frozen=True)
class Tuned:
    """Outcome of a tuning.

    Attributes
    ----------
    study
        Name of the study.
    origin
        What its trials have in common.
    counts
        Trials of the study, those of earlier runs among them.
    best
        The best trial. Its value is that of the sample, and an optimistic one: it is the largest of many.
    top
        The best trials, the best first.
    is_default
        Whether the best settings are the default ones.
    importance
        Setting → share in how trials come to be among the best; empty if they are too few to say.
    val, test
        Verdicts; `test` is None if nobody likes anything there.
    seconds
        Wall-clock seconds of the search (of this run) and of the verdicts.
    settings_file
        Where the best settings were written.
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
        """Return what `mlrec tune --json` prints."""
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
    """Search for training settings on a workspace's prepared folder, and write the best to a file.

    No model is written. The test part is not read before the search is over. An interrupt keeps the finished trials,
    and the same call goes on with them.

    Parameters
    ----------
    workspace
        The data directory.
    settings
        Defaults to `TuneSettings()`.
    fresh
        Forget the trials of an earlier study of that name.
    out
        The file of settings; by default the study's, in the data directory.
    progress
        Told of the trials that are finished, with the best so far.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    PreparedDataMissingError
        If nothing has been prepared.
    EmptyResultError
        If nobody likes anything in the training or the validation part.
    WorkspaceLockedError
        If another process tunes the same study.
    DataChangedError, StudyChangedError
        If the study was made on other data, or with another seed or sample; or if the data changed meanwhile.
    TrainingFailedError
        If no settings gave finite factors.
    """
    settings = settings or TuneSettings()
    files = workspace.study(settings.study)
    target = files.settings if out is None else _checked_target(as_path("out", out), workspace)
    started = time.monotonic()
    deadline = started + settings.minutes * 60 if settings.minutes else float("inf")
    threads = settings.threads or available_threads()
    read_manifest(workspace)  # before anything is written to a directory that may be the wrong one
    with blas_threads():
        with progress.task("Reading prepared data"):
            ground = _Ground(read_prepared(workspace, ("train", "val")), threads)
            validation = ground.jury(
                EvaluateSettings(split="val", sample=settings.sample, random_seed=settings.random_seed),
                {"ndcg": METRICS["ndcg"]},
            )
        origin = Origin(ground.fingerprint, METRIC, "val", "liked", settings.sample, settings.random_seed)
        regularization = regularization_for(int(ground.interactions.popularity.sum()))
        with open_study(files, origin, regularization, fresh=fresh) as study:
            _search(study, ground, validation, settings.trials, deadline, progress)
            searched = time.monotonic()
            counts, top, importance = study.counts, study.best(_SHOWN_TRIALS), study.importance()
            if not top:
                raise TrainingFailedError(
                    f"None of the {counts.finished} trials gave factors that are finite numbers.",
                    "Look at the data, or begin another study with '--study NEW'.",
                )
            best = top[0]
            default = TrainSettings(random_seed=settings.random_seed, regularization=regularization)
            with progress.task("Judging the best and the default settings"):
                val, test = _last_look(workspace, ground.fingerprint, {BEST: best.settings, DEFAULT: default}, threads)
            tuned = Tuned(
                study=settings.study,
                origin=origin,
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


def _checked_target(out: Path, workspace: Workspace) -> Path:
    """Refuse, before hours of work, a file that could not or must not be written."""
    path = out.resolve()  # the file that a link leads to is replaced, not the link
    if not path.parent.is_dir():
        raise SettingsError(f"There is no folder {path.parent}.")
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path} is not a regular file.")
    folders = (workspace.raw, workspace.prepared.root, workspace.models)
    if any(folder.resolve() in path.parents for folder in folders) or path == workspace.users_db.resolve():
        raise SettingsError(f"{path} belongs to the data directory.", "Write the settings somewhere else.")
    if path.suffix == workspace.study("any").journal.suffix:
        raise SettingsError(f"{path} has the name of a study's journal.", "Write the settings to a .json file.")
    try:
        with TemporaryFile(dir=path.parent):
            return path
    except OSError as error:
        raise SettingsError(
            f"No file can be made in {path.parent}: {error.strerror}.", "Write the settings somewhere else."
        ) from error


def _search(study: Study, ground: _Ground, validation: Jury, trials: int, deadline: float, progress: Progress) -> None:
    def judge(settings: TrainSettings, tell: Callable[[int, float], None]) -> float:
        found = 0.0

        def look(sweeps: int, movie_factors: NDArray[np.float32]) -> None:
            nonlocal found
            if sweeps == settings.iterations or sweeps in _LOOKS:
                ndcg = _judged(validation, movie_factors, settings.fold_in).per_user[METRIC]
                found = ratio(ndcg.numerators, ndcg.denominators)
                if sweeps < settings.iterations:
                    tell(sweeps, found)

        ground.fit(settings, look)
        return found

    with progress.task("Tuning", trials, "trials") as task:

        def tell_best() -> None:
            for best in study.best(1):
                task.say(f"Tuning, best {METRIC} {best.value:.4f} (trial {best.number})")

        done = min(study.counts.finished, trials)
        task.advance(done)
        tell_best()
        # However little time there is, there shall be a result.
        while done < trials and (not done or time.monotonic() < deadline):
            study.run_trial(judge)
            done += 1
            task.advance()
            tell_best()


def _last_look(
    workspace: Workspace, fingerprint: str, candidates: dict[str, TrainSettings], threads: int
) -> tuple[Verdict, Verdict | None]:
    """Verdicts on validation and on test, which is read here and nowhere else; None if nobody likes anything there."""
    ground = _Ground(read_prepared(workspace), threads)
    if ground.fingerprint != fingerprint:
        raise DataChangedError(
            "The prepared data has changed while it was tuned on.",
            "Prepare the earlier data again, or begin another study with '--study NEW'.",
        )
    models = {name: (settings, ground.fit(settings)) for name, settings in candidates.items()}
    val = _verdict(ground, EvaluateSettings(split="val"), models)
    try:
        return val, _verdict(ground, EvaluateSettings(split="test"), models)
    except EmptyResultError:  # small data may leave the part empty; the settings are none the worse for it
        return val, None


def _verdict(
    ground: _Ground, settings: EvaluateSettings, models: dict[str, tuple[TrainSettings, NDArray[np.float32]]]
) -> Verdict:
    jury = ground.jury(settings, METRICS)
    judged = {name: _judged(jury, movie_factors, train.fold_in) for name, (train, movie_factors) in models.items()}
    bootstrap = Bootstrap(len(jury.users), settings.resamples, settings.random_seed)
    figures, differences = summarized(judged, bootstrap, BEST)
    return Verdict(settings.split, "+".join(settings.history_splits), len(jury.users), figures, differences)


def _provenance(tuned: Tuned) -> dict[str, Any]:
    """What a file of settings says of the study that it comes from."""

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


def _judged(jury: Jury, movie_factors: NDArray[np.float32], rule: FoldInSettings) -> Judged:
    return jury.judged("trial", jury.scorer(movie_factors, rule, jury.folded_in(movie_factors, rule)))


class _Ground:
    """Prepared data in memory: what every trial learns from, and what it is judged by."""

    def __init__(self, data: PreparedData, threads: int) -> None:
        self._data = data
        self._threads = threads
        self.fingerprint = data.manifest.fingerprint
        self.interactions = number_rows(data.events, ("train",))
        self._train = self.interactions.history.only(("train",))
        self._preferences = signed_matrix(self._train, len(self.interactions.movie_ids))
        check_learnable(self._preferences, TrainSettings())

    def fit(
        self,
        settings: TrainSettings,
        after_sweep: Callable[[int, NDArray[np.float32]], object] | None = None,
    ) -> NDArray[np.float32]:
        """Movie factors, float32 (movies, factors)."""
        return als.fit(self._preferences, settings, self._threads, SILENT, after_sweep).movies

    def jury(self, settings: EvaluateSettings, metrics: Mapping[str, Metric]) -> Jury:
        """Raises `EmptyResultError` if nobody likes anything in the part."""
        known = Known(
            train=self._train,
            history=self.interactions.history.only(settings.history_splits),
            popularity=self.interactions.popularity,
            genres=catalogue_of(self._data.movies, self.interactions.movie_ids).genres,
        )
        held_out = self._data.held_out(settings.split)
        jury = Jury.of(self.interactions, known, held_out, settings, metrics, (10,), self._threads)
        if not len(jury.users):
            raise EmptyResultError(
                f"No user has a relevant movie in the {settings.split} part.",
                "Prepare with other thresholds or another split.",
            )
        return jury.sampled()
