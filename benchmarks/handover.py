"""How a new user's list should move from popular to personal, and how popularity should look at dates.

    python benchmarks/handover.py [--data-dir data] [--held-out-share 0.2] [--first 0]

Users whom the model has never seen are replayed under several rules. For each rule, the output shows the hit rate at
10 of the next liked movie, over all predicted likes and by the number of events before it, and the difference from the
rule of earlier versions with its 95% confidence interval over users. `--first 22` replays only each user's first
events, where the rules differ, so that all users of a large data set can be replayed. docs/decisions/0014 has the
tables and the conclusion. The run takes about a minute on the demo data.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.dataset.reading import read_prepared
from mlrec.evaluation.bootstrap import Bootstrap
from mlrec.evaluation.replay.arms import Arm, ReplayModel, learn_before, served_arm
from mlrec.evaluation.replay.trials import Trials, predict
from mlrec.evaluation.replay.window import Window, hold_out
from mlrec.machine import available_threads
from mlrec.ranking.popularity import recent_share
from mlrec.ranking.ranker import Popular, popular_weight
from mlrec.settings import ReplaySettings, ServeSettings, TrainSettings
from mlrec.workspace import Workspace

# Events before the predicted like: from the first to below the second.
BANDS = ((0, 1), (1, 2), (2, 3), (3, 5), (5, 10), (10, 20), (20, 10**9))
DIVERSITIES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)
HALF_LIVES = (180, 365, 1000, 3000, math.inf)
FORMER = "line to 3, no dates"

Weight = Callable[[NDArray[np.integer[Any]] | int], NDArray[np.float64]]


def line(end: int) -> Weight:
    """All weight on popularity without opinions, none from `end` opinions on; the rule of earlier versions, with 3."""

    def weight(n: NDArray[np.integer[Any]] | int) -> NDArray[np.float64]:
        left: NDArray[np.float64] = 1.0 - np.asarray(n, dtype=np.float64) / end
        return np.clip(left, 0.0, None)

    return weight


def curve(end: int, most: float = 1.0) -> Weight:
    """The served rule's curve, with another end or cap."""

    def weight(n: NDArray[np.integer[Any]] | int) -> NDArray[np.float64]:
        n = np.asarray(n)
        return np.where(n == 0, 1.0, np.minimum(np.maximum(0.0, end - n) / (end + 4.0 * n), most))

    return weight


def personal(n: NDArray[np.integer[Any]] | int) -> NDArray[np.float64]:
    """Taste alone from the first opinion on."""
    is_first: NDArray[np.float64] = (np.asarray(n) == 0).astype(np.float64)
    return is_first


def served(n: NDArray[np.integer[Any]] | int) -> NDArray[np.float64]:
    """The served rule."""
    return popular_weight(n, ServeSettings().handover)


def main() -> None:
    """Replay under all rules and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--held-out-share", type=float, default=ReplaySettings().held_out_share)
    parser.add_argument("--first", type=int, default=0, help="replay only so many first events of each user")
    arguments = parser.parse_args()

    settings = ReplaySettings(held_out_share=arguments.held_out_share)
    serve, threads = ServeSettings(), available_threads()
    data = read_prepared(Workspace(arguments.data_dir))
    window = first_events(hold_out(data.events, settings.held_out_share), arguments.first)
    model = learn_before(window, data.movies, TrainSettings(), serve, threads)

    def show(arms: dict[str, Arm], default: str) -> None:
        report(predict(window.replayed, model, arms, settings.k, threads), default, settings)

    dated = TrainSettings().popularity_half_life
    arms = {FORMER: arm(model, line(3), math.inf, math.inf)}
    arms |= {f"served, half-life {days:g}": arm(model, served, days) for days in HALF_LIVES}
    arms |= {
        "line to 3, dates": arm(model, line(3), dated, math.inf),
        "curve, no cap, no bound": arm(model, curve(20), dated, math.inf),
        "curve to 40, no cap, no bound": arm(model, curve(40), dated, math.inf),
        "served, no bound": arm(model, served, dated, math.inf),
        "served, bound 1": arm(model, served, dated, 1),
        "served, bound 3": arm(model, served, dated, 3),
        "cap 0.2": arm(model, curve(20, 0.2), dated),
        "cap 0.6": arm(model, curve(20, 0.6), dated),
        "taste alone": arm(model, personal, dated),
    }
    show(arms, FORMER)

    print("The spread of a new user's first list over genres")
    spreads: dict[str, Arm] = {}
    for diversity in DIVERSITIES:
        popular = replace(model.ranker.popular, diversity=diversity)
        spreads[f"diversity {diversity:g}"] = served_arm(replace(model.ranker, popular=popular))
    show(spreads, f"diversity {serve.cold_diversity:g}")


def first_events(window: Window, n: int) -> Window:
    """Keep only the first events of each replayed user; 0 keeps all."""
    if not n:
        return window
    events = window.replayed
    _, starts, counts = np.unique(events.user, return_index=True, return_counts=True)
    return replace(window, replayed=events.only(np.arange(len(events)) - np.repeat(starts, counts) < n))


def arm(model: ReplayModel, weight: Weight, half_life: float, most_times: float | None = None) -> Arm:
    """Serve by a weight of popularity, with a half-life in days, and a bound on popularity (None: the served one)."""
    ranker = model.ranker
    share = recent_share(model.history, len(model.movie_ids), half_life)
    popular = Popular(share, model.content.genres, ranker.popular.diversity)
    bound = ranker.most_times if most_times is None else most_times
    return served_arm(replace(ranker, popular=popular, popular_weight=weight, most_times=bound))


def report(trials: Trials, default: str, settings: ReplaySettings) -> None:
    """Print one line per rule."""
    _, user_idx, n_likes = np.unique(trials.user, return_inverse=True, return_counts=True)
    print(f"{len(n_likes):,} users, {len(trials.user):,} likes, hit rate at {settings.k}")
    bootstrap = Bootstrap(len(n_likes), settings.resamples, settings.random_seed)
    resampled = {
        name: bootstrap.ratios(np.bincount(user_idx[found], minlength=len(n_likes)), n_likes)
        for name, found in trials.hits(settings.k).items()
    }
    bands = [f"{low}-{high - 1}" if high - low > 1 else f"{low}" for low, high in BANDS]
    bands[-1] = f"{BANDS[-1][0]}+"
    print(f"{'':30}{'all':>8}  {f'to {default}, 95%':28}" + "".join(f"{band:>8}" for band in bands))
    for name, found in trials.hits(settings.k).items():
        low, high = np.quantile(resampled[name] - resampled[default], [0.025, 0.975])
        chosen = [(trials.n_before >= first) & (trials.n_before < last) for first, last in BANDS]
        by_band = [f"{found[one].mean():8.3f}" if one.any() else f"{'':>8}" for one in chosen]
        print(f"{name:30}{found.mean():8.4f}  {f'{low:+.4f} to {high:+.4f}':28}" + "".join(by_band), flush=True)


if __name__ == "__main__":
    main()
