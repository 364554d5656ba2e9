"""Files that are not what their name says are recognized; data files are left alone."""

from __future__ import annotations

import gzip

import pytest

from mlrec.dataset.look_alikes import refuse_impostor
from mlrec.errors import InputError

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 978202\n"


@pytest.mark.parametrize(
    ("name", "content", "what", "hint"),
    [
        ("ratings.csv", LFS_POINTER, "a Git LFS pointer", "git lfs pull"),
        ("ratings.parquet", LFS_POINTER, "a Git LFS pointer", "git lfs pull"),
        ("movies.csv.gz", LFS_POINTER, "a Git LFS pointer", "git lfs pull"),
        ("u.data", b"/annex/objects/SHA256E-s978202--4d7a.data\n", "a git-annex pointer", "git annex get"),
        ("movies.csv", b"<!doctype html>", "a web page", "again"),
        ("movies.csv", b"\xef\xbb\xbf \n<html lang='en'>", "a web page", "again"),
        ("movies.dat", b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "a web page", "again"),
        ("movies.csv", b'{ "message": "Not Found" }', "a JSON document", "again"),
        ("ratings.csv", gzip.compress(b"userId", mtime=0), "a gzipped file", ".gz"),
        ("ratings.csv", b"PAR1....", "a Parquet file", ".parquet"),
        ("ratings.csv", b"PK\x03\x04....", "a zip archive", ".zip"),
        ("ratings.csv", "userId".encode("utf-16"), "text in UTF-16", "UTF-8"),
    ],
)
def test_a_file_that_is_something_else(tmp_path, name, content, what, hint):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"raw/{name} is not a data file: it is {what}") as caught:
        refuse_impostor(tmp_path / name, f"raw/{name}")
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ratings.csv", b"userId,movieId,rating,timestamp\n"),
        ("ratings.csv", b'\xef\xbb\xbf"userId","movieId","rating","timestamp"\r\n'),
        ("ratings.csv", b"version,userId\n"),
        ("ratings.csv", b""),
        ("movies.csv.gz", gzip.compress(b"movieId,title,genres\n", mtime=0)),
        ("movies.parquet", b"PAR1"),
        ("movies.dat", b"1::<b>Bold</b> (2001)::Drama\n"),
        ("u.item", b"1|{x} (1995)|01-Jan-1995||"),
    ],
)
def test_data_is_left_alone(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    refuse_impostor(tmp_path / name, name)


def test_a_file_that_cannot_be_read_is_bad_input(tmp_path):
    with pytest.raises(InputError, match=r"u\.data cannot be read"):
        refuse_impostor(tmp_path / "u.data", "u.data")
