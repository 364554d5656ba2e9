"""Training settings in a file: one that `mlrec tune` wrote, or any JSON document that contains training settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

from mlrec.artifacts.documents import Needs
from mlrec.artifacts.files import write_json
from mlrec.errors import SettingsError, SettingsFileError, shown
from mlrec.settings import CHOSEN, FOLLOWING, TrainSettings
from mlrec.workspace import as_path

FORMAT_VERSION = 1
_LARGEST = 1 << 20  # bytes; reading a device might never end

# Every file that mlrec ever wrote contains these. Do not add settings that came later: their default means what earlier
# versions did.
_FROM_THE_FIRST = (
    "factors", "regularization", "alpha", "iterations", "dislikes", "fold_in_dislikes", "half_life", "feedback_weight",
    "user_vectors", "on", "random_seed", "threads",
)  # fmt: skip
WholeTrainSettings = Annotated[TrainSettings, Needs(_FROM_THE_FIRST)]
"""Training settings in a document that records what was used. A file written by a person may omit defaults."""


def write_settings(path: Path, settings: TrainSettings, study: Mapping[str, Any]) -> None:
    """Write training settings atomically, with the study that they come from."""
    write_json(path, {"format_version": FORMAT_VERSION, "settings": settings.to_json(), "study": dict(study)})


def read_settings(path: str | PathLike[str]) -> TrainSettings:
    """Read training settings from the key `settings` of a JSON document.

    `mlrec tune` writes such a document, and every model's model_info.json is one. If the regularization there was
    derived from the data, it will be derived again, and what was chosen on validation will be chosen again. Settings
    that are not in the file have their defaults. But a number of iterations without a start_share has no start.

    Raises
    ------
    SettingsFileError
        If the file does not exist, or has a key or a value that is not a training setting.
    """
    path = as_path("path", path)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise SettingsFileError(f"{path} is not a settings file: it is larger than {_LARGEST >> 20} MiB.")
        document = json.loads(content)
    except FileNotFoundError:
        raise SettingsFileError(f"There is no settings file {path}.", "Create one with 'mlrec tune'.") from None
    except IsADirectoryError:
        raise SettingsFileError(f"{path} is a folder, not a settings file.") from None
    except UnicodeDecodeError:
        raise SettingsFileError(f"{path} is not JSON: it is not a text file.") from None
    except (ValueError, RecursionError) as error:
        raise SettingsFileError(f"{path} is not JSON: {error}.") from error
    values = document.get("settings") if isinstance(document, dict) else None
    if not isinstance(values, dict):
        raise SettingsFileError(
            f"{path} has no key 'settings' with training settings.",
            "Use a file that 'mlrec tune' wrote, or the model_info.json of a model.",
        )
    try:
        settings = TrainSettings.from_json(values)  # strict: a person may have misspelt a name
    except SettingsError as error:
        raise SettingsFileError(f"{path}: settings.{error.message}", error.hint) from error
    follows_data = document.get("regularization_follows_data", False)
    if not isinstance(follows_data, bool):
        wrong = shown(follows_data)
        raise SettingsFileError(f"{path}: regularization_follows_data must be true or false, not {wrong}.")
    return as_requested(
        settings, follows_data, _names(path, document, "left_to_size"), _names(path, document, "left_to_training")
    )


def _names(path: Path, document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = document.get(key, [])
    if not isinstance(names, list):
        raise SettingsFileError(f"{path}: {key} must be a list, not {shown(names)}.")
    return tuple(names)


def as_requested(
    settings: TrainSettings,
    follows_data: bool,
    left_to_size: tuple[str, ...],
    left_to_training: tuple[str, ...] = (),
) -> TrainSettings:
    """The settings that a training was asked for, from those that a model records.

    A regularization that was derived from the data is None again. What followed the size of the data, and what was
    chosen on validation, is "auto".
    """
    automatic: dict[str, Any] = {name: "auto" for name in FOLLOWING if name in left_to_size}
    automatic |= {name: "auto" for name in CHOSEN if name in left_to_training}
    requested = replace(settings, **automatic)
    return replace(requested, regularization=None) if follows_data else requested
