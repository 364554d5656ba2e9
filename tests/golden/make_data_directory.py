"""Write a small data directory of generated data in the formats of this mlrec: make_data_directory.py FOLDER [VARIANT]

The variants have the same users, movies and opinions. Without one, the raw files are as in MovieLens. `text` has text
ids, ratings from 1 to 10, exact times and further columns of movies; `implicit` has text ids, counts of plays as JSON
lines, and no file of movies. `outside` is as in MovieLens, with about half of the movies outside the core.

An existing folder is not touched: what a version wrote is golden, and is never written again.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlrec.dataset.prepare import prepare
from mlrec.dataset.raw_folder import FetchedFile, Marker
from mlrec.evaluation.choosing import on_validation
from mlrec.evaluation.protocol import evaluate
from mlrec.evaluation.tuning.search import tune
from mlrec.model.train import train
from mlrec.serving.recommender import Recommender
from mlrec.settings import EvaluateSettings, PrepareSettings, TrainSettings, TuneSettings
from mlrec.workspace import RawFiles, Workspace

NOTE = "golden: λ as the data says"
GENRES = ("Comedy", "Drama", "Sci-Fi", "Children's")
SWIPES = (
    (1, 2, "like", 1_700_000_000, "a-1"),
    (1, 3, "dislike", 1_700_000_010, None),
    (1, 4, "superlike", 1_700_000_020, None),
    (2, 5, "skip", 1_700_000_000, None),
    (1001, 7, "like", 1_700_000_000, None),
    (1001, 8, "superdislike", 1_700_000_001, "é"),
)


SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "numbers": {},
    "text": {},
    "implicit": {"implicit": True},
    "outside": {"min_movie_ratings": 24},
}
NUMBERED = ("numbers", "outside")
Opinion = tuple[int, int, float, int]


def user_id(number: int, variant: str) -> int | str:
    """A user as the variant calls them; some look like numbers only to a parser."""
    if variant in NUMBERED:
        return number
    return (f"0x{number:X}", f"1_{number}", f"zoë-{number}@example.org", f" {number}")[number % 4]


def movie_id(number: int, variant: str) -> int | str:
    """A movie as the variant calls it."""
    if variant in NUMBERED:
        return number
    return (f"0{number:08d}X", f"天空の城-{number}", f"Life, the Universe: {number}")[number % 3]


def opinions(chance: random.Random) -> list[Opinion]:
    """18 ratings by each of 40 people of two tastes."""
    return [
        (user, movie, chance.choice([3.5, 4, 4.5, 5] if movie % 2 == user % 2 else [0.5, 1, 2, 3, 4]),
         10**9 + chance.randrange(10**6))
        for user in range(1, 41)
        for movie in sorted(chance.sample(range(1, 31), 18))
    ]  # fmt: skip


def write_raw(folder: Path, variant: str) -> None:
    """30 films, and the opinions of 40 people."""
    chance = random.Random(2026)
    folder.mkdir(parents=True)
    genres = [sorted(chance.sample(GENRES, chance.choice([1, 2]))) for _ in range(30)]
    rated = opinions(chance)
    match variant:
        case "text":
            write_text(folder, genres, rated)
        case "implicit":
            write_plays(folder, rated)
        case _:
            write_movielens(folder, genres, rated)
    files = tuple(FetchedFile.of(path) for path in sorted(folder.iterdir()))
    Marker("generated", "tests/golden/make_data_directory.py", None, files).write(RawFiles(folder))


def write_movielens(folder: Path, genres: Sequence[Sequence[str]], rated: Sequence[Opinion]) -> None:
    """The files of MovieLens."""
    movies = [f'{i},"Film {i}, The ({1980 + i})",{"|".join(of)}' for i, of in enumerate(genres, 1)]
    links = [f"{i},{1000 + i:07d},{500 + i}" for i in range(1, 31)]
    ratings = [f"{user},{movie},{rating},{at}" for user, movie, rating, at in rated]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies, ""]))
    (folder / "links.csv").write_text("\n".join(["movieId,imdbId,tmdbId", *links, ""]))
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *ratings, ""]))


def write_text(folder: Path, genres: Sequence[Sequence[str]], rated: Sequence[Opinion]) -> None:
    """Semicolons, names of columns of their own, 1 to 10, thousandths of a second, and two further columns."""
    movies = [
        f'"{movie_id(i, "text")}";"Film {i}, The";{1980 + i};"{", ".join(of)}";"Zoë {i % 4}";{"ja" if i % 3 else ""}'
        for i, of in enumerate(genres, 1)
    ]
    ratings = [
        f'"{user_id(user, "text")}";"{movie_id(movie, "text")}";{rating * 2:g};'
        f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}.{movie * 7:03d}Z"
        for user, movie, rating, at in rated
    ]
    heading = "item_id;name;year;genre;director;language"
    (folder / "items.csv").write_text("\n".join([heading, *movies, ""]), encoding="utf-8")
    (folder / "ratings.csv").write_text("\n".join(["uid;item_id;score;date", *ratings, ""]), encoding="utf-8")


def write_plays(folder: Path, rated: Sequence[Opinion]) -> None:
    """An object for each line of a log, with a count and the milliseconds since 1970."""
    lines = [
        {
            "customer_id": user_id(user, "implicit"),
            "sku": movie_id(movie, "implicit"),
            "plays": max(1, round(rating - 2)),
            "played_at": at * 1000 + movie,
        }
        for user, movie, rating, at in rated
    ]
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    (folder / "events.jsonl").write_text(text, encoding="utf-8")


def main(root: Path, variant: str = "numbers") -> None:
    """Prepare, train, evaluate, tune and swipe, and note what is answered."""
    workspace = Workspace(root)
    users = {number: user_id(number, variant) for number in (1, 2, 3, 40, 1001, 5000)}
    movies = {number: movie_id(number, variant) for number in range(1, 31)}
    write_raw(workspace.raw, variant)
    usual = {"min_user_ratings": 2, "min_movie_ratings": 2, "threads": 1}
    prepare(workspace, PrepareSettings(**{**usual, **SETTINGS[variant]}))
    train(workspace, TrainSettings(factors=4, iterations=5, threads=1), note=NOTE, chooser=on_validation)
    evaluate(workspace, EvaluateSettings(baselines=("popularity", "ease"), threads=1))
    evaluate(workspace, EvaluateSettings(split="test", baselines=("popularity",), threads=1))
    tune(workspace, TuneSettings(trials=3, sample=0))
    with Recommender.open(root) as recommender:
        for user, movie, preference, at, event_id in SWIPES:
            recommender.update_user(users[user], movies[movie], preference, at=at, idempotency_key=event_id)
        recommender.undo(users[1], idempotency_key="undo-1")
        recommender.update_user(users[3], movies[9], "like", at=1_700_000_000)
        recommender.forget_user(users[3])
        best = recommender.get_top_n(users[1], 1)[0].movie_id
        expected = {
            "lists": {
                str(users[user]): [movie.to_json() for movie in recommender.get_top_n(users[user], 5)]
                for user in (1, 2, 3, 40, 1001, 5000)
            },
            "similar": [movie.to_json() for movie in recommender.similar_movies(movies[1], 5)],
            "why": recommender.explain(users[1], best).to_json(),
            "history": {
                str(users[user]): [event.to_json() for event in recommender.history(users[user])]
                for user in (1, 2, 1001)
            },
        }
    if variant not in NUMBERED:
        expected["ids"] = {"users": users, "movies": movies}
    (root / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False), encoding="utf-8")
    (root / ".lock").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
