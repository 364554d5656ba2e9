"""Compressed files and other encodings: plain copies, or a refusal."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
from pathlib import Path

import pytest

from mlrec.dataset import compression
from mlrec.dataset.unpacking import rewritten, unpacked
from mlrec.errors import InputError, MissingExtraError

TEXT = b"userId,movieId\n" + b"1,2\n" * 50_000


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
@pytest.mark.parametrize("name", ["ratings.csv", "ratings.csv.bz2", "a b.GZ", "x" * 200])
def test_a_copy_has_the_content(tmp_path, compress, name):
    path = put(tmp_path / name, compress(TEXT[:1000]) + compress(TEXT[1000:]))
    found = unpacked(path, tmp_path / "scratch", name)
    assert found.parent == tmp_path / "scratch"
    assert found.read_bytes() == TEXT


@pytest.mark.parametrize(("name", "content", "ending"), [("a.csv", gzip.compress(TEXT), ".gz"), ("a.XZ", TEXT, ".txt")])
def test_a_link_has_the_name_that_readers_go_by(tmp_path, name, content, ending):
    path = put(tmp_path / name, content)
    found = unpacked(path, tmp_path / "scratch", name)
    assert found.is_symlink()
    assert found.suffix == ending
    assert found.read_bytes() == content


@pytest.mark.parametrize(("name", "content"), [("a.csv", TEXT), ("a.csv.gz", gzip.compress(TEXT)), ("empty.csv", b"")])
def test_what_readers_open_stays_where_it_is(tmp_path, name, content):
    path = put(tmp_path / name, content)
    assert unpacked(path, tmp_path / "scratch", name) == path
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
def test_a_bomb_is_refused(tmp_path, monkeypatch, compress):
    monkeypatch.setattr(compression, "LARGEST_FILE", 100_000)
    path = put(tmp_path / "a", compress(bytes(50_000_000)))
    with pytest.raises(InputError, match="a is refused: it unpacks to more than"):
        unpacked(path, tmp_path / "scratch", "a")


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
@pytest.mark.parametrize("harm", ["truncated", "damaged"])
def test_damage_is_bad_input(tmp_path, compress, harm):
    content = bytearray(compress(TEXT))
    if harm == "truncated":
        del content[-20:]
    else:
        content[len(content) // 2] ^= 0xFF
    with pytest.raises(InputError, match="label cannot be read"):
        unpacked(put(tmp_path / "a", bytes(content)), tmp_path / "scratch", "label")


def test_xz_that_wants_much_memory_is_refused(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29, "preset": 0}]
    content = lzma.compress(b"x" * 100, format=lzma.FORMAT_XZ, filters=filters)
    with pytest.raises(InputError, match="label cannot be read"):
        unpacked(put(tmp_path / "a", content), tmp_path / "scratch", "label")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python reads Zstandard itself")
def test_zstandard_without_the_extra_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "backports", None)
    with pytest.raises(MissingExtraError) as caught:
        unpacked(put(tmp_path / "a.zst", b"\x28\xb5\x2f\xfd" + b"x" * 20), tmp_path / "scratch", "a.zst")
    assert "pip install 'mlrec[zstd]'" in caught.value.hint


def test_comments_become_empty_lines_in_any_encoding(tmp_path):
    content = "#a\r\n\n#b\r1;é\n x\n#c".encode("latin-1")
    path = put(tmp_path / "a", content)
    found = rewritten(path, tmp_path / "scratch", "a", None, without_comments=True)
    assert found.read_bytes() == "\r\n\n\r1;é\n x\n".encode("latin-1")
    found = rewritten(path, tmp_path / "scratch", "a", "latin-1", without_comments=False)
    assert found.read_bytes() == content.decode("latin-1").encode()


def test_text_in_another_encoding_is_bad_input(tmp_path):
    path = put(tmp_path / "a", b"a\xff\xfe\x00")
    with pytest.raises(InputError, match="a is not text in utf-8"):
        rewritten(path, tmp_path / "scratch", "a", "utf-8", without_comments=False)
