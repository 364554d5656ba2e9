"""Every option and argument of every command with absurd values: a documented exit code, and no traceback.

MLREC_FUZZ_SEED changes the cases, and MLREC_FUZZ_CASES their number (0: all).
"""

from __future__ import annotations

import os
import random
import shutil
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mlrec.cli.app import app
from mlrec.workspace import Workspace
from tests.processes import services_end_at_once

ODD = [
    "", " ", "-", "--", "0", "-1", "1", "2", "-0", "+1", "1.5", "1e3", "1_0", "0x1F", "٣", "nan", "-nan", "inf", "-inf",
    "1e300", "1e-300", "-1e300", "1e999", "9" * 19, "-" + "9" * 19, "9" * 30, "9" * 400, "9" * 5000, "0" * 5000 + "1",
    "-9223372036854775808", "9223372036854775808", "4294967296", "1000000", "99999999999", "true", "none", "None",
    "x" * 300, "x" * 100_000, "a\nb", "\x1b[2J", "\u202e", "\udcff", "é", "{}", "[" * 10_000, "%s", "$(id)", ".", "~",
    "/dev/null", "/dev/full", "/proc/version", "none/x", "http://[", "http://127.0.0.1:1/x", "redis:", "redis://[",
    "redis://127.0.0.1:1/0", "file:///x", "memory", "1990-", "-1999", "1999-1990", "0000-9999", "1-4", "4", "like",
    "Drama", "out.csv", "out.parquet", "./data", "./data/models", "./data/users.db", "ratings.csv",
    "./data/models/CURRENT", "as-likes",
]  # fmt: skip
# In-range values of these are work without an end in sight, which is what was asked for.
LONG_WORK = {("tune", "--trials"), ("train", "--factors")}
ENDLESS = {value for value in ODD if value.strip("+-").isdigit() and len(value) > 2} | {"1000000"}
DOCUMENTED = {0, 2, 3, 4}
SESSION = "like\nwhy\n\nundo\nnonsense\n"
GOOD = {
    "user": "1", "movie": "1", "text": "movie", "edition": "demo", "file": "swipes.csv", "model_id": "CURRENT",
    "first": "CURRENT", "second": "CURRENT",
}  # fmt: skip
NEEDED = {"recommend": ["--user", "1"], "swipe": ["--user", "1"], "history": ["--user", "1"], "tune": ["--trials", "1"]}


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands that do something, with the words that call them."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        children = getattr(command, "commands", {})
        if words and (not children or words == ("users",)):
            yield words, command
        for name, child in children.items():
            yield from below(child, (*words, name))

    yield from below(typer.main.get_command(app), ())


def cases() -> list[list[str]]:
    """One command with one odd value each."""
    found = []
    for words, command in commands():
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        needed = NEEDED.get(words[0], [])
        for parameter in command.params:
            for value in ODD:
                name = max(parameter.opts, key=len)
                if "\0" in value or ((words[0], name) in LONG_WORK and value in ENDLESS):
                    continue
                given = [GOOD.get(argument.name, "1") for argument in arguments if argument.required]
                if parameter in arguments:
                    given = [value if argument is parameter else GOOD.get(argument.name, "1") for argument in arguments]
                    options: list[str] = []
                elif getattr(parameter, "is_flag", False):
                    options = [name] if value == ODD[0] else []
                else:
                    options = [name, *[value] * parameter.nargs]
                if options or parameter in arguments:
                    found.append([*words, *needed, *options, *(["--"] if parameter in arguments else []), *given])
    return found


ALL = cases()
SEED = int(os.environ.get("MLREC_FUZZ_SEED", "1"))
HOW_MANY = int(os.environ.get("MLREC_FUZZ_CASES", "400")) or len(ALL)
CHUNKS = 8


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Iterator[Path]:
    """A working directory with a data directory, and some files to name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLREC_DATA_DIR", "data")
    monkeypatch.setenv("HOME", str(tmp_path))
    with services_end_at_once():
        yield tmp_path


def furnish(small_model: Workspace, folder: Path) -> str:
    """Put everything into its first state; returns the id of the model."""
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    shutil.copytree(small_model.root, folder / "data")
    shutil.copy(small_model.raw / "ratings.csv", folder)
    (folder / "swipes.csv").write_text("user_id,movie_id,preference,at\n1,1,1,1000000000\n")
    return (folder / "data" / "models" / "CURRENT").read_text().strip()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_value_of_every_option_gives_a_documented_exit_code(small_model, folder, chunk):
    drawn = random.Random(SEED).sample(ALL, min(HOW_MANY, len(ALL)))[chunk::CHUNKS]
    bad = []
    for number, words in enumerate(drawn):
        if number % 10 == 0 or not (folder / "data" / "models" / "CURRENT").exists():
            model_id = furnish(small_model, folder)
        call = [model_id if word == "CURRENT" else word for word in words]
        result = CliRunner().invoke(app, call, input=SESSION, prog_name="mlrec")
        shown = [word if len(word) < 60 else f"{word[:10]}… ({len(word)})" for word in call]
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            where = traceback.format_exception(*result.exc_info)[-4:] if result.exc_info else []
            bad.append(f"{shown}: {''.join(where)}")
        elif result.exit_code not in DOCUMENTED or "Traceback" in result.output:
            bad.append(f"{shown}: exit code {result.exit_code}\n{result.output[-500:]}")
    assert not bad, f"{len(bad)} of {len(drawn)}:\n" + "\n".join(bad)


def test_there_are_cases_for_every_command():
    begun = {tuple(case[:length]) for case in ALL for length in (1, 2)}
    assert {words for words, _ in commands()} <= begun
    assert len(ALL) > 5_000
