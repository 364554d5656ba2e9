"""Options that several commands share."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrec.settings import (
    DEFAULT_DATA_DIR,
    DEFAULT_PRESET,
    DEFAULT_TOP_N,
    Auto,
    HeldOutSplit,
    PresetName,
    TrainSettings,
)

DATA_DIR_DEFAULT = Path(DEFAULT_DATA_DIR)

DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="MLREC_DATA_DIR", help="Data directory.", metavar="DIRECTORY")
]
StoreName = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="MLREC_STORE",
        metavar="STORE",
        help="Where swipes are stored: a file, relative to the data directory, or redis://host:6379/0.",
        show_default="users.db in the data directory",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
JsonOut = Annotated[
    Path | None, typer.Option("--json-out", metavar="FILE", help="Also write the JSON document to this file.")
]
ModelId = Annotated[
    str | None, typer.Option("--model", help="Model id. Without it, the published model.", metavar="ID")
]
Threads = Annotated[int, typer.Option(metavar="N", min=0, help="Number of threads. 0: all processors.")]
# None, because an option that is not given must not override a settings file.
RandomSeed = Annotated[
    int | None,
    typer.Option(
        "--random-seed",
        metavar="N",
        min=0,
        help="Seed for the initial factors and, in 'mlrec run', for --ties random.",
        show_default=str(TrainSettings.random_seed),
    ),
]
TrainThreads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=0,
        help="Number of threads. 0: all processors.",
        show_default=str(TrainSettings.threads),
    ),
]
HeldOut = Annotated[HeldOutSplit, typer.Option("--split", help="Held-out split to evaluate on: validation or test.")]
ListLength = Annotated[int, typer.Option("-n", "--n", metavar="N", min=1, help="Number of movies in the list.")]
TOP_N = DEFAULT_TOP_N


def number_or_auto(text: str) -> float | Auto:
    """Read the value of an option that is a number or "auto"."""
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor 'auto'.") from None


def count_or_auto(text: str) -> int | Auto:
    """Read the value of an option that is a whole number or "auto"."""
    if text == "auto":
        return "auto"
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a whole number nor 'auto'.") from None


def share(text: str) -> float:
    """Read the value of an option that is a share: "5%" or "0.05"."""
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a share such as 5% or 0.05.") from None


class UsageError(typer.BadParameter):
    """Options that do not go together. The message names them, so Typer's "Invalid value for" is left out."""

    def format_message(self) -> str:
        return self.message


def share_or_auto(text: str) -> float | Auto:
    """Read the value of an option that is a share or "auto"."""
    return "auto" if text == "auto" else share(text)


def examples(*commands: str) -> str:
    """Return the text below a command's help: one example per line."""
    return "\n\n".join(["Examples:", *(f"  {command}" for command in commands)])


def training_settings(preset: PresetName, file: Path | None = None, **overrides: Any) -> TrainSettings:
    """Return the settings of a preset or a file, overridden by the options given. None means not given."""
    given = {key: value for key, value in overrides.items() if value is not None}
    if file is None:
        return TrainSettings.preset(preset, **given)
    if preset != DEFAULT_PRESET:
        raise UsageError("Use --preset or --settings, not both.")
    from mlrec.artifacts.settings_file import read_settings

    # `on` is not taken from the file: a model trained on all data must follow one that was evaluated.
    return replace(read_settings(file), **{"on": "train", **given})
