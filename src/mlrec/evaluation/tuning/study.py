"""A tuning study: the settings that are searched, and the trials so far, in a journal on disk (Optuna).

A trial is drawn from its place in the study and from the trials before it alone. So a study that was interrupted, at
any moment, goes on as if it had not been.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlrec.artifacts.documents import from_json
from mlrec.artifacts.settings_file import WholeTrainSettings
from mlrec.errors import (
    DataChangedError,
    IncompatibleFormatError,
    MissingExtraError,
    StudyChangedError,
    TrainingFailedError,
    WorkspaceLockedError,
)
from mlrec.locks import exclusive
from mlrec.settings import TrainSettings
from mlrec.workspace import StudyFiles

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

SPACE_VERSION = 1
"""Raised when the searched settings, their ranges or what a trial's value means change: older studies are refused."""

# Trials that are drawn at random before the sampler models what is good, and complete ones before any is pruned.
_RANDOM_TRIALS = 16
_FULL_TRIALS = 8

_ATTRIBUTES = "mlrec"
_SETTINGS = "settings"

# Importance is told of so many complete trials and more.
_ENOUGH_TRIALS = 20


@dataclass(frozen=True)
class Origin:
    """What all trials of a study have in common; trials of another origin cannot be compared with them.

    Attributes
    ----------
    prepared_fingerprint
        Of the prepared data.
    metric, split, relevance
        What a trial's value is.
    sample
        How many users it is of; 0: all.
    random_seed
        Of the search, the sample and the initial factors.
    space_version
        See `SPACE_VERSION`.
    """

    prepared_fingerprint: str
    metric: str
    split: str
    relevance: str
    sample: int
    random_seed: int
    space_version: int = SPACE_VERSION


@dataclass(frozen=True)
class Trial:
    """A complete trial: its number in the study, its value and its settings."""

    number: int
    value: float
    settings: TrainSettings

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"trial": self.number, "value": self.value, "settings": self.settings.to_json()}


@dataclass(frozen=True)
class _Attributes:
    """What the journal says of a trial beside what Optuna does."""

    settings: WholeTrainSettings


@dataclass(frozen=True)
class Counts:
    """Trials that ran to their end, were stopped early as worse than most, or were interrupted."""

    complete: int
    pruned: int
    failed: int

    @property
    def finished(self) -> int:
        """Those that count."""
        return self.complete + self.pruned


class Study:
    """An open study; see `open_study`.

    Parameters
    ----------
    study
        Optuna's.
    regularization
        λ that the default settings have on this data.
    random_seed
        Seed of the search, and of the initial factors of each trial.
    """

    def __init__(self, study: optuna.Study, regularization: float, random_seed: int) -> None:
        self._study = study
        self._regularization = regularization
        self._random_seed = random_seed

    @property
    def counts(self) -> Counts:
        """How many trials there are."""
        from optuna.trial import TrialState

        states = [trial.state for trial in self._study.get_trials(deepcopy=False)]
        return Counts(*(states.count(state) for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)))

    def best(self, n: int) -> list[Trial]:
        """The n best of the complete trials, the best first; of equal ones the earlier."""
        from optuna.trial import TrialState

        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [
            Trial(trial.number, trial.values[0], _settings_of(trial))
            for trial in sorted(complete, key=lambda trial: (-trial.values[0], trial.number))[:n]
        ]

    def run_trial(self, judge: Callable[[TrainSettings, Callable[[int, float], None]], float]) -> None:
        """Run the next trial: the first is of the default settings.

        Parameters
        ----------
        judge
            Takes settings to their value, and on the way tells the value after so many sweeps; that call may raise, and
            the trial then ends early.
        """
        import optuna
        from optuna.trial import TrialState

        finished = self.counts.finished
        # Interrupted trials have no part in the seed, nor does the sampler look at them.
        seed = np.random.SeedSequence([self._random_seed, finished]).generate_state(1)[0]
        sampler = optuna.samplers.TPESampler(seed=int(seed), multivariate=True, n_startup_trials=_RANDOM_TRIALS)
        self._study.sampler = (
            sampler if finished else optuna.samplers.PartialFixedSampler(_DEFAULT_POINT, base_sampler=sampler)
        )
        trial = self._study.ask(_space())
        settings = _settings_at(trial.params, self._regularization, self._random_seed)
        trial.set_user_attr(_SETTINGS, settings.to_json())

        def tell(sweeps: int, value: float) -> None:
            trial.report(value, sweeps)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            value = judge(settings, tell)
        except (optuna.TrialPruned, TrainingFailedError):
            # Settings that give no finite factors are worse than most, and interesting to the sampler for that.
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, value)
        # Any other end is told when the study is opened next: a disk that is full cannot take it now.

    def importance(self) -> dict[str, float]:
        """Share of each setting in how trials come to be among the best tenth (PED-ANOVA, Watanabe et al. 2023).

        Empty if the complete trials are too few to say.
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        if self.counts.complete < _ENOUGH_TRIALS:
            return {}
        found = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
        return {_SETTING_OF.get(name, name): float(share) for name, share in found.items()}


@contextmanager
def open_study(files: StudyFiles, origin: Origin, regularization: float, *, fresh: bool = False) -> Iterator[Study]:
    """Open a study, or begin it, and keep other processes from it meanwhile.

    What a killed process has left, a half-written line of the journal or a trial that never ended, is put right here.

    Parameters
    ----------
    files
        Where it is.
    origin
        What its trials have in common.
    regularization
        λ that the default settings have on this data.
    fresh
        Forget the trials of an earlier study of that name.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    WorkspaceLockedError
        If another process has the study open.
    IncompatibleFormatError
        If the journal is damaged.
    DataChangedError, StudyChangedError
        If the study was made on other data, or otherwise is of another origin.
    """
    try:
        import optuna

        from mlrec.evaluation.tuning.journal import Journal
    except ImportError:
        raise MissingExtraError("tune", "mlrec tune") from None

    journal = files.journal
    journal.parent.mkdir(parents=True, exist_ok=True)
    journal.touch()
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(journal, wait=False))
        except BlockingIOError:
            raise WorkspaceLockedError(
                f"The study '{files.name}' is being tuned by another process.",
                "Wait until it is done, or begin another study with '--study NEW'.",
            ) from None
        stack.enter_context(_silent())
        if fresh:
            os.truncate(journal, 0)
        try:
            storage = optuna.storages.JournalStorage(Journal(journal))
            study = optuna.create_study(
                study_name=files.name,
                storage=storage,
                direction="maximize",
                # The number of sweeps is itself searched, so trials have no common end that halving could count back
                # from. The median of those that came as far needs none.
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_FULL_TRIALS),
                load_if_exists=True,
            )
            if len(storage.get_all_studies()) != 1:
                raise ValueError("it holds another study")
            _check_origin(study, origin)
            _check_trials(study)
            for trial in study.get_trials(deepcopy=False):
                if not trial.state.is_finished():
                    study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        except (OSError, DataChangedError, StudyChangedError):
            raise
        except Exception as error:  # what a damaged journal makes of Optuna's replay is of a dozen kinds
            raise IncompatibleFormatError(
                f"The journal {journal} is damaged: {str(error) or repr(error)}.",
                "Begin the study anew with '--fresh', or another one with '--study NEW'.",
            ) from error
        yield Study(study, regularization, origin.random_seed)


def _check_trials(study: optuna.Study) -> None:
    """Raise ValueError if a trial cannot be. (Lines of earlier versions have no checksum.)"""
    space = _space()
    for trial in study.get_trials(deepcopy=False):
        if any(space.get(name) != distribution for name, distribution in trial.distributions.items()):
            raise ValueError(f"trial {trial.number} is of other settings than are searched")
        if trial.state.is_finished() and _SETTINGS in trial.user_attrs:
            _settings_of(trial)
        if trial.state == type(trial.state).COMPLETE and not (
            _SETTINGS in trial.user_attrs and len(trial.values) == 1 and math.isfinite(trial.values[0])
        ):
            raise ValueError(f"trial {trial.number} is complete without its settings or its value")


def _settings_of(trial: FrozenTrial) -> TrainSettings:
    return from_json(_Attributes, trial.user_attrs).settings


def _check_origin(study: optuna.Study, origin: Origin) -> None:
    wanted = asdict(origin)
    if _ATTRIBUTES not in study.user_attrs:
        if study.get_trials(deepcopy=False):
            raise ValueError("its trials are of unknown origin")
        from importlib.metadata import version

        study.set_user_attr(_ATTRIBUTES, wanted | {"mlrec_version": version("mlrec")})
        return
    anew = "begin another study with '--study NEW', or this one anew with '--fresh'."
    found = from_json(Origin, study.user_attrs[_ATTRIBUTES], at=_ATTRIBUTES)
    if found.prepared_fingerprint != origin.prepared_fingerprint:
        raise DataChangedError(
            f"The prepared data is not the data that the study '{study.study_name}' was made on.",
            f"Prepare that data again, {anew}",
        )
    for name, value in wanted.items():
        then = getattr(found, name)
        if then != value:
            option = f"Go on with '--{name.replace('_', '-')} {then}', "
            raise StudyChangedError(
                f"The study '{study.study_name}' was made with {name} {then}, not {value}.",
                f"{option}{anew}" if name in ("sample", "random_seed") else anew[0].upper() + anew[1:],
            )


@contextmanager
def _silent() -> Iterator[None]:
    """Keep Optuna from logging and from warning of what is experimental, and leave other users of it as they were."""
    from optuna import logging
    from optuna.exceptions import ExperimentalWarning

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            warnings.filterwarnings("ignore", module="optuna")
            yield
    finally:
        logging.set_verbosity(verbosity)


# Optuna has no logarithmic range with steps, hence eighths; and λ is searched around what suits the amount of data.
_SETTING_OF = {"factors_by_8": "factors", "regularization_multiple": "regularization"}
_DEFAULTS = TrainSettings()
_DEFAULT_POINT = {
    "factors_by_8": _DEFAULTS.factors // 8,
    "regularization_multiple": 1.0,
    "alpha": _DEFAULTS.alpha,
    "iterations": _DEFAULTS.iterations,
    "dislikes": _DEFAULTS.dislikes,
    "fold_in_dislikes": _DEFAULTS.fold_in_dislikes,
    "half_life": _DEFAULTS.half_life,
    "feedback_weight": _DEFAULTS.feedback_weight,
}


def _space() -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    return {
        "factors_by_8": IntDistribution(2, 24, log=True),
        "regularization_multiple": FloatDistribution(0.2, 5.0, log=True),
        "alpha": FloatDistribution(0.25, 40.0, log=True),
        "iterations": IntDistribution(4, 30),
        "dislikes": CategoricalDistribution(["zero", "ignore"]),
        "fold_in_dislikes": CategoricalDistribution(["zero", "ignore"]),
        "half_life": FloatDistribution(2.0, 200.0, log=True),
        "feedback_weight": FloatDistribution(1.0, 20.0, log=True),
    }


def _settings_at(point: dict[str, Any], regularization: float, random_seed: int) -> TrainSettings:
    """Settings at a point of the space. Three digits, which people can read: more would say nothing."""
    return TrainSettings(
        factors=8 * point["factors_by_8"],
        regularization=_rounded(point["regularization_multiple"]) * regularization,
        alpha=_rounded(point["alpha"]),
        iterations=point["iterations"],
        dislikes=point["dislikes"],
        fold_in_dislikes=point["fold_in_dislikes"],
        half_life=_rounded(point["half_life"]),
        feedback_weight=_rounded(point["feedback_weight"]),
        random_seed=random_seed,
    )


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
