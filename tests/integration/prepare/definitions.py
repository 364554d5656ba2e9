"""The definitions of prepare, written a second time in plain Python."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mlrec.settings import PrepareSettings

INT64_MAX = 2**63 - 1


class Rating(NamedTuple):
    user_id: int
    movie_id: int
    rating: float
    timestamp: int


def drop_duplicates(ratings: Iterable[Rating]) -> list[Rating]:
    """The same user and movie twice: the latest stands, on equal timestamps the higher rating."""
    by_age = sorted(ratings, key=lambda rating: (rating.timestamp, rating.rating))
    return list({(rating.user_id, rating.movie_id): rating for rating in by_age}.values())


def core_rounds(ratings: list[Rating], min_user: int, min_movie: int) -> list[list[Rating]]:
    """What is left after each round of the filter, the last one being the first that changes nothing."""
    rounds: list[list[Rating]] = []
    while True:
        per_movie = Counter(rating.movie_id for rating in ratings)
        left = [rating for rating in ratings if per_movie[rating.movie_id] >= min_movie]
        per_user = Counter(rating.user_id for rating in left)
        left = [rating for rating in left if per_user[rating.user_id] >= min_user]
        rounds.append(left)
        if len(left) == len(ratings):
            return rounds
        ratings = left


class Swiped(NamedTuple):
    user_id: int
    movie_id: int
    preference: int
    at: int


def merged(ratings: Iterable[Rating], swipes: Iterable[Swiped], how: PrepareSettings) -> list[Rating]:
    """Latest opinions of ratings and standing swipes; of the same second the swipe stands, and a skip is no opinion."""
    tops = dict(zip((-2, -1, 1, 2), (*cut_points_of(how), how.max_rating or 5.0), strict=True))
    standing = {(rating.user_id, rating.movie_id): rating for rating in drop_duplicates(ratings)}
    for user_id, movie_id, preference, at in swipes:
        rating = standing.get((user_id, movie_id))
        if rating is None or at >= rating.timestamp:
            standing.pop((user_id, movie_id), None)
            if preference:
                standing[user_id, movie_id] = Rating(user_id, movie_id, tops[preference], at)
    return list(standing.values())


def cut_points_of(how: PrepareSettings) -> Sequence[float]:
    return how.cut_points or (2.5, 3.5, 4.5)


def bucket(rating: float, cut_points: Sequence[float]) -> int:
    return (-2, -1, 1, 2)[sum(rating > cut_point for cut_point in cut_points)]


def split_by_user(ratings: list[Rating], how: PrepareSettings) -> dict[str, list[Rating]]:
    def place(rating: Rating) -> tuple[Any, ...]:
        if how.ties == "movie-id":
            return rating.timestamp, rating.movie_id
        dealt = f"{how.random_seed}:{rating.user_id + how.user_offset}:{rating.movie_id}"
        return rating.timestamp, hashlib.md5(dealt.encode()).hexdigest()

    ratio = how.split_ratio
    splits: dict[str, list[Rating]] = {"train": [], "val": [], "test": []}
    for user_id in sorted({rating.user_id for rating in ratings}):
        history = sorted((rating for rating in ratings if rating.user_id == user_id), key=place)
        n = len(history)
        train, val = n * ratio[0] // sum(ratio), n * ratio[1] // sum(ratio)
        if n < 3:
            train, val = n, 0
        parts = {"train": history[:train], "val": history[train : train + val], "test": history[train + val :]}
        for name, part in parts.items():
            splits[name] += sorted(part, key=lambda r: (r.timestamp, r.movie_id))
    return splits


def ties_of(splits: dict[str, list[Rating]]) -> dict[str, int]:
    """Users of whom something is held out, and what ties do to them."""
    times = {
        user_id: {name: [r.timestamp for r in part if r.user_id == user_id] for name, part in splits.items()}
        for user_id in {rating.user_id for part in ("val", "test") for rating in splits[part]}
    }
    cut, mostly = 0, 0
    for of_user in times.values():
        distinct = [timestamp for part in of_user.values() for timestamp in set(part)]
        cut += len(distinct) > len(set(distinct))
        held_out = [timestamp in of_user["train"] for timestamp in of_user["val"] + of_user["test"]]
        mostly += 2 * sum(held_out) >= len(held_out)
    return {"users": len(times), "users_cut_in_ties": cut, "users_held_out_by_ties": mostly}


def split_by_moments(ratings: list[Rating], how: PrepareSettings) -> dict[str, list[Rating]]:
    ratio = how.split_ratio
    times = sorted(rating.timestamp for rating in ratings)
    val_position = len(times) * ratio[0] // sum(ratio)
    test_position = val_position + len(times) * ratio[1] // sum(ratio)
    never = INT64_MAX
    val_from, test_from = ((*times, never)[position] for position in (val_position, test_position))
    splits: dict[str, list[Rating]] = {"train": [], "val": [], "test": []}
    for rating in sorted(ratings, key=lambda r: (r.user_id, r.timestamp, r.movie_id)):
        name = "test" if rating.timestamp >= test_from else "val" if rating.timestamp >= val_from else "train"
        splits[name].append(rating)
    return splits


def expected_rows(core: list[Rating], how: PrepareSettings) -> dict[str, list[tuple[int, int, int, int]]]:
    """The rows of each split, in order."""
    split = split_by_user if how.split == "user-time" else split_by_moments
    return {
        name: [
            (r.user_id + how.user_offset, r.movie_id, bucket(r.rating, cut_points_of(how)), r.timestamp)
            for r in ratings
        ]
        for name, ratings in split(core, how).items()
    }


def counts(name: str, ratings: list[Rating]) -> dict[str, Any]:
    return {
        "name": name,
        "ratings": len(ratings),
        "users": len({rating.user_id for rating in ratings}),
        "movies": len({rating.movie_id for rating in ratings}),
    }
