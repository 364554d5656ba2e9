"""Lists made from the longest vectors first are those of a full sort, ties and all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.ranking import best_unseen, personal
from mlrec.ranking.best_unseen import Parts, Seen
from mlrec.ranking.histories import History
from mlrec.ranking.item_item import ItemItem, Likes
from mlrec.ranking.personal import Personal
from mlrec.ranking.scores import user_scores
from mlrec.settings import ItemItemSettings

NO_LIKES = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0)
N_MOVIES, N_USERS = 5000, 60


def whole(random: np.random.Generator, *shape: int, most: int) -> np.ndarray:
    """Small whole numbers, so that every score is exact and ties are everywhere."""
    return random.integers(-most, most + 1, shape).astype(np.float32)


def catalogue(random: np.random.Generator, *, share_of_long: float) -> np.ndarray:
    factors = whole(random, N_MOVIES, 4, most=1)
    is_long = random.random(N_MOVIES) < share_of_long
    factors[is_long] = whole(random, int(is_long.sum()), 4, most=9)
    return factors


def seen_of(random: np.random.Generator, factors: np.ndarray) -> list[np.ndarray]:
    """What each user has seen: little, nothing, everything, or the longest vectors, which come first."""
    longest = np.argsort(-np.linalg.norm(factors, axis=1), kind="stable")
    own = [random.choice(N_MOVIES, random.integers(0, 300), replace=False) for _ in range(N_USERS)]
    own[:4] = [np.arange(0), np.arange(N_MOVIES), longest[:1500], longest[:4990]]
    return own


def flat(own: list[np.ndarray]) -> Seen:
    return Seen(np.repeat(np.arange(len(own)), [len(one) for one in own]), np.concatenate(own).astype(np.int32))


def by_sort(scores: np.ndarray, own: list[np.ndarray], candidates: np.ndarray, n: int) -> list[list[int]]:
    found = []
    for row, seen in zip(scores, own, strict=True):
        order = np.argsort(-row, kind="stable")
        ranked = order[candidates[order] & ~np.isin(order, seen)][:n].tolist()
        found.append(ranked + [-1] * (n - len(ranked)))
    return found


@pytest.mark.parametrize("n", [1, 10, 200])
@pytest.mark.parametrize("share_of_long", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("share_of_candidates", [0.001, 0.4, 1.0])
def test_lists_are_those_of_a_full_sort(n, share_of_long, share_of_candidates):
    random = np.random.default_rng([n, int(100 * share_of_long), int(1000 * share_of_candidates)])
    factors, vectors = catalogue(random, share_of_long=share_of_long), whole(random, N_USERS, 4, most=3)
    vectors[5] = 0
    own, candidates = seen_of(random, factors), random.random(N_MOVIES) < share_of_candidates
    found = Personal(factors, None).best(candidates).lists(vectors, None, flat(own), n)
    scores = vectors @ factors.T
    assert found.rows.tolist() == by_sort(scores, own, candidates, n)
    there = found.rows >= 0
    assert (found.scores[there] == np.take_along_axis(scores, found.rows, axis=1)[there]).all()
    assert np.isneginf(found.scores[~there]).all()


@given(st.integers(0, 2**32), st.integers(0, 6), st.integers(1, 7))
def test_any_number_of_users_movies_and_factors(seed, n_users, n_factors):
    random = np.random.default_rng(seed)
    n_movies, n = int(random.integers(0, 50)), int(random.integers(0, 60))
    factors, vectors = whole(random, n_movies, n_factors, most=2), whole(random, n_users, n_factors, most=2)
    own = [np.flatnonzero(random.random(n_movies) < 0.3) for _ in range(n_users)]
    seen = flat(own) if own else Seen(np.empty(0, np.int64), np.empty(0, np.int32))
    found = Personal(factors, None).best().lists(vectors, None, seen, n)
    assert found.rows.tolist() == by_sort(vectors @ factors.T, own, np.ones(n_movies, bool), n)


def second_opinion(random: np.random.Generator, n_movies: int, share: float) -> tuple[ItemItem, np.ndarray]:
    """Weights between few movies, in whole numbers, and the same as a matrix (liked movies, movies)."""
    B = random.integers(1, 4, (n_movies, n_movies)) * (random.random((n_movies, n_movies)) < share)
    B[:, random.random(n_movies) < 0.5] = 0
    row, target = np.nonzero(B)
    indptr = np.searchsorted(row, np.arange(n_movies + 1)).astype(np.int64)
    rule = ItemItemSettings(weight=0.5, half_life=math.inf)
    return ItemItem(indptr, target.astype(np.int32), B[row, target].astype(np.float32), rule), B


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(0, 12),
    share=st.sampled_from([0.0, 0.02, 0.2]),
    few_targets=st.sampled_from([0, 2048]),
    is_asked=st.booleans(),
    in_blocks=st.booleans(),
)
def test_lists_with_a_second_opinion_are_those_of_a_full_sort(seed, n, share, few_targets, is_asked, in_blocks):
    random = np.random.default_rng(seed)
    n_movies, n_users = int(random.integers(1, 60)), int(random.integers(0, 7))
    factors, vectors = whole(random, n_movies, 2, most=1), whole(random, n_users, 2, most=2)
    factors[random.random(n_movies) < 0.2] *= 5
    item_item, B = second_opinion(random, n_movies, share)
    own = [np.flatnonzero(random.random(n_movies) < 0.2) for _ in range(n_users)]
    people = [(seen.astype(np.int32), np.ones(len(seen), np.int8)) for seen in own]
    likes = item_item.likes_of(people, np.ones(n_movies + 1, bool)) if own else Likes(*NO_LIKES)
    seen = flat(own) if own else Seen(*NO_LIKES[:2])
    candidates = random.random(n_movies) < random.choice([0.3, 1.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(best_unseen, "_LEAST_MOVIES", 3)
        patch.setattr(best_unseen, "_MOVIES_PER_RANK", 1)
        patch.setattr(best_unseen, "_GROWTH", 2)
        patch.setattr(personal, "_FEW_TARGETS", few_targets)
        if in_blocks:
            patch.setattr(best_unseen, "BLOCK_SCORES", 2 * n_movies)
        found = Personal(factors, item_item).best(candidates).lists(vectors, likes if is_asked else None, seen, n)
    second = np.array([is_asked * B[seen].sum(axis=0) for seen in own]).reshape(n_users, n_movies)
    scores = (vectors @ factors.T + second) / 2
    assert found.rows.tolist() == by_sort(scores, own, candidates, n)
    there = found.rows >= 0
    assert (found.scores[there] == np.take_along_axis(scores, np.maximum(found.rows, 0), axis=1)[there]).all()


@pytest.fixture
def products(monkeypatch) -> list[tuple[int, int]]:
    """The shape of every matrix of scores, (users, movies)."""
    shapes: list[tuple[int, int]] = []

    def recorded(user_vectors: np.ndarray, movie_factors: np.ndarray) -> np.ndarray:
        shapes.append((len(user_vectors), len(movie_factors)))
        return user_scores(user_vectors, movie_factors)

    monkeypatch.setattr("mlrec.ranking.personal.user_scores", recorded)
    return shapes


def test_most_movies_are_not_scored(products):
    random = np.random.default_rng(1)
    factors, vectors = catalogue(random, share_of_long=0.05), whole(random, N_USERS, 4, most=3)
    vectors[:, 0] += 4
    Personal(factors, None).best().lists(vectors, None, flat([np.arange(0)] * N_USERS), 10)
    assert products == [(N_USERS, 1024)]


def test_with_a_second_opinion_most_movies_are_not_scored(products):
    random = np.random.default_rng(1)
    factors, vectors = catalogue(random, share_of_long=0.05), whole(random, N_USERS, 4, most=3)
    vectors[:, 0] += 4
    likes = Likes(np.arange(N_USERS), np.arange(N_USERS, dtype=np.int32), np.ones(N_USERS))
    # Each like speaks for 4,000 movies, and for most of them little.
    target = np.tile(np.arange(4_000, dtype=np.int32), N_USERS)
    weight = np.where(target % 100 == 0, 3, 1).astype(np.float32)
    indptr = np.minimum(np.arange(N_MOVIES + 1), N_USERS) * 4_000
    item_item = ItemItem(indptr, target, weight, ItemItemSettings(weight=0.5, half_life=math.inf))
    Personal(factors, item_item).best().lists(vectors, likes, flat([np.arange(0)] * N_USERS), 10)
    assert products == [(N_USERS, 1024)]


def test_who_has_seen_many_movies_gets_a_larger_first_part(products):
    random = np.random.default_rng(3)
    factors, vectors = whole(random, 20_000, 4, most=9), whole(random, 1, 4, most=3)
    Personal(factors, None).best().lists(vectors, None, Seen.by_one(np.arange(600)), 10)
    assert products == [(1, 4096)]


def test_lists_of_many_lengths_share_a_few_parts():
    parts = Parts([np.arange(50_000)], 50_000)
    of_all = {id(part) for n in range(1, 3_000) for part in parts.of_lists(n, n_seen=n // 3)}
    assert len(of_all) == 4  # of 1,024, 4,096 and 16,384 movies, and of all


def test_scores_of_a_block_take_little_memory(products, monkeypatch):
    monkeypatch.setattr("mlrec.ranking.best_unseen.BLOCK_SCORES", 3 * N_MOVIES)
    random = np.random.default_rng(2)
    factors, vectors = whole(random, N_MOVIES, 4, most=1), whole(random, N_USERS, 4, most=3)
    own = seen_of(random, factors)
    found = Personal(factors, None).best().lists(vectors, None, flat(own), 10)
    assert found.rows.tolist() == by_sort(vectors @ factors.T, own, np.ones(N_MOVIES, bool), 10)
    assert max(users * movies for users, movies in products) <= 3 * N_MOVIES


def test_seen_events_of_some_users():
    history = History(
        indptr=np.array([0, 2, 2, 5]),
        movie_idx=np.array([4, -1, 3, 0, 1], np.int32),
        preference=np.ones(5, np.int8),
        timestamp=np.zeros(5, np.int64),
        split=np.zeros(5, np.int8),
    )
    seen = Seen.of(history, np.array([2, 1, 0]))
    assert [one.tolist() for one in seen] == [[0, 0, 0, 2], [3, 0, 1, 4]]
    assert [one.tolist() for one in seen.only(np.array([1, 2]), 3)] == [[1], [4]]
    assert [one.tolist() for one in seen.within(np.array([0, -1, -1, 1, -1], np.int32))] == [[0, 0], [1, 0]]
