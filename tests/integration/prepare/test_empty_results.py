"""Inputs that leave no data, and inputs that cannot be read."""

from __future__ import annotations

import gzip

import pytest

from mlrec.dataset.prepare import prepare
from mlrec.errors import EmptyResultError, InputError
from tests.integration.prepare.raw_data import RATINGS_HEADER, loose, names, text_of, write_raw


@pytest.mark.parametrize(
    ("thresholds", "message", "option"),
    [
        ({"min_movie_ratings": 7}, "no movie has 7 or more ratings", "--min-movie-ratings"),
        ({"min_user_ratings": 4}, "no user has 4 or more ratings", "--min-user-ratings"),
        ({"min_user_ratings": 3, "min_movie_ratings": 4}, "no user has 3 or more ratings", "--min-user-ratings"),
    ],
)
def test_an_empty_result_names_the_threshold(tmp_path, thresholds, message, option):
    ratings = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 4), (3, 1), (3, 2), (4, 1), (4, 2), (5, 1), (6, 1)]
    workspace = write_raw(tmp_path, [f"{user_id},{movie_id},4.0,5" for user_id, movie_id in ratings])
    with pytest.raises(EmptyResultError, match=message) as error:
        prepare(workspace, loose(**thresholds))
    assert option in error.value.hint
    assert names(tmp_path) == [".lock", "raw"]


def test_a_ratings_file_without_rows(tmp_path):
    with pytest.raises(EmptyResultError, match=r"ratings\.csv contains no ratings"):
        prepare(write_raw(tmp_path, []), loose())


@pytest.mark.parametrize(
    ("ratings", "movies"),
    [(["x,1,4.0,5", "1,1,9.0,5"], 9), ([], ["1,A (1990),Drama", "broken"])],
    ids=["every rating is bad", "a bad movie and no rating"],
)
def test_no_threshold_is_blamed_when_no_rating_is_good(tmp_path, ratings, movies):
    with pytest.raises(EmptyResultError) as error:
        prepare(write_raw(tmp_path, ratings, movies), loose())
    assert "no movie has" not in error.value.message
    assert "ratings.csv" in error.value.message


@pytest.mark.parametrize("harm", ["damaged", "truncated"])
def test_a_gzipped_ratings_file_that_cannot_be_read_is_bad_input(tmp_path, harm):
    workspace = write_raw(tmp_path, [])
    (workspace.raw / "ratings.csv").unlink()
    content = gzip.compress(text_of(RATINGS_HEADER, (f"{i},1,4.0,{i * 7919}" for i in range(5000))).encode())
    harmed = content[:-200] if harm == "truncated" else content[:10] + b"\xff" * 4 + content[14:]
    (workspace.raw / "ratings.csv.gz").write_bytes(harmed)
    with pytest.raises(InputError, match=r"ratings\.csv\.gz"):
        prepare(workspace, loose())


@pytest.mark.parametrize("name", ["ratings.parquet", "movies.parquet"])
def test_a_parquet_file_that_is_none_is_bad_input(tmp_path, name):
    workspace = write_raw(tmp_path, ["1,1,4.0,5"])
    (workspace.raw / name).with_suffix(".csv").unlink()
    (workspace.raw / name).write_bytes(b"PAR1 not quite")
    with pytest.raises(InputError, match=name):
        prepare(workspace, loose())
