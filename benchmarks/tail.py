"""How good the vectors of movies outside the core are, and how opinions on them should count.

    python benchmarks/tail.py [--data-dir data] [--sample 5000] [--seeds 42 7]

The model learns from train; relevant are all later likes, those outside the core too. The first table compares vectors
of movies outside the core: none, from content alone, folded in from likes, and both (as served). It shows NDCG@10 and
recall@100 over all movies, the difference of NDCG@10 from the lists of the core alone with its 95% confidence interval
over users, and the share of a user's likes outside the core that are among the best 100 movies outside it. The second
table compares ways in which opinions on such movies count in a user's vector. docs/decisions/0013 has the results.

About a minute on the demo data, and ten at 20 million ratings.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.dataset.reading import HeldOut, read_prepared
from mlrec.evaluation.bootstrap import Bootstrap
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.listers import Known
from mlrec.evaluation.metrics import METRICS
from mlrec.machine import available_threads, blas_threads
from mlrec.model.train import build_model
from mlrec.ranking.best_unseen import Seen
from mlrec.ranking.content import expected_vectors
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.scores import popularity_scores, user_scores
from mlrec.settings import EvaluateSettings, HeldOutSplit, TrainSettings
from mlrec.workspace import Workspace

BEST = 100
_BLOCK = 500

Score = Callable[[NDArray[np.int64]], NDArray[np.float32]]


class Figures(NamedTuple):
    """NDCG@10 and recall@100 by user, (users,), and the mean of `in_tail`."""

    ndcg: NDArray[np.float64]
    recall: NDArray[np.float64]
    tail: float


def main() -> None:
    """Print both tables for each split and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--sample", type=int, default=5000, help="users to evaluate, drawn at random")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    arguments = parser.parse_args()

    data = read_prepared(Workspace(arguments.data_dir))
    for seed in arguments.seeds:
        model, _ = build_model(data, TrainSettings(random_seed=seed))
        content_alone = expected_vectors(
            model.catalogue.content,
            model.movie_factors,
            model.is_trained,
            model.popularity,
            model.fold_in.regularization,
        ).astype(np.float32)
        splits: tuple[HeldOutSplit, ...] = ("val", "test")
        for split in splits:
            settings = EvaluateSettings(split=split, users="others", ks=(10, BEST), sample=arguments.sample)
            print(f"\n{split}, seed {seed}")
            compare(model, data.held_out(split), settings, content_alone, likes_alone(model))


def likes_alone(model: Model) -> NDArray[np.float32]:
    """Vectors folded in without what content lets one expect: those served, less the part of the expectation."""
    from mlrec.ranking import content

    worth = content._WORTH_LIKES
    try:
        content._WORTH_LIKES = 0.0
        return retrained(model)
    finally:
        content._WORTH_LIKES = worth


def retrained(model: Model) -> NDArray[np.float32]:
    """Solve for the movies outside the core again."""
    from mlrec.model.learn import vectors_of_movies
    from mlrec.ranking.movie_vectors import Core

    assert model.user_gram is not None
    core = Core(model.movie_factors, model.is_trained, model.user_gram)
    history = model.history.only(model.info.trained_on)
    with blas_threads():
        return vectors_of_movies(
            core, history, model.catalogue.content, model.info.settings, available_threads()
        ).vectors


def compare(
    model: Model,
    held_out: HeldOut,
    settings: EvaluateSettings,
    content_alone: NDArray[np.float32],
    likes_alone: NDArray[np.float32],
) -> None:
    """Print both tables for one split."""
    known, rule, is_trained = Known.of(model, settings.history_splits), model.fold_in, model.is_trained
    metrics = {name: METRICS[name] for name in ("ndcg", "recall")}
    everybody = Jury.of(model, known, held_out, settings, metrics, (10, BEST), available_threads())
    jury, with_tail = everybody.sampled(), liking_outside(everybody, model, settings)
    bootstrap = Bootstrap(len(jury.users), settings.resamples, settings.random_seed)

    def figures(fold_in: FoldIn, history: Known = known, *, core_only: bool = False) -> Figures:
        own = replace(jury, within="core" if core_only else "all")
        vectors = own.folded_in(fold_in, history)
        judged = own.judged("als", own.lister(fold_in, vectors, None))
        ndcg, recall = (judged.per_user[name].numerators for name in ("ndcg@10", f"recall@{BEST}"))

        def score(rows: NDArray[np.int64]) -> NDArray[np.float32]:
            return user_scores(of_others[rows], fold_in.movie_factors)

        of_others = with_tail.folded_in(fold_in, history)
        return Figures(ndcg, recall, 0.0 if core_only else in_tail(with_tail, model, score))

    def row(name: str, found: Figures) -> None:
        lead = ""
        if found is not base:
            ahead = found.ndcg - base.ndcg
            low, high = np.quantile(bootstrap.ratios(ahead, np.ones(len(ahead))), [0.025, 0.975])
            lead = f"{ahead.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
        print(
            f"| {name} | {found.ndcg.mean():.4f} | {lead} | {found.recall.mean():.4f} | {found.tail:.3f} |", flush=True
        )

    def head(what: str) -> None:
        print(f"\n| {what} | NDCG@10 | to the core alone | R@{BEST} | likes outside in the best {BEST} |")
        print("|---|---:|---|---:|---:|")

    def of(vectors: NDArray[np.float32]) -> FoldIn:
        return FoldIn(np.where(is_trained[:, None], model.movie_factors, vectors), rule, is_trained)

    popular = popularity_scores(model.popularity)
    of_popularity = in_tail(with_tail, model, lambda rows: np.tile(popular, (len(rows), 1)))
    outside, liked = ~is_trained, ~is_trained & (np.asarray(model.popularity) > 0)
    print(
        f"{len(jury.users):,} users, and {len(with_tail.users):,} with likes outside the core; {outside.sum():,} movies"
        f" outside, {liked.sum():,} of them liked in train; popularity has {of_popularity:.3f} of the likes outside in"
        f" its best {BEST}"
    )
    with blas_threads():
        served = model.solver()
        base, ours = figures(served, core_only=True), figures(served)
        head("vectors outside the core")
        row("none", base)
        row("content alone", figures(of(content_alone)))
        row("likes alone", figures(of(likes_alone)))
        row("likes and content (served)", ours)
        head("opinions on these movies")
        row("do not count", figures(served, replace(known, history=known.history.on(is_trained))))
        factors = served.movie_factors[is_trained].astype(np.float64)
        row("count as others", figures(FoldIn(served.movie_factors, rule, gram=factors.T @ factors)))
        row("count as others, with their movies in YᵀY", figures(FoldIn(served.movie_factors, rule)))
        row("count half and make nothing older (served)", ours)


def liking_outside(jury: Jury, model: Model, settings: EvaluateSettings) -> Jury:
    """Keep users with a later like outside the core, or a sample of them."""
    held_out = jury.judge.held_out
    is_outside = np.concatenate([[0], np.cumsum(~model.is_trained[held_out.relevant.movie_idx])])
    chosen = np.flatnonzero(np.diff(is_outside[held_out.relevant.indptr]) > 0)
    if len(chosen) > settings.sample > 0:
        chosen = np.sort(np.random.default_rng(settings.random_seed).choice(chosen, settings.sample, replace=False))
    return replace(jury, judge=replace(jury.judge, held_out=held_out.only(chosen)))


def in_tail(jury: Jury, model: Model, score: Score) -> float:
    """Mean over users of the share of their later likes outside the core that are in the best 100 of these movies."""
    relevant, is_trained = jury.judge.held_out.relevant, model.is_trained
    shares: list[float] = []
    for start in range(0, len(jury.users), _BLOCK):
        rows = jury.users[start : start + _BLOCK]
        scores = score(rows).copy()
        scores[Seen.of(jury.known.history, rows)] = -np.inf
        scores[:, is_trained] = -np.inf
        for position in range(len(rows)):
            liked = relevant.movie_idx[slice(*relevant.indptr[start + position : start + position + 2])]
            liked = liked[~is_trained[liked]]
            if len(liked):
                own = scores[position, liked]
                better = (scores[position][None, :] > own[:, None]).sum(axis=1)
                tied = (
                    (scores[position][None, :] == own[:, None]) & (np.arange(scores.shape[1]) < liked[:, None])
                ).sum(axis=1)
                shares.append(float((better + tied < BEST).mean()))
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
