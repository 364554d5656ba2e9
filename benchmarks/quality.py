"""Prints NDCG@10 and Recall@10 of the presets and of popularity as a Markdown table, averaged over training seeds.

    python benchmarks/quality.py [--data-dir data] [--seeds 1 2 3]

The data directory must contain prepared data (`mlrec prepare`). The models are not published, and removed afterwards.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean

from mlrec.artifacts import registry
from mlrec.evaluation.choosing import on_validation
from mlrec.evaluation.protocol import evaluate
from mlrec.model.train import train
from mlrec.settings import EvaluateSettings, PresetName, TrainSettings
from mlrec.workspace import Workspace

PRESETS: tuple[PresetName, ...] = ("baseline", "default")
METRICS = ("ndcg@10", "recall@10")
Figures = dict[str, list[float]]


def main() -> None:
    """Train each preset with each seed, evaluate it on both parts, print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments = parser.parse_args()
    workspace = Workspace(arguments.data_dir)

    rows: dict[str, Figures] = {}
    for preset in PRESETS:
        for seed in arguments.seeds:
            for name, figures in judge(workspace, preset, seed).items():
                for metric, value in figures.items():
                    rows.setdefault(name, {}).setdefault(metric, []).append(value)

    columns = [f"{metric} {split}" for split in ("val", "test") for metric in METRICS]
    print(f"| model | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for name in ("popularity", *PRESETS):
        print(f"| {name} | {' | '.join(f'{mean(rows[name][column]):.4f}' for column in columns)} |")


def judge(workspace: Workspace, preset: PresetName, seed: int) -> dict[str, dict[str, float]]:
    """Figures of one training, and of popularity beside it."""
    trained = train(workspace, TrainSettings.preset(preset, random_seed=seed), publish=False, chooser=on_validation)
    try:
        figures: dict[str, dict[str, float]] = {preset: {}, "popularity": {}}
        for split in ("val", "test"):
            result = evaluate(
                workspace, EvaluateSettings(split=split, baselines=("popularity",)), model_id=trained.model_id
            )
            for metric in METRICS:
                figures[preset][f"{metric} {split}"] = result.models["als"][metric].value
                figures["popularity"][f"{metric} {split}"] = result.models["popularity"][metric].value
        return figures
    finally:
        with workspace.writing("benchmark"):
            registry.remove(workspace, trained.model_id)


if __name__ == "__main__":
    main()
