"""Quality by setting: NDCG@10 of liked movies when one default changes, and over a grid of the fold-in settings.

    python benchmarks/defaults.py --data-dir DIR [--seeds 1 2 3] [--sample 20000] [--only fold-in]

DIR must contain prepared data. Defaults are chosen by validation; test is shown for comparison. Nothing is written.
docs/decisions/0008 has the tables over several sizes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from mlrec.artifacts.model_folder import Model
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.evaluation.bootstrap import ratio
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.listers import Known
from mlrec.evaluation.metrics import METRICS
from mlrec.machine import available_threads, blas_threads
from mlrec.model.train import build_model
from mlrec.settings import EvaluateSettings, FoldInSettings, TrainSettings
from mlrec.workspace import Workspace

TRAINING: Mapping[str, tuple[Any, ...]] = {
    "alpha": (0.5, 1.0, 4.0, 8.0),
    "factors": (32, 48, 96, 128),
    "iterations": (5, 15, 30),
    "dislikes": ("zero",),
}
HALF_LIVES = (3.0, 5.0, 7.0, 10.0, 20.0)
WEIGHTS = (2.0, 5.0, 10.0)
SPLITS: tuple[Literal["val", "test"], ...] = ("val", "test")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--sample", type=int, default=0, help="number of users to evaluate; 0: all")
    parser.add_argument("--only", choices=("training", "fold-in"), help="one of the two tables")
    arguments = parser.parse_args()
    data = read_prepared(Workspace(arguments.data_dir))
    if arguments.only != "fold-in":
        training_table(data, arguments.seeds, arguments.sample)
    if arguments.only != "training":
        fold_in_table(data, arguments.seeds, arguments.sample)


def training_table(data: PreparedData, seeds: Iterable[int], sample: int) -> None:
    """Change one setting of training at a time."""
    print("| training | NDCG@10 validation | NDCG@10 test |\n|---|---:|---:|")
    changes: list[dict[str, Any]] = [{}]
    changes += [{name: value} for name, values in TRAINING.items() for value in values]
    for change in changes:
        found = []
        for seed in seeds:
            model = build_model(data, TrainSettings(random_seed=seed, **change))[0]
            found.append([judged(model, data, split, model.fold_in, sample) for split in SPLITS])
        name = ", ".join(f"{key} {value}" for key, value in change.items()) or "the defaults"
        print(f"| {name} | {' | '.join(f'{mean(column):.4f}' for column in zip(*found, strict=True))} |", flush=True)


def fold_in_table(data: PreparedData, seeds: Iterable[int], sample: int) -> None:
    """All half-lives with all weights, and dislikes counted or ignored, on the same movie factors."""
    models = [build_model(data, TrainSettings(random_seed=seed))[0] for seed in seeds]
    print("| dislikes at fold-in | half-life | weight | NDCG@10 validation | NDCG@10 test |\n|---|---:|---:|---:|---:|")
    for dislikes, half_life, weight in product(("zero", "ignore"), HALF_LIVES, WEIGHTS):
        figures = []
        for split in SPLITS:
            rules = (
                replace(model.fold_in, half_life=half_life, feedback_weight=weight, dislikes=dislikes)  # type: ignore[arg-type]
                for model in models
            )
            figures.append(
                mean(judged(model, data, split, rule, sample) for model, rule in zip(models, rules, strict=True))
            )
        print(
            f"| {dislikes} | {half_life:g} | {weight:g} | {' | '.join(f'{value:.4f}' for value in figures)} |",
            flush=True,
        )


def judged(model: Model, data: PreparedData, split: Literal["val", "test"], rule: FoldInSettings, sample: int) -> float:
    """NDCG@10 of a model whose users are folded in with the given rule."""
    settings = EvaluateSettings(split=split, users="others", sample=sample)
    known, metrics = Known.of(model, settings.history_splits), {"ndcg": METRICS["ndcg"]}
    jury = Jury.of(model, known, data.held_out(split), settings, metrics, (10,), available_threads()).sampled()
    with blas_threads():
        fold_in = model.solver().with_settings(rule)
        found = jury.judged(model.model_id, jury.lister(fold_in, jury.folded_in(fold_in), None))
    columns = found.per_user["ndcg@10"]
    return ratio(columns.numerators, columns.denominators)


if __name__ == "__main__":
    main()
