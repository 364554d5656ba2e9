"""Files that people really have, each with something unusual. The rows are exactly those of the definitions."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.matrix.files import Raw, parquet, tar_of, zip_of, zstd
from tests.matrix.oracle import Amounts, Described, Part
from tests.matrix.run import agree
from tests.matrix.small import COLUMNS, MOVIE_COLUMNS, data_set, described, lines, opinions

Corner = Callable[[Path], Raw]
CORNERS: dict[str, Corner] = {}

USERS = [str(number) for number in range(1, 9)]
MOVIES = [str(number) for number in range(1, 13)]
NAMES = ["ann", "Bob", "zoë", "bob", "x y"]
STARS = ["0.5", "2.5", "3", "3.5", "4", "4.5", "5"]
TIMES = [str(10**9 + 100 * number) for number in range(9)]
HEADER = ("userId", "movieId", "rating", "timestamp")
ROWS = opinions(USERS, MOVIES, STARS, TIMES)
RATINGS = lines([HEADER, *ROWS])
FILMS = lines([("movieId", "title", "genres"), *((movie, f"Film {movie} (1990)", "Drama|War") for movie in MOVIES)])
ALONE: dict[str, str | bytes] = {"raw/ratings.csv": RATINGS}


def corner(make: Corner) -> Corner:
    CORNERS[make.__name__.lstrip("_")] = make
    return make


# -- text --------------------------------------------------------------------------------------------------------------


@corner
def excel_says_its_separator(root):
    text = lines([HEADER, *ROWS], ";")
    return data_set(root, {"raw/ratings.csv": "sep=;\n" + text}, described(text, separator=";"))


@corner
def comments_before_the_header(root):
    return data_set(root, {"raw/ratings.csv": "# exported in May\n# by hand\n" + RATINGS}, described(RATINGS))


@corner
def comments_between_the_rows(root):
    first, second = lines(ROWS[:20]), lines(ROWS[20:])
    text = f"# exported\n{lines([HEADER])}{first}# the second page\n{second}"
    return data_set(root, {"raw/ratings.csv": text}, described(RATINGS))


@corner
def a_number_sign_begins_an_id(root):
    """Not a comment: the file did not begin with one."""
    text = lines([HEADER, *opinions(["#1", "#2", "ann"], MOVIES, STARS, TIMES)])
    return data_set(root, {"raw/ratings.csv": text}, described(text))


@corner
def a_blank_after_every_separator(root):
    rows = opinions(NAMES, MOVIES, STARS, TIMES)
    text = lines([HEADER, *rows], ", ")
    return data_set(root, {"raw/ratings.csv": text}, described(lines([HEADER, *rows])))


@corner
def blanks_around_ratings_and_times(root):
    text = lines([HEADER, *((user, movie, f" {rating} ", f" {time} ") for user, movie, rating, time in ROWS)])
    return data_set(root, {"raw/ratings.csv": text}, described(text))


@corner
def windows_line_ends(root):
    return data_set(root, {"raw/ratings.csv": RATINGS.replace("\n", "\r\n")}, described(RATINGS))


@corner
def old_line_ends(root):
    return data_set(root, {"raw/ratings.csv": RATINGS.replace("\n", "\r")}, described(RATINGS))


@corner
def the_last_line_does_not_end(root):
    return data_set(root, {"raw/ratings.csv": RATINGS.removesuffix("\n")}, described(RATINGS))


@corner
def big_endian_utf_16(root):
    text = "\ufeff" + lines([HEADER, *opinions(NAMES, MOVIES, STARS, TIMES)])
    return data_set(
        root, {"raw/ratings.csv": text.encode("utf-16-be")}, described(text.encode("utf-16-be"), encoding="utf-16")
    )


@corner
def an_encoding_that_has_to_be_named(root):
    films = lines([("movieId", "title", "genres"), *((movie, f"Фильм {movie}", "Драма") for movie in MOVIES)])
    data = films.encode("cp1251")
    return data_set(
        root,
        {"raw/ratings.csv": RATINGS, "raw/movies.csv": data},
        described(RATINGS),
        described(data, MOVIE_COLUMNS, encoding="cp1251"),
        encoding="cp1251",
    )


@corner
def a_separator_that_has_to_be_named(root):
    """Commas would give columns too."""
    head = "userId;movieId;rating;timestamp,zone,place\n"
    text = head + "".join(f"{user};{movie};{rating};{time}\n" for user, movie, rating, time in ROWS)
    columns = {**COLUMNS, "time": "timestamp,zone,place"}
    return data_set(
        root,
        {"raw/ratings.csv": text},
        described(text, columns, separator=";"),
        separator=";",
        columns=(("time", "timestamp,zone,place"),),
    )


# -- columns -----------------------------------------------------------------------------------------------------------


@corner
def one_of_two_movies_is_named(root):
    text = lines([("user", "item_id", "product_id", "rating", "time"), *((u, m, "9", r, t) for u, m, r, t in ROWS)])
    columns = {"user": "user", "movie": "item_id", "rating": "rating", "time": "time"}
    return data_set(root, {"raw/ratings.csv": text}, described(text, columns), columns=(("movie", "item_id"),))


@corner
def the_name_of_movielens_wins(root):
    text = lines([(*HEADER, "imdbId", "user"), *((*row, "tt1", "me") for row in ROWS)])
    return data_set(root, {"raw/ratings.csv": text}, described(text))


@corner
def a_name_with_case_blanks_and_hyphens(root):
    text = lines([("USER ID", "Movie-Id", "User.Rating", "Rated_At"), *ROWS])
    columns = {"user": "USER ID", "movie": "Movie-Id", "rating": "User.Rating", "time": "Rated_At"}
    return data_set(root, {"raw/ratings.csv": text}, described(text, columns))


@corner
def positions_in_another_order(root):
    text = lines([(time, "x", rating, movie, user) for user, movie, rating, time in ROWS], "\t")
    return data_set(
        root,
        {"raw/ratings.tsv": text},
        described(text, {"user": 5, "movie": 4, "rating": 3, "time": 1}, separator="\t"),
        columns=(("user", "5"), ("movie", "4"), ("rating", "3"), ("time", "1")),
    )


# -- ids ---------------------------------------------------------------------------------------------------------------


@corner
def texts_that_only_a_parser_takes_for_one(root):
    users = [
        " 7",
        "7",
        "7.0",
        "07",
        "7 ",
        "0x7",
        "7e0",
        "+7",
        "1_7",
        "Zoë",
        "Zoe\u0308",
        "zoë",
        "\ufeffzoë",
        "NULL",
        "nan",
    ]
    text = lines([HEADER, *opinions(users, MOVIES, STARS, TIMES)])
    return data_set(root, {"raw/ratings.csv": text}, described(text))


@corner
def whole_numbers_read_as_texts(root):
    users = ["7", "10", "9", "-3", "0"]
    text = lines([HEADER, *opinions(users, MOVIES, STARS, TIMES)])
    return data_set(root, {"raw/ratings.csv": text}, described(text), user_ids="text", movie_ids="text")


@corner
def whole_numbers_as_pandas_writes_them(root):
    text = lines([HEADER, *((f"{user}.0", f"{movie}.0", rating, time) for user, movie, rating, time in ROWS)])
    return data_set(root, {"raw/ratings.csv": text}, described(text))


@corner
def ids_as_long_as_they_may_be(root):
    users = ["é" * 100, "b" * 200, "c"]
    rows = opinions(users, [f"m{number}" for number in range(50)], STARS, TIMES)
    text = lines([HEADER, *rows, ("é" * 100 + "x", "m1", "3", TIMES[0])])
    return data_set(root, {"raw/ratings.csv": text}, described(text))


@corner
def text_users_get_a_prefix(root):
    text = lines([HEADER, *opinions(NAMES, MOVIES, STARS, TIMES)])
    prefixed = lines([HEADER, *((f"ml:{user}", *rest) for user, *rest in opinions(NAMES, MOVIES, STARS, TIMES))])
    return data_set(root, {"raw/ratings.csv": text}, described(prefixed), user_prefix="ml:")


@corner
def few_odd_ids_are_bad_rows(root):
    rows = [*opinions(USERS, [str(number) for number in range(30)], STARS, TIMES), ("x1", "1", "3", TIMES[0])]
    text = lines([HEADER, *rows])
    return data_set(root, {"raw/ratings.csv": text}, described(text))


@corner
def movie_ids_follow_the_ratings_not_the_movies(root):
    """Movies 1 to 12 look like numbers in movies.csv; the ratings are of texts, too."""
    movies = [*MOVIES, "tt01", "tt02", "tt03"]
    text = lines([HEADER, *opinions(USERS, movies, STARS, TIMES)])
    films = lines([("movieId", "title", "genres"), *((movie, f"Film {movie}", "") for movie in movies)])
    return data_set(
        root,
        {"raw/ratings.csv": text, "raw/movies.csv": films},
        described(text),
        described(films, MOVIE_COLUMNS),
    )


# -- times -------------------------------------------------------------------------------------------------------------


def timed(root: Path, times: list[str], **settings: Any) -> Raw:
    text = lines([HEADER, *opinions(USERS, MOVIES, STARS, times)])
    return data_set(root, {"raw/ratings.csv": text}, described(text), **settings)


@corner
def zones_of_several_kinds(root):
    return timed(
        root,
        ["2001-09-09T01:46:40Z", "2001-09-09 03:46:40+02:00", "2001-09-08T20:46:40.5-05", "2001-09-09T07:16+0530"],
    )


@corner
def local_times_in_winter_and_summer(root):
    times = ["2024-01-15 12:00:00", "2024-07-15 12:00:00", "2024-03-31 01:59:59", "2024-03-31 03:00:00"]
    return timed(root, times, timezone="Europe/Berlin")


@corner
def dates_of_a_given_format(root):
    return timed(root, ["31.12.2001", "01.01.2002", "02.01.2002"], time_format="%d.%m.%Y")


@corner
def days_in_eight_digits(root):
    return timed(root, ["20011231", "20020101", "20020229", "20020102.0", "20020101"])


@corner
def seconds_that_could_be_days_but_for_some(root):
    return timed(root, ["20011231", "20020101", "20020199", "20029901", "20020102"])


@corner
def days_in_eight_digits_that_are_said_to_be_seconds(root):
    return timed(root, ["20011231", "20020101", "20020102"], time_format="s")


@corner
def thousandths_before_2001(root):
    """Below 1e12, but milliseconds."""
    return timed(root, [str(10**11 + 7 * number) for number in range(5)])


@corner
def small_numbers_of_a_named_unit(root):
    return timed(root, ["1000", "2500", "2600", "999"], time_format="ms")


@corner
def the_least_and_the_greatest_second(root):
    return timed(root, ["0", "99999999999", "1"])


@corner
def spelled_out_powers_of_ten(root):
    return timed(root, ["9.78300760e8", "9.783007605E+08", "978300759"])


@corner
def one_stray_time_is_a_bad_row(root):
    rows = [*ROWS, *ROWS, (USERS[0], MOVIES[0], "5", "1000000000000")]
    text = lines([HEADER, *rows])
    return data_set(root, {"raw/ratings.csv": text}, described(text))


@corner
def the_later_row_of_a_day_stands(root):
    rows = [
        (user, movie, rating, "2001-09-09")
        for rating in ("5", "1", "3")
        for user in USERS
        for movie in reversed(MOVIES)
    ]
    text = lines([HEADER, *rows])
    return data_set(root, {"raw/ratings.csv": text}, described(text))


@corner
def without_times_the_later_row_stands(root):
    rows = [(user, movie, rating) for rating in ("5", "1", "3") for user in USERS for movie in reversed(MOVIES)]
    text = lines([HEADER[:3], *rows])
    columns = {name: where for name, where in COLUMNS.items() if name != "time"}
    return data_set(root, {"raw/ratings.csv": text}, described(text, columns), no_time="file")


@corner
def times_are_ignored_on_request(root):
    return timed(root, ["whenever", "soon", ""], no_time="file")


@corner
def another_seed_another_order(root):
    return timed(root, TIMES, no_time="random", random_seed=7)


# -- ratings -----------------------------------------------------------------------------------------------------------


def rated(root: Path, ratings: list[str], **settings: Any) -> Raw:
    text = lines([HEADER, *opinions(USERS, MOVIES, ratings, TIMES)])
    return data_set(root, {"raw/ratings.csv": text}, described(text), **settings)


for yes, no in (("true", "false"), ("like", "dislike"), ("up", "down"), ("True", "False")):
    CORNERS[f"words_{yes}_and_{no}"] = partial(rated, ratings=[yes, yes, no])


@corner
def cut_points_of_ones_own(root):
    return rated(root, ["1", "2", "3", "4", "5"], cut_points=(1.0, 2.0, 3.0))


@corner
def a_scale_that_goes_below_zero(root):
    return rated(root, ["-2", "-1", "0", "1", "2", "0.8", "1.2", "1.6"], scale=(-2.0, 2.0))


@corner
def a_scale_far_above_zero(root):
    return rated(root, ["60", "70", "80", "90", "100"], scale=(60.0, 100.0))


@corner
def zero_means_unrated(root):
    return rated(root, ["0", "1", "3", "5", "0", "4.5"], unrated=0.0)


@corner
def zero_is_a_rating(root):
    return rated(root, ["0", "1", "3", "5", "0", "4.5"], scale=(0.0, 5.0))


@corner
def minus_one_beside_zero_to_ten(root):
    return rated(root, ["-1", "0", "5", "7", "7.5", "9", "10", "9.5"])


@corner
def a_maximum_of_its_own(root):
    return rated(root, ["1", "3", "4", "5", "4.5", "2.5", "0.5"], max_rating=5.0)


def listened(root: Path, column: str, amounts: list[str], *, durations: bool = False, **settings: Any) -> Raw:
    rows = [*opinions(USERS, MOVIES, amounts, TIMES), *opinions(USERS, MOVIES, amounts[::-1], TIMES, every=3)]
    text = lines([("userId", "movieId", column, "timestamp"), *rows])
    return data_set(
        root,
        {"raw/interactions.csv": text},
        described(text, {**COLUMNS, "rating": column}),
        amounts=Amounts(durations),
        implicit=True,
        **settings,
    )


@corner
def durations_are_strong_from_twice_the_median(root):
    return listened(root, "seconds", ["10", "20", "30", "45.5", "600"], durations=True)


@corner
def a_duration_that_is_strong(root):
    return listened(root, "watch_time", ["10", "20", "30", "45.5", "600"], durations=True, strong_from=40.0)


@corner
def plays_that_are_strong(root):
    return listened(root, "plays", ["1", "2", "3", "4", "5"], strong_from=5.0)


@corner
def parts_of_an_amount(root):
    return listened(root, "value", ["0.5", "1.5", "0.25"])


# -- movies ------------------------------------------------------------------------------------------------------------


def with_films(root: Path, films: str, columns: dict[str, str | int]) -> Raw:
    return data_set(
        root, {"raw/ratings.csv": RATINGS, "raw/movies.csv": films}, described(RATINGS), described(films, columns)
    )


@corner
def genres_as_a_list(root):
    films = "".join(f"{movie},Film,\"['Drama', 'Sci-Fi']\"\n" for movie in MOVIES)
    return with_films(root, "movieId,title,genres\n" + films, dict(MOVIE_COLUMNS))


@corner
def genres_as_objects(root):
    films = "".join(f"{movie},Film,\"[{{'id': 18, 'name': 'Drama'}}]\"\n" for movie in MOVIES)
    return with_films(
        root, "id,original_title,genres\n" + films, {**MOVIE_COLUMNS, "id": "id", "title": "original_title"}
    )


@corner
def a_year_only_in_some_titles(root):
    films = "".join(f"{movie},Film{' (2001)' if int(movie) % 2 else ''},Drama\n" for movie in MOVIES)
    return with_films(root, "movieId,title,genres\n" + films, dict(MOVIE_COLUMNS))


@corner
def films_without_genres(root):
    films = "".join(f"{movie},Film {movie},1999,{'blue' if int(movie) % 2 else ''}\n" for movie in MOVIES)
    return with_films(root, "item,name,year,colour\n" + films, {"id": "item", "title": "name", "year": "year"})


# -- places ------------------------------------------------------------------------------------------------------------

FILES: dict[str, bytes] = {"ratings.csv": RATINGS.encode(), "movies.csv": FILMS.encode()}


def packed(root: Path, files: dict[str, bytes], **call: str) -> Raw:
    return data_set(root, files, described(RATINGS), described(FILMS, MOVIE_COLUMNS), call=call or None)


def in_tar(root: Path, mode: Literal["w", "w:gz", "w:bz2", "w:xz"], name: str) -> Raw:
    return packed(root, {name: tar_of({f"a/{one}": data for one, data in FILES.items()}, mode)}, raw=name)


CORNERS["tar"] = partial(in_tar, mode="w", name="raw.tar")
CORNERS["tar_gz"] = partial(in_tar, mode="w:gz", name="raw.tgz")
CORNERS["tar_bz2"] = partial(in_tar, mode="w:bz2", name="raw.tar.bz2")
CORNERS["tar_xz"] = partial(in_tar, mode="w:xz", name="raw.tar.xz")


@corner
def an_archive_in_the_folder(root):
    return packed(root, {"raw/export.zip": zip_of(FILES)})


@corner
def compressed_files_in_an_archive(root):
    return packed(
        root, {"raw.zip": zip_of({f"{name}.gz": gzip.compress(data) for name, data in FILES.items()})}, raw="raw.zip"
    )


@corner
def compressed_under_a_plain_name(root):
    return packed(root, {f"raw/{name}": gzip.compress(data) for name, data in FILES.items()})


@corner
def plain_under_a_compressed_name(root):
    return packed(root, {f"raw/{name}.gz": data for name, data in FILES.items()})


@corner
def several_gzip_members(root):
    half = len(FILES["ratings.csv"]) // 2
    data = gzip.compress(FILES["ratings.csv"][:half]) + gzip.compress(FILES["ratings.csv"][half:])
    return packed(root, {"raw/ratings.csv.gz": data, "raw/movies.csv": FILES["movies.csv"]})


@corner
def an_archive_as_the_ratings(root):
    return packed(
        root,
        {"a.zip": zip_of({"ratings.csv": FILES["ratings.csv"]}), "films.csv": FILES["movies.csv"]},
        ratings="a.zip",
        movies="films.csv",
    )


@corner
def a_folder_as_the_ratings(root):
    first, second = lines([HEADER, *ROWS[:30]]), lines([HEADER, *ROWS[30:]])
    return packed(
        root,
        {
            "day/part-0.csv": first.encode(),
            "day/part-1.csv": second.encode(),
            "day/_SUCCESS": b"",
            "f": FILES["movies.csv"],
        },
        ratings="day",
        movies="f",
    )


@corner
def parts_that_are_compressed(root):
    first, second = lines([HEADER, *ROWS[:30]]), lines([HEADER, *ROWS[30:]])
    return packed(
        root,
        {
            "raw/ratings/part-0.csv.gz": gzip.compress(first.encode()),
            "raw/ratings/part-1.csv.gz": gzip.compress(second.encode()),
            "raw/movies.csv": FILES["movies.csv"],
        },
    )


@corner
def the_time_is_in_the_folders_name(root):
    days = ("2024-05-02", "2024-05-01", "2024-04-30")
    parts = {day: lines([HEADER[:3], *(row[:3] for row in ROWS[number::3])]) for number, day in enumerate(days)}
    files: dict[str, str | bytes] = {f"raw/ratings/date={day}/part-0.csv": text for day, text in parts.items()}
    ratings = Described(
        tuple(Part(parts[day].encode(), {"date": day}) for day in sorted(days)), {**COLUMNS, "time": "date"}
    )
    return data_set(root, files, ratings)


@corner
def parts_of_parquet(root):
    types = {"userId": "BIGINT", "movieId": "BIGINT", "rating": "DOUBLE", "timestamp": "BIGINT"}
    rows = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    parts = [parquet(root / "made" / f"{number}.parquet", rows[number::2], types) for number in range(2)]
    files: dict[str, str | bytes] = {
        f"raw/ratings.parquet/part-{number}.parquet": part for number, part in enumerate(parts)
    }
    return data_set(root, files, Described(tuple(map(Part, parts)), COLUMNS, form="parquet"))


@corner
def whole_numbers_in_columns_of_text_in_parquet(root):
    types = dict.fromkeys(HEADER, "VARCHAR")
    data = parquet(root / "made" / "a.parquet", [dict(zip(HEADER, row, strict=True)) for row in ROWS], types)
    return data_set(root, {"raw/ratings.parquet": data}, Described((Part(data),), COLUMNS, form="parquet"))


@corner
def interactions_and_items(root):
    return packed(
        root, {"raw/Interactions.TSV": RATINGS.replace(",", "\t").encode(), "raw/items.csv": FILES["movies.csv"]}
    )


@corner
def ratings_before_events(root):
    return packed(root, {f"raw/{name}": data for name, data in FILES.items()} | {"raw/events.csv": b"a,b\n1,2\n"})


@corner
def movielens_100k(root):
    ratings = lines([(u, m, str(int(float(r) + 0.5)), t) for u, m, r, t in ROWS], "\t")
    films = "".join(
        f"{movie}|Film {movie} (1990)|01-Jan-1990||http://x|{'|'.join(['0'] * 8 + ['1'] + ['0'] * 10)}\n"
        for movie in MOVIES
    )
    shown = "movieId,title,genres\n" + "".join(f"{movie},Film {movie} (1990),Drama\n" for movie in MOVIES)
    return data_set(
        root,
        {"raw/u.data": ratings, "raw/u.item": films},
        described(ratings, {"user": 1, "movie": 2, "rating": 3, "time": 4}, separator="\t", quotes=False),
        described(shown, MOVIE_COLUMNS),
    )


@corner
def movielens_1m(root):
    ratings = lines([(u, m, str(int(float(r) + 0.5)), t) for u, m, r, t in ROWS], "::")
    films = "".join(f'{movie}::"Film" é {movie} (1990)::Drama|War\n' for movie in MOVIES)
    return data_set(
        root,
        {"raw/ratings.dat": ratings, "raw/movies.dat": films.encode("latin-1")},
        described(ratings, {"user": 1, "movie": 2, "rating": 3, "time": 4}, separator="::"),
        described(films, {"id": 1, "title": 2, "genres": 3}, separator="::"),
    )


@corner
def movielens_20m_from_kaggle(root):
    rows = opinions(USERS, MOVIES, STARS, ["2005-04-02 23:53:47", "2005-04-02 23:31:16", "1999-12-11 13:36:47"])
    text = "".join(",".join(f'"{value}"' for value in row) + "\n" for row in [HEADER, *rows])
    return data_set(
        root,
        {"raw/rating.csv": text, "raw/movie.csv": FILMS, "raw/tag.csv": "userId,movieId,tag,timestamp\n"},
        described(text),
        described(FILMS, MOVIE_COLUMNS),
    )


@corner
def a_line_of_json_that_is_no_object(root):
    objects = "".join(
        f'{{"user": "{u}x", "item": {m}, "stars": {r}, "ts": {t}, "device": {{"os": "a"}}}}\n'
        for u, m, r, t in ROWS * 2
    )
    text = objects.replace("\n", "\n[1, 2]\n", 1)
    columns = {"user": "user", "movie": "item", "rating": "stars", "time": "ts"}
    return data_set(root, {"raw/events.ndjson": text}, described(text, columns, form="json"))


def books(root: Path, **settings: Any) -> Raw:
    """As in Book-Crossing: everything in quotes, semicolons, Windows-1252, zeros, and no times."""
    isbns = [f"0{number:08d}{'X' if number % 3 == 0 else number}" for number in range(20)]
    rows = [row[:3] for row in opinions(USERS, isbns, ["0", "0", "5", "7", "8", "9", "10", "0"], TIMES)]

    def quoted(row: tuple[str, ...]) -> str:
        return ";".join(f'"{value}"' for value in row) + "\n"

    text = quoted(("User-ID", "ISBN", "Book-Rating")) + "".join(map(quoted, rows))
    head = ("ISBN", "Book-Title", "Book-Author", "Year-Of-Publication", "Publisher")
    films = quoted(head) + "".join(quoted((isbn, f"Café; ““{isbn}", "Zoë", "1999", "P & Co")) for isbn in isbns)
    return data_set(
        root,
        {"raw/BX-Book-Ratings.csv": text, "raw/BX-Books.csv": films.encode("cp1252")},
        described(text, {"user": "User-ID", "movie": "ISBN", "rating": "Book-Rating"}, separator=";"),
        described(
            films.encode("cp1252"),
            {"id": "ISBN", "title": "Book-Title", "year": "Year-Of-Publication"},
            separator=";",
            encoding="cp1252",
        ),
        call={"ratings": "raw/BX-Book-Ratings.csv", "movies": "raw/BX-Books.csv"},
        no_time="random",
        **settings,
    )


@corner
def books_from_0_to_10(root):
    return books(root)


@corner
def books_of_which_0_is_no_rating(root):
    return books(root, unrated=0.0)


@corner
def zstandard_under_a_plain_name(root):
    raw = packed(root, {f"raw/{name}": zstd(data) for name, data in FILES.items()})
    return Raw(raw.call, raw.settings, raw.ratings, raw.movies, needs_zstd=True)


@pytest.mark.parametrize("name", CORNERS)
def test_unusual_files(name, tmp_path):
    raw = CORNERS[name](tmp_path)
    agree(raw, tmp_path / "data")
