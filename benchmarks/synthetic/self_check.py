"""Reads the written files back and compares each marginal with its target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from .marginals import FIRST_SECOND, LAST_SECOND, N_RATED, Shape, gini, shape_at

# MovieLens latest-small (2016): 32% of ratings share user and second with another one, 60% of users come on one day.
TIE_SHARE, ONE_DAY_SHARE = 0.33, 0.6
# A place in the long tail, between the upper quartile and the median: rank 10,000 of ML-20M.
_TAIL_SHARE = 10_000 / N_RATED

_READ_RATINGS = """
CREATE TABLE ratings AS FROM read_csv($path, header = true, columns =
    {'userId': 'INTEGER', 'movieId': 'INTEGER', 'rating': 'FLOAT', 'timestamp': 'BIGINT'})"""
_READ_MOVIES = """
CREATE TABLE movies AS SELECT *, TRY_CAST(regexp_extract(title, '[(](\\d{4})[^()]*[)]$', 1) AS INTEGER) AS year
FROM read_csv($path, header = true, quote = '"', escape = '"', columns =
    {'movieId': 'INTEGER', 'title': 'VARCHAR', 'genres': 'VARCHAR'})"""

_KEYS = "SELECT userId * 1_000_000::BIGINT + movieId AS key, lag(key) OVER () AS before FROM ratings"
# Figures that are 0 in a sound data set.
_FAULTS = {
    "ratings out of order by user and movie": f"SELECT count(*) FROM ({_KEYS}) WHERE key < before",
    # Duplicates are neighbours, or the figure above is not 0.
    "movies rated twice by a user": f"SELECT count(*) FROM ({_KEYS}) WHERE key = before",
    "ratings of unlisted movies": "SELECT count(*) FROM ratings ANTI JOIN movies USING (movieId)",
    "ratings before the movie's year": """
        SELECT count(*) FROM ratings JOIN movies USING (movieId)
        WHERE timestamp < epoch(make_timestamp(year, 1, 1, 0, 0, 0))""",
    "user ids not from 1 to the last": "SELECT max(userId) - count(DISTINCT userId) + min(userId) - 1 FROM ratings",
}

# Titles that a reader has to get right; there must be some of each.
_KINDS_OF_TITLE = {
    "a comma": "title LIKE '%,%'",
    "quotes": "title LIKE '%\"%'",
    "letters beyond ASCII": "title <> strip_accents(title)",
    "a range of years": "regexp_matches(title, '[(]\\d{4}–\\d{4}[)]$')",
    "no year": "year IS NULL",
    "(no genres listed)": "genres = '(no genres listed)'",
}


@dataclass(frozen=True)
class Result:
    """One figure: its target, its actual value, and the tolerance."""

    name: str
    target: float
    got: float
    tolerance: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the value is within the tolerance."""
        return abs(self.got - self.target) <= self.tolerance


def check(folder: Path, scale: float) -> list[Result]:
    """Compare ratings.csv and movies.csv of a folder with the marginals at a scale."""
    shape = shape_at(scale)
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder / ".spill")}) as con:
        con.execute(_READ_RATINGS, {"path": str(folder / "ratings.csv")})
        con.execute(_READ_MOVIES, {"path": str(folder / "movies.csv")})
        activity = _column(con, "SELECT count(*) FROM ratings GROUP BY userId")
        popularity = np.sort(_column(con, "SELECT count(*) FROM ratings GROUP BY movieId"))[::-1]
        return [
            Result("ratings", shape.n_ratings, activity.sum()),
            Result("users", shape.n_users, len(activity)),
            Result("movies listed", shape.n_listed, _one(con, "SELECT count(*) FROM movies")),
            Result("movies rated", shape.n_rated, len(popularity)),
            *_histogram(con, shape),
            *_activity(activity, shape),
            *_popularity(popularity, shape),
            *_times(con, shape),
            *(Result(name, 0, _one(con, query)) for name, query in _FAULTS.items()),
            Result("kinds of difficult title", len(_KINDS_OF_TITLE), _kinds_of_title(con)),
        ]


def table(results: Iterable[Result]) -> str:
    """Results as a Markdown table."""
    rows: list[tuple[str, ...]] = [("marginal", "target", "got", "within", ""), ("---", "---:", "---:", "---:", "---")]
    for result in results:
        figures = (f"{figure:,.10g}" for figure in (result.target, result.got, result.tolerance))
        rows.append((result.name, *figures, "ok" if result.passed else "OFF"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows)


def _histogram(con: duckdb.DuckDBPyConnection, shape: Shape) -> list[Result]:
    counted = dict(con.execute("SELECT rating, count(*) FROM ratings GROUP BY rating").fetchall())
    stars = np.arange(1, 11) / 2
    return [
        Result(f"rated {value:g}", target, counted.get(value, 0))
        for value, target in zip(stars.tolist(), shape.ratings_by_value.tolist(), strict=True)
    ]


def _activity(activity: NDArray[np.int64], shape: Shape) -> list[Result]:
    target, got = (
        {"least": counts.min(), "median": np.median(counts), "mean": round(counts.mean(), 2), "most": counts.max()}
        for counts in (shape.activity, activity)
    )
    return [Result(f"ratings of a user, {name}", float(target[name]), float(got[name])) for name in target]


def _popularity(popularity: NDArray[np.int64], shape: Shape) -> list[Result]:
    """`popularity` descends. Counts may differ by a part of the target and, where there are few, by chance."""
    target = shape.popularity
    got = np.zeros(shape.n_rated, dtype=np.int64)
    got[: len(popularity)] = popularity[: shape.n_rated]
    chance = shape.n_users**-0.5
    tail = round(_TAIL_SHARE * shape.n_rated)
    places = {"most": 0, f"rank {tail:,}": tail, "median": shape.n_rated // 2, "lower quartile": shape.n_rated * 3 // 4}
    often, often_got = (int(np.count_nonzero(counts >= 20)) for counts in (target, got))
    return [
        *(
            Result(
                f"ratings of a movie, {name}",
                round(target[at]),
                int(got[at]),
                round(1 + (0.1 + 2 * chance) * target[at]),
            )
            for name, at in places.items()
        ),
        Result("movies with 20 ratings or more", often, often_got, round((0.03 + 2 * chance) * often)),
        Result("Gini index of popularity", round(gini(target), 3), round(gini(got), 3), round(0.015 + chance / 2, 3)),
    ]


def _times(con: duckdb.DuckDBPyConnection, shape: Shape) -> list[Result]:
    ties = _one(con, "SELECT sum(n) FROM (SELECT count(*) AS n FROM ratings GROUP BY userId, timestamp) WHERE n > 1")
    one_day = _one(
        con,
        "SELECT avg((last - first < 86_400)::INTEGER) FROM "
        "(SELECT max(timestamp) AS last, min(timestamp) AS first FROM ratings GROUP BY userId)",
    )
    return [
        Result("first second", FIRST_SECOND, _one(con, "SELECT min(timestamp) FROM ratings")),
        Result("last second", LAST_SECOND, _one(con, "SELECT max(timestamp) FROM ratings")),
        Result(
            "share of ratings in a shared second",
            TIE_SHARE,
            round(ties / _one(con, "SELECT count(*) FROM ratings"), 3),
            0.03,
        ),
        Result("share of users within a day", ONE_DAY_SHARE, round(one_day, 3), round(0.05 + shape.n_users**-0.5, 3)),
    ]


def _kinds_of_title(con: duckdb.DuckDBPyConnection) -> int:
    return sum(bool(_one(con, f"SELECT count(*) FROM movies WHERE {kind}")) for kind in _KINDS_OF_TITLE.values())


def _column(con: duckdb.DuckDBPyConnection, query: str) -> NDArray[np.int64]:
    (values,) = con.execute(query).fetchnumpy().values()
    return np.asarray(values)


def _one(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = con.execute(query).fetchone()
    assert row is not None
    return row[0]
