"""Atomic writes, versioned reads, and the write lock."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mlrec.artifacts.files import read_json, write_atomically, write_json
from mlrec.errors import IncompatibleFormatError, WorkspaceLockedError
from mlrec.workspace import Workspace


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(file):
        file.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_survives(tmp_path):
    write_json(tmp_path / "a.json", {"format_version": 3, "title": "Amélie"})
    assert read_json(tmp_path / "a.json", 3)["title"] == "Amélie"


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ('{"format_version": 2}', "Upgrade mlrec"),
        ('{"format_version": 0}', "Make it again"),
        ("{}", "Make it again"),
        ("[1]", "Make it again"),
        ('{"format_vers', "Make it again"),
    ],
)
def test_another_format_says_what_to_do(tmp_path, content, advice):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(IncompatibleFormatError) as error:
        read_json(tmp_path / "a.json", 1)
    assert "a.json" in error.value.message
    assert advice in error.value.hint


def test_numbers_that_json_does_not_have_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_one_writer_at_a_time_and_the_other_is_told_who(tmp_path):
    holder = (
        "import sys, pathlib; from mlrec.workspace import Workspace\n"
        "with Workspace(pathlib.Path(sys.argv[1])).writing('prepare'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with (
            pytest.raises(WorkspaceLockedError, match=f"mlrec prepare \\(process {process.pid}\\)"),
            Workspace(tmp_path).writing("train"),
        ):
            pass
        process.kill()
    # The lock dies with its holder, and what it left in the scratch folder is cleaned up.
    with Workspace(tmp_path).writing("train") as scratch:
        assert list(scratch.iterdir()) == []
    assert not scratch.exists()


def test_json_documents_are_readable_by_people(tmp_path):
    write_json(tmp_path / "a.json", {"format_version": 1, "b": [1]})
    text = (tmp_path / "a.json").read_text()
    assert text.endswith("}\n")
    assert json.loads(text) == {"format_version": 1, "b": [1]}
