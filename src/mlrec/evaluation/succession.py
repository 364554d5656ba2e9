"""How a model that was published without the gate compares with the one that it replaced. Nothing is evaluated for it.

Each training has evaluated its model on validation to choose settings. If both did so for the same users, their figures
can stand side by side. Otherwise nobody has compared the models, and that is said too.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.choice import Choice
from mlrec.artifacts.model_folder import ModelInfo
from mlrec.errors import StateError
from mlrec.evaluation.choosing import METRIC, MODEL, sample_size
from mlrec.evaluation.wording import metric_name
from mlrec.plurals import counted
from mlrec.workspace import Workspace


@dataclass(frozen=True)
class Succession:
    """A new model and the one that it replaced.

    Attributes
    ----------
    published
        Id of the model that was published before.
    metric
        The metric of the figures, on validation.
    value, published_value
        The figure of the new model and that of the one before. For a model that has learned from validation, it is that
        of the model that was evaluated in its place. None if they are not of the same users.
    users
        Number of users in the figures, or None.
    command
        The command that compares both with a confidence interval; or, if one of them has learned from validation, the
        one that would have compared them before publishing.
    """

    published: str
    metric: str
    value: float | None
    published_value: float | None
    users: int | None
    command: str

    @property
    def summary(self) -> str:
        """How the two compare, in one line."""
        if self.value is None or self.published_value is None or self.users is None:
            return f"It replaces {self.published}, and nobody has compared the two. To do so: {self.command}"
        return (
            f"It replaces {self.published}. {metric_name(self.metric)} on validation is {self.value:.4f}, and was"
            f" {self.published_value:.4f} ({counted(self.users, 'user')}). To compare the two: {self.command}"
        )


def succession(workspace: Workspace, published: str | None, model_id: str) -> Succession | None:
    """Return how a model compares with the one that was published before; None if there was none, or it is gone."""
    if published is None:
        return None
    with suppress(StateError):
        new, old = (model_folder.read_info(registry.resolve(workspace, one)) for one in (model_id, published))
        return _of(new, old, registry.list_ids(workspace))
    return None


def _of(new: ModelInfo, old: ModelInfo, there: list[str]) -> Succession:
    command, own, others = _command(new, old, there), _choice_of(new), _choice_of(old)
    if own is None or others is None or not _is_of_same_users(new, own, old, others):
        return Succession(old.model_id, METRIC, None, None, None, command)
    value, before = (choice.figures[MODEL].value for choice in (own, others))
    return Succession(old.model_id, METRIC, value, before, own.users, command)


def _command(new: ModelInfo, old: ModelInfo, there: list[str]) -> str:
    first, second = (info.judged_by if "val" in info.trained_on else info.model_id for info in (new, old))
    if first in there and second in there and first != second:
        return f"mlrec models compare {first} {second}"
    return f"mlrec {'run --final' if 'val' in new.trained_on else 'train'} --publish-if-better"


def _choice_of(info: ModelInfo) -> Choice | None:
    """The figures that are a model's own, or those of the model with the same settings that was evaluated instead."""
    is_own = info.settings.on == "train" or info.judged_by is not None
    return info.choice if is_own and info.since_training is None else None


def _is_of_same_users(new: ModelInfo, own: Choice, old: ModelInfo, others: Choice) -> bool:
    if new.prepared_fingerprint != old.prepared_fingerprint or own.users != others.users:
        return False
    movies = new.dimensions.trained_movies or new.dimensions.movies
    return own.users < sample_size(movies) or new.settings.random_seed == old.settings.random_seed
