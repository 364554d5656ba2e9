"""The steps that write splits, the catalogue and rejects, each alone."""

from __future__ import annotations

import csv

from tests.unit.sql.steps import SPLIT_COLUMNS


def test_a_split_is_written_alone_in_the_order_of_the_events(db, tmp_path):
    events = [(1, 5, -2, 10, "train"), (1, 4, 2, 11, "val"), (2, 9, 1, 1, "train"), (2, 3, -1, 2, "train")]
    db.table("split_events", SPLIT_COLUMNS, events)
    path = str(tmp_path / "train.parquet")
    db.run("70_write_split", split="train", path=path)
    assert db.rows("FROM read_parquet(?)", path) == [(1, 5, -2, 10), (2, 9, 1, 1), (2, 3, -1, 2)]
    assert [(name, kind) for name, kind, *_ in db.rows("DESCRIBE FROM read_parquet(?)", path)] == [
        ("user_id", "BIGINT"),
        ("movie_id", "BIGINT"),
        ("preference", "TINYINT"),
        ("timestamp", "BIGINT"),
    ]


def test_a_split_without_events_is_a_file_without_rows(db, tmp_path):
    db.table("split_events", SPLIT_COLUMNS, [])
    db.run("70_write_split", split="val", path=str(tmp_path / "val.parquet"))
    assert db.rows("FROM read_parquet(?)", str(tmp_path / "val.parquet")) == []


def test_the_whole_catalogue_is_written_with_the_ratings_within_the_core(db, tmp_path):
    db.connection.execute("INSERT INTO movies VALUES (7, 'B', NULL, [], NULL, NULL, NULL)")
    db.connection.execute("INSERT INTO movies VALUES (3, 'Amélie', 2001, ['Comedy', 'Drama'], 'tt0211915', 194, NULL)")
    db.table("core_movies", "movie_id BIGINT, n BIGINT", [(3, 12)])
    path = str(tmp_path / "movies.parquet")
    db.run("71_write_movies", path=path)
    assert db.rows("SELECT movie_id, title, year, genres, imdb_id, tmdb_id, n_ratings FROM read_parquet(?)", path) == [
        (3, "Amélie", 2001, ["Comedy", "Drama"], "tt0211915", 194, 12),
        (7, "B", None, [], None, None, 0),
    ]


def test_rejects_are_written_so_that_a_csv_reader_gets_the_raw_text_back(db, tmp_path):
    rejects = [
        ("ratings.csv", 12, 'say "a, b",2', "missing field"),
        ("ratings.csv", 3, "", "empty userId"),
        ("movies.csv", 200, "é|x", "unparsable movieId"),
        ("swipe log", 1, "9,7,2,5", "unknown movie"),
        ("swipe log", 1, "8,7,2,5", "unknown movie"),
    ]
    db.table("rejects", "file VARCHAR, line BIGINT, text VARCHAR, reason VARCHAR", rejects)
    db.run("72_write_rejects", path=str(tmp_path / "rejects.csv"))
    with (tmp_path / "rejects.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["file", "line", "text", "reason"],
            ["movies.csv", "200", "é|x", "unparsable movieId"],
            ["ratings.csv", "3", "", "empty userId"],
            ["ratings.csv", "12", 'say "a, b",2', "missing field"],
            ["swipe log", "1", "8,7,2,5", "unknown movie"],
            ["swipe log", "1", "9,7,2,5", "unknown movie"],
        ]


def test_no_rejects_are_a_header_alone(db, tmp_path):
    db.run("72_write_rejects", path=str(tmp_path / "rejects.csv"))
    assert (tmp_path / "rejects.csv").read_text() == "file,line,text,reason\n"


def test_further_columns_of_the_movies_are_written_with_them(db, tmp_path):
    db.connection.execute('INSERT INTO movies (movie_id, details) VALUES (7, \'{"studio":"Ghibli"}\'), (8, NULL)')
    db.table("core_movies", "movie_id BIGINT, n BIGINT", [(7, 3)])
    path = str(tmp_path / "movies.parquet")
    db.run("71_write_movies_details", path=path)
    assert db.rows("SELECT movie_id, details, n_ratings FROM read_parquet(?)", path) == [
        (7, '{"studio":"Ghibli"}', 3),
        (8, None, 0),
    ]
