"""A tuning study: the searched settings and the trials so far, in a journal on disk (Optuna).

A trial depends only on its number in the study and on the trials before it. A study that was interrupted at any moment
therefore continues as if it had not been.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
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
from mlrec.settings import Judged, TrainSettings
from mlrec.workspace import StudyFiles

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

SPACE_VERSION = 3
"""Increased when the searched settings, their ranges or the meaning of a value change. Studies of version 1 search
models without item-item weights. Up to version 2, ALS has no start on a part of the users."""
# A study goes on with what it began with.
_OF_EARLIER_VERSIONS: Mapping[str, tuple[object, ...]] = {"space_version": (1, 2), "users": ("all",)}

# Number of random trials before the sampler learns from earlier ones, and of complete trials before any is pruned.
_RANDOM_TRIALS = 16
_FULL_TRIALS = 8

_ATTRIBUTES = "mlrec"
_SETTINGS = "settings"

# Importance is reported from this many complete trials.
_ENOUGH_TRIALS = 20


@dataclass(frozen=True)
class Origin:
    """What all trials of a study have in common. Trials with another origin cannot be compared with them.

    Attributes
    ----------
    prepared_fingerprint
        Fingerprint of the prepared data.
    metric, split, relevance
        The metric, split and relevance of a trial's value.
    sample
        Number of users that the value is computed on; 0 for all.
    random_seed
        Seed of the search, the sample and the initial factors.
    space_version
        See `SPACE_VERSION`.
    users
        The users whom it is computed on: those outside the holdout. In studies of earlier versions, all.
    """

    prepared_fingerprint: str
    metric: str
    split: str
    relevance: str
    sample: int
    random_seed: int
    space_version: int = SPACE_VERSION
    users: Judged = "all"


@dataclass(frozen=True)
class Trial:
    """A complete trial: its number in the study, its value and its settings."""

    number: int
    value: float
    settings: TrainSettings

    def to_json(self) -> dict[str, Any]:
        """Return the trial as plain JSON values."""
        return {"trial": self.number, "value": self.value, "settings": self.settings.to_json()}


@dataclass(frozen=True)
class _Attributes:
    """What mlrec adds to a trial in the journal."""

    settings: WholeTrainSettings


@dataclass(frozen=True)
class Counts:
    """Numbers of trials that were completed, stopped early because they were worse than most, or interrupted."""

    complete: int
    pruned: int
    failed: int

    @property
    def finished(self) -> int:
        """Number of trials that count: completed and pruned ones."""
        return self.complete + self.pruned


class Study:
    """An open study; see `open_study`.

    Parameters
    ----------
    study
        Optuna's study.
    space
        The settings that are searched.
    origin
        What the trials have in common; the seed is also that of the initial factors of each trial.
    """

    def __init__(self, study: optuna.Study, space: _Space, origin: Origin) -> None:
        self.origin = origin
        self._study = study
        self._space = space
        self._random_seed = origin.random_seed

    @property
    def default(self) -> TrainSettings:
        """The settings that the first trial has: the default values, and those to start from."""
        return self._space.settings_at(self._space.default_point, self._random_seed)

    @property
    def counts(self) -> Counts:
        """Numbers of trials by outcome."""
        from optuna.trial import TrialState

        states = [trial.state for trial in self._study.get_trials(deepcopy=False)]
        return Counts(*(states.count(state) for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)))

    def best(self, n: int) -> list[Trial]:
        """Return the n best complete trials, best first; of equal trials, the earlier first."""
        from optuna.trial import TrialState

        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [
            Trial(trial.number, trial.values[0], _settings_of(trial))
            for trial in sorted(complete, key=lambda trial: (-trial.values[0], trial.number))[:n]
        ]

    def run_trial(self, judge: Callable[[TrainSettings, Callable[[int, float], None]], float]) -> None:
        """Run the next trial. The first trial of a study has the default settings.

        Parameters
        ----------
        judge
            Takes settings and a function, and returns the value of the settings. It calls the function with a number of
            sweeps and the value after them. That call may raise, which ends the trial early.
        """
        import optuna
        from optuna.trial import TrialState

        finished = self.counts.finished
        # Interrupted trials do not count for the seed, and the sampler ignores them.
        seed = np.random.SeedSequence([self._random_seed, finished]).generate_state(1)[0]
        sampler = optuna.samplers.TPESampler(seed=int(seed), multivariate=True, n_startup_trials=_RANDOM_TRIALS)
        self._study.sampler = (
            sampler
            if finished
            else optuna.samplers.PartialFixedSampler(self._space.default_point, base_sampler=sampler)
        )
        trial = self._study.ask(self._space.distributions)
        settings = self._space.settings_at(trial.params, self._random_seed)
        trial.set_user_attr(_SETTINGS, settings.to_json())

        def tell(sweeps: int, value: float) -> None:
            trial.report(value, sweeps)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            value = judge(settings, tell)
        except (optuna.TrialPruned, TrainingFailedError):
            # Settings without finite factors are worse than most. The sampler should learn to avoid them.
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, value)
        # After any other error, the trial is marked as failed when the study is next opened: the disk may be full now.

    def importance(self) -> dict[str, float]:
        """Return each setting's share in which trials are among the best tenth (PED-ANOVA, Watanabe et al. 2023).

        Empty if there are too few complete trials to tell.
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        if self.counts.complete < _ENOUGH_TRIALS:
            return {}
        found = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
        return {_SETTING_OF.get(name, name): float(share) for name, share in found.items()}


@contextmanager
def open_study(files: StudyFiles, origin: Origin, n_likes: int, *, fresh: bool = False) -> Iterator[Study]:
    """Open a study, or create it, and lock out other processes until the block ends.

    This also repairs what a killed process left: an incomplete line in the journal, or a trial that never ended.

    Parameters
    ----------
    files
        The files of the study.
    origin
        What its trials have in common.
    n_likes
        Number of likes that are learned from. λ and the fit of the default settings follow it.
    fresh
        Discard the trials of an earlier study with the same name.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    WorkspaceLockedError
        If another process has the study open.
    IncompatibleFormatError
        If the journal is damaged.
    DataChangedError, StudyChangedError
        If the study was made on other data, or differs in another part of its origin.
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
                f"Another process is tuning the study '{files.name}'.",
                "Wait until it is done, or start another study with '--study NEW'.",
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
                # The number of sweeps is one of the searched settings, so successive halving has no common end to count
                # back from. The median of the trials that came as far does not need one.
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_FULL_TRIALS),
                load_if_exists=True,
            )
            if len(storage.get_all_studies()) != 1:
                raise ValueError("it contains another study")
            found = _checked_origin(study, origin)
            space = _Space.of(found.space_version, n_likes)
            _check_trials(study, space)
            for trial in study.get_trials(deepcopy=False):
                if not trial.state.is_finished():
                    study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        except (OSError, DataChangedError, StudyChangedError):
            raise
        except Exception as error:  # a damaged journal makes Optuna raise a dozen kinds of errors
            raise IncompatibleFormatError(
                f"The journal {journal} is damaged: {str(error) or repr(error)}.",
                "Start the study over with '--fresh', or another one with '--study NEW'.",
            ) from error
        yield Study(study, space, found)


def _check_trials(study: optuna.Study, space: _Space) -> None:
    """Raise ValueError if a trial is impossible. Checksums cannot tell, because lines of earlier versions have none."""
    searched = space.distributions
    for trial in study.get_trials(deepcopy=False):
        if any(searched.get(name) != distribution for name, distribution in trial.distributions.items()):
            raise ValueError(f"trial {trial.number} has other settings than those that are searched")
        if trial.state.is_finished() and _SETTINGS in trial.user_attrs:
            _settings_of(trial)
        if trial.state == type(trial.state).COMPLETE and not (
            _SETTINGS in trial.user_attrs and len(trial.values) == 1 and math.isfinite(trial.values[0])
        ):
            raise ValueError(f"trial {trial.number} is complete but lacks its settings or its value")


def _settings_of(trial: FrozenTrial) -> TrainSettings:
    settings = from_json(_Attributes, trial.user_attrs).settings
    is_old = "item_item" not in trial.user_attrs[_SETTINGS]
    return replace(settings, item_item="off") if is_old else settings


def _checked_origin(study: optuna.Study, origin: Origin) -> Origin:
    """Raise if a study has another origin. Returns its own, which may be that of an earlier version."""
    wanted = asdict(origin)
    if _ATTRIBUTES not in study.user_attrs:
        if study.get_trials(deepcopy=False):
            raise ValueError("its trials are of unknown origin")
        from importlib.metadata import version

        study.set_user_attr(_ATTRIBUTES, wanted | {"mlrec_version": version("mlrec")})
        return origin
    otherwise = "start another study with '--study NEW', or start this one over with '--fresh'."
    found = from_json(Origin, study.user_attrs[_ATTRIBUTES], at=_ATTRIBUTES)
    if found.prepared_fingerprint != origin.prepared_fingerprint:
        raise DataChangedError(
            f"The study '{study.study_name}' was made on other prepared data.",
            f"Prepare that data again, {otherwise}",
        )
    for name, value in wanted.items():
        then = getattr(found, name)
        if then != value and then not in _OF_EARLIER_VERSIONS.get(name, ()):
            option = f"Continue with '--{name.replace('_', '-')} {then}', "
            raise StudyChangedError(
                f"The study '{study.study_name}' was made with {name} {then}, not {value}.",
                f"{option}{otherwise}" if name in ("sample", "random_seed") else otherwise[0].upper() + otherwise[1:],
            )
    return found


@contextmanager
def _silent() -> Iterator[None]:
    """Silence Optuna's log and its warnings about experimental features, and restore both afterwards."""
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


# Optuna has no logarithmic range with steps, so factors are searched in units of 8. λ is searched as a multiple of the
# value that suits the amount of data.
_SETTING_OF = {"factors_by_8": "factors", "regularization_multiple": "regularization"}
_AS_THEY_ARE = ("alpha", "iterations", "dislikes", "fold_in_dislikes", "half_life", "feedback_weight")
_ITEM_ITEM = ("item_item_weight", "item_item_half_life")


@dataclass(frozen=True)
class _Space:
    """What a study searches, by the version that it began with.

    Attributes
    ----------
    version
        See `SPACE_VERSION`.
    default
        The default settings on this data, resolved. Each trial has their start on a part of the users.
    """

    version: int
    default: TrainSettings

    @classmethod
    def of(cls, version: int, n_likes: int) -> _Space:
        default = TrainSettings() if version >= 3 else TrainSettings(start_share=0.0)
        return cls(version, default.started().resolved(n_likes))

    @property
    def default_point(self) -> dict[str, Any]:
        point = {
            "factors_by_8": self.default.factors // 8,
            "regularization_multiple": 1.0,
            **{name: getattr(self.default, name) for name in _AS_THEY_ARE},
        }
        return point | ({} if self.version == 1 else {name: getattr(self.default, name) for name in _ITEM_ITEM})

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        space: dict[str, BaseDistribution] = {
            "factors_by_8": IntDistribution(2, 24, log=True),
            "regularization_multiple": FloatDistribution(0.2, 5.0, log=True),
            "alpha": FloatDistribution(0.25, 40.0, log=True),
            "iterations": IntDistribution(1, 12) if self.default.starts_on else IntDistribution(4, 30),
            "dislikes": CategoricalDistribution(["zero", "ignore"]),
            "fold_in_dislikes": CategoricalDistribution(["zero", "ignore"]),
            "half_life": FloatDistribution(2.0, 200.0, log=True),
            "feedback_weight": FloatDistribution(1.0, 20.0, log=True),
        }
        if self.version == 1:
            return space
        return space | {
            "item_item_weight": FloatDistribution(0.0, 0.95),
            "item_item_half_life": FloatDistribution(2.0, 200.0, log=True),
        }

    def settings_at(self, point: dict[str, Any], random_seed: int) -> TrainSettings:
        """Return the settings at a point of the space, rounded to three digits, because more digits mean nothing."""
        rounded = {name: _rounded(value) if isinstance(value, float) else value for name, value in point.items()}
        has_second = _ITEM_ITEM[0] in point
        values: dict[str, Any] = {name: rounded[name] for name in (*_AS_THEY_ARE, *(_ITEM_ITEM if has_second else ()))}
        return TrainSettings(
            factors=8 * point["factors_by_8"],
            regularization=rounded["regularization_multiple"] * self.default.fold_in.regularization,
            start_share=self.default.starts_on,
            item_item="on" if has_second else "off",
            random_seed=random_seed,
            **values,
        )


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
