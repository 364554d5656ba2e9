"""Which model a training may start from. A model to be evaluated must not know the held-out events from its start."""

from __future__ import annotations

from contextlib import suppress

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.model_folder import Model
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.reading import read_held_out
from mlrec.errors import IncompatibleFormatError, ModelMissingError, StateError
from mlrec.evaluation.comparing import has_learned
from mlrec.model.warm_start import require_same_length
from mlrec.settings import SPLITS, HeldOutSplit, TrainSettings
from mlrec.workspace import Workspace

_HELD_OUT: tuple[HeldOutSplit, ...] = ("val", "test")
# The largest share of the held-out likes that the model may know. As data grows, the filter of the core moves a few
# events from train to validation: about 1% when the demo data, or generated data, grows to twice its size.
_MOST_LEARNED = 0.05


def require_warm_start(workspace: Workspace, settings: TrainSettings) -> None:
    """Check, before data is prepared, that there is a model to start from.

    Raises
    ------
    SettingsError
        If the settings exclude a warm start, or ask for vectors of another length.
    ModelMissingError, IncompatibleFormatError
        If no model is published, or it cannot be opened.
    """
    settings.warm_started(n_likes=0)
    require_same_length(_published(workspace), settings)


def model_to_start_from(workspace: Workspace, settings: TrainSettings) -> Model:
    """Return the published model; or, if it has learned from the held-out events, the one evaluated in its place.

    Which of them is asked for depends on the settings: a model that is trained on all data may start from either.

    Raises
    ------
    SettingsError, ModelMissingError, IncompatibleFormatError
        As in `require_warm_start`.
    StateError
        If both have learned from the held-out events.
    """
    require_warm_start(workspace, settings)
    published = _published(workspace)
    if settings.on == "all":
        return published
    candidates = [published]
    if judged_by := published.info.judged_by:
        with suppress(ModelMissingError, IncompatibleFormatError):  # it may have been pruned
            candidates.append(model_folder.open_model(registry.resolve(workspace, judged_by)))
    for model in candidates:
        if not _knows_held_out(workspace, model):
            require_same_length(model, settings)
            return model
    raise StateError(
        f"Model {published.model_id} has learned from events that are held out now, so a model that starts from it"
        " cannot be evaluated.",
        "Train once without --warm-start, or start a model that is not evaluated: mlrec train --on all --warm-start",
    )


def _published(workspace: Workspace) -> Model:
    if registry.published_id(workspace) is None:
        raise ModelMissingError(
            f"No model is published in {workspace.root}, so there is none to start from.",
            "Train the first model without --warm-start.",
        )
    return registry.open_published(workspace)


def _knows_held_out(workspace: Workspace, model: Model) -> bool:
    """Whether a model has learned from more than a few of the liked held-out events."""
    if model.info.prepared_fingerprint == read_manifest(workspace).fingerprint:
        return tuple(model.info.trained_on) != SPLITS[:1]
    for split in _HELD_OUT:
        held_out = read_held_out(workspace, split)
        liked = held_out.preference > 0
        if liked.any() and has_learned(model, held_out)[liked].mean() > _MOST_LEARNED:
            return True
    return False
