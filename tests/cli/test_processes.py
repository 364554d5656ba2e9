"""Tests run most commands in their own process: what these print and return is what a process of its own does."""

from __future__ import annotations

import re

import pytest

from tests.command_line import in_its_own_process, in_this_process

CALLS: list[list[str]] = [
    [],
    ["--version"],
    ["nonsense"],
    ["search", "amelie"],
    ["similar", "toy story", "--json"],
    ["similar", "nothing of that name"],
    ["recommend", "--user", "42", "--explain"],
    ["recommend", "--user", "42", "-n", "0"],
    ["swipe", "--user", "42"],
    ["history", "--user", "42", "--ratings"],
    ["users", "show", "42", "--json"],
    ["users", "import", "-"],
    ["users", "export", "-"],
    ["models", "list"],
    ["models", "show"],
    ["evaluate", "--baseline", "popularity", "--sample", "50"],
    ["prepare", "--raw", "nowhere"],
    ["train", "--settings", "nowhere.json"],
    ["doctor"],
]
ANSWERS = "like\nwhy\ndislike\nundo\n"


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_a_command_prints_and_returns_the_same_in_a_process_of_its_own(demo, tmp_path, words):
    found = []
    for call in (in_this_process, in_its_own_process):
        folder = tmp_path / call.__name__
        folder.mkdir()
        environment = {"MLREC_DATA_DIR": str(demo.root), "MLREC_STORE": str(folder / "users.db")}
        done = call(words, typed=ANSWERS, folder=folder, environment=environment)
        shown = f"{done.stdout}\n-- stderr --\n{done.stderr}".replace(str(folder), "HERE")
        shown = re.sub(r"[0-9.]+ ms", "N ms", shown)
        shown = re.sub(r"BLAS: .*| +$", "", shown, flags=re.MULTILINE)  # a list of what happens to be loaded
        found.append((done.returncode, shown, sorted(path.name for path in folder.iterdir())))
    assert found[0] == found[1]
