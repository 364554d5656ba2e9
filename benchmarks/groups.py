"""Lists for two people: how many of the first ten movies both of them like, by the rule that makes one list of two.

    python benchmarks/groups.py [--data-dir data] [--seeds 1 2 3 4 5] [--pairs 4000]

For each seed, a fifth of the users is kept out of training. The model knows a random 80% of the likes of each of them;
the others are left out. Every pair of these people who share a like that was left out is judged by how many such likes
are among the first ten. Movies that one of the two knows are not listed. `intersection` goes down both single lists at
once until ten movies were in both. Intervals are over people: a pair counts as often as both of its people are drawn
(the pigeonhole bootstrap, Owen 2007). The data directory must have prepared data. docs/decisions/0021 has the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.evaluation.listers import Known
from mlrec.evaluation.splits import by_held_out_users
from mlrec.machine import blas_threads
from mlrec.model.train import build_model
from mlrec.ranking.groups import group_scores
from mlrec.ranking.ranker import Opinions, Ranker
from mlrec.ranking.top_n import top_n
from mlrec.settings import DEFAULT_GROUP_RULE, GROUP_RULES, ServeSettings, TrainSettings
from mlrec.workspace import Workspace

K, RESAMPLES = 10, 1_000
OTHERS = ("average rank", "intersection", "the first one's list", "popularity")


class Pair(NamedTuple):
    """Two people of one seed, and for each rule how many of the first ten movies both like."""

    first: int
    second: int
    found: dict[str, int]


def main() -> None:
    """Judge all pairs, and print a row for each rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--pairs", type=int, default=4_000, help="at most so many pairs a seed (default: %(default)s)")
    arguments = parser.parse_args()
    data = read_prepared(Workspace(Path(arguments.data_dir)))
    by_seed = [list(judged(data, seed, arguments.pairs)) for seed in arguments.seeds]
    drawn: dict[str, list[float]] = {name: [] for name in (*GROUP_RULES, *OTHERS)}
    values = {name: np.array([pair.found[name] for pairs in by_seed for pair in pairs]) for name in drawn}
    draw = np.random.default_rng(0)
    for _ in range(RESAMPLES):
        weights = np.concatenate([weights_of(pairs, draw) for pairs in by_seed])
        for name, own in values.items():
            drawn[name].append(float(weights @ own / weights.sum()))
    print(f"{sum(map(len, by_seed)):,} pairs")
    print(f"| rule | liked by both among {K} | 95% CI | {DEFAULT_GROUP_RULE} leads by | 95% CI |")
    print("|---|---:|---|---:|---|")
    best = np.array(drawn[DEFAULT_GROUP_RULE])
    for name, own in values.items():
        low, high = np.quantile(drawn[name], [0.025, 0.975])
        lead, bounds = values[DEFAULT_GROUP_RULE].mean() - own.mean(), np.quantile(best - drawn[name], [0.025, 0.975])
        cells = "| |" if name == DEFAULT_GROUP_RULE else f"{lead:+.3f} | {bounds[0]:+.3f} to {bounds[1]:+.3f} |"
        print(f"| {name} | {own.mean():.3f} | {low:.3f} to {high:.3f} | {cells}")


def judged(data: PreparedData, seed: int, most: int) -> Iterator[Pair]:
    """Train without a fifth of the users, and judge pairs of them."""
    events = by_held_out_users(data.events, "val", "liked", 0.2, seed)
    model, _ = build_model(replace(data, events=events), TrainSettings(random_seed=seed).started())
    known = Known.of(model, ("train", "val"))
    left_out = model.history.only(("test",))
    with blas_threads():
        scorer = Scorer(model, known)
        wanted = {}
        for user in range(known.n_users):
            own = left_out.of(user)
            liked = left_out.movie_idx[own][left_out.preference[own] > 0]
            if len(liked):
                wanted[user] = set(liked.tolist()) - {-1}
        shared = [(a, b, wanted[a] & wanted[b]) for a, b in combinations(wanted, 2) if wanted[a] & wanted[b]]
        chosen = np.random.default_rng(seed).permutation(len(shared))[:most]
        for place in chosen.tolist():
            a, b, common = shared[place]
            lists = scorer.lists(a, b)
            yield Pair(a, b, {name: len(common & set(rows.tolist())) for name, rows in lists.items()})


class Scorer:
    """The lists of two people by each rule."""

    def __init__(self, model: Model, known: Known) -> None:
        self._known, self._fold_in = known, model.solver()
        self._ranker = Ranker.of(self._fold_in, known.share, known.genres, ServeSettings(), model.item_item)
        self._popular = known.likes_in_train.astype(np.float32)
        self._kept: dict[int, NDArray[np.float32]] = {}

    def lists(self, a: int, b: int) -> dict[str, NDArray[np.int64]]:
        """Rule → the rows of the first ten movies that neither of two people knows."""
        scores = np.stack([self._of(a), self._of(b)])
        seen = np.concatenate([self._known.history.movie_idx[self._known.history.of(user)] for user in (a, b)])
        allowed = np.ones(scores.shape[1], dtype=bool)
        allowed[seen[seen >= 0]] = False
        ranks = np.stack([_ranks(np.where(allowed, own, -np.inf)) for own in scores])
        found: dict[str, NDArray[np.float32]] = {rule: group_scores(scores, rule) for rule in GROUP_RULES}
        found |= {"average rank": -ranks.mean(axis=0), "intersection": -ranks.max(axis=0)}
        found |= {"the first one's list": scores[0], "popularity": self._popular}
        return {name: top_n(own, K, allowed) for name, own in found.items()}

    def _of(self, user: int) -> NDArray[np.float32]:
        if user not in self._kept:
            history = self._known.history
            own = history.of(user)
            opinions = Opinions(history.movie_idx[own], history.preference[own])
            vector = self._fold_in.user_vector(opinions.movie_idx, opinions.preference)
            self._kept[user] = self._ranker.scores(vector, opinions).shown
        return self._kept[user]


def _ranks(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    ranks = np.empty(len(scores), dtype=np.float32)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return ranks


def weights_of(pairs: list[Pair], draw: np.random.Generator) -> NDArray[np.float64]:
    """How often each pair is drawn if people are drawn with replacement."""
    people = np.array([(pair.first, pair.second) for pair in pairs])
    ids, place = np.unique(people, return_inverse=True)
    times = np.bincount(draw.integers(len(ids), size=len(ids)), minlength=len(ids))[place.reshape(people.shape)]
    return np.asarray(times.prod(axis=1), dtype=np.float64)


if __name__ == "__main__":
    main()
