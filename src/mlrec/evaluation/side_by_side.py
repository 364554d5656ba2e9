"""All protocols and the replay of one model, side by side: where it leads, and where it does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mlrec.errors import EmptyResultError, SettingsError
from mlrec.evaluation.estimates import Difference, Estimate
from mlrec.evaluation.protocol import MODEL, Evaluation, evaluate
from mlrec.evaluation.replay.arms import SERVED
from mlrec.evaluation.replay.replay import Replay, replay
from mlrec.progress import SILENT, Progress
from mlrec.settings import PROTOCOLS, EvaluateSettings, ProtocolName, ReplaySettings
from mlrec.workspace import Workspace


@dataclass(frozen=True)
class Column:
    """The headline figures of one protocol.

    Attributes
    ----------
    protocol
        Its name, or "replay".
    metric
        The metric: "ndcg@10", "ndcg@100" for held-out users, "hit_rate@10" for the replay.
    users
        Number of users in the figures.
    figures
        Model → figure; "als" is the model.
    leads
        Other model → lead of the model over it.
    """

    protocol: str
    metric: str
    users: int
    figures: dict[str, Estimate]
    leads: dict[str, Difference]


@dataclass(frozen=True)
class SideBySide:
    """A model by all protocols.

    Attributes
    ----------
    evaluations
        Protocol → evaluation.
    replay
        The replay; None if it was not possible.
    skipped
        Protocol that was not possible → reason.
    """

    evaluations: dict[ProtocolName, Evaluation]
    replay: Replay | None
    skipped: dict[str, str]

    def columns(self) -> list[Column]:
        """Return the headline figures, one column for each protocol."""
        columns = [_of_evaluation(name, found) for name, found in self.evaluations.items()]
        return [*columns, _of_replay(self.replay)] if self.replay else columns

    def to_json(self) -> dict[str, Any]:
        """Return the document that `mlrec evaluate --protocol all --json` prints."""
        return {
            "protocol": "all",
            "protocols": {name: found.to_json() for name, found in self.evaluations.items()},
            "replay": self.replay and self.replay.to_json(),
            "skipped": self.skipped,
        }


def side_by_side(
    workspace: Workspace,
    settings: EvaluateSettings | None = None,
    replay_settings: ReplaySettings | None = None,
    *,
    model_id: str | None = None,
    progress: Progress = SILENT,
) -> SideBySide:
    """Evaluate a model by every protocol, and replay new users.

    Parameters
    ----------
    workspace
        The data directory.
    settings, replay_settings, model_id
        As in `evaluate` and `replay`. The protocol of the settings is ignored.
    progress
        Is told what is being trained, and how many users are done.

    Raises
    ------
    MlrecError
        As in `evaluate`, for the protocol of the prepared data. Another protocol that is not possible is skipped.
    """
    settings = replace(settings or EvaluateSettings(), protocol=None)
    own = evaluate(workspace, settings, model_id=model_id, progress=progress)
    replay_settings = replay_settings or ReplaySettings()
    return completed(workspace, own, settings, replay_settings, PROTOCOLS, model_id=model_id, progress=progress)


def completed(
    workspace: Workspace,
    found: Evaluation | Replay | SideBySide,
    settings: EvaluateSettings,
    replay_settings: ReplaySettings,
    protocols: tuple[ProtocolName, ...],
    *,
    model_id: str | None = None,
    progress: Progress = SILENT,
) -> SideBySide:
    """Add other protocols and the replay to an evaluation; see `side_by_side`. A replay alone stays alone."""
    if isinstance(found, SideBySide):
        return found
    if isinstance(found, Replay):
        return SideBySide({}, found, {})
    evaluations, skipped = {found.protocol: found}, dict[str, str]()
    for name in protocols:
        if name in evaluations:
            continue
        # What is known of held-out users, the protocol itself defines.
        history = "known" if name == "held-out-users" else settings.history
        try:
            asked = replace(settings, protocol=name, history=history)
            evaluations[name] = evaluate(workspace, asked, model_id=model_id, progress=progress)
        except (EmptyResultError, SettingsError) as error:
            skipped[name] = error.message
    replayed = None
    try:
        replayed = replay(workspace, replay_settings, model_id=model_id, progress=progress)
    except (EmptyResultError, SettingsError) as error:
        skipped["replay"] = error.message
    return SideBySide(evaluations, replayed, skipped)


def headline(evaluation: Evaluation) -> str:
    """Return the metric that stands for an evaluation: NDCG of its first cutoff; for held-out users, of the last."""
    return f"ndcg@{evaluation.ks[-1 if evaluation.protocol == 'held-out-users' else 0]}"


def _of_evaluation(name: str, found: Evaluation) -> Column:
    metric = headline(found)
    return Column(
        name,
        metric,
        found.users,
        {model: own[metric] for model, own in found.models.items()},
        {pair.removeprefix(f"{MODEL} - "): own[metric] for pair, own in found.differences.items()},
    )


def _of_replay(found: Replay) -> Column:
    metric = f"hit_rate@{found.settings.k}"
    figures = {MODEL if arm == SERVED else arm: own[metric] for arm, own in found.arms.items()}
    leads = {pair.removeprefix(f"{SERVED} - "): own[metric] for pair, own in found.differences.items()}
    shared = ("popularity", "recent")
    return Column(
        "replay",
        metric,
        found.users,
        {name: own for name, own in figures.items() if name in (MODEL, *shared)},
        {name: own for name, own in leads.items() if name in shared},
    )
