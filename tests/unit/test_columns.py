"""Columns are recognized by name; what could be two things is asked."""

from __future__ import annotations

import pytest

from mlrec.dataset import columns
from mlrec.dataset.columns import Line, by_position, recognized
from mlrec.dataset.sources import Role
from mlrec.errors import InputError
from mlrec.settings import PrepareSettings

USERS = "userid user uid username customerid customer memberid member accountid visitorid sessionid reviewerid personid"
MOVIES = (
    "movieid movie itemid item filmid film showid productid product isbn asin animeid bookid trackid artistid songid"
    " gameid tmdbid imdbid contentid articleid sku mid iid"
)
RATINGS = "rating ratings score stars preference value weight bookrating userrating yourrating overall"
AMOUNTS = "count counts plays playcount listens views clicks quantity qty purchases times"
DURATIONS = "seconds duration durationseconds watchtime listenedseconds"
TIMES = (
    "timestamp time ts datetime date createdat watchedat ratedat eventtime unixtime unixreviewtime reviewtime orderdate"
    " listenedat playedat updatedat"
)
LINE = Line("ratings.csv, line 1", "the line")
USUAL = ["userId", "movieId", "rating", "timestamp"]


def found(names: list[str], role: Role = "ratings", movie_name: str | None = None, **how: object) -> dict[str, str]:
    """mlrec's name → own name."""
    return dict(recognized(role, names, LINE, PrepareSettings(**how), movie_name).names)  # type: ignore[arg-type]


def refused(names: list[str], role: Role = "ratings", movie_name: str | None = None, **how: object) -> tuple[str, str]:
    with pytest.raises(InputError) as caught:
        found(names, role, movie_name, **how)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize(
    ("place", "name"),
    [(place, name) for place, names in enumerate((USERS, MOVIES, RATINGS, TIMES)) for name in names.split()],
)
def test_each_name_alone(place, name):
    names = [*USUAL[:place], name, *USUAL[place + 1 :]]
    assert list(found(names).values()) == names


@pytest.mark.parametrize("spelled", ["MOVIE_ID", "movie id", "Movie-ID", "movie.id", " MovieId\t", "Movie_ Id"])
def test_case_and_punctuation_do_not_matter(spelled):
    assert found(["user", spelled, "rating", "date"])["movie_id"] == spelled


@pytest.mark.parametrize("name", [*AMOUNTS.split(), *DURATIONS.split(), *RATINGS.split()])
def test_amounts_are_columns_of_interactions_only(name):
    names = ["user", "item", name, "date"]
    kind = recognized("ratings", names, LINE, PrepareSettings(implicit=True)).amount_kind
    assert kind == ("duration" if name in DURATIONS.split() else "count")
    if name not in RATINGS.split():
        assert "lacks rating" in refused(names)[0]


def test_interactions_need_no_amount_and_no_time():
    how = PrepareSettings(implicit=True, no_time="file")
    result = recognized("ratings", ["user", "item", "date"], LINE, how)
    assert result.columns == ("user_id", "movie_id", "date")
    assert result.amount_kind is None


def test_the_names_of_movielens_win():
    names = ["uid", "user_id", "tmdbId", "movieId", "score", "Rating", "date", "timestamp"]
    result = recognized("ratings", names, LINE, PrepareSettings())
    assert result.columns == ("uid", "user_id", "tmdbId", "movie_id", "score", "rating", "date", "timestamp")


@pytest.mark.parametrize(
    ("names", "what", "one", "other"),
    [
        (["user", "item_id", "product_id", "rating", "time"], "movie", "item_id", "product_id"),
        (["user", "customer", "movie", "rating", "time"], "user", "user", "customer"),
        (["user", "movie", "score", "stars", "time"], "rating", "score", "stars"),
        (["user", "movie", "score", "reviewTime", "unixReviewTime"], "time", "reviewTime", "unixReviewTime"),
    ],
)
def test_two_candidates_are_asked_about(names, what, one, other):
    assert refused(names) == (
        f"ratings.csv, line 1: two columns could be the {what}: {one} and {other}.",
        f"Choose one: --columns {what}={one}",
    )
    assert other in found(names, columns=((what, other),)).values()


def test_a_named_column_is_free_for_nothing_else():
    result = recognized("ratings", ["user", "item", "product", "date", "rating"], LINE, PrepareSettings(
        columns=(("movie", "product"), ("time", "date"), ("rating", "item")),
    ))  # fmt: skip
    assert result.columns == ("user_id", "rating", "movie_id", "timestamp", "other rating")


def test_a_name_that_is_not_there():
    message, hint = refused(USUAL, columns=(("movie", "film"),))
    assert message == (
        "ratings.csv, line 1: there is no column 'film'. The line is 'the line'. Its columns are userId, movieId,"
        " rating, timestamp."
    )
    assert "--columns movie=NAME" in hint


def test_one_column_for_two_things():
    assert "one column for two things" in refused(USUAL, columns=(("movie", "userId"), ("user", "userId")))[0]


def test_missing_columns_name_the_options_that_help():
    message, hint = refused(["user", "movie"])
    assert message == (
        "ratings.csv, line 1: the header lacks rating, timestamp. The line is 'the line'. Its columns are user, movie."
    )
    assert hint == (
        "Name the column: --columns rating=NAME,time=NAME (or use --implicit if rows are interactions, and --no-time"
        " file if there are no times)"
    )


def test_the_same_name_twice():
    message, hint = refused(["userId", "user_id", "movieId", "rating", "timestamp"])
    assert message == (
        "ratings.csv, line 1: the header names userId twice: userId and user_id. The line is 'the line'."
    )
    assert hint == "Give each column a different name."


def test_names_are_made_safe():
    message, _ = refused(["user", "film\x1b[2J", "movie\u202e", "x" * 500])
    assert "\x1b" not in message
    assert "\u202e" not in message
    assert len(message) < 400


# -- without a header --------------------------------------------------------------------------------------------------


def positions(**how: object) -> PrepareSettings:
    return PrepareSettings(columns=(("user", "2"), ("movie", "1"), ("rating", "4"), ("time", "3")), **how)  # type: ignore[arg-type]


def test_positions():
    assert by_position(5, LINE, positions()).columns == ("movie_id", "user_id", "timestamp", "rating", "column 5")
    assert by_position(4, LINE, positions(no_time="file")).columns == ("movie_id", "user_id", "column 3", "rating")


def test_a_position_beyond_the_last_column():
    with pytest.raises(InputError, match=r"no column 4 for the rating; there are 3\. The line is 'the line'"):
        by_position(3, LINE, positions())


def test_a_position_that_is_missing():
    with pytest.raises(InputError, match="not that of rating, timestamp") as caught:
        by_position(3, LINE, PrepareSettings(columns=(("user", "1"), ("movie", "2"))))
    assert "rating=POSITION,time=POSITION" in caught.value.hint
    how = PrepareSettings(columns=(("user", "1"), ("movie", "2")), implicit=True, no_time="file")
    assert by_position(2, LINE, how).columns == ("user_id", "movie_id")


def test_names_of_digits_beside_others_are_names():
    assert not columns.is_by_position(PrepareSettings(columns=(("user", "1"), ("movie", "film"))))


# -- movies and links --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*MOVIES.split(), "id"])
def test_each_name_of_the_id_of_a_movie(name):
    assert found([name, "title"], "movies") == {"movie_id": name, "title": "title"}


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("title", "title name booktitle movietitle originaltitle"),
        ("year", "year releaseyear yearofpublication startyear"),
        ("genres", "genres genre category categories"),
    ],
)
def test_each_name_of_what_a_movie_has(role, names):
    for name in names.split():
        header = ["id", *(["title"] if role != "title" else []), name]
        assert found(header, "movies")[role] == name


def test_the_column_that_the_ratings_have_too_is_the_id():
    names = ["id", "imdb_id", "Anime-ID", "name"]
    assert found(names, "movies", "anime_id") == {"movie_id": "Anime-ID", "title": "name"}
    message, hint = refused(names, "movies", "film")
    assert message == "ratings.csv, line 1: two columns could be the movie's id: id and Anime-ID."
    assert hint == "Rename the right one to film."


def test_movies_need_an_id_and_a_title_only():
    assert refused(["movieId", "genres"], "movies")[0].startswith("ratings.csv, line 1: the header lacks title.")
    assert found(["movieId", "title", "tags"], "movies") == {"movie_id": "movieId", "title": "title"}


def test_links():
    assert found(["anime", "imdb_id", "TMDB ID"], "links", "anime") == {
        "movie_id": "anime",
        "imdb_id": "imdb_id",
        "tmdb_id": "TMDB ID",
    }
    assert "lacks tmdbId" in refused(["movieId", "imdbId"], "links")[0]
