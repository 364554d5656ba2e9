"""What the commands around the swipe log refuse, and passwords that they never print."""

from __future__ import annotations

import pytest

from mlrec.serving.stores.interface import Draft
from tests.cli.swipe_log.log import AT, events_of, opened


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["history"], 2, "--user"),
        (["history", "--user", 2**63], 2, "64 bits"),
        (["history", "--user", "1", "-n", "0"], 2, "-n"),
        (["history", "--user", "1", "--json", "--csv", "-"], 2, "not both"),
        (["history", "--user", "1", "--csv", "no/folder/x.csv"], 2, "no folder"),
        (["history", "--user", "1", "--csv", "/"], 2, "folder"),
        (["history", "--user", "1", "--store", "http://x"], 2, "is not a valid store"),
        (["history", "--user", "1", "--store", "redis://127.0.0.1:1/0"], 4, "cannot be used"),
        (["users", "forget"], 2, "ID"),
        (["users", "forget", 2**64], 2, "64 bits"),
        (["users", "allow", "everybody"], 2, "whole number"),
        (["users", "nonsense"], 2, "nonsense"),
        (["users", "--json", "export", "x.csv"], 2, "Put --json after 'export'"),
        (["users", "export", "-", "--json"], 2, "not both"),
        (["users", "export", "data/users.db"], 2, "the store of the swipes"),
        (["users", "import", "nothing.csv"], 3, "nothing.csv cannot be read: No such file"),
        (["users", "import", "."], 3, "Is a directory"),
        (["users", "import", "data/users.db"], 3, "is not UTF-8"),
        (["users", "import", "-"], 3, "stdin is empty"),
    ],
)
def test_mistakes(run, empty, arguments, code, words):
    with opened(empty) as store:
        store.append(1, Draft(1, 1, AT))
    done = run(*arguments, expect=code)
    # The box that Typer draws around a message breaks its lines.
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""
    assert len(events_of(empty, 1)) == 1


@pytest.mark.parametrize(
    "name",
    [
        "redis://me:QX/JZqx@127.0.0.1:1/0",
        "redis://me:QX%2FJZqx@127.0.0.1:1/0",
        "REDIS://:QX#JZqx@127.0.0.1:1",
        "redis:/:QX/JZqx@127.0.0.1:1",
        "postgres://:QX/JZqx@127.0.0.1/db",
    ],
)
def test_no_command_prints_a_password(run, data, name):
    for done in (
        run("doctor", "--store", name, expect=None),
        run("users", "--json", "--store", name, expect=None),
        run("swipe", "--user", 42, "--undo", expect=None, MLREC_STORE=name),
    ):
        assert done.returncode in (2, 4)
        assert "JZqx" not in done.stdout + done.stderr
