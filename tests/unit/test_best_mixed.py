"""Lists with popularity in the scores, made from the likeliest movies first, are those of all movies' scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.ranking import best_unseen
from mlrec.ranking.best_mixed import BestMixed, MixedUsers
from mlrec.ranking.best_unseen import Part, Parts, Seen, lists_by_parts
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.item_item import ItemItem
from mlrec.ranking.ranker import Ranker
from mlrec.settings import FoldInSettings, ItemItemSettings, ServeSettings

N_MOVIES = 60


@pytest.fixture(autouse=True, scope="module")
def small_parts():
    """So small that a list may need several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(best_unseen, "_LEAST_MOVIES", 3)
        patch.setattr(best_unseen, "_MOVIES_PER_RANK", 1)
        patch.setattr(best_unseen, "_GROWTH", 2)
        yield


def positions_of(own: np.ndarray) -> Seen:
    users, movies = np.nonzero(own)
    return Seen(users, movies.astype(np.int32))


def by_hand(
    personal: np.ndarray, n_opinions: np.ndarray, known: np.ndarray, share: np.ndarray, handover: int
) -> np.ndarray:
    """The formula of `mlrec.ranking.ranker` for each user with taste, in plain Python."""
    found = np.empty(personal.shape)
    for user, n in enumerate(n_opinions.tolist()):
        weight = min(max(0, handover - n) / (handover + 4 * n), 0.4)
        best = max(
            0.0, *(float(score) for score, is_known in zip(personal[user], known[user], strict=True) if not is_known)
        )
        largest = float(share[user].max())
        factor = min(1.0, min(n, 2) * best / largest) if largest else 1.0
        found[user] = (1 - weight) * personal[user] + weight * factor * share[user]
    return found


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_users=st.integers(1, 6),
    n=st.integers(1, 12),
    decline=st.sampled_from([0.0, 0.5, 3.0]),
    with_second=st.booleans(),
    is_dated=st.booleans(),
)
def test_lists_are_those_of_the_scores_of_all_movies(seed, n_users, n, decline, with_second, is_dated):
    draw = np.random.default_rng(seed)
    # Few vectors are long and few movies are popular, or all are alike.
    length, liked = (draw.permutation(np.arange(1, N_MOVIES + 1) ** -decline) for _ in range(2))
    factors = (draw.normal(size=(N_MOVIES, 3)) * length[:, None]).astype(np.float32)
    share = (draw.random((n_users if is_dated else 1, N_MOVIES)) * liked).astype(np.float32)
    vectors = draw.normal(size=(n_users, 3)).astype(np.float32)
    known, candidates = draw.random((n_users, N_MOVIES)) < 0.2, draw.random(N_MOVIES) < 0.8
    known[:, 0] = True
    n_opinions, handover = known.sum(axis=1), 30

    item_item = likes = None
    second = np.zeros((n_users, N_MOVIES))
    weight = 0.0
    if with_second:
        B = draw.random((N_MOVIES, N_MOVIES)) * (draw.random((N_MOVIES, N_MOVIES)) < 0.05)
        row, target = np.nonzero(B)
        indptr = np.searchsorted(row, np.arange(N_MOVIES + 1)).astype(np.int64)
        rule = ItemItemSettings(weight=0.5, half_life=10.0)
        item_item = ItemItem(indptr, target.astype(np.int32), B[row, target].astype(np.float32), rule)
        people = [(np.flatnonzero(own).astype(np.int32), np.ones(int(own.sum()), np.int8)) for own in known]
        likes = item_item.likes_of(people, np.ones(N_MOVIES + 1, bool), decay=False)
        second, weight = np.stack([B[own].sum(axis=0) for own in known]), 0.5
    fold_in = FoldIn(factors, FoldInSettings())
    ranker = Ranker.of(fold_in, share[0], [()] * N_MOVIES, ServeSettings(handover=handover), item_item)

    def shares(part: Part, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        of_these = share[own] if is_dated else share
        return of_these[:, part.rows], of_these[:, part.others].max(axis=1, initial=0.0)

    users = MixedUsers(vectors, likes, n_opinions, positions_of(known))
    found = BestMixed(ranker, liked, candidates).lists(users, shares, positions_of(known), n)

    personal = (1 - weight) * (vectors @ factors.T).astype(np.float64) + weight * second
    scores = by_hand(personal, n_opinions, known, np.broadcast_to(share, personal.shape), handover)
    scores[known | ~candidates] = -np.inf
    for own, listed in zip(scores, found.rows, strict=True):
        expected = np.sort(own)[::-1][:n]
        expected = expected[np.isfinite(expected)]
        assert (listed >= 0).sum() == len(expected) == len(set(listed[listed >= 0].tolist()))
        np.testing.assert_allclose(own[listed[: len(expected)]], expected, rtol=1e-4, atol=1e-5)


def test_most_movies_are_not_scored():
    draw = np.random.default_rng(1)
    n_movies, n_users = 5_000, 20
    decline = np.arange(1, n_movies + 1) ** -1.0
    factors = (np.abs(draw.normal(size=(n_movies, 4))) * decline[:, None]).astype(np.float32)
    share, vectors = decline.astype(np.float32), np.abs(draw.normal(size=(n_users, 4))).astype(np.float32)
    ranker = Ranker.of(FoldIn(factors, FoldInSettings()), share, [()] * n_movies, ServeSettings())
    asked = []

    def shares(part: Part, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append((len(own), len(part.rows)))
        return share[part.rows][None], share[part.others].max(keepdims=True)

    nothing = Seen(np.empty(0, np.int64), np.empty(0, np.int32))
    users = MixedUsers(vectors, None, np.full(n_users, 5), nothing)
    BestMixed(ranker, share).lists(users, shares, nothing, 10)
    assert sum(n * width for n, width in asked) < n_users * n_movies / 10


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(0, 9), n_movies=st.integers(1, 40))
def test_a_part_is_enough_only_if_no_other_movie_can_be_listed(seed, n, n_movies):
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 4, (3, n_movies)).astype(np.float32)  # ties are everywhere
    own = draw.random(scores.shape) < 0.3

    def scores_of(part: Part, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return scores[users][:, part.rows], scores[users][:, part.others].max(axis=1, initial=-np.inf)

    orders = [draw.permutation(n_movies), draw.permutation(n_movies)]
    found = lists_by_parts(Parts(orders, n_movies).of_lists(n), scores_of, positions_of(own), 3, n)
    for row, seen, listed in zip(scores, own, found.rows, strict=True):
        order = np.argsort(-row, kind="stable")
        expected = order[~seen[order]][:n].tolist()
        assert listed.tolist() == expected + [-1] * (n - len(expected))
