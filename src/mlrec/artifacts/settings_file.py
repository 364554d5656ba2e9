"""Training settings in a file: what `mlrec tune` writes, and any JSON document with training settings in it."""

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
from mlrec.settings import TrainSettings
from mlrec.workspace import as_path

FORMAT_VERSION = 1
_LARGEST = 1 << 20  # bytes; a device may have no end

# All files that programs write have had these from the first. A setting that comes later, with a default that means
# what was done before, is not to be named here.
_FROM_THE_FIRST = (
    "factors", "regularization", "alpha", "iterations", "dislikes", "fold_in_dislikes", "half_life", "feedback_weight",
    "user_vectors", "on", "random_seed", "threads",
)  # fmt: skip
WholeTrainSettings = Annotated[TrainSettings, Needs(_FROM_THE_FIRST)]
"""Training settings in a document that says what was done; a person's file may leave out what has its default."""


def write_settings(path: Path, settings: TrainSettings, study: Mapping[str, Any]) -> None:
    """Write training settings, with the study that they come from, atomically."""
    write_json(path, {"format_version": FORMAT_VERSION, "settings": settings.to_json(), "study": dict(study)})


def read_settings(path: str | PathLike[str]) -> TrainSettings:
    """Read training settings from a JSON document: what its key `settings` holds.

    That is what `mlrec tune` writes, and a model's model_info.json has it too; there, a regularization that followed
    the data follows it again. What is not in the file has its default.

    Raises
    ------
    SettingsFileError
        If there is no such file, or a key or a value in it is none of training.
    """
    path = as_path("path", path)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise SettingsFileError(f"{path} is not a settings file: it is larger than {_LARGEST >> 20} MiB.")
        document = json.loads(content)
    except FileNotFoundError:
        raise SettingsFileError(f"There is no settings file {path}.", "'mlrec tune' writes one.") from None
    except IsADirectoryError:
        raise SettingsFileError(f"{path} is a folder, not a settings file.") from None
    except UnicodeDecodeError:
        raise SettingsFileError(f"{path} is not JSON, not even text.") from None
    except (ValueError, RecursionError) as error:
        raise SettingsFileError(f"{path} is not JSON: {error}.") from error
    values = document.get("settings") if isinstance(document, dict) else None
    if not isinstance(values, dict):
        raise SettingsFileError(
            f"{path} has no object 'settings' with training settings.",
            "'mlrec tune' writes such a file, and each model's model_info.json is one.",
        )
    try:
        settings = TrainSettings.from_json(values)  # strict: a person may have misspelt a name
    except SettingsError as error:
        raise SettingsFileError(f"{path}: settings.{error.message}", error.hint) from error
    follows_data = document.get("regularization_follows_data", False)
    if not isinstance(follows_data, bool):
        wrong = shown(follows_data)
        raise SettingsFileError(f"{path}: regularization_follows_data must be true or false, not {wrong}.")
    return replace(settings, regularization=None) if follows_data else settings
