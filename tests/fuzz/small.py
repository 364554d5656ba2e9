"""A small data set: users with different tastes, and titles that are awkward to show."""

from __future__ import annotations

from pathlib import Path
from random import Random

USERS, MOVIES = 30, 40
TITLES = (
    "Amélie", "Matrix, The", '"Quoted"', "七人の侍", "Se7en", "[REC]", "12 Angry Men", "Toy Story 2", "=1+1",
    "Clear \x1b[2J\x1b]0;the screen\x07", "C1 \x9b31m", "Bidi \u202egnp.exe", "Café 🎬", "M",
)  # fmt: skip
"""Some as they are, and some as nobody should be shown them."""
GENRES = ("Drama", "Comedy", "Sci-Fi", "Film-Noir", "Children's", "\x1b[31mRed")


def write_small_raw(raw: Path) -> None:
    """A movies.csv, a ratings.csv and a links.csv of some people with tastes of their own."""
    chance = Random(20)
    raw.mkdir(parents=True)
    movies = [
        f'{movie},"{TITLES[movie % len(TITLES)].replace(chr(34), 2 * chr(34))} {movie} ({1950 + movie})",'
        + "|".join(sorted({GENRES[movie % 6], GENRES[movie // 7 % 6]}))
        for movie in range(1, MOVIES + 1)
    ]
    ratings = [
        f"{user},{movie},{5 if movie % 3 == user % 3 else chance.choice(('0.5', '2.5', '3.0', '4.0'))},"
        f"{1_000_000_000 + 1000 * user + chance.randrange(500)}"
        for user in range(1, USERS + 1)
        for movie in sorted(chance.sample(range(1, MOVIES + 1), 18))
    ]
    links = [f"{movie},0{114000 + movie},{800 + movie}" for movie in range(1, MOVIES + 1)]
    for name, header, lines in (
        ("movies.csv", "movieId,title,genres", movies),
        ("ratings.csv", "userId,movieId,rating,timestamp", ratings),
        ("links.csv", "movieId,imdbId,tmdbId", links),
    ):
        (raw / name).write_text("\n".join([header, *lines, ""]), encoding="utf-8")
