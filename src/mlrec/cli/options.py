"""Options that several commands share."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrec.errors import shown
from mlrec.settings import DEFAULT_DATA_DIR, DEFAULT_PRESET, DEFAULT_TOP_N, HeldOutSplit, PresetName, TrainSettings

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
        help="Where swipes are kept: a file, relative to the data directory, or redis://host:6379/0.",
        show_default="users.db in the data directory",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
ModelId = Annotated[str | None, typer.Option("--model", help="Model id; the published one by default.", metavar="ID")]
Threads = Annotated[int, typer.Option(metavar="N", min=0, help="Threads; 0 means all processors.")]
# Not given is not the same as the default: a settings file may say something else.
RandomSeed = Annotated[
    int | None,
    typer.Option(
        "--random-seed",
        metavar="N",
        min=0,
        help="Seed of the initial factors, and of --ties random where ratings are prepared.",
        show_default=str(TrainSettings.random_seed),
    ),
]
TrainThreads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=0,
        help="Threads; 0 means all processors.",
        show_default=str(TrainSettings.threads),
    ),
]
HeldOut = Annotated[HeldOutSplit, typer.Option("--split", help="The held-out part.")]
ListLength = Annotated[int, typer.Option("-n", "--n", metavar="N", min=1, help="How many movies.")]
TOP_N = DEFAULT_TOP_N


def parse_id(text: str) -> int:
    """Read an id of a user or a movie as it is written in data. `int` would take "1_0" for 10 and "007" for 7."""
    if not re.fullmatch(r"0|-?[1-9]\d{0,18}", text, re.ASCII) or not -(2**63) <= int(text) < 2**63:
        raise typer.BadParameter(f"{shown(text)} is not a valid id: a whole number that fits into 64 bits.")
    return int(text)


def examples(*commands: str) -> str:
    """Text below a command's help: one example a line."""
    return "\n\n".join(["Examples:", *(f"  {command}" for command in commands)])


def training_settings(preset: PresetName, file: Path | None = None, **overrides: Any) -> TrainSettings:
    """The preset, or what a settings file says, with the options that were given; None means not given."""
    given = {key: value for key, value in overrides.items() if value is not None}
    if file is None:
        return TrainSettings.preset(preset, **given)
    if preset != DEFAULT_PRESET:
        raise typer.BadParameter("Begin with a preset or with a file, not with both.", param_hint="--settings")
    from mlrec.artifacts.settings_file import read_settings

    # What is learned from is not carried over: a model of everything comes after one that was judged.
    return replace(read_settings(file), **{"on": "train", **given})
