"""Archives from untrusted sources."""

from __future__ import annotations

import io
import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.dataset.archive import unpack
from mlrec.errors import FetchError
from tests.integration.fetch.mirror import MOVIES, RATINGS, SMALL, check_fetched, fetch, unsummed, zip_of


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
    "bzip2": (zip_of({"ratings.csv": RATINGS, "movies.csv": MOVIES}, zipfile.ZIP_BZIP2), "compressed with a method"),
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
