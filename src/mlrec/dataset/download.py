"""Downloading one file over HTTP, resuming where an earlier attempt stopped.

The bytes go to a part file. A note beside it records the URL, the size and the validator (ETag or Last-Modified) of the
file. With the validator, the server sends the rest only if the file is still the same.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from mlrec.errors import FetchError
from mlrec.progress import SILENT, Progress

ATTEMPTS = 4
OFFLINE_HINT = (
    "Check the connection, or pass another mirror, a folder or a zip with --from."
    " 'mlrec fetch demo' needs no download from GroupLens."
)
_BLOCK = 1 << 16


def download(
    url: str,
    part: Path,
    *,
    expected_bytes: int | None = None,
    progress: Progress = SILENT,
    timeout: float = 30.0,
    retry_delay: float = 1.0,
) -> None:
    """Download a file into `part`, resuming an earlier download and retrying when the transfer breaks off.

    Parameters
    ----------
    url
        An http or https URL.
    part
        Where the bytes go. The file stays after a failure, so that the next call can resume.
    expected_bytes
        Size of the file, used if the server does not send it.
    progress
        Reports the bytes.
    timeout
        Seconds without a response after which the connection counts as broken.
    retry_delay
        Seconds before the second attempt, doubled before each further attempt.

    Raises
    ------
    FetchError
        If the server cannot be reached, does not have the file, or all attempts break off.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(retry_delay * 2 ** (attempt - 1))
        try:
            _attempt(url, part, expected_bytes, progress, timeout)
            return
        except _UnreachableError as error:
            if attempt == 0:  # on later attempts, the network has just worked and may come back
                raise FetchError(f"{url} cannot be reached: {error}.", OFFLINE_HINT) from error
            failure: Exception = error
        except _BrokenOffError as error:
            failure = error
    arrived = part.stat().st_size if part.exists() else 0
    if not arrived:
        raise FetchError(f"{url} cannot be downloaded: {failure}.", OFFLINE_HINT) from failure
    note = _Note.read(part)
    total = f"{note.total:,}" if note and note.total is not None else "an unknown number of"
    raise FetchError(
        f"Only {arrived:,} of {total} bytes of {url} arrived: {failure}.",
        "Run the same command again to resume the download.",
    ) from failure


def discard(part: Path) -> None:
    """Remove a part file and its note."""
    part.unlink(missing_ok=True)
    _Note.path(part).unlink(missing_ok=True)


class _BrokenOffError(Exception):
    """The transfer stopped early; another attempt may succeed."""


class _UnreachableError(Exception):
    """The server cannot be reached."""


@dataclass(frozen=True)
class _Note:
    """The file that a part belongs to. Without a validator, the download cannot be resumed."""

    url: str
    validator: str | None
    total: int | None

    @staticmethod
    def path(part: Path) -> Path:
        return part.with_name(f"{part.name}.json")

    @classmethod
    def read(cls, part: Path) -> _Note | None:
        try:
            note = cls(**json.loads(cls.path(part).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError, RecursionError):
            return None
        is_sendable = note.validator is None or (isinstance(note.validator, str) and note.validator.isprintable())
        return note if is_sendable and (note.total is None or type(note.total) is int) else None

    def write(self, part: Path) -> None:
        self.path(part).write_text(json.dumps(asdict(self)))


def _attempt(url: str, part: Path, expected_bytes: int | None, progress: Progress, timeout: float) -> None:
    note = _Note.read(part)
    offset = part.stat().st_size if part.exists() and note and note.url == url else 0
    if note and offset and offset == note.total:
        return
    headers = {"User-Agent": "mlrec"}
    if note and note.validator and offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": note.validator}
    with _open(Request(url, headers=headers), part, timeout) as response:
        resumes = response.status == 206
        if resumes and not (note and _continues(response, offset, note)):
            discard(part)
            raise _BrokenOffError("the server sent a different part of the file than requested")
        offset = offset if resumes else 0
        length = re.fullmatch(r"[0-9]{1,18}", response.headers.get("Content-Length", ""))
        total = offset + int(length[0]) if length else expected_bytes
        with (
            part.open("ab" if resumes else "wb") as file,
            progress.task(f"Downloading {urlsplit(url).path.rpartition('/')[2]}", total, "bytes") as task,
        ):
            if not resumes:
                _Note(url, _validator(response), total).write(part)
            task.advance(offset)
            while block := _read(response):
                file.write(block)
                task.advance(len(block))
                if total is not None and file.tell() > total:
                    discard(part)
                    raise FetchError(
                        f"{url} is longer than the {total:,} bytes that it should have.",
                        "Check the URL, or pass another with --from.",
                    )
    if total is not None and part.stat().st_size < total:
        raise _BrokenOffError("the connection was closed early")


def _open(request: Request, part: Path, timeout: float) -> HTTPResponse:
    try:
        return cast("HTTPResponse", urlopen(request, timeout=timeout))
    except HTTPError as error:
        with error:
            status = f"HTTP {error.code} {error.reason}".rstrip()
        if error.code == 416:  # the file is now shorter than the part
            discard(part)
        if error.code in (408, 416, 429) or error.code >= 500:
            raise _BrokenOffError(status) from error
        raise FetchError(
            f"{request.full_url} cannot be downloaded: {status}.",
            "Check the URL, or pass another with --from.",
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _UnreachableError(str(error.reason if isinstance(error, URLError) else error)) from error


def _read(response: HTTPResponse) -> bytes:
    try:
        # Unlike read(), read1() returns what has arrived when the connection breaks in the middle of a block.
        return response.read1(_BLOCK)
    except (OSError, HTTPException) as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from error


def _validator(response: HTTPResponse) -> str | None:
    """A strong ETag, else Last-Modified; If-Range does not accept weak ETags (RFC 9110, 13.1.5)."""
    etag = response.headers.get("ETag")
    return etag if etag and etag.startswith('"') else response.headers.get("Last-Modified")


def _continues(response: HTTPResponse, offset: int, note: _Note) -> bool:
    """Whether a partial response is the missing rest of the noted file. Some servers ignore If-Range."""
    found = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]+|\*)", response.headers.get("Content-Range", ""))
    kind = "ETag" if (note.validator or "").startswith('"') else "Last-Modified"
    return (
        found is not None
        and int(found[1]) == offset
        and found[2] in ("*", str(note.total))
        and response.headers.get(kind) in (None, note.validator)
    )
