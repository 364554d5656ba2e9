"""Evaluation of a handful of users and movies, with every metric worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlrec.evaluation.beyond_accuracy import genre_directions, intra_list_diversity, mean_over_list, self_information
from mlrec.evaluation.bootstrap import ratio
from mlrec.evaluation.judging import HeldOutMovies, Judge, Pauses, Rows
from mlrec.evaluation.listers import Known, by_scores
from mlrec.evaluation.metrics import METRICS
from mlrec.evaluation.segments import NEVER, NO_PAUSE, PAUSES, pause_lengths
from mlrec.ranking.histories import History
from mlrec.ranking.popularity import liked_share

GENRES = [["A"], ["A", "B"], ["B"], [], ["C"]]


def known(*histories: list[tuple[int, int]]) -> Known:
    events = [event for history in histories for event in history]
    history = History(
        indptr=np.cumsum([0, *map(len, histories)]),
        movie_idx=np.array([movie for movie, _ in events], np.int32),
        preference=np.array([preference for _, preference in events], np.int8),
        timestamp=np.arange(len(events)),
        split=np.zeros(len(events), np.int8),
    )
    likes = np.repeat(np.arange(5, dtype=np.int32), [8, 4, 2, 1, 0])
    train = History(
        indptr=np.linspace(0, len(likes), len(histories) + 1).astype(int),
        movie_idx=likes,
        preference=np.ones(len(likes), np.int8),
        timestamp=np.arange(len(likes)),
        split=np.zeros(len(likes), np.int8),
    )
    popularity = np.array([8, 4, 2, 1, 0])
    return Known(train, history, popularity, liked_share(popularity, 8), None, GENRES, np.ones(5, dtype=bool))


def judged(users: Known, held_out: HeldOutMovies, scores: list[float], ks=(2, 3)) -> dict[str, float]:
    judge = Judge(held_out, users, METRICS, ks, threads=1)
    lister = by_scores(lambda rows: np.tile(np.array(scores, np.float32), (len(rows), 1)), 5)
    found = judge.judge(lister, lambda _: None)
    return found.coverage | {name: ratio(c.numerators, c.denominators) for name, c in found.per_user.items()}


def held_out_movies(users, n_relevant, relevant, disliked, pauses=None) -> HeldOutMovies:
    n = len(users)
    nothing = np.zeros(n, np.int64)
    outside = np.zeros((2, n), np.int64)
    return HeldOutMovies(np.array(users), np.array(n_relevant), relevant, disliked, nothing, 0, outside, pauses)


def rows(*movies: list[int]) -> Rows:
    return Rows(np.cumsum([0, *map(len, movies)]), np.array([m for own in movies for m in own], np.int64))


def test_every_figure_by_hand():
    # User 0 knows movie 0 and gets 1, 2, 3; user 1 knows movies 1 and 4 and gets 0, 2, 3.
    users = known([(0, 1)], [(1, 1), (4, -1)])
    answers = held_out_movies([0, 1], [1, 4], rows([2], [0, 3]), rows([1], []))
    found = judged(users, answers, [9, 8, 7, 6, 5])
    assert found["recall@2"] == (1 / 1 + 1 / 4) / 2
    assert found["precision@3"] == pytest.approx((1 / 3 + 2 / 3) / 2)
    assert found["mrr@2"] == (1 / 2 + 1) / 2
    assert found["map@3"] == pytest.approx((1 / 2 + (1 + 2 / 3) / 4) / 2)
    assert found["hit_rate@2"] == 1
    assert found["disliked@2"] == (1 / 2 + 0) / 2
    assert found["disliked@3"] == pytest.approx((1 / 3 + 0) / 2)
    assert found["coverage@2"] == 3 / 5  # 1 and 2; 0 and 2
    assert found["coverage@3"] == 4 / 5
    # Two users: liked by 8, 4, 2, 1 is not how a share looks, but bits are bits.
    bits = [-math.log2(n / 2) for n in (8, 4, 2, 1)]
    assert found["novelty@2"] == pytest.approx(((bits[1] + bits[2]) / 2 + (bits[0] + bits[2]) / 2) / 2)
    near = 1 - 1 / math.sqrt(2)  # of A, B and B
    assert found["diversity@2"] == pytest.approx((near + 1) / 2)
    assert found["diversity@3"] == pytest.approx(((near + 1 + 1) / 3 + 1) / 2)
    # Lists have the popularities 3 and 5 on average, histories 8 and 2.
    assert found["popularity_lift@2"] == pytest.approx((3 + 5) / (8 + 2) - 1)


def test_users_without_a_history_have_no_popularity_to_compare_with():
    users = known([], [(0, 1)])
    answers = held_out_movies([0, 1], [1, 1], rows([1], [1]), rows([], []))
    assert judged(users, answers, [9, 8, 7, 6, 5])["popularity_lift@2"] == pytest.approx(3 / 8 - 1)
    alone = held_out_movies([0], [1], rows([1]), rows([]))
    assert math.isnan(judged(known([]), alone, [9, 8, 7, 6, 5])["popularity_lift@2"])


def test_lists_that_are_shorter_than_k():
    users = known([(0, 1), (1, 1), (2, 1), (3, 1)])
    answers = held_out_movies([0], [2], rows([4]), rows([]))
    found = judged(users, answers, [9, 8, 7, 6, 5])
    assert (found["precision@2"], found["recall@2"], found["mrr@3"]) == (1 / 2, 1 / 2, 1)
    assert found["novelty@3"] == -math.log2(1 / 1)  # liked by nobody: as if by one
    assert math.isnan(found["diversity@3"])  # there is no pair
    assert found["coverage@3"] == 1 / 5


def test_an_empty_list_misses_everything_and_says_nothing_else():
    """The first user has seen every movie. What a list says of itself is the mean over the lists that are there."""
    users = known([(movie, 1) for movie in range(5)], [(1, 1), (4, -1)])
    answers = held_out_movies([0, 1], [1, 2], rows([], [0, 3]), rows([], []))
    found = judged(users, answers, [9, 8, 7, 6, 5])
    assert found["precision@2"] == (0 + 1 / 2) / 2
    bits = [-math.log2(n / 2) for n in (8, 4, 2, 1)]
    assert found["novelty@2"] == pytest.approx((bits[0] + bits[2]) / 2)
    assert found["popularity_lift@2"] == pytest.approx(5 / 2 - 1)
    nobody = held_out_movies([0], [1], rows([]), rows([]))
    alone = judged(known([(movie, 1) for movie in range(5)]), nobody, [9, 8, 7, 6, 5])
    undefined = {name for name, value in alone.items() if math.isnan(value)}
    assert undefined == {f"{kind}@{k}" for kind in ("novelty", "diversity", "popularity_lift") for k in (2, 3)}


def test_after_each_pause_only_its_movies_are_relevant():
    """The list is 0, 1, 2. User 0 liked 1 at once and 0 a day later; user 1 an unknown movie at once, and 2 later."""
    pauses = Pauses(np.array([0, 2, 1], np.int8), np.array([[1, 1], [0, 1], [1, 0]]))
    answers = held_out_movies([0, 1], [2, 2], rows([1, 0], [2]), rows([], []), pauses)
    judge = Judge(answers, known([(4, 1)], [(4, 1)]), METRICS, (3,), threads=1)
    lister = by_scores(lambda users: np.tile(np.arange(5, 0, -1, dtype=np.float32), (len(users), 1)), 5)
    found = judge.judge(lister, lambda _: None).by_pause
    second, third = 1 / math.log2(3), 1 / math.log2(4)
    assert [ratio(*columns) for columns in found["ndcg@3"]] == pytest.approx([(second + 0) / 2, third, 1])
    assert [ratio(*columns) for columns in found["recall@3"]] == [(1 + 0) / 2, 1, 1]


def test_pauses():
    last = np.array([100, 100, 100, 100, NEVER])
    times = np.array([100, 159, 160, 100 + 86_400, 7])
    assert pause_lengths(last, times).tolist() == [0, 0, 1, 2, NO_PAUSE]
    assert PAUSES == ("same minute", "same day", "later")


def test_a_sample_keeps_each_users_answers():
    pauses = Pauses(np.array([2, 0, 1], np.int8), np.array([[0, 1, 0], [0, 1, 0], [1, 0, 3]]))
    answers = held_out_movies([3, 5, 9], [1, 2, 3], rows([7], [1, 2], []), rows([], [4], [5, 6]), pauses)
    drawn = answers.sampled(2, 1)
    assert len(drawn.users) == 2
    for position, user in enumerate(drawn.users.tolist()):
        there = answers.users.tolist().index(user)
        assert drawn.n_relevant[position] == answers.n_relevant[there]
        for name in ("relevant", "disliked"):
            of_sample, of_all = getattr(drawn, name), getattr(answers, name)
            assert (
                of_sample.movie_idx[of_sample.indptr[position] : of_sample.indptr[position + 1]].tolist()
                == of_all.movie_idx[of_all.indptr[there] : of_all.indptr[there + 1]].tolist()
            )
        of_user = slice(*drawn.relevant.indptr[position : position + 2])
        before = slice(*answers.relevant.indptr[there : there + 2])
        assert drawn.pauses is not None
        assert drawn.pauses.length[of_user].tolist() == pauses.length[before].tolist()
        assert drawn.pauses.n_relevant[:, position].tolist() == pauses.n_relevant[:, there].tolist()
    assert answers.sampled(0, 1) is answers.sampled(3, 1) is answers


def test_traits():
    assert self_information(np.array([4, 1, 0]), 4).tolist() == [0, 2, 2]
    np.testing.assert_allclose(genre_directions(GENRES).vectors[1], [math.sqrt(0.5), math.sqrt(0.5), 0])
    assert mean_over_list(np.array([[0, 2, -1], [-1, -1, -1]]), np.array([1.0, 5.0, 2.0]), 3).tolist() == [1.5, 0]
    assert intra_list_diversity(np.array([[0, -1], [-1, -1]]), genre_directions(GENRES), 2).tolist() == [0, 0]
