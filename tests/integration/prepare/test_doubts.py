"""What is odd about own data is said: in a warning if the rows can be taken in, and in a refusal if they cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pytest

from mlrec.dataset.prepare import Prepared, prepare
from mlrec.errors import InputError
from mlrec.settings import PrepareSettings
from mlrec.workspace import Workspace
from tests.integration.prepare.raw_data import split_rows

ALL: dict[str, Any] = {"min_user_ratings": 1, "min_movie_ratings": 1}


@pytest.fixture
def prepared(tmp_path) -> Callable[..., Prepared]:
    """Prepare a file with these lines."""

    def run(lines: list[str], name: str = "own.csv", **settings: Any) -> Prepared:
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
        workspace = Workspace(tmp_path / "data")
        return prepare(workspace, PrepareSettings(**ALL, **settings), ratings=str(tmp_path / name))

    return run


def rated(values: list[Any]) -> list[str]:
    rows = [f"{number % 7},{number // 7},{value},{10**9 + number}" for number, value in enumerate(values)]
    return ["user,item,rating,time", *rows]


def preferences(result: Prepared) -> list[int]:
    rows = split_rows(Workspace(result.folder.parent))
    return sorted(row[2] for of_split in rows.values() for row in of_split)


# -- scales ------------------------------------------------------------------------------------------------------------


def test_many_zeros_are_doubted(prepared):
    values = [0, 0, 3, 5, 8, 9, 10] * 18
    result = prepared(rated(values))
    assert result.warnings == (
        "29% of the ratings are 0, which counts as a strong dislike. If 0 means that there is no rating, add"
        " --unrated 0.",
    )
    assert preferences(result).count(-2) == 72
    followed = prepared(rated(values), unrated=0.0)
    assert followed.warnings == ()
    assert preferences(followed).count(-2) == 36
    assert prepared(rated(values), scale=(0.0, 10.0)).warnings == ()
    assert prepared(rated([0, 3, 5, 8, 9, 10, 7] * 18)).warnings == ()


@pytest.mark.parametrize(
    ("values", "warning", "option", "likes"),
    [
        ([0.5, 1, 2, 2.5, 3, 3.5, 4], "No rating is above 4.5, so nothing counts as a superlike.", (0.5, 4.0), 3),
        ([1, 2, 3], "No rating is above 3.5, so nothing counts as a like.", (1.0, 3.0), 1),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], "No rating is above 9, so nothing counts as a superlike.", (1.0, 9.0), 3),
    ],
)
def test_a_scale_whose_top_is_never_used_is_doubted(prepared, values, warning, option, likes):
    lines = rated(values * 40)
    (found,) = prepared(lines).warnings
    assert prepared(rated(values * 5)).warnings == ()  # too few to tell
    low, high = option
    hint = f"If {high:g} is the best possible rating, add --scale {low:g},{high:g}."
    assert found == f"{warning} {hint}"
    followed = prepared(lines, scale=option)
    assert followed.warnings == ()
    assert sum(one > 0 for one in preferences(followed)) == 40 * likes
    assert max(preferences(followed)) == 2


@pytest.mark.parametrize("values", [[-1, 1], [0, 1], ["up", "down"], [1, 2, 3, 4, 5], [1, 4, 10], [-10, 0, 10]])
def test_scales_as_people_use_them_are_not_doubted(prepared, values):
    assert prepared(rated(values * 60)).warnings == ()


def test_a_measure_is_not_taken_for_stars(prepared):
    lines = rated([round(number * 0.0137, 4) for number in range(1, 160)])
    with pytest.raises(InputError, match=r"no usual scale\. They are 159 values from 0\.0137 to 2\.1783"):
        prepared(lines)
    assert prepared(lines, scale=(0.0, 2.2)).warnings == ()


def test_interactions_of_which_nearly_all_are_strong_are_doubted(prepared):
    lines = ["user,item,plays", *(f"{number % 7},{number // 7},{3 + number}" for number in range(60))]
    result = prepared(lines, implicit=True, no_time="file")
    assert result.warnings == (
        "100% of the pairs of a user and a movie count as superlikes. For fewer, raise the sum that makes a"
        " superlike: --strong-from N",
    )
    followed = prepared(lines, implicit=True, no_time="file", strong_from=40.0)
    assert followed.warnings == ()
    assert preferences(followed) == [1] * 37 + [2] * 23


# -- times -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "formats"),
    [
        (["31.12.2001 08:15", "01.01.2002 02:49"], ["%d.%m.%Y %H:%M"]),
        (["12/31/2001 8:26", "1/13/2002 17:02"], ["%m/%d/%Y %H:%M"]),
        (["1/2/2001", "3/4/2002"], ["%m/%d/%Y", "%d/%m/%Y"]),
        (["Tue Apr 03 18:00:09 +0000 2012", "Wed Apr 04 18:00:09 +0000 2012"], ["%a %b %d %H:%M:%S %z %Y"]),
        (["12/31/2001 8:26 PM", "1/13/2002 7:02 AM"], ["%m/%d/%Y %I:%M %p"]),
    ],
)
def test_the_format_of_times_is_suggested(prepared, times, formats):
    rows = [f"{number % 5},{number // 5},{1 + number % 5},{times[number % 2]}" for number in range(40)]
    lines = ["user,item,rating,time", *rows]
    with pytest.raises(InputError) as caught:
        prepared(lines)
    shown = " or ".join(f"'{one}'" for one in formats)
    assert caught.value.hint == f"Name their format: --time-format {shown}. Or ignore them: --no-time file"
    assert prepared(lines, time_format=formats[0]).manifest.splits["train"] > 0


# -- forms -------------------------------------------------------------------------------------------------------------


def test_a_file_named_dat_may_have_any_separator(prepared):
    rows = [f"{number % 7}\t{number // 7}\t{1 + number % 3}" for number in range(60)]
    result = prepared(["userID\tartistID\tweight", *rows], "user_artists.dat", implicit=True, no_time="file")
    assert preferences(result) == [1] * 20 + [2] * 40
    result = prepared(rows, "ratings.dat", columns=(("user", "1"), ("movie", "2"), ("rating", "3")), no_time="file")
    assert len(preferences(result)) == 60


def test_blanks_separate_where_nothing_else_does(prepared):
    rows = [f"{number % 7} {number // 7} {1 + number % 5}" for number in range(60)]
    columns = (("user", "1"), ("movie", "2"), ("rating", "3"))
    result = prepared(rows, columns=columns, no_time="file")
    assert len(preferences(result)) == 60
    assert "separated by a space" in json.dumps(result.manifest.document["reading"])


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("column", ["user", "movie", "rating", "time"])
def test_an_object_is_no_id(tmp_path, form, column):
    row = {"user": 1, "movie": 2, "rating": 3, "time": 4}
    objects = [{**row, "movie": number, "tags": ["a"]} for number in range(9)]
    nested = [{**one, column: {"id": one[column]}} for one in objects]
    lines = tmp_path / "own.jsonl"
    lines.write_text("".join(f"{json.dumps(one)}\n" for one in nested))
    path = lines if form == "jsonl" else Path(tmp_path / "own.parquet")
    if form == "parquet":
        with duckdb.connect() as database:
            database.execute(f"COPY (FROM read_json('{lines}')) TO '{path}'")
    with pytest.raises(InputError, match=rf"own\.{form}: {column} holds objects or lists, not the {column} itself"):
        prepare(Workspace(tmp_path / "data"), PrepareSettings(**ALL), ratings=str(path))


@pytest.mark.parametrize("column", ["user", "movie", "rating", "time"])
def test_an_object_in_a_data_frame_is_no_id(tmp_path, column):
    rows = [{"user": 1, "movie": number, "rating": 3, "time": 4} for number in range(9)]
    frame = pyarrow.Table.from_pylist([{**row, column: {"id": row[column]}} for row in rows])
    with pytest.raises(InputError, match=rf"ratings \(data frame\): {column} holds objects or lists"):
        prepare(Workspace(tmp_path / "data"), PrepareSettings(**ALL), ratings=frame)
