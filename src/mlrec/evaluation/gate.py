"""The gate: decide whether a new model may replace the published one."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.documents import to_json
from mlrec.artifacts.metrics_file import Figure, GateRecord, Verdict, add_metrics, keep_gate, kind_of
from mlrec.artifacts.model_folder import Model
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.errors import EmptyResultError, IncompatibleFormatError, MlrecError, ModelMissingError
from mlrec.evaluation.comparing import Comparison, compare_by_user, has_learned, knows_these_users
from mlrec.evaluation.estimates import Difference
from mlrec.evaluation.protocol import MODEL, evaluate
from mlrec.evaluation.verdict import Decision, bootstrap_for, decide
from mlrec.evaluation.wording import metric_name
from mlrec.model.train import build_model
from mlrec.plurals import counted
from mlrec.progress import SILENT, Progress
from mlrec.settings import EvaluateSettings, GateSettings
from mlrec.workspace import Workspace

METRIC = "ndcg@10"
"""The metric that the gate compares: NDCG of liked movies on validation."""

# A model that has learned from a larger share of the liked validation events is not evaluated on the remaining ones.
_MOST_LEARNED = 0.5

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gate:
    """Whether a model may be published, and why.

    Attributes
    ----------
    passed
        Whether the model may be published: the verdict is "publish".
    reason
        The decision in words.
    published
        Id of the model that was published; None if there was none.
    judged_in_its_place
        What the new model was compared with if the published model has learned from held-out events: the model that was
        evaluated before the published one was trained on all data, or one that was retrained in memory with the same
        settings. None if the published model itself was compared.
    metric
        The metric that was compared.
    comparison
        The figures; None if nothing was compared.
    verdict
        "publish", "worse" or "too-few-users"; see `mlrec.evaluation.verdict.Decision`.
    largest_loss
        The largest accepted loss, as a share of the published model's figure.
    margin, difference, users, users_who_differ, users_needed
        As in `mlrec.evaluation.verdict.Decision`; None if nothing was compared. The interval of `difference` is a
        little wider than that in `comparison`.
    """

    passed: bool
    reason: str
    published: str | None
    judged_in_its_place: str | None
    metric: str
    comparison: Comparison | None
    verdict: Verdict
    largest_loss: float
    margin: float | None = None
    difference: Difference | None = None
    users: int | None = None
    users_who_differ: int | None = None
    users_needed: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the decision as plain JSON values."""
        return to_json(self)


def is_not_worse(
    workspace: Workspace,
    model_id: str,
    settings: EvaluateSettings | None = None,
    *,
    largest_loss: float = GateSettings.largest_loss,
    progress: Progress = SILENT,
) -> Gate:
    """Decide whether a model may replace the published one, by its figures on validation. Nothing is written.

    It may if the 95% confidence interval of the paired difference excludes a loss of more than `largest_loss`.

    Parameters
    ----------
    workspace
        The data directory.
    model_id
        The model to publish. It was trained on train.
    settings
        Bootstrap and threads. Split, relevance and cutoff are fixed.
    largest_loss
        The largest loss that is accepted, as a share of the published model's figure: 0 to below 1.
    progress
        Is told how many users are done.

    Raises
    ------
    SettingsError
        If `largest_loss` is not such a share.
    EmptyResultError
        If there is no held-out movie to compare the models on.
    IncompatibleFormatError
        If the published model cannot be read.
    """
    share = GateSettings(largest_loss).largest_loss
    settings = replace(settings or EvaluateSettings(), split="val", relevance="liked", ks=(10,))
    published = registry.published_id(workspace)
    if published is None:
        return Gate(True, "No model was published before.", None, None, METRIC, None, "publish", share)
    if published == model_id:
        return Gate(True, "The model is already published.", published, None, METRIC, None, "publish", share)
    new, old = (model_folder.open_model(registry.resolve(workspace, wanted)) for wanted in (model_id, published))
    with progress.task("Reading prepared data"):
        data = read_prepared(workspace)
    judged = _judgeable(workspace, old, new, data, settings.threads, progress)
    comparison, by_user = compare_by_user(data, new, judged, settings, progress=progress)
    bootstrap = bootstrap_for(comparison.users, settings.resamples, settings.random_seed)
    of_new, of_judged = (by_user[model.model_id].per_user[METRIC].numerators for model in (new, judged))
    decision = decide(of_new, of_judged, share, bootstrap)
    stands_in = None if judged is old else judged.model_id
    whose = f"that of the published model {published}" + (f" (represented by {stands_in})" if stands_in else "")
    return Gate(
        passed=decision.verdict == "publish",
        reason=_reason(decision, whose, share),
        published=published,
        judged_in_its_place=stands_in,
        metric=METRIC,
        comparison=comparison,
        largest_loss=share,
        **vars(decision),
    )


def _reason(decision: Decision, whose: str, share: float) -> str:
    """Return a decision in words. `whose`: the figure that the new model's is compared with."""
    name, lead = metric_name(METRIC), decision.difference
    assert lead.low is not None
    assert lead.high is not None
    found = (
        f"the difference is {lead.value:+.4f} (95% CI {lead.low:+.4f} to {lead.high:+.4f}) over"
        f" {counted(decision.users, 'user')}"
    )
    margin = f"{100 * share:.3g}% ({decision.margin:.4f})"
    if decision.verdict == "publish":
        return f"{name} on validation is not worse by more than {margin} than {whose}: {found}."
    if decision.verdict == "worse":
        return f"{name} on validation is worse than {whose}: {found}."
    enough = (
        f"About {decision.users_needed:,} users would do."
        if decision.users_needed
        else "Nothing says how many would do."
    )
    return (
        f"There are too few users to know whether {name} on validation is worse by more than {margin} than {whose}:"
        f" {found}, and the two models differ for {decision.users_who_differ:,} of them. {enough}"
    )


def require_gate(workspace: Workspace) -> None:
    """Check, before a model is trained, that the gate can evaluate it.

    Raises
    ------
    PreparedDataMissingError, EmptyResultError
        If there is no validation split.
    ModelMissingError, IncompatibleFormatError
        If the published model cannot be opened.
    """
    if not read_manifest(workspace).splits["val"]:
        raise EmptyResultError(
            "The validation split is empty, so a new model cannot be evaluated.", "Prepare with another --split-ratio."
        )
    if registry.published_id(workspace) is not None:
        model_folder.open_model(registry.resolve(workspace))


def publish_if_better(
    workspace: Workspace,
    model_id: str,
    settings: EvaluateSettings | None = None,
    *,
    largest_loss: float = GateSettings.largest_loss,
    keep_figures: bool = True,
    progress: Progress = SILENT,
) -> Gate:
    """Publish a model if it is not worse than the published one; see `is_not_worse`.

    What the gate found is saved in the model's folder. So are its validation figures, unless `keep_figures` is false
    because an evaluation follows that saves them.
    """
    while True:
        gate = is_not_worse(workspace, model_id, settings, largest_loss=largest_loss, progress=progress)
        # If another model was published meanwhile, compare with that one.
        if not gate.passed or registry.publish_in_place_of(workspace, gate.published, model_id):
            break
    keep(workspace, model_id, gate)
    if not keep_figures:
        return gate
    try:
        _keep_figures(workspace, model_id, gate.comparison, settings or EvaluateSettings(), progress)
    except (MlrecError, OSError) as error:  # the decision stands, whatever becomes of the figures
        _log.warning("The validation figures of model %s were not saved: %s", model_id, error)
    return gate


def keep(workspace: Workspace, model_id: str, gate: Gate) -> None:
    """Save what the gate found in the model's folder, if anything was compared. A failure is only logged."""
    if gate.published is None or gate.difference is None or gate.users is None or gate.margin is None:
        return
    record = GateRecord(
        verdict=gate.verdict,
        published=gate.published,
        judged_in_its_place=gate.judged_in_its_place,
        metric=gate.metric,
        users=gate.users,
        difference=Figure(gate.difference.value, gate.difference.low, gate.difference.high),
        largest_loss=gate.largest_loss,
        margin=gate.margin,
        users_needed=gate.users_needed,
    )
    try:
        keep_gate(registry.resolve(workspace, model_id), record)
    except (MlrecError, OSError) as error:  # the decision stands, whatever becomes of the record
        _log.warning("What the gate found of model %s was not saved: %s", model_id, error)


def _keep_figures(
    workspace: Workspace, model_id: str, comparison: Comparison | None, settings: EvaluateSettings, progress: Progress
) -> None:
    """Add a model's validation figures to its evaluation results, unless it was trained on other data."""
    files = registry.resolve(workspace, model_id)
    if model_folder.read_info(files).prepared_fingerprint != read_manifest(workspace).fingerprint:
        return
    if comparison is None or comparison.answers_left_out:
        # Nothing was compared, or only some of the movies that an evaluation uses.
        with suppress(EmptyResultError):
            as_compared = replace(
                settings, protocol=None, split="val", relevance="liked", ks=(10,), baselines=(), sample=0
            )
            evaluate(workspace, as_compared, model_id=model_id, progress=progress)
        return
    found = comparison.to_json()
    own = {"users": comparison.users, "ks": found["ks"], "models": {MODEL: found["models"][model_id]}}
    kind = kind_of(comparison.relevance, comparison.relevance_within)
    add_metrics(files, comparison.split, comparison.history, kind, {**own, "differences": {}})


def _judgeable(
    workspace: Workspace, model: Model, new: Model, data: PreparedData, threads: int, progress: Progress
) -> Model:
    """Return the published model if it can be evaluated fairly, else a model with its settings that can be."""
    held_out = data.held_out("val")
    liked = held_out.preference > 0
    if not liked.any():
        raise EmptyResultError(
            "No user likes a movie in the validation split, so the models cannot be compared.",
            "Prepare with another --split-ratio, or with lower thresholds.",
        )
    candidates = [model] if "val" not in model.info.trained_on else []
    judged_by = model.info.judged_by
    if judged_by is not None and judged_by != new.model_id:
        with suppress(ModelMissingError, IncompatibleFormatError):  # it may have been pruned
            candidates.append(model_folder.open_model(registry.resolve(workspace, judged_by)))
    for candidate in candidates:
        # The few relevant events that a model happens not to have learned from say nothing about it.
        if knows_these_users(candidate, data) and has_learned(candidate, held_out)[liked].mean() < _MOST_LEARNED:
            return candidate
    settings = replace(model.settings_elsewhere, on="train", threads=threads)
    retrained, _ = build_model(data, settings, progress=progress)
    return replace(retrained, model_id=f"{model.model_id}, retrained on the train split")
