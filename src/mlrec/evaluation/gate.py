"""Whether a new model may take the published one's place."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.documents import to_json
from mlrec.artifacts.metrics_file import add_metrics
from mlrec.artifacts.model_folder import Model
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.errors import EmptyResultError, IncompatibleFormatError, ModelMissingError
from mlrec.evaluation.comparing import Comparison, compare_models, has_learned, knows_these_users
from mlrec.evaluation.protocol import MODEL, evaluate
from mlrec.model.train import build_model
from mlrec.progress import SILENT, Progress
from mlrec.settings import EvaluateSettings
from mlrec.workspace import Workspace

METRIC = "ndcg@10"
"""What the gate compares: NDCG of liked movies on validation."""

# A model that has learned from a larger share of the liked validation events is not judged by the others.
_MOST_LEARNED = 0.5


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
        What stood for it, as it has learned from held-out events: the model that was judged before it was trained on
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
        return to_json(self)


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
    published = registry.published_id(workspace)
    if published is None:
        return Gate(True, "No model was published before.", None, None, METRIC, None)
    if published == model_id:
        return Gate(True, "It is the published model.", published, None, METRIC, None)
    new, old = (model_folder.open_model(registry.resolve(workspace, wanted)) for wanted in (model_id, published))
    with progress.task("Reading prepared data"):
        data = read_prepared(workspace)
    judged = _judgeable(workspace, old, new, data, settings.threads, progress)
    comparison = compare_models(data, new, judged, settings, progress=progress)
    lead, n_users = comparison.difference[METRIC], comparison.users
    stands_in = None if judged is old else judged.model_id
    place = f" (in its place: {stands_in})" if stands_in else ""
    whose = f"that of the published model {published}{place}"
    if lead.low is None or lead.high is None:
        reason = f"Whether {METRIC} on validation is worse than {whose} cannot be told from {n_users} user."
        return Gate(False, reason, published, stands_in, METRIC, comparison)
    return Gate(
        not lead.is_below,
        f"{METRIC} on validation is {'worse' if lead.is_below else 'not worse'} than {whose}: the difference is"
        f" {lead.value:+.4f}, 95% interval {lead.low:+.4f} to {lead.high:+.4f}, over {n_users:,} users.",
        published,
        stands_in,
        METRIC,
        comparison,
    )


def require_gate(workspace: Workspace) -> None:
    """Raise, before a model is trained, what would keep it from being judged.

    Raises
    ------
    PreparedDataMissingError, EmptyResultError
        If there is no validation part.
    ModelMissingError, IncompatibleFormatError
        If the published model cannot be opened.
    """
    if not read_manifest(workspace).splits["val"]:
        raise EmptyResultError(
            "The validation part is empty, so a new model cannot be judged.", "Prepare with another --split-ratio."
        )
    if registry.published_id(workspace) is not None:
        model_folder.open_model(registry.resolve(workspace))


def publish_if_better(
    workspace: Workspace,
    model_id: str,
    settings: EvaluateSettings | None = None,
    *,
    progress: Progress = SILENT,
) -> Gate:
    """Publish a model if it is not worse than the published one; see `is_not_worse`. Its figures on validation are kept
    in its folder.
    """
    while True:
        gate = is_not_worse(workspace, model_id, settings, progress=progress)
        # Another model may have been published meanwhile: then that is the one to compare with.
        if not gate.passed or registry.publish_in_place_of(workspace, gate.published, model_id):
            break
    _keep_figures(workspace, model_id, gate.comparison, settings or EvaluateSettings(), progress)
    return gate


def _keep_figures(
    workspace: Workspace, model_id: str, comparison: Comparison | None, settings: EvaluateSettings, progress: Progress
) -> None:
    """Add what is known of a model on validation to its evaluation results, unless it was trained on other data."""
    files = registry.resolve(workspace, model_id)
    if model_folder.read_info(files).prepared_fingerprint != read_manifest(workspace).fingerprint:
        return
    if comparison is None or comparison.answers_left_out:
        # Nothing was compared, or on other answers than an evaluation has.
        with suppress(EmptyResultError):
            evaluate(
                workspace, replace(settings, split="val", ks=(10,), baselines=()), model_id=model_id, progress=progress
            )
        return
    found = comparison.to_json()
    own = {"users": comparison.users, "ks": found["ks"], "models": {MODEL: found["models"][model_id]}}
    add_metrics(files, comparison.split, comparison.history, comparison.relevance, {**own, "differences": {}})


def _judgeable(
    workspace: Workspace, model: Model, new: Model, data: PreparedData, threads: int, progress: Progress
) -> Model:
    """The published model itself if it can be judged fairly, else what can be in its place."""
    held_out = data.held_out("val")
    liked = held_out.preference > 0
    candidates = [model] if "val" not in model.info.trained_on else []
    judged_by = model.info.judged_by
    if judged_by is not None and judged_by != new.model_id:
        with suppress(ModelMissingError, IncompatibleFormatError):  # it may have been pruned
            candidates.append(model_folder.open_model(registry.resolve(workspace, judged_by)))
    for candidate in candidates:
        # Of the few relevant events that one has not learned from by chance, nothing follows.
        if knows_these_users(candidate, data) and has_learned(candidate, held_out)[liked].mean() < _MOST_LEARNED:
            return candidate
    settings = replace(model.train_settings, on="train", threads=threads)
    anew, _ = build_model(data, settings, progress=progress)
    return replace(anew, model_id=f"{model.model_id}, trained anew on the train part")
