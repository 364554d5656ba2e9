"""Tar archives that nobody vouches for: unpacked within the target, or refused with a reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.dataset import compression
from mlrec.dataset.tar_archive import TarArchive, is_tar
from mlrec.errors import InputError

CONTENT = b"userId,movieId,rating,timestamp\n" + b"1,1,4,10\n" * 3000


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", content: bytes = b"") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content)
    return info


def archive_of(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def ratings(name: str = "d/ratings.csv") -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, content=CONTENT), CONTENT


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_files_are_unpacked_to_where_they_should_go(tmp_path, form, compress):
    content = archive_of(
        (entry("d", tarfile.DIRTYPE), b""), ratings("d/" + "x" * 90 + "é.csv"), (entry("d/._x.csv"), b""), form=form
    )
    path = put(tmp_path / "a.tar", compress(content))
    assert is_tar(path, "a.tar")
    with TarArchive(path) as archive:
        (name,) = archive.names()
        archive.unpack({name: tmp_path / "out.csv"})
    assert (tmp_path / "out.csv").read_bytes() == CONTENT
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.tar", "out.csv"]


@pytest.mark.parametrize(
    ("bad", "trouble"),
    [
        (entry("/etc/passwd"), "points outside"),
        (entry("d/../../x"), "points outside"),
        (entry("C:x"), "points outside"),
        (entry("d\\x"), "points outside"),
        (entry("d/x", tarfile.SYMTYPE, "/etc/passwd"), "is a link"),
        (entry("d/x", tarfile.SYMTYPE, "ratings.csv"), "is a link"),
        (entry("d/x", tarfile.LNKTYPE, "d/ratings.csv"), "is a link"),
        (entry("d/x", tarfile.CHRTYPE), "is not an ordinary file"),
        (entry("d/x", tarfile.BLKTYPE), "is not an ordinary file"),
        (entry("d/x", tarfile.FIFOTYPE), "is not an ordinary file"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_no_honest_tool_writes_is_refused(tmp_path, bad, trouble, first):
    entries = [(bad, b""), ratings()] if first else [ratings(), (bad, b"")]
    path = put(tmp_path / "a.tar", archive_of(*entries))
    with pytest.raises(InputError) as caught:
        TarArchive(path)
    assert caught.value.message == f"a.tar is refused: its entry {bad.name} {trouble}."


def test_a_sparse_file_is_refused(tmp_path):
    info = entry("d/x", content=b"")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "99999999999"}
    with pytest.raises(InputError, match=r"a\.tar (is refused|is not a readable|cannot be read)"):
        TarArchive(put(tmp_path / "a.tar", archive_of((info, b""), ratings())))


@pytest.mark.parametrize(
    ("compress", "length"),
    [
        *(
            (compress, share)
            for compress in (bytes, gzip.compress, bz2.compress, lzma.compress)
            for share in (0.3, 0.9)
        ),
        *((compress, -1) for compress in (gzip.compress, bz2.compress, lzma.compress)),
        *((bytes, length) for length in (-600, -1024)),
    ],
)
def test_a_truncated_archive_is_refused(tmp_path, compress, length):
    content = archive_of(ratings(), ratings("d/movies.csv"))
    content = compress(content[: content.rindex(CONTENT[-9:]) + 1024])  # without the padding to 10 kB
    cut = int(length * len(content)) if isinstance(length, float) else len(content) + length
    with pytest.raises(InputError, match=r"a\.tar (is not a readable tar archive|cannot be read)"):
        TarArchive(put(tmp_path / "a.tar", content[:cut]))


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_is_refused(tmp_path, monkeypatch, compress):
    monkeypatch.setattr(compression, "LARGEST_FILE", 10_000)
    content = archive_of((entry("d/ratings.csv", content=bytes(10_000_000)), bytes(10_000_000)))
    with pytest.raises(InputError, match=r"a\.tar is refused: it unpacks to more than"):
        TarArchive(put(tmp_path / "a.tar", compress(content)))


def test_of_two_entries_of_a_name_the_later_stands(tmp_path):
    path = put(
        tmp_path / "a.tar", archive_of((entry("x", content=b"old"), b"old"), (entry("x", content=b"new!"), b"new!"))
    )
    with TarArchive(path) as archive:
        archive.unpack({"x": tmp_path / "x"})
    assert (tmp_path / "x").read_bytes() == b"new!"


def test_nothing_is_overwritten(tmp_path):
    path = put(tmp_path / "a.tar", archive_of(ratings("x")))
    put(tmp_path / "x", b"mine")
    with TarArchive(path) as archive, pytest.raises(OSError, match="exists"):
        archive.unpack({"x": tmp_path / "x"})


OTHERS = {
    "nothing": b"",
    "text": b"x" * 1000,
    "zeros": bytes(1024),
    "gzip of text": gzip.compress(b"x" * 1000),
    "broken gzip": b"\x1f\x8bxx",
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_other_files_are_no_archives(tmp_path, content):
    assert not is_tar(put(tmp_path / "a.tar", content), "a.tar")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_damage_gives_the_content_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, compress: Callable[[bytes], bytes], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    content = bytearray(compress(archive_of(ratings("x"), form=tarfile.USTAR_FORMAT)))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        with TarArchive(put(folder / "a.tar", bytes(content))) as archive:
            archive.unpack({name: folder / f"out{number}" for number, name in enumerate(archive.names())})
    except InputError:
        return
    assert {found.name for found in folder.iterdir()} <= {"a.tar", "out0"}
