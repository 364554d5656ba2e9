"""Whether a new model may take the published one's place."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from mlrec.artifacts import models
from mlrec.artifacts.models import Model
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.errors import ModelMissingError
from mlrec.evaluation.comparing import Comparison, compare_models, has_learned
from mlrec.model.train import build_model
from mlrec.progress import SILENT, Progress
from mlrec.settings import EvaluateSettings
from mlrec.workspace import Workspace

METRIC = "ndcg@10"
"""What the gate compares: NDCG of liked movies on validation."""


@dataclass(frozen=True)
class Gate:
    """Whether a model may be published, and why.

    Attributes
    ----------
    passed
        Whether it is not worse than the published one.
    reason
        The same in words.
    published
        Id of the model that was published; None without one.
    judged_in_its_place
        What stood for it, as it has learned from the answers: the model that was judged before it was trained on
        everything, or one of the same settings that was trained for this, in memory.
    metric
        What was compared.
    comparison
        The figures; None if no model was published.
    """

    passed: bool
    reason: str
    published: str | None
    judged_in_its_place: str | None
    metric: str
    comparison: Comparison | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {**vars(self), "comparison": self.comparison and self.comparison.to_json()}


def is_not_worse(
    workspace: Workspace,
    model_id: str,
    settings: EvaluateSettings | None = None,
    *,
    progress: Progress = SILENT,
) -> Gate:
    """Judge whether a model is not worse than the published one, on validation, by the paired interval.

    It is worse if the 95% interval of the paired difference lies below 0 as a whole. Nothing is written.

    Parameters
    ----------
    workspace
        The data directory.
    model_id
        The model that is to be published; trained on train.
    settings
        Bootstrap and threads; what is compared is the gate's own.
    progress
        Told of the users that are done.

    Raises
    ------
    EmptyResultError
        If there is nothing to compare on.
    IncompatibleFormatError
        If the published model cannot be read.
    """
    settings = replace(settings or EvaluateSettings(), split="val", relevance="liked", ks=(10,))
    published = models.published_id(workspace)
    if published is None:
        return Gate(True, "No model was published before.", None, None, METRIC, None)
    new, old = (models.open_model(models.resolve(workspace, wanted)) for wanted in (model_id, published))
    with progress.task("Reading prepared data"):
        data = read_prepared(workspace)
    judged = _judgeable(workspace, old, data, progress)
    comparison = compare_models(data, new, judged, settings, progress=progress)
    lead = comparison.difference[METRIC]
    passed = lead.high >= 0
    verdict = "is not worse than" if passed else "is worse than"
    stands_in = None if judged is old else judged.model_id
    place = f" (in its place: {stands_in})" if stands_in else ""
    return Gate(
        passed,
        f"{METRIC} on validation {verdict} that of the published model {published}{place}: the difference is"
        f" {lead.value:+.4f}, {lead.low:+.4f} to {lead.high:+.4f}, over {comparison.users:,} users.",
        published,
        stands_in,
        METRIC,
        comparison,
    )


def publish_if_better(
    workspace: Workspace,
    model_id: str,
    settings: EvaluateSettings | None = None,
    *,
    progress: Progress = SILENT,
) -> Gate:
    """Publish a model if it is not worse than the published one; see `is_not_worse`."""
    gate = is_not_worse(workspace, model_id, settings, progress=progress)
    if gate.passed:
        models.publish(workspace, model_id)
    return gate


def _judgeable(workspace: Workspace, model: Model, data: PreparedData, progress: Progress) -> Model:
    """The model itself if it has not been trained on answers, else what can be judged in its place."""
    held_out = data.held_out("val")
    candidates = [model] if "val" not in model.info["trained_on"] else []
    if (judged_by := model.info.get("judged_by")) is not None:
        with suppress(ModelMissingError):  # it may have been pruned
            candidates.append(models.open_model(models.resolve(workspace, judged_by)))
    for candidate in candidates:
        if not has_learned(candidate, held_out).all():
            return candidate
    anew, _ = build_model(data, replace(model.train_settings, on="train"), progress=progress)
    return replace(anew, model_id=f"{model.model_id}, trained anew on the train part")
