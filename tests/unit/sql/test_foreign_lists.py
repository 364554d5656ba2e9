"""The steps that read lists of another system, each alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.sql.steps import INT64_MAX, Database, parquet_file, raw_file

ROWS = "line BIGINT, text VARCHAR, width BIGINT, user_id VARCHAR, movie_id VARCHAR, rank VARCHAR, score VARCHAR"


def test_rows_of_a_csv_file(db, tmp_path):
    content = "user_id,movie_id,rank,score\n1, 7,2,\n\n3,9\n"
    db.set_file(raw_file("recommendations", tmp_path / "lists.csv", content))
    db.run("80_recommendation_rows_delimited")
    assert db.rows("SELECT line, width, user_id, movie_id, rank, score FROM recommendation_rows ORDER BY line") == [
        (2, 4, "1", " 7", "2", ""),
        (4, 2, "3", "9", None, None),
    ]


def test_rows_of_json_lines(db, tmp_path):
    content = '{"user": 1, "movie": "7", "score": 0.25}\nnone\n'
    file = raw_file("recommendations", tmp_path / "lists.jsonl", content, layout="json")
    db.set_file(
        replace(file, header_lines=0, columns=("user_id", "movie_id", "score"), headers=("user", "movie", "score"))
    )
    db.run("80_recommendation_rows_json")
    assert db.rows("SELECT line, width, user_id, movie_id, rank, score FROM recommendation_rows ORDER BY line") == [
        (1, 3, "1", "7", None, "0.25"),
        (2, -2, None, None, None, None),
    ]


def test_rows_of_parquet_keep_every_digit_of_a_score(db, tmp_path):
    query = "SELECT 1.0 AS user_id, 7 AS movie_id, NULL AS rank, CAST(0.1 AS FLOAT) + 1e15 AS score"
    db.set(recommendations_file=parquet_file(db, "recommendations", tmp_path / "lists.parquet", query))
    db.run("80_recommendation_rows_parquet")
    [(line, width, *fields, score)] = db.rows(
        "SELECT line, width, user_id, movie_id, rank, score FROM recommendation_rows"
    )
    assert (line, width, fields) == (1, 4, ["1", "7", None])
    assert float(score) == 1e15 + 0.125  # the nearest double


def judge(db: Database, order: str, *rows: tuple[str | None, ...]) -> None:
    """Run the step on rows of user, movie, rank and score, beginning at line 2."""
    db.set(recommendations_file={"width": 4}, list_order=order)
    lines = [(line, ",".join(map(str, row)), 4, *row) for line, row in enumerate(rows, 2)]
    db.table("recommendation_rows", ROWS, lines)
    db.run("81_judge_recommendations")


@pytest.mark.parametrize(
    ("order", "places"), [("rank", [3.0, 1.0, 2.0]), ("score", [-0.5, 2.0, -1e-300]), ("row", [2.0, 3.0, 4.0])]
)
def test_the_place_of_a_row_is_its_rank_or_falls_with_its_score_or_is_its_line(db, order, places):
    judge(db, order, ("1", "7", "3", "0.5"), ("1", "8", "1.0", "-2"), ("2", "7", " 2", "1e-300"))
    assert db.rows("SELECT user_id, movie_id, CAST(place AS DOUBLE) FROM list_rows ORDER BY line") == [
        (1, 7, places[0]),
        (1, 8, places[1]),
        (2, 7, places[2]),
    ]
    assert db.value("SELECT count(*) FROM list_faults") == 0


@pytest.mark.parametrize(
    ("order", "row", "fault", "field"),
    [
        ("rank", ("x", "7", "1", ""), "user", "x"),
        ("rank", (f"{INT64_MAX + 1}", "7", "1", ""), "user", f"{INT64_MAX + 1}"),
        ("rank", (None, "7", "1", ""), "user", None),
        ("rank", ("1", "007", "1", ""), "movie", "007"),
        ("rank", ("1", "7", "1.5", ""), "rank", "1.5"),
        ("rank", ("1", "7", "", "0.5"), "rank", ""),
        ("rank", ("1", "7", "0", ""), "low rank", "0"),
        ("rank", ("1", "7", "-3", ""), "low rank", "-3"),
        ("score", ("1", "7", "1", "nan"), "score", "nan"),
        ("score", ("1", "7", "1", "-inf"), "score", "-inf"),
        ("score", ("1", "7", "1", "1_0"), "score", "1_0"),
        ("score", ("1", "7", "1", ""), "score", ""),
    ],
)
def test_what_is_wrong_with_a_row(db, order, row, fault, field):
    judge(db, order, ("1", "8", "1", "1"), row)
    assert db.rows("FROM list_faults") == [(3, fault, field)]
    assert db.value("SELECT count(*) FROM list_rows") == 1


@pytest.mark.parametrize(("width", "fault"), [(-2, "object"), (-1, "quote"), (3, "few"), (5, "many")])
def test_a_row_that_cannot_be_split_is_shown_whole(db, width, fault):
    db.set(recommendations_file={"width": 4}, list_order="row")
    db.table("recommendation_rows", ROWS, [(2, "the line", width, "1", "7", "1", "1")])
    db.run("81_judge_recommendations")
    assert db.rows("FROM list_faults") == [(2, fault, "the line")]


def test_blocks_of_rows_add_up(db):
    for user in ("1", "2"):
        judge(db, "row", (user, "7", "", ""), ("x", "7", "", ""))
    assert db.value("SELECT count(*) FROM list_rows") == db.value("SELECT count(*) FROM list_faults") == 2


def test_lists_are_ordered_and_a_repeated_movie_stands_where_it_is_first(db):
    rows = [(2, 5, 40, 1.0), (3, 1, 9, 2.0), (4, 1, 30, 1.0), (5, 1, 4, 2.0), (6, 1, 30, 5.0), (7, 3, 1, 2.0)]
    db.table("list_rows", "line BIGINT, user_id BIGINT, movie_id BIGINT, place DOUBLE", rows)
    db.run("82_ordered_lists")
    assert db.rows("FROM ordered_lists") == [(1, 30), (1, 4), (1, 9), (3, 1), (5, 40)]
    assert db.rows("FROM uneven_lists ORDER BY user_id") == [(1,), (3,)]
