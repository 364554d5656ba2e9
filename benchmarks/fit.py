"""Time and quality of the ALS fit, sweep by sweep.

    python benchmarks/fit.py --data-dir DIR [--study start] [--seeds 1 2] [--sample 20000] [--sweeps 1 2 3 4]

DIR must contain prepared data. `implicit` does every fit, on the confidences of mlrec's defaults. NDCG@10 of liked
movies is measured with users folded in as in mlrec. The seconds are those of the sweeps alone, on all processors. Each
seed runs all variants in turn. Nothing is written.

The study `start` compares fits that begin on a part of the users: docs/decisions/0022. Its sweeps are those over all
users, and the cost is in such sweeps, by the number of likes that are read. The study `steps` compares ways to solve in
such fits: docs/decisions/0027. The study `order` compares orders of the matrix and steps of the conjugate gradient:
docs/decisions/0009.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from mlrec.artifacts.model_folder import Model
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.machine import available_threads, blas_threads
from mlrec.model.als import confidence_matrix, improve
from mlrec.model.matrix import core_matrix
from mlrec.model.train import build_model
from mlrec.settings import TrainSettings, regularization_for
from mlrec.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script has only its own folder on the path
from benchmarks.defaults import SPLITS, judged

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

COLD = "all users"


@dataclass(frozen=True)
class Variant:
    """One way to fit.

    Attributes
    ----------
    active_first, popular_first
        Whether active users, and popular movies, come first in the matrix.
    cg_steps
        Steps of the conjugate gradient; 0: elimination.
    preconditioned
        Whether YᵀY + λI is the preconditioner; see `mlrec.model.als.improve`.
    start
        Shares of the users, and the sweeps over them alone, before the sweeps over all.
    most_active
        Whether these are the most active users, and not random ones.
    """

    active_first: bool = True
    popular_first: bool = False
    cg_steps: int = 3
    preconditioned: bool = False
    start: tuple[tuple[float, int], ...] = ()
    most_active: bool = False


STUDIES: dict[str, tuple[dict[str, Variant], tuple[int, ...]]] = {
    "order": (
        {
            "as the rows come": Variant(active_first=False),
            "active users first": Variant(),
            "popular movies first, too": Variant(popular_first=True),
            "two CG steps": Variant(cg_steps=2),
            "one CG step": Variant(cg_steps=1),
        },
        (5, 8, 10, 12, 15),
    ),
    "start": (
        {
            COLD: Variant(),
            "random fifth × 8": Variant(start=((0.2, 8),)),
            "random fifth × 5": Variant(start=((0.2, 5),)),
            "random tenth × 8": Variant(start=((0.1, 8),)),
            "random half × 8": Variant(start=((0.5, 8),)),
            "random 5% × 8, fifth × 4": Variant(start=((0.05, 8), (0.2, 4))),
            "most active fifth × 8": Variant(start=((0.2, 8),), most_active=True),
        },
        (1, 2, 3, 4, 5),
    ),
    "steps": (
        {
            "three CG steps": Variant(start=((0.2, 8),)),
            "three with a preconditioner": Variant(start=((0.2, 8),), preconditioned=True),
            "two with a preconditioner": Variant(start=((0.2, 8),), preconditioned=True, cg_steps=2),
            "one with a preconditioner": Variant(start=((0.2, 8),), preconditioned=True, cg_steps=1),
            "elimination": Variant(start=((0.2, 8),), cg_steps=0),
            "from random factors, three": Variant(),
            "from random factors, one with a preconditioner": Variant(preconditioned=True, cg_steps=1),
        },
        (1, 2, 3, 4),
    ),
    "parts": (
        {
            f"random {share:.1%} × {sweeps}": Variant(start=((share, sweeps),), preconditioned=True, cg_steps=1)
            for share in (0.4, 0.2, 0.1, 0.05, 0.025)
            for sweeps in (8, 12, 16, 24)
        },
        (1, 2, 3, 4),
    ),
}
_WITHOUT_START = (8, 10)


@dataclass(frozen=True)
class Fit:
    """A fit after some sweeps over all users: seconds, and cost in such sweeps, of all until then."""

    sweeps: int
    seconds: float
    cost: float
    movie_factors: np.ndarray


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--study", choices=STUDIES, default="start")
    parser.add_argument("--variants", nargs="+", help="only those whose names begin with one of these")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--sample", type=int, default=0, help="number of users to evaluate; 0: all")
    parser.add_argument("--sweeps", type=int, nargs="+", help="sweeps over all users after which to evaluate")
    arguments = parser.parse_args()
    variants, usual = STUDIES[arguments.study]
    data = read_prepared(Workspace(arguments.data_dir))
    model, _ = build_model(data, TrainSettings(iterations=1, start_share=0, item_item="off"))
    confidences = confidences_of(model)
    print(f"{confidences.nnz:,} likes, {confidences.shape[0]:,} users\n")
    print("| fit | sweeps | cost | seconds | NDCG@10 validation | NDCG@10 test |\n|---|---:|---:|---:|---:|---:|")
    found: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for seed in arguments.seeds:
        for name, variant in variants.items():
            if arguments.variants and not name.startswith(tuple(arguments.variants)):
                continue
            sweeps = arguments.sweeps or (usual if arguments.study == "order" or variant.start else _WITHOUT_START)
            for fit in fits(confidences, model.fold_in.regularization, seed, sweeps, variant):
                quality = judged_by(with_core(model, fit.movie_factors), data, arguments.sample)
                found.setdefault((name, fit.sweeps), []).append((fit.cost, fit.seconds, *quality))
    for (name, sweeps), rows in found.items():
        cost, seconds, *figures = (mean(column) for column in zip(*rows, strict=True))
        print(f"| {name} | {sweeps} | {cost:.1f} | {seconds:.2f} | {' | '.join(f'{one:.4f}' for one in figures)} |")


def confidences_of(model: Model) -> csr_matrix:
    """What ALS learned from, users with likes × movies of the core."""
    settings, history = model.info.settings, model.history.only(model.info.trained_on)
    return confidence_matrix(core_matrix(history, model.is_trained), settings.alpha, settings.dislikes)


def with_core(model: Model, movie_factors: np.ndarray) -> Model:
    """The model with other factors of the movies in the core."""
    spread = np.array(model.movie_factors)
    spread[model.is_trained] = movie_factors
    return replace(model, movie_factors=spread)


def fits(
    confidences: csr_matrix, regularization: float, seed: int, sweeps: Sequence[int], variant: Variant
) -> list[Fit]:
    """One fit after some numbers of sweeps over all users."""
    rows, columns = (np.arange(size) for size in confidences.shape)
    by_activity = np.argsort(-np.diff(confidences.indptr), kind="stable")
    if variant.active_first:
        rows = by_activity
    if variant.popular_first:
        columns = np.argsort(-np.bincount(confidences.indices, minlength=len(columns)), kind="stable")
    matrix = confidences[rows][:, columns].tocsr()
    matrix.sort_indices()
    n_users = int(np.count_nonzero(np.diff(matrix.indptr)))
    drawn = np.arange(n_users) if variant.most_active else np.random.default_rng(seed).permutation(n_users)
    start, seconds, cost = None, 0.0, 0.0
    for share, n in variant.start:
        part = matrix[np.sort(drawn[: max(1, round(share * n_users))])]
        smaller = regularization * regularization_for(part.nnz) / regularization_for(matrix.nnz)
        (last,) = _swept(part, smaller, seed, [n], variant, start)
        start, seconds, cost = last.movie_factors, seconds + last.seconds, cost + n * part.nnz / matrix.nnz
    found = []
    for fit in _swept(matrix, regularization, seed, sweeps, variant, start):
        factors = np.empty_like(fit.movie_factors)
        factors[columns] = fit.movie_factors
        found.append(Fit(fit.sweeps, seconds + fit.seconds, cost + fit.sweeps, factors))
    return found


def _swept(
    matrix: csr_matrix,
    regularization: float,
    seed: int,
    sweeps: Sequence[int],
    variant: Variant,
    start: np.ndarray | None,
) -> list[Fit]:
    from implicit.cpu.als import AlternatingLeastSquares

    als = AlternatingLeastSquares(
        factors=64, regularization=regularization, num_threads=available_threads(), use_cg=variant.cg_steps > 0
    )
    als.cg_steps = variant.cg_steps
    random = np.random.default_rng(seed)
    users, movies = (random.random((size, 64), dtype=np.float32) * np.float32(0.01) for size in matrix.shape)
    if start is not None:
        movies, users[:] = start.copy(), 0
    by_movie = matrix.T.tocsr()
    found: list[Fit] = []
    seconds = 0.0
    with blas_threads():
        for sweep in range(1, max(sweeps) + 1):
            since = time.perf_counter()
            for confidences, factors, fixed in ((matrix, users, movies), (by_movie, movies, users)):
                if variant.preconditioned:
                    improve(als, confidences, factors, fixed)
                else:
                    als.solver(confidences, factors, fixed, regularization, num_threads=als.num_threads)
            seconds += time.perf_counter() - since
            if sweep in sweeps:
                found.append(Fit(sweep, seconds, float(sweep), movies.copy()))
    return found


def judged_by(model: Model, data: PreparedData, sample: int) -> list[float]:
    """NDCG@10 of both held-out parts."""
    return [judged(model, data, split, model.fold_in, sample) for split in SPLITS]


if __name__ == "__main__":
    main()
