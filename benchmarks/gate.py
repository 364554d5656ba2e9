"""Error rates of the gate: how often it publishes, refuses, and says that there are too few users.

    python benchmarks/gate.py [--data-dir DIR] [--users 50 100 …] [--trials 2000] [--seed 1] [--largest-loss 0.05]

DIR must contain prepared data; without it, the demo data is prepared in a temporary folder. Each pair of models is
evaluated on validation. Their NDCG@10 by user is what users are drawn from, with replacement.

Equal models: for each user drawn, chance says which model's figure is the new one. A loss: a share of the users get the
figure of the baseline preset in place of the new one, so that the mean loss is exactly 1 or 2 margins. The verdict is
that of `mlrec.evaluation.verdict.decide`, which the gate calls. docs/decisions/0018 and README.md have the table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlrec.dataset.demo import write_demo
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.evaluation.choosing import on_validation
from mlrec.evaluation.comparing import compare_by_user
from mlrec.evaluation.gate import METRIC
from mlrec.evaluation.verdict import Decision, bootstrap_for, decide
from mlrec.model.train import build_model
from mlrec.settings import EvaluateSettings, GateSettings, TrainSettings
from mlrec.workspace import Workspace

USERS = (50, 100, 200, 600, 2_000, 10_000)
PAIRS = {
    "another seed": TrainSettings(random_seed=7),
    "without the second opinion": TrainSettings(item_item="off"),
    "one factor": TrainSettings(factors=1),
}
LOSSES = (0, 1, 2)


@dataclass(frozen=True)
class Population:
    """The figures of users: of two models that are taken for equal, and of one that is worse, each (users,)."""

    one: NDArray[np.float64]
    other: NDArray[np.float64]
    worse: NDArray[np.float64]

    def drawn(
        self, n_users: int, loss: float, draw: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw users; return the figures of a new model that loses `loss` in the mean, and of the published one."""
        user = draw.integers(len(self.one), size=n_users)
        turned = draw.random(n_users) < 0.5
        new = np.where(turned, self.one[user], self.other[user])
        published = np.where(turned, self.other[user], self.one[user])
        share = loss / (self.mean - float(self.worse.mean()))
        return np.where(draw.random(n_users) < share, self.worse[user], new), published

    @property
    def mean(self) -> float:
        """The mean figure of the two models."""
        return float((self.one + self.other).mean()) / 2


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--users", type=int, nargs="+", default=USERS)
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--largest-loss", type=float, default=GateSettings.largest_loss)
    arguments = parser.parse_args()
    with workspace(arguments.data_dir) as place:
        populations = dict(found(read_prepared(place)))
    for name, population in populations.items():
        gap = population.other - population.one
        print(
            f"{name}: NDCG@10 {population.one.mean():.4f} and {population.other.mean():.4f}, standard deviation of the"
            f" difference {gap.std():.4f}, different for {np.mean(gap != 0):.0%} of {len(gap):,} users",
            file=sys.stderr,
        )
    print("Published / worse / too few users, in %:\n")
    print("| pair | users | no loss | loss = margin | loss = 2 × margin | missed of those decided | users needed |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, population in populations.items():
        for n_users in arguments.users:
            draw = np.random.default_rng([arguments.seed, n_users])
            bootstrap = bootstrap_for(n_users, EvaluateSettings.resamples, EvaluateSettings.random_seed)
            equal, small, large = (
                [
                    decide(
                        *population.drawn(n_users, loss * arguments.largest_loss * population.mean, draw),
                        arguments.largest_loss,
                        bootstrap,
                    )
                    for _ in range(arguments.trials)
                ]
                for loss in LOSSES
            )
            cells = [*map(shares, (equal, small, large)), missed(large), needed(equal)]
            print(f"| {name} | {n_users:,} | {' | '.join(cells)} |", flush=True)


def shares(decisions: list[Decision]) -> str:
    """How often each verdict came, in per cent."""
    counts = Counter(one.verdict for one in decisions)
    return " / ".join(
        f"{100 * counts[verdict] / len(decisions):.1f}" for verdict in ("publish", "worse", "too-few-users")
    )


def needed(decisions: list[Decision]) -> str:
    """The median of how many users would do, of the decisions that say so."""
    numbers = [one.users_needed for one in decisions if one.users_needed]
    return f"{np.median(numbers):,.0f}" if numbers else ""


def missed(decisions: list[Decision]) -> str:
    """Of the decisions, the share that published, with both numbers."""
    counts = Counter(one.verdict for one in decisions)
    decided = counts["publish"] + counts["worse"]
    return f"{counts['publish'] / decided:.1%} ({counts['publish']} of {decided:,})" if decided else ""


def found(data: PreparedData) -> Iterator[tuple[str, Population]]:
    """Evaluate each pair of models on validation."""
    settings = EvaluateSettings(ks=(10,))
    usual, worse = (
        replace(build_model(data, one, chooser=on_validation)[0], model_id=name)
        for name, one in (("usual", TrainSettings()), ("worse", TrainSettings.preset("baseline")))
    )
    for name, of_pair in PAIRS.items():
        model = replace(build_model(data, of_pair, chooser=on_validation)[0], model_id=name)
        figures = {
            model_id: judged.per_user[METRIC].numerators
            for other in (model, worse)
            for model_id, judged in compare_by_user(data, usual, other, settings)[1].items()
        }
        yield name, Population(figures["usual"], figures[name], figures["worse"])


@contextmanager
def workspace(data_dir: Path | None) -> Iterator[Workspace]:
    """The data directory, or a temporary one with the demo data."""
    if data_dir is not None:
        yield Workspace(data_dir)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder))
        place.raw.mkdir()
        write_demo(place.raw)
        prepare(place)
        yield place


if __name__ == "__main__":
    main()
