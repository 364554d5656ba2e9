"""Transfers that go wrong."""

from __future__ import annotations

import hashlib
import re
import socket
from collections import Counter
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from mlrec.dataset.download import ATTEMPTS, download
from mlrec.errors import FetchError
from mlrec.workspace import Workspace
from tests.integration.fetch.mirror import (
    ARCHIVES,
    EXTRAS,
    RATINGS,
    SMALL,
    TABLE,
    check_fetched,
    fetch,
    unsummed,
    visible_files,
    zip_of,
)


def part_of(workspace: Workspace, edition: str) -> Path:
    return workspace.raw / f".{edition}.zip.part"


def test_a_broken_transfer_is_taken_up_where_it_stopped(workspace, mirror):
    mirror.cuts = [1000, 2000]
    fetch(workspace, "ml-20m", mirror.url)
    check_fetched(workspace, "ml-20m")
    assert mirror.ranges == [None, "bytes=1000-", "bytes=3000-"]
    assert mirror.requests[1]["If-Range"] == '"one"'


def test_when_all_attempts_break_off_the_next_fetch_goes_on(workspace, mirror):
    mirror.cuts = [1000] * ATTEMPTS
    total = len(ARCHIVES["ml-20m"])
    with pytest.raises(FetchError, match=f"Only 4,000 of {total:,} bytes of {re.escape(mirror.url)}") as caught:
        fetch(workspace, "ml-20m", mirror.url)
    assert "Run the same command again" in caught.value.hint
    assert part_of(workspace, "ml-20m").read_bytes() == ARCHIVES["ml-20m"][:4000]
    assert visible_files(workspace.raw) == {}

    result = fetch(workspace, "ml-20m", mirror.url)
    assert mirror.ranges[-1] == "bytes=4000-"
    assert result.sha256 == TABLE["ml-20m"].sha256
    check_fetched(workspace, "ml-20m")


def test_a_server_that_does_not_tell_the_length(workspace, mirror):
    mirror.tells_length = False
    mirror.cuts = [1000] * ATTEMPTS
    with pytest.raises(FetchError, match=f"of {len(ARCHIVES['ml-20m']):,} bytes"):
        fetch(workspace, "ml-20m", mirror.url)
    fetch(workspace, "ml-20m", mirror.url)
    check_fetched(workspace, "ml-20m")


@pytest.mark.parametrize(
    "manners", [{"knows_ranges": False}, {"misreads_ranges": True}, {"etag": None}, {"etag": 'W/"weak"'}]
)
def test_a_server_that_cannot_resume_is_asked_for_everything(workspace, mirror, manners):
    for name, value in manners.items():
        setattr(mirror, name, value)
    mirror.cuts = [5000, 3000]
    fetch(workspace, "ml-20m", mirror.url)
    check_fetched(workspace, "ml-20m")


@pytest.mark.parametrize("heeds_if_range", [True, False])
@pytest.mark.parametrize("size", ["same", "shorter"])
def test_a_file_that_changes_meanwhile_is_not_mixed(workspace, mirror, heeds_if_range, size):
    mirror.heeds_if_range = heeds_if_range
    mirror.cuts = [15_000] * ATTEMPTS
    mirror.knows_ranges = False  # so that the part stays at 15,000 bytes
    with pytest.raises(FetchError):
        fetch(workspace, "ml-20m", mirror.url, editions=unsummed("ml-20m"))
    mirror.knows_ranges = True

    ratings = RATINGS.replace(",4.5,", ",1.5,") if size == "same" else RATINGS[:40]
    changed = EXTRAS | SMALL["ml-20m"] | {"ml-20m/ratings.csv": ratings}
    mirror.files["/movielens/ml-20m.zip"] = zip_of(changed)
    mirror.etag = '"two"'
    result = fetch(workspace, "ml-20m", mirror.url, editions=unsummed("ml-20m"))
    assert result.sha256 == hashlib.sha256(zip_of(changed)).hexdigest()
    assert (workspace.raw / "ratings.csv").read_text() == ratings


def test_a_part_of_another_mirror_is_not_continued(workspace, mirror):
    mirror.cuts = [1000] * ATTEMPTS
    with pytest.raises(FetchError):
        fetch(workspace, "ml-20m", mirror.url)
    mirror.files["/other/ml-20m.zip"] = ARCHIVES["ml-20m"]
    fetch(workspace, "ml-20m", mirror.url.replace("movielens", "other"))
    assert mirror.ranges[-1] is None
    check_fetched(workspace, "ml-20m")


def test_a_server_that_is_overloaded_for_a_moment(workspace, mirror):
    mirror.statuses = [500, 503]
    fetch(workspace, "ml-20m", mirror.url)
    check_fetched(workspace, "ml-20m")


def test_a_server_that_stays_overloaded(workspace, mirror):
    mirror.statuses = [503] * ATTEMPTS
    with pytest.raises(FetchError, match="cannot be downloaded: HTTP 503"):
        fetch(workspace, "ml-20m", mirror.url)


def test_an_archive_that_the_mirror_does_not_have(workspace, mirror):
    with pytest.raises(FetchError, match=rf"{re.escape(mirror.url)}nowhere/ml-20m\.zip cannot be downloaded: HTTP 404"):
        fetch(workspace, "ml-20m", mirror.url + "nowhere")
    assert len(mirror.requests) == 1


def test_no_network(workspace):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(FetchError, match=f"http://127.0.0.1:{port}/ml-20m.zip cannot be reached") as caught:
        fetch(workspace, "ml-20m", f"http://127.0.0.1:{port}")
    assert "--from" in caught.value.hint
    assert "mlrec fetch demo" in caught.value.hint


def test_an_address_that_is_none(workspace):
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch(workspace, "ml-20m", "http://127.0.0.1:port/")


def test_a_server_that_says_nothing(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/ml-20m.zip"
        with pytest.raises(FetchError, match="cannot be reached: timed out"):
            download(url, tmp_path / "part", timeout=0.05)


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "١٢", "many"])
def test_a_server_that_tells_a_length_that_makes_no_sense(workspace, mirror, length):
    mirror.tells_length = False
    mirror.headers = {"Content-Length": length.encode().decode("latin-1")}
    with suppress(FetchError):
        fetch(workspace, "ml-20m", mirror.url)
        check_fetched(workspace, "ml-20m")


def test_a_server_that_sends_more_than_the_edition_has(workspace, mirror):
    mirror.tells_length = False
    mirror.files["/movielens/ml-20m.zip"] = ARCHIVES["ml-20m"] + b"x" * 100_000
    with pytest.raises(FetchError, match=f"longer than the {len(ARCHIVES['ml-20m']):,} bytes"):
        fetch(workspace, "ml-20m", mirror.url)
    assert list(workspace.raw.iterdir()) == []


@pytest.mark.parametrize(
    "note",
    [
        '{"url": "URL", "validator": 5, "total": 9}',
        '{"url": "URL", "validator": "a\\nb", "total": 9}',
        '{"url": "URL", "validator": null, "total": "9"}',
        "[" * 100_000,
        "null",
        '"x"',
    ],
    ids=["number", "line break", "text", "deep", "null", "string"],
)
def test_a_note_beside_a_part_that_makes_no_sense(workspace, mirror, note):
    workspace.raw.mkdir(parents=True)
    part = part_of(workspace, "ml-20m")
    part.write_bytes(b"old")
    part.with_name(f"{part.name}.json").write_text(note.replace("URL", f"{mirror.url}ml-20m.zip"))
    fetch(workspace, "ml-20m", mirror.url)
    check_fetched(workspace, "ml-20m")


def test_progress_starts_at_what_has_come_before(workspace, mirror):
    done: Counter[str] = Counter()
    totals: dict[str, int | None] = {}

    class Task:
        def __init__(self, label: str) -> None:
            self.label = label

        def advance(self, amount: int = 1) -> None:
            done[self.label] += amount

    class Recorder:
        def task(self, label: str, total: int | None = None, unit: str = ""):
            done[label], totals[label] = 0, total
            return nullcontext(Task(label))

    mirror.cuts = [1000]
    fetch(workspace, "ml-20m", mirror.url, progress=Recorder())
    assert done["Downloading ml-20m.zip"] == totals["Downloading ml-20m.zip"] == len(ARCHIVES["ml-20m"])
    assert done["Unpacking ml-20m.zip"] == totals["Unpacking ml-20m.zip"]
    assert done["Unpacking ml-20m.zip"] == sum(len(text) for text in SMALL["ml-20m"].values())
