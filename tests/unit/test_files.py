"""Atomic writes, versioned reads, and the write lock."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager

import pytest

from mlrec.artifacts.files import read_json, temporary_sibling, write_atomically, write_json
from mlrec.errors import IncompatibleFormatError, StateError, WorkspaceLockedError
from mlrec.workspace import Workspace
from tests.processes import started


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
        ('{"format_version": 0}', "Create the file again"),
        ("{}", "Create the file again"),
        ("[1]", "Create the file again"),
        ('{"format_vers', "Create the file again"),
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
    with started(
        [sys.executable, "-c", holder, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
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


# -- what killed processes leave ---------------------------------------------------------------------------------------

STOPS_WHILE_WRITING = """
import sys, pathlib
from mlrec.artifacts.files import temporary_sibling
with temporary_sibling(pathlib.Path(sys.argv[1]), folder=sys.argv[2] == "folder") as temporary:
    (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
    if temporary.is_file():
        temporary.replace(sys.argv[1])
"""


@contextmanager
def another_writer(path, kind):
    """A process that has begun to write, and stops in the middle until its input ends."""
    with started(
        [sys.executable, "-c", STOPS_WHILE_WRITING, str(path), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_writer_removes_what_a_killed_one_has_left(tmp_path, kind):
    path = tmp_path / "recs.parquet"
    with another_writer(path, kind) as process:
        process.kill()
    (leftover,) = tmp_path.iterdir()
    assert leftover.name.startswith(".recs.parquet.")
    write_atomically(tmp_path / "recs", lambda file: file.write(b"of another name"))
    assert leftover.exists()
    write_atomically(path, lambda file: file.write(b"whole"))
    assert sorted(tmp_path.iterdir()) == [tmp_path / "recs", path]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_living_writer_is_writing_is_left_alone(tmp_path, kind):
    path = tmp_path / "recs.parquet"
    with another_writer(path, kind) as process:
        (its,) = tmp_path.iterdir()
        write_atomically(path, lambda file: file.write(b"mine"))
        assert sorted(tmp_path.iterdir()) == [its, path]
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(120) == 0
    assert path.read_text() == ("half" if kind == "file" else "mine")
    assert list(tmp_path.iterdir()) == [path]


def test_a_thread_leaves_alone_what_another_of_the_same_process_is_writing(tmp_path):
    path = tmp_path / "CURRENT"
    with temporary_sibling(path) as first, temporary_sibling(path) as second:
        assert first != second
        assert first.exists()
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_earlier_versions_go_and_other_hidden_files_stay(tmp_path):
    for name in (".CURRENT.4711.tmp", ".CURRENT.tmp", ".CURRENT.mine.tmp", "CURRENT.4711.tmp", ".CURRENT.4711"):
        (tmp_path / name).write_text("")
    write_atomically(tmp_path / "CURRENT", lambda file: file.write(b"id"))
    assert {path.name for path in tmp_path.iterdir()} == {
        "CURRENT", ".CURRENT.tmp", ".CURRENT.mine.tmp", "CURRENT.4711.tmp", ".CURRENT.4711",
    }  # fmt: skip


def test_a_writer_whose_own_error_is_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_atomically(tmp_path / "a", lambda file: file.write((tmp_path / "nowhere").read_bytes()))
    assert list(tmp_path.iterdir()) == []


# -- what is no document -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"format_version": 1, "a": "\xff"}', "damaged"),
        (b'{"format_version": 1, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "damaged"),
        (b'{"format_version": 1, "a": ' + b"[" * 200 + b"]" * 200 + b"}", "nested too deeply"),
        (b'{"format_version": 1, "a": ' + b"9" * 5_000 + b"}", "damaged"),
        (b'{"format_version": 1, "a": Infinity}', "Infinity is not a number"),
        (b'{"format_version": true, "a": {}}', "format version true"),
        (b'{"format_version": 1}', "it lacks a"),
        (b'{"format_version": 1, "a": [1]}', "a cannot be [1]"),
        (b"", "damaged"),
    ],
)
def test_whatever_is_wrong_with_a_document_is_one_error_that_names_it(tmp_path, content, words):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(IncompatibleFormatError) as error:
        read_json(tmp_path / "a.json", 1, {"a": dict}, remedy="Mend it.")
    assert str(tmp_path / "a.json") in error.value.message
    assert words in error.value.message
    assert error.value.hint


def test_a_folder_in_the_place_of_a_document_is_told(tmp_path):
    with pytest.raises(StateError, match="Is a directory"):
        read_json(tmp_path, 1)
