"""Taste or page: what a model of "what came next" gains by the time since the last event, and without the page's order.

    python benchmarks/sittings.py [--data-dir data] [--deals 5]

Prints the NDCG@10 of the default model, of EASE without and with a recency-weighted query, and of `sequence`, which
counts what followed what: on all later likes, on those after each pause, and with the order within each sitting dealt
anew (the mean over several deals, and the smallest and largest lead). The data directory must have a published model of
the demo data, or of other data with times.
docs/decisions/0019 has the table.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlrec.evaluation.estimates import Difference
from mlrec.evaluation.protocol import Evaluation, evaluate
from mlrec.evaluation.wording import interval, signed
from mlrec.settings import EvaluateSettings, HeldOutSplit
from mlrec.workspace import Workspace

MODELS = ("als", "ease", "ease-recent", "sequence")
METRIC, LEAD = "ndcg@10", "als - sequence"
SPLITS: tuple[HeldOutSplit, ...] = ("val", "test")


def main() -> None:
    """Evaluate, and print both tables."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], epilog=(__doc__ or "").partition("\n")[2].strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--data-dir", default="data", help="data directory (default: %(default)s)")
    parser.add_argument("--deals", type=int, default=5, help="how often the sittings are dealt (default: %(default)s)")
    arguments = parser.parse_args()
    workspace = Workspace(Path(arguments.data_dir))
    print(f"| split | likes | users | {' | '.join(MODELS)} | sequence leads als by |")
    print("|---|---|---:|---:|---:|---:|---:|---|")
    for split in SPLITS:
        settings = EvaluateSettings(split=split, baselines=("ease", "ease-recent", "sequence"))
        found = evaluate(workspace, settings)
        figures = [found.models[name][METRIC].value for name in MODELS]
        _print(split, "all", found.users, figures, _lead(found.differences[LEAD][METRIC]))
        for part in found.segments:
            if part.by == "pause":
                figures = [part.models[name][METRIC].value for name in MODELS]
                _print(split, part.name, part.users, figures, f"{figures[-1] / figures[0] - 1:+.0%}")
        dealt = [
            evaluate(workspace, replace(settings, shuffle_sittings=True, random_seed=seed))
            for seed in range(arguments.deals)
        ]
        figures = [float(np.mean([one.models[name][METRIC].value for one in dealt])) for name in MODELS]
        users = round(float(np.mean([one.users for one in dealt])))
        _print(split, "all, dealt anew", users, figures, _spread(dealt))


def _print(split: str, likes: str, users: int, figures: list[float], lead: str) -> None:
    print(
        f"| {split} | {likes} | {users:,} | {' | '.join(f'{figure:.4f}' for figure in figures)} | {lead} |", flush=True
    )


def _lead(lead: Difference) -> str:
    """The lead of `sequence`, which is the other way round."""
    return f"{signed(-lead.value)} ({interval(Difference(0, -(lead.high or 0), -(lead.low or 0), None))})"


def _spread(dealt: list[Evaluation]) -> str:
    """The mean lead of `sequence` over the deals, and the smallest and largest."""
    leads = [-one.differences[LEAD][METRIC].value for one in dealt]
    return f"{signed(float(np.mean(leads)))} ({signed(min(leads))} to {signed(max(leads))} in {len(leads)} deals)"


if __name__ == "__main__":
    main()
