"""How a new user's list should move from popular to personal: replay of held-out users under several rules.

    python benchmarks/handover.py [--data-dir data] [--held-out-share 0.2]

For each rule, the output shows the hit rate at 10 of the next liked movie, over all predicted likes and by the number
of events before it, and the difference from the default rule with its 95% confidence interval over users.
docs/decisions/0004 has the table and the conclusion. The run takes about a minute on the demo data.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlrec.dataset.reading import read_prepared
from mlrec.evaluation.bootstrap import Bootstrap
from mlrec.evaluation.replay.arms import Arm, learn_before, served_arm
from mlrec.evaluation.replay.trials import Trials, predict
from mlrec.evaluation.replay.window import hold_out
from mlrec.machine import available_threads
from mlrec.ranking.popularity import spread_order
from mlrec.ranking.ranker import popular_weight
from mlrec.settings import ReplaySettings, ServeSettings, TrainSettings
from mlrec.workspace import Workspace

# Events before the predicted like: from the first to below the second.
BANDS = ((0, 1), (1, 2), (2, 3), (3, 5), (5, 10), (10, 20), (20, 10**9))
DIVERSITIES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)


class Rule(Protocol):
    """Weight of popularity by the number of opinions; `handover` sets how far it reaches."""

    def __call__(self, n_opinions: NDArray[np.int64], handover: int) -> NDArray[np.float64]:
        """Return weights, (users,)."""


def step(n_opinions: NDArray[np.int64], handover: int) -> NDArray[np.float64]:
    """Popularity alone up to some number of opinions, then none."""
    return (n_opinions < handover).astype(np.float64)


def shrinking(n_opinions: NDArray[np.int64], handover: int) -> NDArray[np.float64]:
    """Popularity weighs as much as `handover` opinions; it never ends completely."""
    weight: NDArray[np.float64] = handover / (handover + n_opinions)
    return weight


def curve(n_opinions: NDArray[np.int64], handover: int) -> NDArray[np.float64]:
    """Like `shrinking` with handover / 4 opinions, times a line that falls to 0."""
    weight: NDArray[np.float64] = np.maximum(0.0, handover - n_opinions) / (handover + 4.0 * n_opinions)
    return weight


RULES: dict[str, tuple[Rule, tuple[int, ...]]] = {
    "line": (popular_weight, (3, 5, 10, 20)),
    "step": (step, (1, 3, 5, 10)),
    "shrinking": (shrinking, (1, 5, 20)),
    "curve": (curve, (5, 10, 20, 40)),
}


def main() -> None:
    """Replay under all rules and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--held-out-share", type=float, default=ReplaySettings().held_out_share)
    arguments = parser.parse_args()

    settings = ReplaySettings(held_out_share=arguments.held_out_share)
    serve, threads = ServeSettings(), available_threads()
    data = read_prepared(Workspace(arguments.data_dir))
    window = hold_out(data.events, settings.held_out_share)
    model = learn_before(window, data.movies, TrainSettings(), serve, threads)

    arms = {
        f"{name}, {n}": served_arm(replace(model.ranker, popular_weight=partial(rule, handover=n)))
        for name, (rule, sizes) in RULES.items()
        for n in sizes
    }
    trials = predict(window.replayed, model, arms, settings.k, threads)
    print(f"{len(np.unique(trials.user)):,} users, {len(trials.user):,} likes, hit rate at {settings.k}")
    print("The rule of the handover")
    report(trials, f"line, {serve.handover}", settings)

    genres = data.movies.genres
    rows = np.searchsorted(data.movies.movie_id, model.movie_ids).tolist()
    of_model = [genres[row] for row in rows]
    spread_arms: dict[str, Arm] = {}
    for diversity in DIVERSITIES:
        spread = spread_order(model.ranker.share, of_model, diversity)
        spread_arms[f"diversity {diversity:g}"] = served_arm(replace(model.ranker, spread=spread))
    trials = predict(window.replayed, model, spread_arms, settings.k, threads)
    print("The spread of a new user's first list over genres")
    report(trials, f"diversity {serve.cold_diversity:g}", settings)


def report(trials: Trials, default: str, settings: ReplaySettings) -> None:
    """Print one line per rule."""
    _, user_idx, n_likes = np.unique(trials.user, return_inverse=True, return_counts=True)
    bootstrap = Bootstrap(len(n_likes), settings.resamples, settings.random_seed)
    resampled = {
        name: bootstrap.ratios(np.bincount(user_idx[found], minlength=len(n_likes)), n_likes)
        for name, found in trials.hits(settings.k).items()
    }
    bands = [f"{low}-{high - 1}" if high - low > 1 else f"{low}" for low, high in BANDS]
    bands[-1] = f"{BANDS[-1][0]}+"
    print(f"{'':24}{'all':>8}  {'to default, 95%':20}" + "".join(f"{band:>8}" for band in bands))
    for name, found in trials.hits(settings.k).items():
        low, high = np.quantile(resampled[name] - resampled[default], [0.025, 0.975])
        by_band = [found[(trials.n_before >= first) & (trials.n_before < last)].mean() for first, last in BANDS]
        print(
            f"{name:24}{found.mean():8.4f}  {f'{low:+.4f} to {high:+.4f}':20}" + "".join(f"{r:8.3f}" for r in by_band)
        )


if __name__ == "__main__":
    main()
