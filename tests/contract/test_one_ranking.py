"""One rule ranks: evaluated, served, batch and replayed lists are the same, rank by rank.

They are compared with each other, and with the documented formula in plain numpy, for users with few or many opinions.
"""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest

from mlrec.artifacts import registry
from mlrec.dataset.prepare import prepare
from mlrec.evaluation import listers
from mlrec.evaluation.listers import Known
from mlrec.evaluation.replay.arms import served_arm
from mlrec.evaluation.vectors import user_vectors
from mlrec.model.train import train
from mlrec.ranking.best_unseen import Seen
from mlrec.ranking.top_n import top_n_rows
from mlrec.serving.recommender import Recommender
from mlrec.settings import SPLITS, EvaluateSettings, PrepareSettings, ServeSettings, TrainSettings
from mlrec.workspace import Workspace
from tests.second_opinion import dense, personal_by_hand

N = 25
# Ratings of people who are added to the demo data, in time order: movie id, stars.
PEOPLE = {
    900_001: [(318, 5.0)],
    900_002: [(318, 5.0), (1, 4.0)],
    900_003: [(593, 4.0), (260, 1.0), (1, 5.0)],
    900_004: [(318, 5.0), (1, 4.0), (260, 3.0), (593, 2.0), (2571, 4.5)],
    900_005: [(318, 1.0)],
    900_006: [(318, 1.0), (260, 2.0), (593, 0.5), (1, 3.0)],
    900_007: [(318, 4.0)],
    900_008: [(318, 3.0)],
}
OF_THE_DATA = (1, 42, 564)  # the last has more ratings than anybody


@pytest.fixture(scope="module")
def workspace(demo_raw, tmp_path_factory) -> Workspace:
    """The demo data and a few people of whom little is known; a model that has learned all of it."""
    workspace = Workspace(tmp_path_factory.mktemp("one-ranking"))
    raw = workspace.root / "raw"
    shutil.copytree(demo_raw, raw)
    with (raw / "ratings.csv").open("a", newline="") as file:
        for user_id, ratings in PEOPLE.items():
            csv.writer(file).writerows(
                (user_id, movie_id, stars, 1_500_000_000 + position)
                for position, (movie_id, stars) in enumerate(ratings)
            )
    prepare(workspace, PrepareSettings(min_user_ratings=1))
    train(workspace, TrainSettings(on="all"))
    return workspace


@pytest.fixture(scope="module")
def model(workspace):
    return registry.open_published(workspace)


@pytest.fixture
def rec(workspace):
    with Recommender.open(workspace.root, store="memory") as rec:
        yield rec


@pytest.fixture(scope="module")
def evaluated(model):
    """User row → the list that evaluation judges, by public movie ids."""
    settings = EvaluateSettings(split="test")
    known = Known.of(model, SPLITS)
    vectors = user_vectors(model, known.history, np.arange(known.n_users), settings, 1)
    lister = listers.factors(known, model.solver(), vectors, ServeSettings(), item_item=model.item_item)

    def lists(users) -> dict[int, list[int]]:
        rows = np.array([model.user_idx(user) for user in users])
        found = lister(rows, Seen.of(known.history, rows), N)
        return dict(zip(users, model.movie_ids[found].tolist(), strict=True))

    return lists


def served(rec, user_id) -> list[int]:
    return [item.movie_id for item in rec.get_top_n(user_id, N)]


def batch(rec) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for block in rec.recommend_all(N):
        for user_id, movie_id in zip(block.user_id.tolist(), block.movie_id.tolist(), strict=True):
            found.setdefault(user_id, []).append(movie_id)
    return found


def replayed(rec, movie_idx, preference) -> list[int]:
    """The list of the arm "fold-in" after these events."""
    after = np.array([len(movie_idx)])
    scores = served_arm(rec._served().ranker)(movie_idx, preference, after)
    scores[0, movie_idx] = -np.inf
    found = top_n_rows(scores, N)
    return rec._served().movie_ids[found[0]].tolist()


def by_hand(model, movie_idx, preference) -> list[int]:
    """The documented formula, for somebody who likes something."""
    rule, n = model.fold_in, len(movie_idx)
    vectors = np.asarray(model.movie_factors, dtype=np.float64)
    is_trained = model.is_trained[movie_idx]
    ages = np.array([is_trained[place + 1 :].sum() for place in range(n)])
    weights = rule.feedback_weight * np.where(is_trained, 1, 0.5)
    c = 1 + rule.alpha * np.abs(preference) * weights * 0.5 ** (ages / rule.half_life)
    own, Y = vectors[movie_idx], vectors[model.is_trained]
    A = Y.T @ Y + rule.regularization * np.eye(Y.shape[1]) + (own.T * (c - 1)) @ own
    by_vector = vectors @ np.linalg.solve(A, own.T @ (c * (preference > 0)))
    assert model.item_item.rule.weight > 0
    B = dense(model.item_item)
    personal = personal_by_hand(
        by_vector, model.item_item, B, model.is_trained, movie_idx.tolist(), preference.tolist()
    )
    scores = mixed_by_hand(model, personal, movie_idx)
    scores[movie_idx] = -np.inf
    return model.movie_ids[np.argsort(-scores, kind="stable")[:N]].tolist()


def weight_by_hand(n: int) -> float:
    return min(0.4, max(0, 20 - n) / (20 + 4 * n))


def mixed_by_hand(model, personal, movie_idx) -> np.ndarray:
    weight, share = weight_by_hand(len(movie_idx)), share_by_hand(model)
    best = np.delete(personal, movie_idx).max()
    bound = min(1, min(len(movie_idx), 2) * best / share.max())
    return (1 - weight) * personal + weight * bound * share


def share_by_hand(model) -> np.ndarray:
    """The documented popularity: likes by date, of users by date, and of 5 users without dates."""
    half_life = 1000 * 86_400
    history = model.history.checked()
    liked = history.preference > 0
    now = history.timestamp[liked].max()
    likes, users, counts, n_users = np.zeros(len(model.movie_ids)), 0.0, np.zeros(len(model.movie_ids)), 0
    for row in range(len(model.user_ids)):
        own = history.of(row)
        at = history.timestamp[own][liked[own]]
        weight = 0.5 ** ((now - at) / half_life)
        np.add.at(likes, history.movie_idx[own][liked[own]], weight)
        users += weight.max(initial=0)
        np.add.at(counts, history.movie_idx[own][liked[own]], 1)
        n_users += bool(len(at))
    return (likes + 5 * counts / n_users) / (users + 5)


@pytest.mark.parametrize("user_id", [*PEOPLE, *OF_THE_DATA])
def test_a_user_of_the_data_has_one_list(model, rec, evaluated, user_id):
    own = model.history.of_users(np.array([model.user_idx(user_id)]))
    expected = evaluated([user_id])[user_id]
    assert len(expected) == N
    assert served(rec, user_id) == expected
    assert batch(rec)[user_id] == expected
    assert replayed(rec, own.movie_idx, own.preference) == expected
    if (own.preference > 0).any():
        assert by_hand(model, own.movie_idx, own.preference) == expected


@pytest.mark.parametrize("person", PEOPLE)
def test_swipes_make_the_same_list_as_ratings(model, rec, evaluated, person):
    own = model.history.of_users(np.array([model.user_idx(person)]))
    swiper = 5_000_000
    swipes = zip(model.movie_ids[own.movie_idx].tolist(), own.preference.tolist(), strict=True)
    for at, (movie_id, preference) in enumerate(swipes, 1_600_000_000):
        rec.update_user(swiper, movie_id, preference, at=at)
    expected = evaluated([person])[person]
    assert served(rec, swiper) == expected
    assert batch(rec)[swiper] == expected


@pytest.mark.parametrize(("person", "likes", "dislikes"), [(900_007, [318], []), (900_008, [], [318])])
def test_a_visitor_has_the_list_of_a_user_with_the_same_opinion(rec, evaluated, person, likes, dislikes):
    assert [item.movie_id for item in rec.recommend_for(likes, dislikes, N)] == evaluated([person])[person]


def test_somebody_unknown_has_one_list(rec):
    expected = replayed(rec, np.empty(0, np.int32), np.empty(0, np.int8))
    assert served(rec, 6_000_000) == expected
    assert [item.movie_id for item in rec.recommend_for(n=N)] == expected


def test_somebody_who_only_skips_has_the_list_of_a_stranger_without_the_skipped(rec):
    stranger = [item.movie_id for item in rec.get_top_n(6_000_000, N + 3)]
    for movie_id in (stranger[0], stranger[4], stranger[9]):
        rec.update_user(7_000_000, movie_id, 0)
    expected = [movie_id for movie_id in stranger if movie_id not in (stranger[0], stranger[4], stranger[9])]
    assert served(rec, 7_000_000) == expected
    assert batch(rec)[7_000_000] == expected


def test_popularity_has_the_documented_part_in_the_first_opinions(model, rec):
    """With the first opinions at most 0.4, with five 0.375, with twenty nothing."""
    share, most = share_by_hand(model)[model.movie_idx(2571)], share_by_hand(model).max()
    for user_id, n, part in ((900_001, 1, 0.4), (900_002, 2, 0.4), (900_004, 5, 0.375), (42, 21, 0.0)):
        explanation = rec.explain(user_id, 2571)
        view = rec._view(user_id)
        best = max(item.score for item in rec.get_top_n(user_id, 1))
        personal = view.served.ranker.personal.scores(view.vector[None], view.likes)[0]
        own = np.delete(personal, view.history.movie_idx).max()
        bound = min(1, min(n, 2) * own / most)
        assert explanation.popularity == pytest.approx(part * bound * share, rel=1e-5)
        assert explanation.popularity <= 0.4 * min(n, 2) * own
        assert best > 0
        shown = {item.movie_id: item.score for item in rec.get_top_n(user_id, 10_000, include_seen=True)}
        assert explanation.score == pytest.approx(shown[2571], abs=1e-6)
