"""Bad rows: each is named, and too many stop the job."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from mlrec.dataset.prepare import prepare
from mlrec.errors import TooManyRejectsError
from mlrec.settings import PrepareSettings
from mlrec.workspace import Workspace
from tests.integration.prepare.raw_data import (
    MOVIES_HEADER,
    RATINGS_HEADER,
    gzipped,
    loose,
    names,
    rejects,
    snapshot,
    split_rows,
    text_of,
    write_raw,
    zipped,
)

CHECKED = loose(max_reject_share=PrepareSettings.max_reject_share)
"""Nothing is filtered, and bad rows are counted."""


def test_every_bad_row_is_reported_with_file_line_text_and_reason(tmp_path):
    workspace = write_raw(
        tmp_path,
        ["1,1,4.0,5", "x,1,4.0,5", "", "1,2,9.0,6", "1,7,4.0,7", ",1,4.0,5", '"say, ""what""",1,4.0,5', "1,3,4.0,8"],
        ["1,A (1990),Drama", "2,B (1990)", "2,B (1990),Drama", "3,C (1990),Drama"],
        links=["1,0114709,862", "4,1,1"],
    )
    manifest = prepare(workspace, loose()).manifest.document
    assert rejects(workspace.prepared.rejects) == [
        ("links.csv", 3, "4,1,1", "unknown movie"),
        ("movies.csv", 3, "2,B (1990)", "missing field"),
        ("ratings.csv", 3, "x,1,4.0,5", "unparsable userId"),
        ("ratings.csv", 5, "1,2,9.0,6", "rating out of range"),
        ("ratings.csv", 6, "1,7,4.0,7", "unknown movie"),
        ("ratings.csv", 7, ",1,4.0,5", "empty userId"),
        ("ratings.csv", 8, '"say, ""what""",1,4.0,5', "unparsable userId"),
    ]
    assert manifest["rejects"] == {
        "rows": 7,
        "by_reason": {
            "unknown movie": 2,
            "unparsable userId": 2,
            "empty userId": 1,
            "missing field": 1,
            "rating out of range": 1,
        },
    }
    assert split_rows(workspace)["train"] == [(1, 1, 1, 5), (1, 3, 1, 8)]


@pytest.mark.parametrize(
    ("files", "label", "line", "text"),
    [
        (
            {"ratings.dat": b"1::1::4::5\n1::x::4::5\n", "movies.dat": "1::Amélie::\n".encode("latin-1")},
            "ratings.dat",
            2,
            "1::x::4::5",
        ),
        (
            {"u.data": b"1\t1\t4\t5\n1\tx\t4\t5\n", "u.item": b"1|A (1990)|||" + b"|0" * 19 + b"\n"},
            "u.data",
            2,
            "1\tx\t4\t5",
        ),
        (
            gzipped({"ratings.csv": text_of(RATINGS_HEADER, ["1,1,4,5", "1,x,4,5"]).encode()})
            | {"movies.csv": text_of(MOVIES_HEADER, ["1,A,"]).encode()},
            "ratings.csv.gz",
            3,
            "1,x,4,5",
        ),
        (
            zipped(
                {
                    "ratings.csv": text_of(RATINGS_HEADER, ["1,1,4,5", "1,x,4,5"]).encode(),
                    "movies.csv": text_of(MOVIES_HEADER, ["1,A,"]).encode(),
                }
            ),
            "ml.zip:ml/ratings.csv",
            3,
            "1,x,4,5",
        ),
        (
            {
                "ratings.csv": text_of(RATINGS_HEADER, ["1,1,4,5", "1,é,4,5"]).encode("latin-1"),
                "movies.csv": text_of(MOVIES_HEADER, ["1,A,"]).encode(),
            },
            "ratings.csv",
            3,
            "1,é,4,5",
        ),
    ],
    ids=["dat", "100k", "gz", "zip", "latin-1"],
)
def test_a_bad_row_is_named_in_every_format(tmp_path, files, label, line, text):
    workspace = Workspace(tmp_path)
    workspace.raw.mkdir()
    for name, data in files.items():
        (workspace.raw / name).write_bytes(data)
    prepare(workspace, loose())
    assert rejects(workspace.prepared.rejects) == [(label, line, text, "unparsable movieId")]
    assert split_rows(workspace)["train"] == [(1, 1, 1, 5)]


def test_a_bad_row_of_parquet_is_named_by_its_number(tmp_path):
    workspace = write_raw(tmp_path, [])
    (workspace.raw / "ratings.csv").unlink()
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT * FROM (VALUES (1, 1, 4.0, 5), (NULL, 1, 4.0, 5), (1, 2, 4.0, 6))"
            f" AS t(userId, movieId, rating, timestamp)) TO '{workspace.raw / 'ratings.parquet'}' (FORMAT parquet)"
        )
    prepare(workspace, loose())
    assert rejects(workspace.prepared.rejects) == [("ratings.parquet", 2, ",1,4.0,5", "empty userId")]
    assert split_rows(workspace)["train"] == [(1, 1, 1, 5), (1, 2, 1, 6)]


def test_a_good_file_has_an_empty_report_of_rejects(tmp_path):
    workspace = write_raw(tmp_path, ["1,1,4.0,5"])
    prepare(workspace, loose())
    assert workspace.prepared.rejects.read_text() == "file,line,text,reason\n"


def test_a_trailing_comma_is_judged_the_same_with_and_without_a_bad_row_elsewhere(tmp_path):
    alone = write_raw(tmp_path / "alone", ["1,1,4.0,5,", "1,2,4.0,5"])
    beside = write_raw(tmp_path / "beside", ["1,1,4.0,5,", "1,2,4.0,5", "boom"])
    prepare(alone, loose())
    prepare(beside, loose())
    assert split_rows(alone) == split_rows(beside)


def with_bad_rows(root: Path, bad: int, good: int) -> Workspace:
    """A workspace with so many bad and good ratings."""
    lines = [f"{i},{i % 9 + 1},4.0,5" for i in range(good)] + [f"x{i},1,4.0,5" for i in range(bad)]
    return write_raw(root, lines)


def test_one_bad_row_in_a_hundred_is_allowed(tmp_path):
    workspace = with_bad_rows(tmp_path, bad=2, good=198)
    manifest = prepare(workspace, CHECKED).manifest.document
    assert manifest["rejects"]["rows"] == 2


def test_more_bad_rows_than_that_stop_with_a_report_and_the_last_folder_untouched(tmp_path):
    workspace = write_raw(tmp_path, ["1,1,4.0,5"])
    prepare(workspace, loose())
    before = snapshot(workspace.prepared.root)

    with_bad_rows(tmp_path, bad=2, good=197)
    with pytest.raises(TooManyRejectsError) as error:
        prepare(workspace, CHECKED)
    assert "2 of 199 rows of ratings.csv are bad" in error.value.message
    assert "the first is line 199: unparsable userId" in error.value.message
    assert str(tmp_path / "rejects.csv") in error.value.hint
    assert rejects(tmp_path / "rejects.csv") == [
        ("ratings.csv", 199, "x0,1,4.0,5", "unparsable userId"),
        ("ratings.csv", 200, "x1,1,4.0,5", "unparsable userId"),
    ]
    assert snapshot(workspace.prepared.root) == before
    assert names(tmp_path) == [".lock", "prepared", "raw", "rejects.csv"]


def test_the_report_of_a_failure_goes_when_the_input_is_mended(tmp_path):
    workspace = write_raw(tmp_path, ["boom"])
    with pytest.raises(TooManyRejectsError):
        prepare(workspace, PrepareSettings(max_rating=5.0))
    prepare(write_raw(tmp_path, ["1,1,4.0,5"]), loose())
    assert names(tmp_path) == [".lock", "prepared", "raw"]


@pytest.mark.parametrize(("share", "enough"), [(0.08, False), (0.09, True)])
def test_the_share_of_bad_rows_is_a_setting(tmp_path, share, enough):
    workspace = with_bad_rows(tmp_path, bad=1, good=11)  # 1 of 12 is 8.3%
    how = loose(max_reject_share=share)
    if enough:
        prepare(workspace, how)
    else:
        with pytest.raises(TooManyRejectsError):
            prepare(workspace, how)


def test_a_large_catalogue_does_not_hide_that_ratings_are_bad(tmp_path):
    lines = [f"{i},1,4.0,5" for i in range(660)] + [f"x{i},1,4.0,5" for i in range(80)]
    workspace = write_raw(tmp_path, lines, movies=9_000, links=[f"{i},{i},{i}" for i in range(1, 9_000)])
    with pytest.raises(TooManyRejectsError, match=r"80 of 740 rows of ratings\.csv are bad \(10\.8%"):
        prepare(workspace, CHECKED)


def test_many_good_ratings_do_not_hide_that_the_catalogue_is_bad(tmp_path):
    workspace = write_raw(tmp_path, [f"{i},1,4.0,5" for i in range(1_000)])
    movies = workspace.raw / "movies.csv"
    movies.write_text(movies.read_text() + "boom\n")
    with pytest.raises(TooManyRejectsError, match=r"1 of 10 rows of movies\.csv are bad"):
        prepare(workspace, CHECKED)


@pytest.mark.parametrize(
    ("links", "warning"),
    [
        (b"movieId,imdbId,tmdbId\n1,0114709,862\nx,y,z\n", "1 of 2 rows of links.csv are bad"),
        (b"movie;imdb\n1;0114709\n", "Continuing without links: links.csv, line 1: the header lacks"),
        (b"", "Continuing without links: links.csv, line 1: the header lacks"),
    ],
    ids=["bad rows", "another header", "empty"],
)
def test_links_never_stop_the_job(tmp_path, links, warning):
    workspace = write_raw(tmp_path, ["1,1,4.0,5"])
    (workspace.raw / "links.csv").write_bytes(links)
    manifest = prepare(workspace, CHECKED).manifest.document
    assert [text[: len(warning)] for text in manifest["warnings"]] == [warning]
    assert manifest["splits"]["train"] == 1


def test_damaged_links_never_stop_the_job(tmp_path):
    workspace = write_raw(tmp_path, ["1,1,4.0,5"])
    (workspace.raw / "links.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    manifest = prepare(workspace, loose()).manifest.document
    assert ["links.parquet" in text for text in manifest["warnings"]] == [True]
