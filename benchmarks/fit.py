"""Time and quality of the ALS fit, sweep by sweep, for several orders of the matrix and conjugate gradient steps.

    python benchmarks/fit.py --data-dir DIR [--seeds 1 2] [--sample 20000] [--sweeps 5 8 10 12 15]

DIR must contain prepared data. `implicit` does every fit, on the confidences of mlrec's defaults. NDCG@10 of liked
movies is measured with users folded in as in mlrec. The seconds are those of the sweeps alone, on all processors. Each
seed runs all variants in turn. Nothing is written. docs/decisions/0009 has the tables over several sizes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from mlrec.artifacts.model_folder import Model
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.machine import available_threads, blas_threads
from mlrec.model.als import confidence_matrix
from mlrec.model.train import build_model
from mlrec.settings import TrainSettings
from mlrec.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script has only its own folder on the path
from benchmarks.defaults import SPLITS, judged

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Name → whether active users and popular movies come first, and steps of the conjugate gradient.
VARIANTS = {
    "as the rows come": (False, False, 3),
    "active users first": (True, False, 3),
    "popular movies first, too": (True, True, 3),
    "two CG steps": (True, False, 2),
    "one CG step": (True, False, 1),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--sample", type=int, default=0, help="number of users to evaluate; 0: all")
    parser.add_argument("--sweeps", type=int, nargs="+", default=[5, 8, 10, 12, 15])
    arguments = parser.parse_args()
    data = read_prepared(Workspace(arguments.data_dir))
    model, preferences = build_model(data, TrainSettings(iterations=1))
    settings = TrainSettings().resolved(int((preferences.data > 0).sum()))
    confidences = confidence_matrix(preferences, settings.alpha, settings.dislikes)
    print("| fit | sweeps | seconds | NDCG@10 validation | NDCG@10 test |\n|---|---:|---:|---:|---:|")
    found: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for seed in arguments.seeds:
        for name, variant in VARIANTS.items():
            for sweeps, seconds, factors in fits(
                confidences, model.fold_in.regularization, seed, arguments.sweeps, *variant
            ):
                quality = judged_by(replace(model, movie_factors=factors), data, arguments.sample)
                found.setdefault((name, sweeps), []).append((seconds, *quality))
    for (name, sweeps), rows in found.items():
        seconds, *figures = (mean(column) for column in zip(*rows, strict=True))
        print(f"| {name} | {sweeps} | {seconds:.2f} | {' | '.join(f'{figure:.4f}' for figure in figures)} |")


def fits(
    confidences: csr_matrix,
    regularization: float,
    seed: int,
    sweeps: Sequence[int],
    users_first: bool,
    movies_first: bool,
    cg_steps: int,
) -> list[tuple[int, float, np.ndarray]]:
    """One fit; after each sweep, the number of sweeps, the seconds so far and the movie factors."""
    from implicit.cpu.als import AlternatingLeastSquares

    rows, columns = (np.arange(size) for size in confidences.shape)
    if users_first:
        rows = np.argsort(-np.diff(confidences.indptr), kind="stable")
    if movies_first:
        columns = np.argsort(-np.bincount(confidences.indices, minlength=len(columns)), kind="stable")
    matrix = confidences[rows][:, columns].tocsr()
    matrix.sort_indices()
    als = AlternatingLeastSquares(
        factors=64,
        regularization=regularization,
        alpha=1.0,
        iterations=max(sweeps),
        num_threads=available_threads(),
        random_state=seed,
    )
    als.cg_steps = cg_steps
    found: list[tuple[int, float, np.ndarray]] = []
    clock = {"seconds": 0.0, "since": time.perf_counter()}

    def swept(sweep: int, *_: object) -> None:
        clock["seconds"] += time.perf_counter() - clock["since"]
        if sweep + 1 in sweeps:
            factors = np.empty_like(als.item_factors)
            factors[columns] = als.item_factors
            found.append((sweep + 1, clock["seconds"], factors))
        clock["since"] = time.perf_counter()

    with blas_threads():
        als.fit(matrix, show_progress=False, callback=swept)
    return found


def judged_by(model: Model, data: PreparedData, sample: int) -> list[float]:
    """NDCG@10 of both held-out parts."""
    return [judged(model, data, split, model.fold_in, sample) for split in SPLITS]


if __name__ == "__main__":
    main()
