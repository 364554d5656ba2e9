"""What the evaluation reports beside the model's own figures, computed once more from the raw ratings.

Splits, baselines, half-lives, pauses, corrections and shares are worked out in plain Python, with numpy for the linear
algebra. Only the model's vectors, which `sequence` uses, come from its folder.
"""

from __future__ import annotations

import csv
import math
from collections import Counter, defaultdict
from hashlib import blake2b

import numpy as np
import pytest

from mlrec.artifacts import model_folder, registry
from mlrec.evaluation.protocol import evaluate
from mlrec.settings import EvaluateSettings
from tests.independent import Row, divided, popularity_by_date

K = 10
EVENTS = (7, 3, 20, 60, math.inf)
DAYS = (365, 30, 100, 1_000, math.inf)


@pytest.fixture(scope="module")
def histories(demo_raw):
    """User → events in order of time, with their part."""
    with (demo_raw / "ratings.csv").open() as file:
        rows = [
            (int(r["userId"]), int(r["timestamp"]), int(r["movieId"]), float(r["rating"])) for r in csv.DictReader(file)
        ]
    found: dict[int, list[Row]] = defaultdict(list)
    for row in divided(
        (user, timestamp, movie, -2 if rating <= 2.5 else -1 if rating <= 3.5 else 1 if rating <= 4.5 else 2)
        for user, timestamp, movie, rating in rows
    ):
        found[row.user].append(row)
    return found


@pytest.fixture(scope="module")
def catalogue(demo_raw):
    with (demo_raw / "movies.csv").open(encoding="utf-8") as file:
        return sorted(int(row["movieId"]) for row in csv.DictReader(file))


class ByHand:
    """The documented evaluation of one split."""

    def __init__(self, histories, catalogue, split):
        self.row = {movie: row for row, movie in enumerate(catalogue)}
        self.n, self.split = len(catalogue), split
        parts = ("train",) if split == "val" else ("train", "val")
        self.train = {u: [e for e in own if e.split == "train"] for u, own in histories.items()}
        self.known = {u: [e for e in own if e.split in parts] for u, own in histories.items()}
        self.held_out = {u: [e for e in own if e.split == split] for u, own in histories.items()}
        self.relevant = {
            u: liked for u, own in self.held_out.items() if (liked := [e for e in own if e.preference > 0])
        }
        self.core = np.zeros(self.n, dtype=bool)
        for own in histories.values():
            self.core[[self.row[e.movie] for e in own if e.in_core]] = True
        # Baselines learn the core, in the order of its rows.
        self.core_rows = np.flatnonzero(self.core)
        self.place = {catalogue[row]: place for place, row in enumerate(self.core_rows.tolist())}
        self.X = np.zeros((len(self.train), len(self.core_rows)))
        for at, own in enumerate(self.train.values()):
            self.X[at, [self.place[e.movie] for e in own if e.in_core and e.preference > 0]] = 1
        self.popular = Counter(e.movie for own in self.train.values() for e in own if e.preference > 0)

    def lists(self, scores_of):
        """User → the ten best unseen movie rows."""
        found = {}
        for user in self.relevant:
            scores = np.array(scores_of(user), dtype=np.float32)
            if len(scores) == len(self.core_rows):
                whole = np.full(self.n, -np.inf, dtype=np.float32)
                whole[self.core_rows] = scores
                scores = whole
            scores[[self.row[e.movie] for e in self.known[user]]] = -np.inf
            order = np.lexsort((np.arange(self.n), -scores))[:K]
            found[user] = [row for row in order.tolist() if scores[row] > -np.inf]
        return found

    def ndcg(self, lists, users=None, wanted=None):
        """NDCG@10 of each user; `wanted` picks the relevant events, and leaves out users who have none of them."""
        found = []
        for user in users or self.relevant:
            relevant = {self.row[e.movie] for e in self.relevant[user] if wanted is None or wanted(user, e)}
            if relevant:
                gain = sum(1 / math.log2(rank + 2) for rank, row in enumerate(lists[user]) if row in relevant)
                found.append(gain / sum(1 / math.log2(rank + 2) for rank in range(min(K, len(relevant)))))
        return float(np.mean(found))

    def popularity_in_core(self):
        return [self.popular[movie] for movie in self.place]

    def by_weights(self, B, half_life=math.inf):
        def scores(user):
            core = [e for e in self.known[user] if e.in_core]
            likes = [(self.place[e.movie], len(core) - 1 - at) for at, e in enumerate(core) if e.preference > 0]
            if not likes:
                return self.popularity_in_core()
            rows, ages = (np.array(column) for column in zip(*likes, strict=True))
            return 0.5 ** (ages / half_life) @ B[rows]

        return self.lists(scores)

    def ease(self):
        P = np.linalg.inv(self.X.T @ self.X + 200 * np.eye(len(self.core_rows)))
        B = np.eye(len(P)) - P / np.diag(P)
        np.fill_diagonal(B, 0)
        return B

    def cosine(self):
        G, n = self.X.T @ self.X, self.X.sum(axis=0)
        C = np.zeros_like(G)
        for movie in range(len(G)):
            squares = {other: int(G[movie, other]) ** 2 / int(n[movie] * n[other])
                       for other in np.flatnonzero(G[movie]).tolist() if other != movie}  # fmt: skip
            for other in sorted(squares, key=lambda other: (-squares[other], other))[:100]:
                C[other, movie] = math.sqrt(squares[other])
        return C

    def recent(self, half_life):
        likes = np.array(sorted((e.timestamp, u, self.row[e.movie])
                                for u, own in self.train.items() for e in own if e.preference > 0))  # fmt: skip
        at = {u: min(e.timestamp for e in self.held_out[u]) for u in self.relevant}
        return self.lists(lambda user: popularity_by_date(likes, at[user], self.n, half_life))

    def sequence(self, vectors, factors):
        n_ab: Counter[tuple[int, int]] = Counter()
        n_a: Counter[int] = Counter()
        n_b: Counter[int] = Counter()
        for own in self.train.values():
            core = [e for e in own if e.in_core]
            for at, then in enumerate(core):
                if then.preference > 0:
                    for first in core[max(0, at - 20) : at]:
                        n_ab[first.movie, then.movie] += 1
                        n_a[first.movie] += 1
                        n_b[then.movie] += 1
        follows = np.zeros((len(self.core_rows),) * 2)
        for (first, then), count in n_ab.items():
            follows[self.place[first], self.place[then]] = count / math.sqrt(n_a[first] * n_b[then])

        def scores(user):
            last = [e for e in self.known[user] if e.in_core][-20:][::-1]
            if not last:
                return self.popularity_in_core()
            own = sum(follows[self.place[e.movie]] / (rank + 1) for rank, e in enumerate(last))
            return vectors[user] @ factors[self.core_rows].T + 0.3 * own / own.max()

        return self.lists(scores)


def is_outside_the_holdout(user):
    return int.from_bytes(blake2b(str(user).encode(), digest_size=8).digest(), "big") < 0.9 * 2**64


@pytest.fixture(scope="module")
def learned(histories, catalogue):
    """Item-item weights, which test and validation share, and the half-lives that are best on validation."""
    on_val = ByHand(histories, catalogue, "val")
    judges = [user for user in on_val.relevant if is_outside_the_holdout(user)]
    ease, cosine = on_val.ease(), on_val.cosine()
    dated = {
        "recent": (DAYS, ByHand.recent),
        "cosine-recent": (EVENTS, lambda own, half_life: own.by_weights(cosine, half_life)),
        "ease-recent": (EVENTS, lambda own, half_life: own.by_weights(ease, half_life)),
    }
    half_lives = {
        name: max(values, key=lambda value: on_val.ndcg(lists_of(on_val, value), judges))
        for name, (values, lists_of) in dated.items()
    }
    return on_val, ease, cosine, {name: lists_of for name, (_, lists_of) in dated.items()}, half_lives


@pytest.fixture(scope="module", params=["val", "test"])
def computed(request, demo, histories, catalogue, learned):
    """By hand: the split, and the lists of each baseline. And what `evaluate` reports."""
    on_val, ease, cosine, dated, half_lives = learned
    by_hand = on_val if request.param == "val" else ByHand(histories, catalogue, "test")
    lists = {name: lists_of(by_hand, half_lives[name]) for name, lists_of in dated.items()}
    model = model_folder.open_model(registry.resolve(demo))
    fold_in, factors = model.solver(), np.asarray(model.movie_factors, dtype=np.float64)
    vectors = {
        user: fold_in.user_vector(
            np.array([by_hand.row[e.movie] for e in own], np.int32), np.array([e.preference for e in own], np.int8)
        )
        for user, own in by_hand.known.items()
    }
    lists |= {
        "popularity": by_hand.lists(lambda _: [by_hand.popular[movie] for movie in catalogue]),
        "cosine": by_hand.by_weights(cosine),
        "ease": by_hand.by_weights(ease),
        "sequence": by_hand.sequence(vectors, factors),
    }
    return by_hand, lists, half_lives, evaluate(demo, EvaluateSettings(split=request.param))


def test_every_baseline(computed):
    by_hand, lists, half_lives, result = computed
    expected = {name: by_hand.ndcg(own) for name, own in lists.items()}
    found = {name: own["ndcg@10"].value for name, own in result.models.items() if name in lists}
    assert found == pytest.approx(expected, abs=1e-6)
    chosen = {name: None if math.isinf(value) else value for name, value in half_lives.items()}
    assert result.half_lives == chosen


def test_sittings(computed):
    """NDCG as if only what was seen within a minute of the last known event was relevant, within a day, or later."""
    by_hand, lists, _, result = computed
    last = {user: own[-1].timestamp for user, own in by_hand.known.items()}
    spans = {"same minute": (0, 60), "same day": (60, 86_400), "later": (86_400, math.inf)}
    pauses = {segment.name: segment for segment in result.segments if segment.by == "pause"}
    assert list(pauses) == list(spans)
    for name, (low, high) in spans.items():

        def is_then(user, event, low=low, high=high):
            return low <= event.timestamp - last[user] < high

        assert pauses[name].answers == sum(is_then(u, e) for u, own in by_hand.relevant.items() for e in own)
        assert pauses[name].users == sum(any(is_then(u, e) for e in own) for u, own in by_hand.relevant.items())
        for model in ("popularity", "ease-recent", "sequence"):
            expected = by_hand.ndcg(lists[model], wanted=is_then)
            assert pauses[name].models[model]["ndcg@10"].value == pytest.approx(expected, abs=1e-6)


def test_what_is_outside_the_core_and_what_surprises(computed):
    by_hand, lists, _, result = computed
    events = [e for own in by_hand.relevant.values() for e in own]
    assert result.relevant.movies == len(events)
    assert result.relevant.outside_core == sum(not e.in_core for e in events)
    assert result.relevant.unknown == 0
    users = sum(bool(own) for own in by_hand.train.values())
    by_row = {by_hand.row[movie]: count for movie, count in by_hand.popular.items()}
    for name in ("recent", "sequence"):
        bits = [np.mean([-math.log2(by_row.get(row, 1) / users) for row in own]) for own in lists[name].values()]
        assert result.models[name]["novelty@10"].value == pytest.approx(np.mean(bits), abs=1e-6)


def test_holm(computed):
    """For each metric: the smallest p times the number of comparisons, the next times one less, and never falling."""
    *_, result = computed
    for metric in ("ndcg@10", "recall@10", "novelty@10"):
        ps = sorted((own[metric].p, pair) for pair, own in result.differences.items())
        highest = 0.0
        for place, (p, pair) in enumerate(ps):
            highest = max(highest, min(1, p * (len(ps) - place)))
            assert result.differences[pair][metric].p_holm == pytest.approx(highest)
