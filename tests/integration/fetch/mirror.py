"""Small editions in archives, and a mirror on this machine that serves them."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mlrec.dataset import fetch as fetch_module
from mlrec.dataset.editions import EDITIONS, Edition
from mlrec.dataset.fetch import FetchResult
from mlrec.dataset.finding import find_source
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
            # With a date of its own: otherwise the same files give another archive two seconds later.
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text, compression)
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


class MirrorServer(ThreadingHTTPServer):
    mirror: Mirror


class MirrorHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, MirrorServer)
        mirror = self.server.mirror
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


def fetch(workspace: Workspace, edition: str, source: object = None, **options: Any) -> FetchResult:
    place = None if source is None else str(source)
    return fetch_module.fetch(workspace, edition, source=place, **{"editions": TABLE, "retry_delay": 0.001, **options})


def check_fetched(workspace: Workspace, edition: str) -> None:
    """The raw folder holds the edition and nothing else, and prepare finds it."""
    assert visible_files(workspace.raw) == expected_files(edition)
    assert {file.path.name for file in find_source(workspace.raw, workspace.root).files} == set(expected_files(edition))
    assert sorted(path.name for path in workspace.raw.iterdir() if path.name.startswith(".")) == []


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
