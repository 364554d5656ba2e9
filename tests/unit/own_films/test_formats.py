"""Exports of each service, in every generation of its header, and what spreadsheets do to them."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest

from mlrec.errors import InputError
from mlrec.own_films.dates import day_order, seconds_of
from mlrec.own_films.matching import Film
from mlrec.own_films.rows import BadRow, FilmRow
from mlrec.own_films.sources import is_export, read_export


def day(year: int, month: int, number: int) -> int:
    return int(datetime(year, month, number, tzinfo=UTC).timestamp())


def rows_of(text: str | bytes, folder, name: str):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_export(path)


def told(row: FilmRow | BadRow):
    """What a row says, without its place."""
    if isinstance(row, BadRow):
        return row.film.title, row.reason
    return row.film.title, row.film.year, row.says, row.stars, row.at


# -- Letterboxd --------------------------------------------------------------------------------------------------------


def test_letterboxd_ratings(tmp_path):
    found = rows_of(
        "Date,Name,Year,Letterboxd URI,Rating\n"
        "2021-03-04,The Matrix,1999,https://boxd.it/2a1m,4.5\n"
        '2021-03-04,"Paris, Texas",1984,https://boxd.it/29Pq,0.5\n'
        "2021-03-05,Untitled,,https://boxd.it/xyz,5\n",
        tmp_path,
        "ratings.csv",
    )
    assert [told(row) for row in found.rows] == [
        ("The Matrix", 1999, "rating", 4.5, day(2021, 3, 4)),
        ("Paris, Texas", 1984, "rating", 0.5, day(2021, 3, 4)),
        ("Untitled", None, "rating", 5.0, day(2021, 3, 5)),
    ]
    assert [(one.name, one.service, one.rows) for one in found.files] == [("ratings.csv", "letterboxd", 3)]
    assert [row.line for row in found.rows] == [2, 3, 4]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("watched.csv", "seen"),
        ("watched (1).csv", "seen"),
        ("Watched-2.csv", "seen"),
        ("watchlist.csv", "nothing"),
        ("likes/films.csv", "like"),
    ],
)
def test_the_name_of_a_letterboxd_file_says_what_it_means(name, says, tmp_path):
    content = "Date,Name,Year,Letterboxd URI\n2021-03-04,Heat,1995,https://boxd.it/2a\n"
    rows_of(content, tmp_path, name)
    found = read_export(tmp_path)
    assert [told(row) for row in found.rows] == [("Heat", 1995, says, None, day(2021, 3, 4))]


def test_a_letterboxd_file_without_its_name_is_not_guessed(tmp_path):
    content = "Date,Name,Year,Letterboxd URI\n2021-03-04,Heat,1995,https://boxd.it/2a\n"
    with pytest.raises(InputError, match=r"mine\.csv has films of Letterboxd, but does not say whether"):
        rows_of(content, tmp_path, "mine.csv")


def test_letterboxd_diary_and_reviews(tmp_path):
    found = rows_of(
        "Date,Name,Year,Letterboxd URI,Rating,Rewatch,Review,Tags,Watched Date\n"
        '2021-03-09,Heat,1995,https://boxd.it/e1,4,Yes,"Great.\nTwice, =1+1.","a, b",2021-03-04\n'
        "2021-03-10,Alien,1979,https://boxd.it/e2,,,Fine,,2021-03-10\n",
        tmp_path,
        "reviews.csv",
    )
    assert [told(row) for row in found.rows] == [
        ("Heat", 1995, "rating", 4.0, day(2021, 3, 4)),
        ("Alien", 1979, "seen", None, day(2021, 3, 10)),
    ]
    assert [row.line for row in found.rows] == [2, 4]
    assert [row.key for row in found.rows] == ["", ""], "addresses of diary entries are not those of the films"


def test_letterboxd_files_that_say_nothing_of_films_are_passed_over(tmp_path):
    folder = tmp_path / "letterboxd-me"
    content = "Date,Name,Year,Letterboxd URI,Rating\n2021-03-04,Heat,1995,https://boxd.it/2a,4\n"
    for name in ("ratings.csv", "deleted/ratings.csv", "orphaned/diary.csv", "__MACOSX/ratings.csv", ".ratings.csv"):
        rows_of(content, folder, name)
    (folder / "profile.csv").write_text("Date Joined,Username\n2019-01-01,me\n")
    (folder / "lists").mkdir()
    (folder / "lists" / "best.csv").write_text("Letterboxd list export v7\nDate,Name,Tags,URL\n2020-01-01,Best,,x\n")
    found = read_export(folder)
    assert [one.name for one in found.files] == ["ratings.csv"]
    assert len(found.rows) == 1


# -- IMDb --------------------------------------------------------------------------------------------------------------

IMDB = {
    "until 2017": (
        'position,const,created,modified,description,Title,Title type,Directors,You rated,IMDb Rating,Runtime (mins),'
        'Year,Genres,Num. Votes,Release Date (month/day/year),URL\n'
        '"1","tt0133093","Thu Mar  4 00:00:00 2021","","","The Matrix","Feature Film","Lana Wachowski","9","8.7","136",'
        '"1999","action, sci_fi","1000000","1999-03-24","http://www.imdb.com/title/tt0133093/"\n'
    ),
    "2017": (
        "Const,Your Rating,Date Rated,Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,"
        "Release Date,Directors\n"
        'tt0133093,9,2021-03-04,The Matrix,https://www.imdb.com/title/tt0133093/,movie,8.7,136,1999,"Action, Sci-Fi",'
        "1900000,1999-03-24,\"Lana Wachowski, Lilly Wachowski\"\n"
    ),
    "2024": (
        "Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,"
        "Num Votes,Release Date,Directors\n"
        'tt0133093,9,2021-03-04,The Matrix,The Matrix,https://www.imdb.com/title/tt0133093/,Movie,8.7,136,1999,"Action",'
        "1900000,1999-03-24,Lana Wachowski\n"
    ),
    "list of 2024": (
        "Position,Const,Created,Modified,Description,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),"
        "Year,Genres,Num Votes,Release Date,Directors,Your Rating,Date Rated\n"
        "1,tt0133093,2020-01-01,2020-01-01,,The Matrix,The Matrix,https://www.imdb.com/title/tt0133093/,Movie,8.7,136,"
        "1999,Action,1900000,1999-03-24,Lana Wachowski,9,2021-03-04\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("generation", IMDB)
@pytest.mark.parametrize("change", ["as it is", "byte order mark", "semicolons", "spreadsheet date", "upper case"])
def test_imdb_ratings(generation, change, tmp_path):
    text: str | bytes = IMDB[generation]
    assert isinstance(text, str)
    match change:
        case "byte order mark":
            text = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
        case "semicolons":
            import csv

            out = io.StringIO()
            csv.writer(out, delimiter=";").writerows(csv.reader(io.StringIO(text)))
            text = out.getvalue()
        case "spreadsheet date":
            text = text.replace("2021-03-04", "3/4/2021")
        case "upper case":
            header, rest = text.split("\n", 1)
            text = f"{header.upper()}\n{rest}"
    (row,) = rows_of(text, tmp_path, "ratings.csv").rows
    assert told(row) == ("The Matrix", 1999, "rating", 4.5, day(2021, 3, 4))
    assert row.film.imdb_id == row.key == "tt0133093"


def test_imdb_dates_episodes_and_empty_fields(tmp_path):
    header = "Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,Year\n"
    found = rows_of(
        header + "tt0111161,10,4/18/2026,The Shawshank Redemption,,u,Movie,1994\n"
        "tt0118715,1,,The Big Lebowski,,u,Movie,1998\n"
        "tt0118276,8,4/19/2026,Pilot,,u,TV Episode,1997\n"
        "tt0118277,8,4/19/2026,Pilot,,u,tvEpisode,1997\n"
        "tt0211915,,4/19/2026,Amélie,Le Fabuleux Destin d'Amélie Poulain,u,Movie,2001\n"
        "tt0000001,11,4/19/2026,Eleven,,u,Movie,2001\n"
        "tt0000002,7,soon,Undatable,,u,Movie,2001\n",
        tmp_path,
        "ratings.csv",
    )
    assert [told(row) for row in found.rows] == [
        ("The Shawshank Redemption", 1994, "rating", 5.0, day(2026, 4, 18)),
        ("The Big Lebowski", 1998, "rating", 0.5, None),
        ("Pilot", "not a film, but a TV Episode"),
        ("Pilot", "not a film, but a tvEpisode"),
        ("Amélie", 2001, "nothing", None, day(2026, 4, 19)),
        ("Eleven", "rating '11' is not above 0 and up to 10"),
        ("Undatable", "unreadable date 'soon'"),
    ]
    assert found.rows[4].film.other_title == "Le Fabuleux Destin d'Amélie Poulain"


# -- Trakt -------------------------------------------------------------------------------------------------------------

MATRIX = {"title": "The Matrix", "year": 1999, "ids": {"trakt": 481, "imdb": "tt0133093", "tmdb": 603}}
NESTED = {"rated_at": "2021-03-04T22:30:00.000Z", "rating": 9, "type": "movie", "movie": MATRIX}
FLAT = {
    "rated_at": "2021-03-05T00:30:00+02:00", "rating": 9, "type": "movie", "title": "The Matrix", "year": 1999,
    "imdb_id": "tt0133093", "tmdb_id": 603, "trakt_id": 481,
}  # fmt: skip


@pytest.mark.parametrize("document", [[NESTED], [FLAT], {"ratings": [NESTED]}], ids=["nested", "flat", "in an object"])
def test_trakt_ratings(document, tmp_path):
    (row,) = rows_of(json.dumps(document), tmp_path, "ratings-movies.json").rows
    assert told(row) == ("The Matrix", 1999, "rating", 4.5, day(2021, 3, 4) + 22 * 3600 + 1800)
    assert row.film == Film("The Matrix", 1999, None, "tt0133093", 603)


def test_trakt_watched_and_shows(tmp_path):
    folder = tmp_path / "trakt"
    folder.mkdir()
    watched = {"plays": 2, "last_watched_at": "2020-05-06T07:08:09.000Z", "movie": MATRIX}
    listed = {"rank": 1, "listed_at": "2020-05-06T07:08:09.000Z", "type": "movie", "movie": MATRIX}
    show = {
        "rated_at": "2021-03-04T22:30:00.000Z",
        "rating": 9,
        "type": "show",
        "show": {"title": "Lost", "year": 2004},
    }
    (folder / "watched-movies.json").write_text(json.dumps([watched]))
    (folder / "ratings-shows.json").write_text(json.dumps([show]))
    (folder / "lists-watchlist.json").write_text(json.dumps([listed]))
    (folder / "user-settings.json").write_text(json.dumps({"user": {"name": "me"}}))
    found = read_export(folder)
    moment = day(2020, 5, 6) + 7 * 3600 + 8 * 60 + 9
    assert sorted(told(row) for row in found.rows) == [
        ("The Matrix", 1999, "nothing", None, moment),
        ("The Matrix", 1999, "seen", None, moment),
    ]


# -- Netflix -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["12/31/2020", "1/2/2021"], [day(2020, 12, 31), day(2021, 1, 2)]),
        (["31/12/2020", "2/1/2021"], [day(2020, 12, 31), day(2021, 1, 2)]),
        (["31.12.20", "02.01.21"], [day(2020, 12, 31), day(2021, 1, 2)]),
        (["2020-12-31", "2021-01-02"], [day(2020, 12, 31), day(2021, 1, 2)]),
        # Newest first, as Netflix writes: as months first, the dates would turn back and forth.
        (
            ["5/4/21", "4/4/21", "9/3/21", "1/3/21"],
            [day(2021, 4, 5), day(2021, 4, 4), day(2021, 3, 9), day(2021, 3, 1)],
        ),
    ],
)
def test_netflix_dates_in_the_order_of_the_account(dates, expected, tmp_path):
    text = "Title,Date\n" + "".join(f'"Film {number}","{one}"\n' for number, one in enumerate(dates))
    found = rows_of(text, tmp_path, "NetflixViewingHistory.csv")
    assert [row.at for row in found.rows] == expected
    assert {row.says for row in found.rows} == {"seen"}
    assert found.notes == ()


def test_netflix_episodes_and_dates_that_show_nothing(tmp_path):
    found = rows_of(
        'Title,Date\n"Heat","3/4/21"\n"Dark: Season 1: Secrets","3/4/21"\n"Dark: Staffel 2: Anfang","3/4/21"\n',
        tmp_path,
        "NetflixViewingHistory.csv",
    )
    assert [told(row) for row in found.rows] == [
        ("Heat", None, "seen", None, day(2021, 3, 4)),
        ("Dark: Season 1: Secrets", "an episode of a series"),
        ("Dark: Staffel 2: Anfang", "an episode of a series"),
    ]
    assert found.notes == ("NetflixViewingHistory.csv: nothing shows whether 3/4 is in March or in April. It is taken"
                           " for March.",)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-03-04", day(2021, 3, 4)),
        ("2021-03-04 21:00:00", day(2021, 3, 4)),
        ("2021-03-04T01:00:00+02:00", day(2021, 3, 4) - 3600),
        ("3/4/2021", day(2021, 3, 4)),
        ("4.3.2021", day(2021, 3, 4)),
        ("4 Mar 2021", day(2021, 3, 4)),
        ("March 4, 2021", day(2021, 3, 4)),
        ("Thu Mar  4 00:00:00 2021", day(2021, 3, 4)),
        ("", None),
        ("2021-02-30", None),
        ("13/13/2021", None),
        ("yesterday", None),
        ("0000-00-00", None),
    ],
)
def test_dates(text, expected):
    assert seconds_of(text) == expected


def test_what_shows_the_order_of_day_and_month():
    today = datetime(2021, 6, 1, tzinfo=UTC).date()
    assert day_order(["1/2/2021", "13/2/2021"], today) == ("day first", True)
    assert day_order(["2/1/2021", "2/13/2021"], today) == ("month first", True)
    assert day_order(["7/5/2021"], today) == ("day first", True), "July 5 is in the future"
    assert day_order(["3/4/2021"], today) == ("month first", False)
    assert day_order([], today) == ("day first", True)


# -- any ---------------------------------------------------------------------------------------------------------------


def test_windows_encoding(tmp_path):
    text = "Date,Name,Year,Letterboxd URI,Rating\n2021-03-04,Léon,1994,u,4\n"
    (row,) = rows_of(text.encode("cp1252"), tmp_path, "ratings.csv").rows
    assert row.film.title == "Léon"
    (row,) = rows_of(text.encode("utf-16"), tmp_path, "ratings.csv").rows
    assert row.film.title == "Léon"


def test_stdin_is_read_to_its_end():
    text = b"Const,Your Rating,Date Rated,Title,Year\ntt0133093,9,2021-03-04,The Matrix,1999\n"
    found = read_export(io.BytesIO(text))
    assert [told(row) for row in found.rows] == [("The Matrix", 1999, "rating", 4.5, day(2021, 3, 4))]


def test_what_is_an_export(tmp_path):
    swipes = tmp_path / "swipes.csv"
    swipes.write_text("user_id,movie_id,preference,at\n1,2,1,1600000000\n")
    assert not is_export(swipes)
    assert not is_export(tmp_path / "missing.csv")
    assert not is_export(tmp_path)
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("Date,Name,Year,Letterboxd URI,Rating\n")
    assert is_export(ratings)
    assert is_export(tmp_path)


@pytest.mark.parametrize("content", ["", "\n\n", "a,b,c\n1,2,3\n", "user_id,movie_id\n1,2\n", "{}", "[1, 2]"])
def test_other_files_are_named(content, tmp_path):
    with pytest.raises(InputError, match=r"other\.csv is not an export of films that mlrec knows") as raised:
        rows_of(content, tmp_path, "other.csv")
    assert "Letterboxd, IMDb, Trakt or Netflix" in raised.value.hint
