"""One writer at a time, and a folder that is always complete."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from mlrec.artifacts import prepared
from mlrec.dataset.prepare import prepare
from mlrec.errors import PreparedDataMissingError, WorkspaceLockedError
from mlrec.workspace import PreparedFiles, Workspace
from tests.integration.prepare.raw_data import loose, names, snapshot

REQUIRED: dict[str, Any] = {
    "fingerprint": "",
    "settings": {"split": "user-time", "user_offset": 0},
    "splits": {"train": 0, "val": 0, "test": 0},
}
"""What every manifest has."""


def test_a_second_writer_is_refused_and_the_folder_stays(small):
    prepare(small, loose())
    before = snapshot(small.prepared.root)
    with small.writing("train"), pytest.raises(WorkspaceLockedError, match="mlrec train"):
        prepare(small, loose(user_offset=1))
    assert snapshot(small.prepared.root) == before
    prepare(small, loose(user_offset=1))


def test_what_a_killed_run_left_is_cleared_by_the_next(small):
    (small.scratch / "spill").mkdir(parents=True)
    (small.scratch / "spill" / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"what did not fit into memory")
    small.prepared_new.root.mkdir()
    (small.prepared_new.root / "train.parquet").write_bytes(b"half a file")
    prepare(small, loose())
    assert names(small.root) == [".lock", "prepared", "raw"]
    assert "rejects.csv" in names(small.prepared.root)


def publish(workspace: Workspace, n: int) -> None:
    with workspace.writing("test"), prepared.replacing(workspace) as files:
        prepared.complete(files, {**REQUIRED, "n": n})


@pytest.mark.parametrize(
    ("whole", "half_written", "standing"),
    [
        (["prepared.new", "prepared.old"], [], "prepared.new"),
        (["prepared.new"], [], "prepared.new"),
        (["prepared.old"], [], "prepared.old"),
        (["prepared.old"], ["prepared.new"], "prepared.old"),
        (["prepared", "prepared.new", "prepared.old"], [], "prepared"),
        (["prepared"], ["prepared.new"], "prepared"),
        (["prepared.old"], ["prepared"], None),
        ([], ["prepared.new"], None),
        ([], [], None),
    ],
)
def test_an_interrupted_swap_is_finished_or_undone(tmp_path, whole, half_written, standing):
    workspace = Workspace(tmp_path)
    for name in whole:
        (tmp_path / name).mkdir()
        prepared.complete(PreparedFiles(tmp_path / name), {**REQUIRED, "name": name})
    for name in half_written:
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.parquet").write_bytes(b"half a file")

    if standing is None:
        with pytest.raises(PreparedDataMissingError, match="no prepared data"):
            prepared.read_manifest(workspace)
    else:
        assert prepared.read_manifest(workspace).document["name"] == standing
    publish(workspace, 7)
    assert prepared.read_manifest(workspace).document["n"] == 7
    assert names(tmp_path) == [".lock", "prepared"]


def test_readers_find_a_whole_folder_at_every_moment_of_a_swap(tmp_path):
    workspace = Workspace(tmp_path)
    done = threading.Event()

    def read() -> list[int]:
        seen = []
        while not done.is_set():
            seen.append(prepared.read_manifest(workspace).document["n"])
        return seen

    publish(workspace, 0)
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for n in range(1, 50):
                publish(workspace, n)
        finally:
            done.set()
    for reader in readers:
        seen = reader.result()
        assert seen == sorted(seen)
        assert len(set(seen)) > 1


def test_a_reader_does_not_trip_the_first_preparation(tmp_path):
    """Nothing is prepared yet: what the reader takes for an interrupted swap is still being synced by the writer."""
    for n in range(8):
        workspace = Workspace(tmp_path / str(n))
        done = threading.Event()

        def read(workspace: Workspace = workspace, done: threading.Event = done) -> None:
            while not done.is_set():
                with suppress(PreparedDataMissingError):
                    prepared.read_manifest(workspace)

        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(read)
            try:
                publish(workspace, n)
            finally:
                done.set()
        reader.result()
        assert prepared.read_manifest(workspace).document["n"] == n
