"""Other people's data from raw files to swipes, with the commands and options that they need."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import in_this_process
from tests.shapes import Shape, write_anime, write_books, write_lectures, write_orders, write_plays


@dataclass(frozen=True)
class Way:
    """How somebody brings a data set.

    Attributes
    ----------
    write
        Writes its files into a folder.
    options
        Of `mlrec prepare`, which runs in that folder.
    text_users, text_movies
        Whether ids are texts.
    implicit
        Whether nobody says what they dislike.
    details
        Further columns of the file of movies.
    """

    write: Callable[[Path], Shape]
    options: tuple[str, ...]
    text_users: bool = False
    text_movies: bool = False
    implicit: bool = False
    details: tuple[str, ...] = ()


LEAD = 1.1
"""By how much the model's NDCG@10 must exceed that of popularity."""

WAYS = {
    "books": Way(
        write_books,
        ("--ratings", "BX-Book-Ratings.csv", "--movies", "BX-Books.csv", "--unrated", "0", "--no-time", "random"),
        text_movies=True,
        details=("Book-Author", "Publisher", "Image-URL-S"),
    ),
    "anime": Way(
        write_anime,
        ("--ratings", "rating.csv", "--movies", "anime.csv", "--no-time", "random"),
        details=("type", "episodes", "rating", "members"),
    ),
    "plays": Way(
        write_plays,
        ("--ratings", "plays.tsv", "--columns", "user=1,time=2,movie=4,rating=6", "--implicit"),
        text_users=True,
        text_movies=True,
        implicit=True,
    ),
    "orders": Way(
        write_orders, ("--ratings", "orders.jsonl", "--implicit"), text_users=True, text_movies=True, implicit=True
    ),
    "lectures": Way(
        write_lectures, ("--ratings", "InstEval.csv", "--columns", "user=s,movie=d,rating=y", "--no-time", "random")
    ),
}


def mlrec(folder: Path, *arguments: str) -> Any:
    """What a command prints with --json, run in a folder whose data directory is `data`."""
    return json.loads(printed(folder, *arguments, "--json"))


def printed(folder: Path, *arguments: str, keys: str = "") -> str:
    """The same without --json. `keys` is what somebody types."""
    done = in_this_process(arguments, typed=keys, folder=folder, environment={"MLREC_DATA_DIR": "data"})
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("name", WAYS)
def test_from_raw_files_to_swipes(name, tmp_path):
    way = WAYS[name]
    shape = way.write(tmp_path)
    user = shape.user if way.text_users else int(shape.user)
    movie = shape.item if way.text_movies else int(shape.item)

    prepared = mlrec(tmp_path, "prepare", *way.options)
    assert prepared["rejects"]["rows"] == 0
    steps = {step["name"]: step for step in prepared["steps"]}
    assert next(iter(steps.values()))["ratings"] in (shape.rows, shape.opinions)
    assert sum(prepared["splits"].values()) <= shape.opinions
    assert sum(prepared["splits"].values()) > 0.8 * shape.opinions

    mlrec(tmp_path, "train", "--factors", "16", "--iterations", "5")
    evaluated = mlrec(tmp_path, "evaluate", "--split", "test", "--baseline", "popularity")
    figures = {model: evaluated["models"][model] for model in ("als", "popularity")}
    assert figures["als"]["ndcg@10"]["value"] > LEAD * figures["popularity"]["ndcg@10"]["value"]
    for of in figures.values():
        assert ("disliked@10" in of) != way.implicit

    listed = mlrec(tmp_path, "recommend", "--user", str(user), "-n", "5")
    assert listed["user_id"] == user
    assert len(listed["items"]) == 5
    for item in listed["items"]:
        assert isinstance(item["movie_id"], str) == way.text_movies
        assert (item["title"] == str(item["movie_id"])) == shape.unknown_title
        assert tuple(item.get("details") or ()) == way.details

    swiped = mlrec(tmp_path, "swipe", "--user", "a new user" if way.text_users else "999999999", "--movie", str(movie),
                   "--preference", "like")  # fmt: skip
    assert swiped["movie_id"] == movie
    assert swiped["items"]
    assert movie not in [item["movie_id"] for item in swiped["items"]]
    again = mlrec(tmp_path, "swipe", "--user", str(user), "--movie", str(listed["items"][0]["movie_id"]),
                  "--preference", "dislike")  # fmt: skip
    assert again["user_id"] == user
    assert listed["items"][0]["movie_id"] not in [item["movie_id"] for item in again["items"]]

    session = printed(tmp_path, "swipe", "--user", str(user), keys="2\n1\nq\n")
    assert [line[:3] for line in session.splitlines() if line[1:3] == ". "] == ["1. ", "2. ", "3. "]
    assert "·  ·" not in session  # movies without genres, say
    assert "1 superliked, 1 liked" in session
