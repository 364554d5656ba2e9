"""Quality by regularization: NDCG@10 of liked movies for several multiples of the λ that the default rule picks.

    python benchmarks/regularization.py --data-dir DIR [--times 0.5 0.75 1 1.5 2] [--seeds 1 2 3] [--sample 20000]

DIR must contain prepared data. λ is chosen by validation; test is shown for comparison. The models are removed
afterwards. docs/decisions/0007 has the table over six sizes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean

from mlrec.artifacts import registry
from mlrec.dataset.reading import read_prepared
from mlrec.evaluation.choosing import on_validation
from mlrec.evaluation.protocol import evaluate
from mlrec.model.train import train
from mlrec.settings import SPLITS, EvaluateSettings, TrainSettings, regularization_for
from mlrec.workspace import Workspace


def main() -> None:
    """Train with each λ and seed, and print one row per λ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--times", type=float, nargs="+", default=[0.5, 0.75, 1.0, 1.5, 2.0], help="λ over the rule's")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--sample", type=int, default=0, help="number of users to evaluate; 0: all")
    arguments = parser.parse_args()

    workspace = Workspace(arguments.data_dir)
    events = read_prepared(workspace).events
    n_likes = int(((events.preference > 0) & (events.split == SPLITS.index("train"))).sum())
    by_rule = regularization_for(n_likes)
    print(f"{n_likes:,} likes in train; the rule picks λ = {by_rule:.3g}")
    print("| λ | NDCG@10 validation | NDCG@10 test |")
    print("|---:|---:|---:|")
    for times in arguments.times:
        found = [judged(workspace, times * by_rule, seed, arguments.sample) for seed in arguments.seeds]
        val, test = (mean(column) for column in zip(*found, strict=True))
        print(f"| {times * by_rule:.3g} | {val:.4f} | {test:.4f} |", flush=True)


def judged(workspace: Workspace, regularization: float, seed: int, sample: int) -> tuple[float, float]:
    """NDCG@10 of one trained model on validation and test."""
    settings = TrainSettings(regularization=regularization, random_seed=seed)
    trained = train(workspace, settings, publish=False, chooser=on_validation)
    try:
        val, test = (
            evaluate(
                workspace,
                EvaluateSettings(split=split, users="others", baselines=("popularity",), sample=sample),
                model_id=trained.model_id,
            ).models["als"]["ndcg@10"].value
            for split in ("val", "test")
        )  # fmt: skip
        return val, test
    finally:
        with workspace.writing("benchmark"):
            registry.remove(workspace, trained.model_id)


if __name__ == "__main__":
    main()
