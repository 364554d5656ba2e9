"""Data frames as input of prepare and run, and results as data frames and HTML."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import mlrec
from mlrec.dataset.frames import is_frame, write_frame
from mlrec.errors import DataChangedError, InputError, RawDataMissingError, SettingsError
from mlrec.serving.result_list import ResultList
from mlrec.workspace import Workspace

FEW = mlrec.PrepareSettings(min_user_ratings=1, min_movie_ratings=1)
QUICK = mlrec.TrainSettings(factors=4, iterations=1)


def ratings(*, text: bool = False) -> pd.DataFrame:
    rows = [
        (user, movie, float((user * movie) % 5 + 1), user * 100 + movie)
        for user in range(1, 21) for movie in range(1, 13) if (user + movie) % 3
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["user_id", "movie_id", "rating", "timestamp"])
    return frame.astype({"user_id": str, "movie_id": str}) if text else frame


def movies(*, text: bool = False) -> pd.DataFrame:
    ids = range(1, 13)
    titles = [f"Movie {movie} (2000)" for movie in ids]
    frame = pd.DataFrame({"movie_id": ids, "title": titles, "genres": "Drama"})
    return frame.astype({"movie_id": str}) if text else frame


class Stream:
    """A table of some library that has an Arrow C stream and nothing else."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def as_arrow(frame):
    return pytest.importorskip("pyarrow").Table.from_pandas(frame)


FRAMES = {
    "pandas": lambda frame: frame,
    "pandas with an index": lambda frame: frame.set_index(["user_id", "movie_id"]),
    "pandas in other rows": lambda frame: frame[::-1][::-1],
    "polars": lambda frame: pytest.importorskip("polars").from_pandas(frame),
    "a query of polars": lambda frame: pytest.importorskip("polars").from_pandas(frame).lazy(),
    "arrow": as_arrow,
    "an arrow reader": lambda frame: as_arrow(frame).to_reader(max_chunksize=50),
    "a stream": lambda frame: Stream(as_arrow(frame)),
    "duckdb": lambda frame: duckdb.from_df(frame),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_every_kind_of_frame_gives_the_rows_that_its_csv_gives(tmp_path, kind):
    ratings().to_csv(tmp_path / "my ratings.csv", index=False)
    movies().to_csv(tmp_path / "my movies.csv", index=False)
    of_files = mlrec.prepare(
        tmp_path / "my ratings.csv", FEW, movies=tmp_path / "my movies.csv", data_dir=tmp_path / "of files"
    )
    frame = FRAMES[kind](ratings())
    assert is_frame(frame)
    of_frames = mlrec.prepare(frame, FEW, movies=movies(), data_dir=tmp_path / "of frames")
    expected, found = of_files.to_frame(), of_frames.to_frame()
    assert len(expected) == 160
    pd.testing.assert_frame_equal(found, expected)
    pd.testing.assert_frame_equal(of_frames.to_frame("movies"), of_files.to_frame("movies"))
    assert [file.file for file in of_frames.manifest.input.files] == ["ratings (data frame)", "movies (data frame)"]
    assert not list((tmp_path / "of frames").glob(".scratch*"))


def test_the_same_frame_gives_the_same_fingerprint(tmp_path):
    found = {
        mlrec.prepare(ratings(), replace(FEW, threads=threads), movies=movies(), data_dir=tmp_path)
        .manifest.fingerprint
        for threads in (1, 2)
    }  # fmt: skip
    assert len(found) == 1


def test_columns_of_text_are_text_ids_and_whole_numbers_are_numbers(tmp_path):
    texts = mlrec.prepare(ratings(text=True), FEW, movies=movies(text=True), data_dir=tmp_path / "texts")
    assert (texts.manifest.settings.user_ids, texts.manifest.settings.movie_ids) == ("text", "text")
    assert set(texts.to_frame()["user_id"]) == {str(user) for user in range(1, 21)}
    assert list(texts.to_frame("movies")["movie_id"]) == sorted(str(movie) for movie in range(1, 13))
    numbers = mlrec.prepare(ratings(), FEW, movies=movies(), data_dir=tmp_path / "numbers")
    assert numbers.to_frame()["user_id"].dtype == np.int64
    chosen = mlrec.PrepareSettings(min_user_ratings=1, min_movie_ratings=1, user_ids="integer", movie_ids="integer")
    as_numbers = mlrec.prepare(ratings(text=True), chosen, movies=movies(), data_dir=tmp_path / "chosen")
    pd.testing.assert_frame_equal(as_numbers.to_frame(), numbers.to_frame())


def test_text_ids_stay_texts_from_the_frame_to_the_exported_vectors(tmp_path):
    mlrec.prepare(ratings(text=True), FEW, movies=movies(text=True), data_dir=tmp_path)
    mlrec.train(tmp_path, QUICK)
    with mlrec.Recommender.open(tmp_path) as recommender:
        found = recommender.get_top_n("7", 3)
        recommender.update_user("7", found[0].movie_id, "like")
        assert recommender.history("7").to_frame()["movie_id"].tolist() == [found[0].movie_id]
        frame = recommender.to_frame(["7", "new"], n=2)
        assert frame["user_id"].tolist() == ["7", "7", "new", "new"]
        assert set(recommender.to_frame(n=1)["user_id"]) == {str(user) for user in range(1, 21)}
        known = recommender.movies().to_frame()["movie_id"].tolist()
        assert known == sorted(known)
        assert set(known) <= {str(movie) for movie in range(1, 13)}
    exported = mlrec.export_vectors(tmp_path, file_format="npy")
    ids = np.load(exported.folder / "user_ids.npy", allow_pickle=False)
    assert ids.dtype.kind == "U"
    assert ids.tolist() == sorted(str(user) for user in range(1, 21))


def test_usual_names_are_recognized_and_movies_may_be_missing(tmp_path):
    usual = ratings().rename(
        columns={"user_id": "uid", "movie_id": "anime_id", "rating": "score", "timestamp": "rated_at"}
    )
    found = mlrec.prepare(usual, FEW, data_dir=tmp_path / "usual")
    plain = mlrec.prepare(ratings(), FEW, movies=movies(), data_dir=tmp_path / "plain")
    pd.testing.assert_frame_equal(found.to_frame(), plain.to_frame())
    assert found.to_frame("movies")["title"].tolist() == [str(movie) for movie in range(1, 13)]


def test_columns_of_any_name_are_chosen_by_the_settings(tmp_path):
    renamed = ratings().rename(
        columns={"user_id": "who", "movie_id": 'what "film"', "rating": "stars", "timestamp": "at"}
    )
    chosen = (("user", "who"), ("movie", 'what "film"'), ("rating", "stars"), ("time", "at"))
    settings = mlrec.PrepareSettings(min_user_ratings=1, min_movie_ratings=1, columns=chosen)
    found = mlrec.prepare(renamed, settings, movies=movies(), data_dir=tmp_path / "renamed").to_frame()
    plain = mlrec.prepare(ratings(), FEW, movies=movies(), data_dir=tmp_path / "plain").to_frame()
    pd.testing.assert_frame_equal(found, plain)
    with pytest.raises(InputError, match=r"ratings \(data frame\): .*Its columns are who,"):
        mlrec.prepare(renamed, FEW, movies=movies(), data_dir=tmp_path / "unknown")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_times_of_pandas_are_the_seconds_that_they_stand_for(tmp_path, unit, zone):
    frame = ratings()
    seconds = frame["timestamp"] + 1_500_000_000
    times = pd.to_datetime(seconds, unit="s").astype(f"datetime64[{unit}]")
    frame["timestamp"] = times if zone is None else times.dt.tz_localize("UTC").dt.tz_convert(zone)
    found = mlrec.prepare(frame, FEW, movies=movies(), data_dir=tmp_path).to_frame()
    assert sorted(found["timestamp"]) == sorted(seconds)


GOOD: dict[str, tuple[Any, list[Any]]] = {
    "nullable numbers": (pd.Series([1, None], dtype="Int64"), [1, None]),
    "floats with NaN": (pd.Series([1.5, np.nan]), [1.5, None]),
    "booleans": (pd.Series([True, None], dtype="boolean"), [True, None]),
    "texts of Python": (pd.Series(["007", None], dtype=object), ["007", None]),
    "texts of pandas": (pd.Series(["007", None], dtype="string[python]"), ["007", None]),
    "categories": (pd.Series(["x", "y"], dtype="category"), ["x", "y"]),
    "categories of numbers": (pd.Series([7, 8], dtype="category"), [7, 8]),
    "objects that are numbers": (pd.Series([7, 2**62], dtype=object), [7, 2**62]),
    "numbers beyond 64 bits": (pd.Series([2**70, 1], dtype=object), [Decimal(2**70), Decimal(1)]),
    "lists": (pd.Series([["a", "b"], None], dtype=object), [["a", "b"], None]),
    "dates": (pd.Series([date(2020, 1, 2), None], dtype=object), [date(2020, 1, 2), None]),
    "missing times": (pd.Series(np.array(["2020-01-02", "NaT"], "datetime64[ms]")), [datetime(2020, 1, 2), None]),
    "unique ids": (pd.Series([uuid.UUID(int=1)] * 2, dtype=object), [uuid.UUID(int=1)] * 2),
}


@pytest.mark.parametrize("kind", GOOD)
def test_columns_keep_their_values(tmp_path, kind):
    column, expected = GOOD[kind]
    written = write_frame(pd.DataFrame({"a": column}), tmp_path / "a.parquet", "the frame")
    assert [row[0] for row in duckdb.execute("FROM read_parquet(?)", [str(written.path)]).fetchall()] == expected
    assert written.columns == ("a",)


def test_arrow_backed_pandas(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {"a": pd.Series(["1", None], dtype="string[pyarrow]"), "b": pd.Series([1, 2], dtype="int8[pyarrow]")}
    )
    written = write_frame(frame, tmp_path / "a.parquet", "the frame")
    assert (set(written.texts), set(written.integers)) == ({"a"}, {"b"})


BAD = {
    "mixes int, str": pd.DataFrame({"ok": [1, 2], "bad": pd.Series([1, "x"], dtype=object)}),
    "holds objects of type object": pd.DataFrame({"bad": pd.Series([object()], dtype=object)}),
    r"'bad' cannot be read: .*period": pd.DataFrame({"ok": [1], "bad": pd.period_range("2020", periods=1, freq="M")}),
    r"'bad' cannot be read: .*complex": pd.DataFrame({"ok": [1], "bad": [1j]}),
    "'bad' cannot be read: .*surrogate": pd.DataFrame({"ok": [1], "bad": pd.Series(["\ud800"], dtype=object)}),
    "two columns are named 'bad'": pd.DataFrame([[1, 2]], columns=["bad", "bad"]),
    "the columns 'bad' and 'BAD' differ in capitals only": pd.DataFrame([[1, 2]], columns=["bad", "BAD"]),
    "2 levels of names": pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "bad")])),
    "at least one column": pd.DataFrame(),
}


@pytest.mark.parametrize("said", BAD)
def test_a_column_that_cannot_be_read_is_named_in_one_sentence(tmp_path, said):
    with pytest.raises(InputError, match=said) as caught:
        write_frame(BAD[said], tmp_path / "a.parquet", "ratings (data frame)")
    assert caught.value.message.startswith("ratings (data frame)")
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_calls_that_contradict_themselves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="given twice"):
        mlrec.prepare(ratings(), ratings=ratings())
    with pytest.raises(SettingsError, match="the edition 'demo'"):
        mlrec.run(ratings(), "demo", movies=movies())
    with pytest.raises(SettingsError, match="movies must be a path or a data frame, not 5"):
        mlrec.prepare(ratings(), movies=5)
    with pytest.raises(SettingsError, match="data must be a path"):
        mlrec.prepare({"user_id": [1]})
    with pytest.raises(RawDataMissingError, match=r"ratings\.csv does not exist"):
        mlrec.prepare("ratings.csv", movies=movies())
    assert not (tmp_path / "ratings.csv").exists()


def test_a_folder_is_still_a_data_directory(demo_raw, tmp_path):
    (tmp_path / "raw").symlink_to(demo_raw)
    for call in ({"data": tmp_path}, {"data_dir": str(tmp_path)}, {"data": Workspace(tmp_path)}):
        assert mlrec.prepare(**call).folder == tmp_path / "prepared"


def test_run_takes_frames_and_shows_all_results(tmp_path):
    result = mlrec.run(
        ratings=ratings(), movies=movies(), data_dir=tmp_path, prepare_settings=FEW, train_settings=QUICK,
        evaluate_settings=mlrec.EvaluateSettings(baselines=("popularity",)),
    )  # fmt: skip
    assert "test=" in repr(result)
    html = result._repr_html_()
    assert html.count("<svg") > 4
    assert "<script" not in html
    # The report's style applies within the card only.
    assert html.count("<style>.mlrec-report {") == len(result.evaluations)
    assert ":root" not in html
    frame = result.to_frame()
    assert set(frame["split"]) == {one.split for one in result.evaluations}
    test = next(one for one in result.evaluations if one.split == "test")
    chosen = frame[(frame["split"] == "test") & (frame["model"] == "popularity") & (frame["metric"] == "ndcg@10")]
    (row,) = chosen.to_dict("records")
    assert row["value"] == test.models["popularity"]["ndcg@10"].value
    assert row["lead"] == test.differences["als - popularity"]["ndcg@10"].value


def test_rejects_and_newer_data(tmp_path):
    bad = ratings()
    bad.loc[3, "rating"] = np.nan
    settings = mlrec.PrepareSettings(min_user_ratings=1, min_movie_ratings=1, max_reject_share=0.5)
    prepared = mlrec.prepare(bad, settings, movies=movies(), data_dir=tmp_path)
    (row,) = prepared.to_frame("rejects").to_dict("records")
    assert (row["file"], row["line"]) == ("ratings (data frame)", 4)
    assert "to_frame(&#x27;rejects&#x27;)" in prepared._repr_html_()
    mlrec.prepare(ratings(), FEW, movies=movies(), data_dir=tmp_path)
    with pytest.raises(DataChangedError):
        prepared.to_frame()


def test_lists_are_lists_and_frames_and_tables(demo):
    with mlrec.Recommender.open(demo.root, store="memory") as recommender:
        found = recommender.get_top_n(42, 5)
        assert isinstance(found, ResultList)
        assert found == list(found)
        assert type(found[:2]) is list
        assert json.dumps([one.to_json() for one in found])
        assert pickle.loads(pickle.dumps(found)).to_frame().equals(found.to_frame())
        assert copy.copy(found) == found
        frame = found.to_frame()
        assert list(frame["movie_id"]) == [one.movie_id for one in found]
        assert frame["year"].dtype == "Int64"
        assert recommender.get_top_n(42, 5, years=(1800, 1801)).to_frame().empty
        assert recommender.movies().to_frame()["movie_id"].is_monotonic_increasing
        for rows in (recommender.search("matrix"), recommender.ratings(42), recommender.users(3)):
            assert len(rows.to_frame()) == rows._repr_html_().count("<tr>") - 1 or "The first 60" in rows._repr_html_()
        recommender.update_user(42, found[0].movie_id, "like")
        assert recommender.history(42).to_frame()["title"].tolist() == [found[0].title]
        assert "popularity" in recommender.explain(42, found[1].movie_id)._repr_html_()
        assert "670 users" in repr(recommender)
    assert "closed" in repr(recommender)


def test_lists_of_many_users_are_one_frame(demo):
    with mlrec.Recommender.open(demo.root, store="memory") as recommender:
        users = [600, 42, 10**9]
        frame = recommender.to_frame(users, n=3, genres=["Comedy"])
        expected = [
            (user, one.rank, one.movie_id, one.title, one.score, one.source)
            for user in users for one in recommender.get_top_n(user, 3, genres=["Comedy"])
        ]  # fmt: skip
        columns = ["user_id", "rank", "movie_id", "title", "score", "source"]
        assert [tuple(row) for row in frame[columns].itertuples(index=False)] == expected
        everybody = recommender.to_frame(n=2)
        assert len(everybody) == 2 * 670
        assert everybody["user_id"].is_monotonic_increasing
        assert recommender.to_frame([], n=2).empty


def test_text_from_data_is_escaped_in_tables():
    evil = mlrec.Movie(1, "<script>alert(1)</script>\u202e", None, ("<b>",), "x", 1)
    html = ResultList([evil], mlrec.Movie)._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;" in html


def test_no_library_of_frames_is_loaded_unless_a_frame_is_passed(demo_raw, tmp_path):
    program = (
        "import sys, mlrec; mlrec.prepare(sys.argv[1], raw=sys.argv[2]); rec = mlrec.Recommender\n"
        "print([name for name in ('pandas', 'polars', 'pyarrow', 'IPython') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(demo_raw)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_datetime_of_now_is_no_frame():
    assert not is_frame(datetime.now(UTC))
    assert not is_frame("ratings.csv")
    assert not is_frame(pd.Series([1]).to_numpy())
