"""The steps that read and check links to other catalogues, each alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.sql.steps import INT64_MAX, Database, parquet_file, raw_file

LINK_ROW_COLUMNS = "line BIGINT, text VARCHAR, width BIGINT, movie_id VARCHAR, imdb_id VARCHAR, tmdb_id VARCHAR"


def test_link_rows_of_a_csv_file(db, tmp_path):
    content = "movieId,imdbId,tmdbId\n1,0114709,862\n2,0113497,\n3,9\n"
    db.set_file(raw_file("links", tmp_path / "links.csv", content))
    db.run("12_link_rows_delimited")
    assert db.rows("SELECT line, text, width, movie_id, imdb_id, tmdb_id FROM link_rows ORDER BY line") == [
        (2, "1,0114709,862", 3, "1", "0114709", "862"),
        (3, "2,0113497,", 3, "2", "0113497", ""),
        (4, "3,9", 2, "3", "9", None),
    ]


def test_link_rows_of_parquet(db, tmp_path):
    query = "SELECT 862 AS tmdbId, '0114709' AS imdbId, 1 AS movieId"
    db.set(links_file=parquet_file(db, "links", tmp_path / "links.parquet", query))
    db.run("12_link_rows_parquet")
    assert db.rows("SELECT line, width, movie_id, imdb_id, tmdb_id FROM link_rows") == [(1, 3, "1", "0114709", "862")]


def load_links(db: Database, *texts: str) -> None:
    """Run the step on lines of links.csv, beginning at line 2."""
    db.set(links_file={"label": "links.csv", "width": 3})
    rows = [
        (line, text, len(text.split(",")), *[*text.split(","), None, None][:3]) for line, text in enumerate(texts, 2)
    ]
    db.table("link_rows", LINK_ROW_COLUMNS, rows)
    db.run("13_links")


@pytest.mark.parametrize(
    ("text", "imdb_id", "tmdb_id"),
    [
        ("1,0114709,862", "tt0114709", 862),
        ("1,114709,862", "tt0114709", 862),
        ("1,tt0114709,862.0", "tt0114709", 862),
        ("1,10366206,603692", "tt10366206", 603692),
        ("1,tt10366206,603692", "tt10366206", 603692),
        ("1,,862", None, 862),
        ("1,0114709,", "tt0114709", None),
        ("1,,", None, None),
    ],
)
def test_ids_of_other_catalogues(db, text, imdb_id, tmdb_id):
    db.movies(1)
    load_links(db, text)
    assert db.rows("SELECT imdb_id, tmdb_id FROM movies") == [(imdb_id, tmdb_id)]
    assert db.reasons() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,0114709", "missing field"),
        ("1,0114709,862,x", "too many fields"),
        (",0114709,862", "empty movieId"),
        ("x,0114709,862", "unparsable movieId"),
        (f"{INT64_MAX + 1},0114709,862", "movieId beyond int64"),
        ("1,nm0114709,862", "unparsable imdbId"),
        ("1,0114709,x", "unparsable tmdbId"),
        ("9,0114709,862", "unknown movie"),
    ],
)
def test_bad_link_rows_are_rejected_with_the_reason(db, text, reason):
    db.movies(1)
    load_links(db, text)
    assert db.rows("SELECT file, line, text, reason FROM rejects") == [("links.csv", 2, text, reason)]
    assert db.rows("SELECT imdb_id, tmdb_id FROM movies") == [(None, None)]


def test_of_several_link_rows_the_first_stands_with_any_number_of_threads(db):
    db.set(links_file={"label": "links.csv", "width": 3})
    db.connection.execute("INSERT INTO movies (movie_id) FROM range(1000)")
    db.connection.execute(
        "CREATE TABLE link_rows AS SELECT i AS line, '' AS text, 3 AS width, CAST(i % 1000 AS VARCHAR) AS movie_id,"
        " CAST(i AS VARCHAR) AS imdb_id, CAST(i AS VARCHAR) AS tmdb_id FROM range(300000) AS numbers(i)"
    )
    db.run("13_links")
    assert db.rows("SELECT movie_id, imdb_id, tmdb_id FROM movies WHERE tmdb_id <> movie_id LIMIT 3") == []


def test_link_rows_of_json_lines(db, tmp_path):
    content = '{"movieId": 1, "imdbId": "0114709", "tmdbId": 862}\n{"movieId": 2, "imdbId": null}\nnone\n'
    file = raw_file("links", tmp_path / "links.jsonl", content, layout="json")
    headers = ("movieId", "imdbId", "tmdbId")
    db.set_file(replace(file, header_lines=0, headers=headers))
    db.run("12_link_rows_json")
    assert db.rows("SELECT line, width, movie_id, imdb_id, tmdb_id FROM link_rows ORDER BY line") == [
        (1, 3, "1", "0114709", "862"),
        (2, 3, "2", None, None),
        (3, -2, None, None, None),
    ]
