"""Data that can be read in several ways is refused, with the option that says which way is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlrec.errors import InputError, MlrecError
from mlrec.pipeline import prepare
from mlrec.settings import PrepareSettings
from tests.matrix.files import put, zip_of
from tests.matrix.small import lines, opinions

USERS = [str(number) for number in range(1, 11)]
MOVIES = [str(number) for number in range(1, 21)]
STARS = ["0.5", "2", "3", "4.5", "5"]
TIMES = [str(10**9 + number) for number in range(7)]
HEADER = ("userId", "movieId", "rating", "timestamp")


def table(
    header: tuple[str, ...] = HEADER,
    users: list[str] = USERS,
    movies: list[str] = MOVIES,
    ratings: list[str] = STARS,
    times: list[str] = TIMES,
) -> str:
    return lines([header, *opinions(users, movies, ratings, times)])


def refusal(root: Path, files: dict[str, bytes | str], call: dict[str, str] | None = None, **settings: Any) -> str:
    """The message and the hint with which prepare refuses a folder."""
    put(root, {name: data if isinstance(data, bytes) else data.encode() for name, data in files.items()})
    places = {"raw": "raw"} if call is None else call
    loose = PrepareSettings(min_user_ratings=1, min_movie_ratings=1, **settings)
    with pytest.raises(InputError) as refused:
        prepare(root / "data", loose, **{name: str(root / place) for name, place in places.items()})  # type: ignore[arg-type]
    assert not (root / "data" / "prepared").exists()
    return f"{refused.value.message} {refused.value.hint}"


def with_one_in(n: int, odd: str, usual: list[str]) -> list[str]:
    return [odd if number % n == 0 else usual[number % len(usual)] for number in range(n * 7)]


RATINGS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "all_alike": (["5"], ("5", "--implicit", "--scale")),
    "all_ones": (["1"], ("--implicit", "--scale")),
    "fractions_of_one": (["0.1", "0.25", "0.9", "1"], ("0.1", "1", "--scale")),
    "fractions_from_zero": (["0", "0.25", "0.9", "1"], ("0", "--scale")),
    "up_to_6": (["1", "2", "6"], ("1", "6", "--scale")),
    "up_to_7": (["1", "2", "3", "4", "5", "6", "7"], ("1", "7", "--scale")),
    "up_to_20": (["1", "12", "20"], ("20", "--scale")),
    "up_to_1000": (["1", "500", "1000"], ("1000", "--scale", "--implicit")),
    "five_stars_with_zeros": (["0", "1", "3", "5"], ("--scale", "--unrated")),
    "dislike_neutral_like": (["-1", "0", "1"], ("-1", "1", "--scale")),
    "below_minus_ten": (["-20", "5", "10"], ("-20", "--scale")),
    "minus_two_to_two": (["-2", "-1", "0", "1", "2"], ("-2", "2", "--scale")),
}
"""Ratings of no usual scale, and what the refusal names."""


@pytest.mark.parametrize("name", RATINGS)
def test_ratings_of_no_usual_scale(name, tmp_path):
    ratings, named = RATINGS[name]
    said = refusal(tmp_path, {"raw/ratings.csv": table(ratings=ratings)}).replace("−", "-").replace(",000", "000")
    for part in ("ratings.csv", *named):
        assert part in said


def test_words_that_are_no_ratings(tmp_path):
    refusal(tmp_path, {"raw/ratings.csv": table(ratings=["good", "bad", "so so"])})


def test_commas_in_numbers(tmp_path):
    rows = opinions(USERS, MOVIES, ["4,5", "3,0"], TIMES)
    refusal(tmp_path, {"raw/ratings.csv": lines([HEADER, *rows], ";")})


@pytest.mark.parametrize(("role", "option"), [("users", "--user-ids"), ("movies", "--movie-ids")])
def test_one_id_in_twenty_is_no_number(role, option, tmp_path):
    """Damaged numbers, or texts most of which look like numbers: nobody can tell."""
    odd = ["7", *(str(number) for number in range(100, 118)), "x7"]
    users, movies = (odd, MOVIES) if role == "users" else (USERS, odd)
    said = refusal(tmp_path, {"raw/ratings.csv": table(users=users, movies=movies)})
    assert option in said
    assert "x7" in said


@pytest.mark.parametrize("option", ["user_ids", "movie_ids"])
def test_texts_are_no_whole_numbers(option, tmp_path):
    names = ["ann", "bob", "zoë"]
    users, movies = (names, MOVIES) if option == "user_ids" else (USERS, names)
    integer: dict[str, Any] = {option: "integer"}
    said = refusal(tmp_path, {"raw/ratings.csv": table(users=users, movies=movies)}, **integer)
    assert "bad" in said or "unparsable" in said


# -- columns -----------------------------------------------------------------------------------------------------------

HEADERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "two_movies": (
        ("user", "item_id", "product_id", "rating", "time"),
        ("line 1", "two columns could be the movie", "item_id", "product_id", "--columns movie=item_id"),
    ),
    "two_users": (("uid", "customer", "movie", "rating", "time"), ("uid", "customer", "--columns user=")),
    "two_times": (("uid", "movie", "rating", "date", "time"), ("date", "time", "--columns time=")),
    "two_ratings": (("uid", "movie", "stars", "score", "time"), ("stars", "score", "--columns rating=")),
    "no_user": (("who", "movie", "rating", "time"), ("who", "user", "--columns")),
    "no_movie": (("uid", "what", "rating", "time"), ("what", "movie", "--columns")),
    "no_rating": (("uid", "movie", "opinion", "time"), ("opinion", "--columns rating=", "--implicit")),
    "no_time": (("uid", "movie", "rating", "when"), ("when", "--columns time=", "--no-time")),
}
"""First lines that do not say what is what, and what the refusal names."""


@pytest.mark.parametrize("name", HEADERS)
def test_columns_that_are_missing_or_twofold(name, tmp_path):
    header, named = HEADERS[name]
    # What is there twice comes between the user and the last two columns.
    table = opinions(USERS, MOVIES, STARS, TIMES)
    rows = [(user, *[movie] * (len(header) - 3), rating, time) for user, movie, rating, time in table]
    said = refusal(tmp_path, {"raw/ratings.csv": lines([header, *rows])})
    for part in ("ratings.csv", *named):
        assert part in said


def test_a_missing_header_is_shown(tmp_path):
    said = refusal(tmp_path, {"raw/ratings.csv": lines(opinions(USERS, MOVIES, STARS, TIMES))})
    assert "1,1,0.5," in said
    assert "--columns" in said


def test_a_column_that_is_not_there(tmp_path):
    said = refusal(tmp_path, {"raw/ratings.csv": table()}, columns=(("movie", "film"),))
    assert "film" in said
    assert "movieId" in said


def test_a_position_beyond_the_line(tmp_path):
    refusal(
        tmp_path,
        {"raw/ratings.csv": lines(opinions(USERS, MOVIES, STARS, TIMES))},
        columns=(("user", "1"), ("movie", "2"), ("rating", "3"), ("time", "9")),
    )


def test_parts_with_other_columns(tmp_path):
    parts = {"part-0.csv": table(), "part-1.csv": table(header=("userId", "movieId", "timestamp", "rating"))}
    refusal(tmp_path, {f"raw/ratings/{name}": text for name, text in parts.items()}, max_reject_share=0.0)


# -- times -------------------------------------------------------------------------------------------------------------

CLOCKS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "seconds_and_milliseconds": (["1000000000", "1000000000000"], ("--time-format",)),
    "seconds_and_dates": (["1000000000", "2001-09-09"], ("--time-format",)),
    "one_in_ten_in_milliseconds": (with_one_in(10, "1000000000123", TIMES), ("--time-format",)),
    "a_spreadsheets_power_of_ten": (["1.2E+09", "1.26e9"], ()),
    "american_dates": (["12/31/2001", "1/2/2002"], ("/200", "--time-format")),
    "words": (["yesterday", "today"], ("today", "--time-format", "--no-time")),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOCKS)
def test_times_on_no_clock_or_several(name, tmp_path):
    times, named = CLOCKS[name]
    said = refusal(tmp_path, {"raw/ratings.csv": table(times=times)})
    for part in named:
        assert part in said


def test_times_of_another_format_than_the_named_one(tmp_path):
    refusal(tmp_path, {"raw/ratings.csv": table()}, time_format="%d.%m.%Y")


def test_a_time_zone_that_does_not_exist(tmp_path):
    put(tmp_path, {"raw/ratings.csv": table(times=["2001-09-09 01:46:40"]).encode()})
    with pytest.raises(MlrecError, match="Mars/Olympus"):
        prepare(tmp_path / "data", PrepareSettings(timezone="Mars/Olympus"), raw=tmp_path / "raw")


# -- places ------------------------------------------------------------------------------------------------------------


def test_a_glob_that_matches_nothing(tmp_path):
    assert "*.csv" in refusal(tmp_path, {"logs/a.txt": table()}, {"ratings": "logs/*.csv"})


def test_ratings_that_are_not_there(tmp_path):
    assert "nowhere.csv" in refusal(tmp_path, {"a": ""}, {"ratings": "nowhere.csv"})


def test_an_archive_with_two_files_that_could_be_the_ratings(tmp_path):
    two = zip_of({"a.csv": table().encode(), "b.csv": table().encode()})
    said = refusal(tmp_path, {"both.zip": two}, {"ratings": "both.zip"})
    assert "a.csv" in said
    assert "b.csv" in said


def test_an_empty_file(tmp_path):
    assert "ratings.csv" in refusal(tmp_path, {"raw/ratings.csv": ""})


def test_a_file_that_is_only_a_header(tmp_path):
    refusal(tmp_path, {"raw/ratings.csv": ",".join(HEADER) + "\n"})


def test_a_folder_of_part_files_without_parts(tmp_path):
    refusal(tmp_path, {"raw/ratings/_SUCCESS": ""})


def test_amounts_that_are_all_zero(tmp_path):
    header = ("user", "item", "plays", "time")
    refusal(tmp_path, {"raw/events.csv": table(header=header, ratings=["0", "-1"])}, implicit=True)
