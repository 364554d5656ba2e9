"""Make the report of an evaluation or a replay."""

from __future__ import annotations

from datetime import UTC, datetime

from mlrec.artifacts import model_folder, registry
from mlrec.evaluation.report.data import read_picture
from mlrec.evaluation.report.page import render_report
from mlrec.evaluation.side_by_side import SideBySide
from mlrec.machine import installed_version
from mlrec.settings import EvaluateSettings, TrainSettings
from mlrec.workspace import Workspace


def make_report(workspace: Workspace, found: SideBySide, settings: EvaluateSettings) -> str:
    """Make a report of an evaluation, a replay or both, with an overview of the data.

    Parameters
    ----------
    workspace
        The data directory that was evaluated.
    found
        The results, at least one. The first evaluation is shown in full, the others beside it.
    settings
        Settings of the evaluation.

    Returns
    -------
    str
        An HTML document that loads nothing, to be written as UTF-8.
    """
    evaluation, replay = next(iter(found.evaluations.values()), None), found.replay
    model_id = evaluation.model_id if evaluation else replay.settings_of if replay else None
    trained = TrainSettings().to_json()
    if model_id is not None:
        trained = model_folder.open_model(registry.resolve(workspace, model_id)).info.settings.to_json()
    shown = {"Training": trained}
    if evaluation:
        shown["Evaluation"] = settings.to_json() | {"protocol": evaluation.protocol, "ks": list(evaluation.ks)}
    return render_report(
        [evaluation] if evaluation else [],
        found.replay,
        read_picture(workspace),
        model_id=model_id or "the default model",
        settings=shown,
        mlrec_version=installed_version(),
        created_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        beside=found,
    )
