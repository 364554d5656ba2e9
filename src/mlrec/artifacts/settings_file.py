"""Training settings in a file: what `mlrec tune` writes, and any JSON document with training settings in it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, get_type_hints

from mlrec.artifacts.files import write_json
from mlrec.errors import SettingsError, SettingsFileError
from mlrec.settings import TrainSettings
from mlrec.workspace import as_path

FORMAT_VERSION = 1
_LARGEST = 1 << 20  # bytes; a device may have no end


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
    names = [field.name for field in fields(TrainSettings)]
    for name, value in values.items():
        if name not in names:
            raise SettingsFileError(f"{path}: settings.{name} is unknown.", f"Settings are {', '.join(names)}.")
        if not _fits(name, value):
            raise SettingsFileError(f"{path}: settings.{name} cannot be {json.dumps(value)}.")
    if document.get("regularization_follows_data"):
        values["regularization"] = None
    if "half_life" in values and values["half_life"] is None:
        values["half_life"] = math.inf
    try:
        return TrainSettings(**values)
    except SettingsError as error:
        raise SettingsFileError(f"{path}: {error.message}") from error


def _fits(name: str, value: object) -> bool:
    """Whether a JSON value is of a setting's type; whether it makes sense, the settings know."""
    if value is None:
        return name in ("regularization", "half_life")  # follows the data; no decay
    expected = get_type_hints(TrainSettings)[name]
    if isinstance(value, bool):
        return False
    if expected is int:
        return isinstance(value, int)
    return isinstance(value, int | float) if expected in (float, float | None) else isinstance(value, str)
