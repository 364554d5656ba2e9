"""The raw folder: what is there, what is replaced and what is left alone."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlrec.dataset.editions import EDITIONS
from mlrec.dataset.finding import find_source
from mlrec.dataset.raw_folder import Marker
from mlrec.errors import RawDataMissingError, StateError, WorkspaceLockedError
from mlrec.workspace import Workspace
from tests.integration.fetch.mirror import (
    ARCHIVES,
    LINKS,
    MOVIES,
    RATINGS,
    SMALL,
    TABLE,
    check_fetched,
    expected_files,
    fetch,
    visible_files,
    zip_of,
)


def test_what_is_there_is_not_fetched_again(workspace, mirror):
    first = fetch(workspace, "ml-20m", mirror.url)
    again = fetch(workspace, "ml-20m", mirror.url)
    assert again == replace(first, already_there=True)
    assert len(mirror.requests) == 1
    assert not fetch(workspace, "ml-20m", mirror.url, force=True).already_there
    assert len(mirror.requests) == 2


def test_a_file_that_is_gone_is_fetched_again(workspace, mirror):
    fetch(workspace, "ml-20m", mirror.url)
    (workspace.raw / "movies.csv").unlink()
    assert not fetch(workspace, "ml-20m", mirror.url).already_there
    check_fetched(workspace, "ml-20m")


def test_another_edition_takes_the_place_of_the_former(workspace, archives):
    for edition in ("ml-20m", "ml-1m", "ml-100k", "ml-20m"):
        fetch(workspace, edition, archives)
        check_fetched(workspace, edition)


@pytest.mark.parametrize("name", ["ratings.csv", "links.csv", "ratings.dat", "ratings.csv.gz", "u.item"])
def test_files_of_others_are_not_touched(workspace, mirror, name):
    """Not even those that it would not overwrite: prepare would take one data set for the other."""
    workspace.raw.mkdir(parents=True)
    (workspace.raw / name).write_text("mine")
    with pytest.raises(StateError, match=re.escape(str(workspace.raw / name))) as caught:
        fetch(workspace, "ml-20m", mirror.url)
    assert all(word in caught.value.hint for word in ("Move it away", "--data-dir", "--force"))
    assert visible_files(workspace.raw) == {name: b"mine"}
    assert mirror.requests == []

    fetch(workspace, "ml-20m", mirror.url, force=True)
    check_fetched(workspace, "ml-20m")


def test_a_file_that_was_changed_since_is_not_touched(workspace, archives):
    fetch(workspace, "ml-20m", archives)
    changed = RATINGS.replace("4.5", "0.5", 1)  # the same size
    (workspace.raw / "ratings.csv").write_text(changed)
    with pytest.raises(StateError, match=r"ratings\.csv was not put there by"):
        fetch(workspace, "ml-1m", archives)
    assert (workspace.raw / "ratings.csv").read_text() == changed
    fetch(workspace, "ml-1m", archives, force=True)
    check_fetched(workspace, "ml-1m")


def test_a_linked_file_is_not_touched(workspace, archives, tmp_path):
    fetch(workspace, "ml-20m", archives)
    path = workspace.raw / "ratings.csv"
    path.rename(tmp_path / "mine.csv")
    path.symlink_to(tmp_path / "mine.csv")
    with pytest.raises(StateError):
        fetch(workspace, "ml-1m", archives)
    fetch(workspace, "ml-1m", archives, force=True)
    assert (tmp_path / "mine.csv").read_text() == RATINGS


def test_other_things_in_the_raw_folder_stay(workspace, archives):
    workspace.raw.mkdir(parents=True)
    (workspace.raw / "notes.txt").write_text("mine")
    (workspace.raw / "ml-25m.zip").write_bytes(ARCHIVES["ml-20m"])
    for edition in ("ml-20m", "ml-1m"):
        fetch(workspace, edition, archives)
    assert visible_files(workspace.raw) == expected_files("ml-1m") | {
        "notes.txt": b"mine",
        "ml-25m.zip": ARCHIVES["ml-20m"],
    }


@pytest.mark.parametrize("marker", [b"", b"[]", b'{"format_version": 1}', b'{"format_version": 99}'])
def test_a_marker_that_cannot_be_read_vouches_for_nothing(workspace, archives, marker):
    fetch(workspace, "ml-20m", archives)
    (workspace.raw / "SOURCE.json").write_bytes(marker)
    with pytest.raises(StateError):
        fetch(workspace, "ml-20m", archives)
    fetch(workspace, "ml-20m", archives, force=True)
    check_fetched(workspace, "ml-20m")


def test_a_raw_folder_on_another_volume(workspace, archives):
    """A link to, say, a larger disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as elsewhere:
        workspace.root.mkdir()
        workspace.raw.symlink_to(elsewhere)
        fetch(workspace, "ml-20m", archives)
        check_fetched(workspace, "ml-20m")


def test_files_are_on_the_disk_before_the_marker_vouches_for_them(workspace, archives, monkeypatch):
    on_disk: list[int] = []
    when_marked: list[set[int]] = []
    fsync, write = os.fsync, Marker.write

    def noted_fsync(handle):
        fsync(handle)
        on_disk.append(os.fstat(handle).st_ino)

    monkeypatch.setattr(os, "fsync", noted_fsync)

    def write_marker(marker, raw, replaced=None):
        when_marked.append(set(on_disk))
        write(marker, raw, replaced)

    monkeypatch.setattr(Marker, "write", write_marker)
    fetch(workspace, "ml-20m", archives)
    files = {path.stat().st_ino for path in workspace.raw.iterdir() if not path.name.startswith((".", "SOURCE"))}
    assert files
    assert all(files <= before for before in when_marked)


def test_two_writers(workspace, archives):
    with workspace.writing("train"), pytest.raises(WorkspaceLockedError, match="mlrec train"):
        fetch(workspace, "ml-20m", archives)


def interrupt_after(operations: int, patch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C before the given number of further changes to file names has been reached."""
    left = [operations]

    def counted(original):
        def change(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return original(*args, **options)

        return change

    for name in ("replace", "unlink"):
        patch.setattr(Path, name, counted(getattr(Path, name)))


@pytest.mark.parametrize("new", ["ml-1m", "ml-20m"])
def test_a_replacement_may_be_interrupted_at_any_moment(tmp_path, mirror, monkeypatch, new):
    """Prepare then finds the former data set, the new one or none, and a later fetch finishes without a download."""
    former = {"ml-25m/ratings.csv": RATINGS[:200], "ml-25m/movies.csv": MOVIES, "ml-25m/links.csv": LINKS[:37]}
    (tmp_path / "former.zip").write_bytes(zip_of(former))
    former_files = {name.rpartition("/")[2]: text.encode() for name, text in former.items()}
    editions = TABLE | {"ml-25m": replace(EDITIONS["ml-25m"], sha256=None, md5=None)}
    outcomes = set()
    for moment in range(100):
        workspace = Workspace(tmp_path / str(moment))
        fetch(workspace, "ml-25m", tmp_path / "former.zip", editions=editions)
        mirror.requests.clear()
        with monkeypatch.context() as patch:
            interrupt_after(moment, patch)
            try:
                fetch(workspace, new, mirror.url)
                break
            except KeyboardInterrupt:
                pass
        try:
            files = find_source(workspace.raw, tmp_path).files
        except RawDataMissingError:
            files = ()
        found = {file.path.name: file.path.read_bytes() for file in files}
        assert found in ({}, former_files, expected_files(new))
        outcomes.add(len(found))
        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            interrupt_after(2, patch)  # now between the marker and the first removal
            fetch(workspace, new, mirror.url)
        fetch(workspace, new, mirror.url)
        assert visible_files(workspace.raw) == expected_files(new)
        assert len(mirror.requests) == 1
    assert moment > 8
    assert outcomes == {0, 3, len(SMALL[new])}
