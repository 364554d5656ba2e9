"""The second opinion: its weights against plain ridge regressions, and its scores against the formula and laws."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrec.model import item_item as learning
from mlrec.model.item_item import ItemItemSize, learn_item_item, likes_per_user
from mlrec.ranking.best_unseen import Seen
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.histories import History
from mlrec.ranking.item_item import ItemItem, ages_of
from mlrec.ranking.personal import Personal
from mlrec.ranking.ranker import Opinions, Ranker
from mlrec.settings import FoldInSettings, ItemItemSettings, ServeSettings, item_item_regularization_for

RULE = ItemItemSettings(weight=0.5, half_life=math.inf)


def history_of(lists: list[list[tuple[int, int]]]) -> History:
    """Users' events in time order, as movie rows and preferences."""
    events = [event for own in lists for event in own]
    return History(
        indptr=np.concatenate([[0], np.cumsum([len(own) for own in lists])]).astype(np.int64),
        movie_idx=np.array([movie for movie, _ in events], np.int32),
        preference=np.array([signed for _, signed in events], np.int8),
        timestamp=np.arange(len(events), dtype=np.int64),
        split=np.zeros(len(events), np.int8),
    )


def random_history(seed: int, n_users: int, n_movies: int) -> History:
    draw = np.random.default_rng(seed)
    likeable = 0.1 + 0.9 * draw.random(n_movies)
    return history_of(
        [
            [
                (int(movie), int(draw.choice([-2, -1, 1, 2], p=[0.1, 0.1, 0.4, 0.4])))
                for movie in draw.permutation(n_movies)
                if draw.random() < likeable[movie]
            ]
            for _ in range(n_users)
        ]
    )


def dense(item_item: ItemItem) -> np.ndarray:
    """B, (liked movies, movies)."""
    n = len(item_item.indptr) - 1
    B = np.zeros((n, n))
    B[np.repeat(np.arange(n), np.diff(item_item.indptr)), item_item.movie_idx] = item_item.weight
    return B


def likes_of(history: History, n_movies: int) -> np.ndarray:
    """1 where a user likes a movie, (users, movies)."""
    X = np.zeros((len(history.indptr) - 1, n_movies))
    liked = history.preference > 0
    X[np.repeat(np.arange(len(X)), np.diff(history.indptr))[liked], history.movie_idx[liked]] = 1
    return X


# -- learning ----------------------------------------------------------------------------------------------------------


def test_weights_are_ridge_regressions_on_the_other_movies():
    """With so few movies, the neighbourhood is everything, and the weights are the positive ones of EASE."""
    history, n = random_history(5, 80, 12), 12
    item_item, size = learn_item_item(history, np.ones(n, bool), RULE, 2)
    X, B = likes_of(history, n), dense(item_item)
    regularization = item_item_regularization_for(int(X.sum()), n)
    assert size == ItemItemSize(n, None, regularization, int(np.count_nonzero(B)))
    for movie in range(n):
        others = np.delete(X, movie, axis=1)
        w = np.linalg.solve(others.T @ others + regularization * np.eye(n - 1), others.T @ X[:, movie])
        np.testing.assert_allclose(np.delete(B[:, movie], movie), np.maximum(w, 0), atol=1e-6)
        assert B[movie, movie] == 0


def test_a_regression_looks_at_the_nearest_movies_and_keeps_the_largest_weights(monkeypatch):
    monkeypatch.setattr(learning, "_NEAREST", 5)
    monkeypatch.setattr(learning, "_KEPT", 2)
    history, n = random_history(6, 90, 20), 20
    item_item, _ = learn_item_item(history, np.ones(n, bool), RULE, 1)
    X, B = likes_of(history, n), dense(item_item)
    G, regularization = X.T @ X, item_item_regularization_for(int(X.sum()), n)
    for movie in range(n):
        cosine = G[movie] / np.sqrt((np.diag(G) + regularization) * (G[movie, movie] + regularization))
        cosine[movie] = -1
        near = np.argsort(-cosine, kind="stable")[:5]
        w = np.linalg.solve(G[np.ix_(near, near)] + regularization * np.eye(5), G[near, movie])
        expected = np.zeros(n)
        largest = np.argsort(-w)[:2]
        expected[near[largest]] = np.maximum(w[largest], 0)
        np.testing.assert_allclose(B[:, movie], expected, atol=1e-6)


def test_only_likes_of_the_core_count():
    history = random_history(7, 60, 10)
    in_core = np.arange(10) != 3
    item_item, size = learn_item_item(history, in_core, RULE, 1)
    B = dense(item_item)
    assert size.movies == 9
    assert B[:3].any()
    assert not B[3].any()
    assert not B[:, 3].any()
    liked_again = history_of([[(0, 1), (1, -1)], [(1, 1), (0, 1)]])
    assert dense(learn_item_item(liked_again, np.ones(2, bool), RULE, 1)[0])[0, 1] == pytest.approx(
        # One of the two users likes both; λ is 15 · √(3 likes / 2 movies).
        1 / (2 + 15 * math.sqrt(3 / 2))
    )


def test_threads_and_blocks_do_not_change_the_weights(monkeypatch):
    history = random_history(8, 70, 40)
    one, _ = learn_item_item(history, np.ones(40, bool), RULE, 1)
    monkeypatch.setattr(learning, "_ROWS", 7)
    many, _ = learn_item_item(history, np.ones(40, bool), RULE, 3)
    assert (one.indptr == many.indptr).all()
    assert (one.movie_idx == many.movie_idx).all()
    np.testing.assert_allclose(one.weight, many.weight, rtol=1e-6)


def test_of_very_many_likes_the_latest_of_each_user_count(monkeypatch):
    history = history_of([[(0, 1), (1, 1), (2, 2), (3, -1)], [(3, 1), (0, 1)], [(2, 1), (1, 1)]])
    monkeypatch.setattr(learning, "_MOST_PAIRS", 12)
    item_item, size = learn_item_item(history, np.ones(4, bool), RULE, 1)
    assert size.likes_per_user == 2
    latest = history_of([[(1, 1), (2, 2)], [(3, 1), (0, 1)], [(2, 1), (1, 1)]])
    np.testing.assert_array_equal(dense(item_item), dense(learn_item_item(latest, np.ones(4, bool), RULE, 1)[0]))


@given(st.lists(st.integers(0, 60), min_size=1), st.integers(1, 5000))
def test_likes_per_user_is_the_largest_number_that_keeps_the_pairs_in_bounds(n_likes, most):
    lengths = np.array(n_likes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "_MOST_PAIRS", most)
        found = likes_per_user(lengths)
    pairs = [int((np.minimum(lengths, limit) ** 2).sum()) for limit in range(max(n_likes) + 2)]
    if found is None:
        assert pairs[max(n_likes)] <= most
    else:
        assert found == 1 or pairs[found] <= most
        assert pairs[found + 1] > most


def test_of_very_many_movies_the_most_liked_have_weights(monkeypatch):
    history = random_history(9, 60, 15)
    monkeypatch.setattr(learning, "_MOST_MOVIES", 6)
    item_item, size = learn_item_item(history, np.ones(15, bool), RULE, 1)
    most_liked = np.argsort(-likes_of(history, 15).sum(axis=0), kind="stable")[:6]
    assert size.movies == 6
    assert set(np.flatnonzero(dense(item_item).any(axis=0)).tolist()) <= set(most_liked.tolist())


@pytest.mark.parametrize("lists", [[[(0, 1)]], [[(0, 1), (1, -1)]], [[(0, 1)], [(1, 1)]]])
def test_where_no_two_movies_are_liked_together_there_are_no_weights(lists):
    item_item, size = learn_item_item(history_of(lists), np.ones(3, bool), RULE, 1)
    assert size.weights == len(item_item.weight) == 0
    assert item_item.indptr.tolist() == [0, 0, 0, 0]
    assert not len(item_item.targets)


# -- scoring -----------------------------------------------------------------------------------------------------------

N = 30


@pytest.fixture(scope="module")
def learned() -> tuple[ItemItem, np.ndarray]:
    item_item, _ = learn_item_item(random_history(10, 120, N), np.arange(N) < N - 5, RULE, 1)
    return item_item, dense(item_item)


@pytest.mark.parametrize("half_life", [math.inf, 2.0])
def test_scores_are_sums_over_likes(learned, half_life):
    """By the formula: 0.5 to the age over the half-life, where events outside the core make no other older."""
    item_item, B = learned
    item_item = item_item.with_rule(ItemItemSettings(0.5, half_life))
    makes_older = np.append(np.arange(N) < N - 5, True)
    history = history_of([[(3, 1), (N - 1, 1), (-1, 2), (4, -2), (7, 2)], [], [(9, 1)]])
    likes = item_item.likes(history, np.array([0, 1, 2]), makes_older)
    # After the like of 3 come an unknown movie, 4 and 7: three events that count. N − 1 has no weights.
    expected = np.stack([B[3] * 0.5 ** (3 / half_life) + B[7], np.zeros(N), B[9]])
    found = np.zeros((3, N))
    found[:, item_item.targets] = item_item.scores(likes, 3)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    opinions = [(history.movie_idx[history.of(user)], history.preference[history.of(user)]) for user in range(3)]
    for one, other in zip(likes, item_item.likes_of(opinions, makes_older), strict=True):
        assert (one == other).all()
    undated = item_item.likes_of(opinions[:1], makes_older, decay=False)
    assert undated.weight.tolist() == [1.0, 1.0, 1.0]


def test_after_five_half_lives_a_like_no_longer_counts(learned):
    item_item = learned[0].with_rule(ItemItemSettings(0.5, 2.0))
    makes_older = np.ones(N + 1, bool)
    for later, counts in ((10, True), (11, False)):
        history = history_of([[(3, 1), *((4 + number % 9, -1) for number in range(later))]])
        assert bool(len(item_item.likes(history, np.array([0]), makes_older).weight)) == counts


def test_ages_count_later_events_of_the_same_user():
    makes_older = np.array([True, False, True, True, True])
    assert ages_of(np.array([0, 3, 3, 5]), makes_older).tolist() == [1, 1, 0, 1, 0]


def test_towards_looks_up_single_weights(learned):
    item_item, B = learned
    for movie in range(N):
        rows = np.array([*range(N), -1], np.int32)
        assert item_item.towards(movie, rows).tolist() == pytest.approx([*B[:, movie], 0.0])


def test_between_is_the_mean_of_both_directions(learned):
    item_item, B = learned
    for movie in range(N):
        np.testing.assert_allclose(item_item.between(movie), (B[movie] + B[:, movie]) / 2, atol=1e-7)


def test_other_rows_keep_the_weights(learned):
    item_item, B = learned
    row = np.sort(np.random.default_rng(1).permutation(N + 6)[:N]).astype(np.int32)
    moved = dense(item_item.with_rows(row, N + 6))
    np.testing.assert_array_equal(moved[np.ix_(row, row)], B)
    assert np.count_nonzero(moved) == np.count_nonzero(B)


# -- ranking -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ranker(learned) -> Ranker:
    item_item = learned[0].with_rule(ItemItemSettings(0.7, 5.0))
    factors = np.random.default_rng(2).normal(0, 0.3, (N, 6)).astype(np.float32)
    fold_in = FoldIn(factors, FoldInSettings(regularization=1.0), np.arange(N) < N - 5)
    share = np.linspace(0.5, 0.0, N, dtype=np.float32)
    return Ranker.of(fold_in, share, [[]] * N, ServeSettings(), item_item)


def scored(ranker: Ranker, opinions: Opinions) -> np.ndarray:
    return ranker.scores(ranker.fold_in.user_vector(opinions.movie_idx, opinions.preference), opinions).shown


def opinions_of(events: list[tuple[int, int]]) -> Opinions:
    return Opinions(np.array([row for row, _ in events], np.int32), np.array([signed for _, signed in events], np.int8))


movies = st.integers(-1, N - 1)
some_events = st.lists(
    st.tuples(movies, st.sampled_from([-2, -1, 1, 2])), min_size=1, max_size=28, unique_by=lambda event: event[0]
)


@given(some_events, st.integers(0, N - 1))
def test_explanations_sum_to_the_score(ranker, events, movie):
    opinions = opinions_of(events)
    vector = ranker.fold_in.user_vector(opinions.movie_idx, opinions.preference)
    if vector.any():
        parts, popularity = ranker.contributions(movie, vector, opinions)
        assert parts.liked.sum() + popularity == pytest.approx(scored(ranker, opinions)[movie], abs=1e-6)
        assert not parts.liked[opinions.preference < 0].any()


@given(some_events)
def test_undo_is_the_identity(ranker, events):
    before = scored(ranker, opinions_of(events))
    after_undo = scored(ranker, opinions_of([*events, (N - 1, 2)][:-1]))
    assert (before == after_undo).all()


@given(some_events)
def test_a_like_never_lowers_the_item_item_score_of_its_neighbours(ranker, events):
    """The newest like speaks for its neighbours in full, and nothing speaks against a movie."""
    item_item = ranker.personal.item_item.with_rule(ItemItemSettings(0.7, math.inf))
    makes_older = np.ones(N + 1, bool)

    def second(own):
        opinions = opinions_of(own)
        likes = item_item.likes_of([(opinions.movie_idx, opinions.preference)], makes_older)
        return item_item.scores(likes, 1)[0]

    grown = [second(events[:n]) for n in range(1, len(events) + 1)]
    for before, after, (row, signed) in zip(grown, grown[1:], events[1:], strict=False):
        assert (after >= before - 1e-7).all()
        if signed > 0 and row >= 0:
            own = slice(*item_item.indptr[row : row + 2].tolist())
            neighbours = np.searchsorted(item_item.targets, item_item.movie_idx[own])
            assert (after[neighbours] > before[neighbours]).all()


@given(st.lists(some_events, min_size=1, max_size=6))
def test_many_users_at_once_have_the_scores_of_each(ranker, people):
    own = [opinions_of(events) for events in people]
    vectors = np.stack([ranker.fold_in.user_vector(one.movie_idx, one.preference) for one in own])
    together = ranker.order(vectors, ranker.likes_of(own), np.array([len(one) for one in own]), own.__getitem__)
    for one, scores in zip(own, together, strict=True):
        if ranker.fold_in.user_vector(one.movie_idx, one.preference).any():
            np.testing.assert_allclose(scores, scored(ranker, one), atol=1e-6)


# -- lists -------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(0, 50))
def test_lists_are_those_of_a_full_sort(seed, n_users, n):
    """With whole numbers and a weight of a half, every score is exact, and ties are everywhere."""
    draw = np.random.default_rng(seed)
    n_movies = int(draw.integers(1, 50))
    B = draw.integers(1, 4, (n_movies, n_movies)) * (draw.random((n_movies, n_movies)) < 0.1)
    liked, target = np.nonzero(B)
    indptr = np.searchsorted(liked, np.arange(n_movies + 1)).astype(np.int64)
    weight = B[liked, target].astype(np.float32)
    item_item = ItemItem(indptr, target.astype(np.int32), weight, RULE)
    factors, vectors = (draw.integers(-2, 3, (rows, 3)).astype(np.float32) for rows in (n_movies, n_users))
    seen = draw.random((n_users, n_movies)) < 0.3
    candidates = draw.random(n_movies) < 0.8
    people = [(np.flatnonzero(draw.random(n_movies) < 0.4).astype(np.int32)) for _ in range(n_users)]
    likes = item_item.likes_of([(own, np.ones(len(own), np.int8)) for own in people], np.ones(n_movies + 1, bool))

    personal = Personal(factors, item_item)
    users, movie_idx = np.nonzero(seen)
    found = personal.best(candidates).lists(vectors, likes, Seen(users, movie_idx.astype(np.int32)), n)
    scores = vectors @ factors.T / 2 + np.stack([B[own].sum(axis=0) for own in people]) / 2
    np.testing.assert_array_equal(personal.scores(vectors, likes), scores)
    for row, own_scores, own_seen, listed in zip(found.rows, scores, seen, found.scores, strict=True):
        order = np.argsort(-own_scores, kind="stable")
        expected = order[candidates[order] & ~own_seen[order]][:n].tolist()
        assert row.tolist() == expected + [-1] * (n - len(expected))
        assert listed[: len(expected)].tolist() == own_scores[expected].tolist()
        assert np.isneginf(listed[len(expected) :]).all()


def test_with_a_weight_of_zero_lists_are_those_of_the_vectors_alone():
    draw = np.random.default_rng(2)
    factors, vectors = (draw.normal(size=(rows, 4)).astype(np.float32) for rows in (30, 3))
    indptr = np.arange(0, 31, dtype=np.int64)
    item_item = ItemItem(indptr, draw.integers(0, 30, 30).astype(np.int32), np.ones(30, np.float32), RULE)
    off = Personal(factors, item_item.with_rule(replace(RULE, weight=0.0)))
    likes = item_item.likes_of([(np.arange(9, dtype=np.int32), np.ones(9, np.int8))] * 3, np.ones(31, bool))
    np.testing.assert_array_equal(off.scores(vectors, likes), vectors @ factors.T)
    nothing_seen = Seen(np.empty(0, np.int64), np.empty(0, np.int32))
    expected = Personal(factors, None).best().lists(vectors, None, nothing_seen, 5)
    for found, own in zip(off.best().lists(vectors, likes, nothing_seen, 5), expected, strict=True):
        np.testing.assert_array_equal(found, own)
