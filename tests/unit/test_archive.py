"""Untrusted zip archives, read in both ways: `fetch` unpacks them, and `prepare` finds them in raw/."""

from __future__ import annotations

import errno
import io
import random
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mlrec.dataset import archive as archive_module
from mlrec.dataset.editions import EDITIONS
from mlrec.dataset.fetch import fetch
from mlrec.dataset.finding import find_source
from mlrec.errors import FetchError, InputError
from mlrec.workspace import Workspace

FILES = {
    "ratings.csv": "userId,movieId,rating,timestamp\n"
    + "".join(f"{n},{n % 3 + 1},4.5,{10**9 + n}\n" for n in range(40)),
    "movies.csv": "movieId,title,genres\n1,Heat (1995),Crime\n2,Amélie (2001),Comedy\n3,Alien (1979),Horror\n",
    "links.csv": "movieId,imdbId,tmdbId\n1,0113277,949\n2,0211915,194\n3,0078748,348\n",
}
START = FILES["ratings.csv"].encode()
# Nothing is known of its checksum or its rows.
ANY = {"ml-20m": replace(EDITIONS["ml-20m"], bytes=None, sha256=None, md5=None)}

WayIn = Callable[[Path, bytes], dict[str, str]]


def by_fetch(root: Path, packed: bytes) -> dict[str, str]:
    """The texts that `fetch` puts into the raw folder, by file name. Nothing else may be left, whatever happens."""
    root.mkdir(exist_ok=True)
    (root / "a.zip").write_bytes(packed)
    workspace = Workspace(root / "data")
    try:
        fetch(workspace, "ml-20m", source=str(root / "a.zip"), editions=ANY)
    except BaseException:
        assert list(workspace.raw.iterdir()) == []
        raise
    assert all(name in {*FILES, "SOURCE.json"} for name in names(workspace.raw))
    return {path.name: path.read_text() for path in workspace.raw.glob("*.csv")}


def by_prepare(root: Path, packed: bytes) -> dict[str, str]:
    """The texts that `prepare` reads of a zip in the raw folder, by file name."""
    workspace = Workspace(root / "data")
    workspace.raw.mkdir(parents=True)
    (workspace.raw / "a.zip").write_bytes(packed)
    try:
        with workspace.writing("prepare") as scratch:
            source = find_source(workspace.raw, scratch)
            for error in source.left_out:  # links, which a preparation can do without; it tells why
                raise error
            return {file.path.name: file.path.read_text() for file in source.files}
    finally:
        assert names(workspace.raw) == ["a.zip"]
        assert names(workspace.root) == [".lock", "raw"]


BOTH = pytest.mark.parametrize("way_in", [by_fetch, by_prepare])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def packed(compression: int = zipfile.ZIP_DEFLATED, folder: str = "", others: Mapping[str, str] = {}) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, text in {**FILES, **others}.items():
            archive.writestr(folder + name, text)
    return buffer.getvalue()


def patched(data: bytes, name: str, *fields: tuple[int, int, bytes]) -> bytes:
    """Overwrite fields of an entry, given as their places in its local header and in the directory."""
    local = data.index(b"PK\x03\x04", data.index(name.encode()) - 30)
    central = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    result = bytearray(data)
    for in_local, in_central, value in fields:
        for at in (local + in_local, central + in_central):
            result[at : at + len(value)] = value
    return bytes(result)


# -- right archives ----------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("folder", ["", "ml-20m/", "a/b/"])
def test_the_files_come_out_as_they_went_in(tmp_path, way_in, compression, folder):
    assert way_in(tmp_path, packed(compression, folder)) == FILES


@BOTH
def test_a_zip64_archive(tmp_path, way_in):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in FILES.items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(text.encode())
    assert way_in(tmp_path, buffer.getvalue()) == FILES


@BOTH
def test_an_archive_behind_other_bytes(tmp_path, way_in):
    """As a self-extracting one is."""
    assert way_in(tmp_path, b"#!/bin/sh\n" * 20 + packed()) == FILES


@BOTH
def test_what_is_not_needed_may_be_packed_in_any_way(tmp_path, way_in):
    buffer = io.BytesIO(packed())
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("tags.csv", "userId,movieId,tag,timestamp\n")
    assert way_in(tmp_path, buffer.getvalue()) == FILES


# -- damage ------------------------------------------------------------------------------------------------------------


def damages(data: bytes, chance: random.Random, times: int) -> list[bytes]:
    """One byte that is another, bytes that are missing at the end or in between, bytes that are there twice."""
    damaged = []
    for _ in range(times):
        at, length = chance.randrange(len(data)), chance.choice([1, 2, 4, 46, 200])
        change = chance.choice(["flip", "set", "set", "end", "gap", "twice", "zeros"])
        match change:
            case "flip":
                damaged.append(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
            case "set":
                damaged.append(data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :])
            case "end":
                damaged.append(data[:at])
            case "gap":
                damaged.append(data[:at] + data[at + length :])
            case "twice":
                damaged.append(data[: at + length] + data[at:])
            case "zeros":
                damaged.append(data[:at] + bytes(length) + data[at + length :])
    return damaged


@BOTH
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_whatever_is_damaged_the_files_are_right_or_it_is_told(way_in, compression):
    """No other error, nothing missing in silence, and nothing left lying about."""
    data = packed(compression, "ml/", others={"README.txt": "Read me."})
    directory = data.index(b"PK\x01\x02")
    chance = random.Random(22)
    # Most of an archive is content; what leads the reader astray is in the headers.
    cases = damages(data, chance, 200)
    cases += [data[:directory] + rest for rest in damages(data[directory:], chance, 200)]
    told_as = {by_fetch: FetchError, by_prepare: InputError}[way_in]
    told = 0
    for case in cases:
        with tempfile.TemporaryDirectory() as root:
            try:
                found = way_in(Path(root), case)
            except told_as:
                told += 1
            else:
                assert found == FILES
    assert 250 < told < 400


@BOTH
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([(8, 10, struct.pack("<H", 97))], r"ratings\.csv is compressed with a method"),
        ([(6, 8, struct.pack("<H", 1))], r"ratings\.csv is encrypted"),
        ([(6, 8, struct.pack("<H", 0x20))], r"ratings\.csv cannot be unpacked"),
        ([(22, 24, struct.pack("<I", 5))], r"ratings\.csv cannot be unpacked: Bad CRC"),
        ([(22, 24, struct.pack("<I", 5_000))], r"ratings\.csv cannot be unpacked: it has \d+ bytes"),
        ([(22, 24, struct.pack("<I", 2**32 - 2))], r"a\.zip|ml-20m\.zip is refused: ratings\.csv claims 4,294,967,294"),
        (
            [(22, 24, struct.pack("<I", 32)), (14, 16, struct.pack("<I", zlib.crc32(START[:32])))],
            r"ratings\.csv cannot be unpacked: Bad CRC",
        ),
        (
            [(22, 24, struct.pack("<I", 32)), (14, 16, struct.pack("<I", zlib.crc32(START[:33])))],
            r"ratings\.csv cannot be unpacked: it is longer than the 32 bytes",
        ),
    ],
    ids=["way of packing", "encrypted", "patched", "longer", "shorter", "absurd", "cut", "cut a byte later"],
)
def test_an_entry_that_is_not_what_the_archive_says(tmp_path, way_in, fields, message):
    with pytest.raises(InputError, match=message):
        way_in(tmp_path, patched(packed(), "ratings.csv", *fields))


@BOTH
def test_an_optional_file_whose_name_is_damaged_is_not_passed_over(tmp_path, way_in):
    data = packed()
    with pytest.raises(InputError, match=r"links\.cs~ cannot be unpacked: File name in directory"):
        way_in(tmp_path, data[: data.rindex(b"links.csv")] + b"links.cs~" + data[data.rindex(b"links.csv") + 9 :])


@BOTH
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 978202\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><title>Log in</title>", "a web page"),
        (b'{"message": "Not Found"}', "a JSON document"),
        (b"", "File is not a zip file"),
    ],
)
def test_what_is_no_archive_is_called_what_it_is(tmp_path, way_in, content, what):
    with pytest.raises(InputError, match=rf"\.zip is not a readable zip archive: (it is )?{what}"):
        way_in(tmp_path, content)


# -- strangers ---------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("name", ["../evil.csv", "a/../../evil.csv", "/evil.csv", "..\\evil.csv", "C:/evil.csv"])
def test_an_entry_that_points_outside(tmp_path, way_in, name):
    with pytest.raises(InputError, match="points outside"):
        way_in(tmp_path, packed(others={name: "evil"}))
    assert list(tmp_path.rglob("evil*")) == []


@BOTH
@pytest.mark.parametrize("name", ["tags.csv", "movies.csv"])
def test_a_link(tmp_path, way_in, name):
    buffer = io.BytesIO(packed() if name not in FILES else b"")
    with zipfile.ZipFile(buffer, "a") as archive:
        for regular in FILES if name in FILES else ():
            if regular != name:
                archive.writestr(regular, FILES[regular])
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(InputError, match=rf"{name} is a link"):
        way_in(tmp_path, buffer.getvalue())


@BOTH
def test_a_bomb(tmp_path, way_in, monkeypatch):
    """A huge file out of next to nothing is refused before a byte is written; a large one out of a large one is not."""
    monkeypatch.setattr(archive_module, "LARGEST_FILE", 100_000)
    chance = random.Random(1)
    honest = "".join(f"{n},{chance.randrange(9**9)},4.5,{chance.randrange(9**9)}\n" for n in range(9_000))
    header = FILES["ratings.csv"].partition("\n")[0] + "\n"
    assert (
        way_in(tmp_path / "honest", packed(others={"ratings.csv": header + honest}))["ratings.csv"] == header + honest
    )
    with pytest.raises(InputError, match=r"ratings\.csv claims 5,000,\d+ bytes, packed into [45],"):
        way_in(tmp_path / "bomb", packed(others={"ratings.csv": header + "0" * 5_000_000}))


@BOTH
def test_no_room(tmp_path, way_in, monkeypatch):
    """Told before it is tried, for all files together."""
    total = sum(len(text.encode()) for text in FILES.values())
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=total - 1))
    with pytest.raises(OSError, match=rf"unpacks to {total:,} bytes and {total - 1:,} are free") as caught:
        way_in(tmp_path / "full", packed())
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=total))
    assert way_in(tmp_path / "enough", packed()) == FILES
