"""Measures what the race costs when training chooses settings on validation: NDCG@10 of what it finds, and its work.

    python benchmarks/race.py [--data-dir data] [--draws 60] [--users 2600] [--first 600]

All points that training may try are evaluated for all users of the validation split, which takes minutes. Each draw
takes half of the users, or as many as are given, to choose by, and judges what is chosen by the other half. The choice
is that of training (`mlrec.evaluation.choosing`), except that it looks figures up. Nothing is published.

*Points* are the points that were tried, as if each had been tried with all users that there are to choose by. The
difference to trying all points with all of them is paired by draw, with its standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.choice import Choice
from mlrec.dataset.reading import read_prepared
from mlrec.evaluation import choosing
from mlrec.model.learn import Candidates
from mlrec.model.train import Ground, build_model
from mlrec.settings import CHOSEN, TrainSettings
from mlrec.workspace import Workspace

Table = Mapping[tuple[float, ...], NDArray[np.float64]]
"""Settings → NDCG@10 of each user, (users,)."""


@dataclass(frozen=True, eq=False)
class LookedUp(choosing.Bench):
    """Looks figures up for some users, the first of them as the first jury."""

    table: Table = field(default_factory=dict)
    parts: tuple[NDArray[np.int64], ...] = ()

    def judged(self, settings: TrainSettings, n_juries: int = 1) -> list[NDArray[np.float64]]:
        """As of any bench."""
        point = tuple(getattr(settings, name) for name in CHOSEN)
        found = self.tried.setdefault(point, [])
        found += [self.table[point][users] for users in self.parts[len(found) : n_juries]]
        return found

    def lists(self) -> int:
        """How many lists were looked at."""
        return sum(sum(map(len, found)) for found in self.tried.values())


def main() -> None:
    """Evaluate all points, draw, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--users", type=int, default=2_600, help="users to choose by, at most half of all")
    parser.add_argument("--first", type=int, default=600, help="users who come first in the race")
    arguments = parser.parse_args()
    benches: list[choosing.Bench] = []
    tables: list[Table] = []

    def chooser(ground: Ground, candidates: Candidates) -> tuple[TrainSettings, Choice | None]:
        bench = choosing.Bench.of(ground, candidates, sys.maxsize)
        benches.append(bench)
        tables.append(all_points(bench))
        return candidates.settings.started(), None

    build_model(read_prepared(Workspace(arguments.data_dir)), TrainSettings(), chooser=chooser)
    compare(benches[0], tables[0], arguments)


def all_points(bench: choosing.Bench) -> Table:
    """Evaluate all points."""
    started, found = bench.candidates.settings.started(), {}
    values = {name: sorted({*choosing.VALUES[name], getattr(started, name)}) for name in CHOSEN}
    for done, point in enumerate(product(*values.values())):
        found[point] = bench.of_all(started.with_values(dict(zip(CHOSEN, point, strict=True))))
        print(f"\r{done + 1} points", end="", file=sys.stderr)
    print(file=sys.stderr)
    return found


def compare(bench: choosing.Bench, table: Table, arguments: argparse.Namespace) -> None:
    """Draw users, choose with and without the race, and print the table."""
    ndcg = np.stack(list(table.values()))
    place = {point: number for number, point in enumerate(table)}
    n_users = ndcg.shape[1]
    n_chosen_by = min(arguments.users, n_users // 2)
    started = bench.candidates.settings.started()
    left = [name for name in choosing.VALUES if name in bench.candidates.settings.left_to_training]
    found: dict[str, list[tuple[float, float, int]]] = {}
    for seed in range(arguments.draws):
        order = np.random.default_rng(seed).permutation(n_users)
        users, others = order[:n_chosen_by], ndcg[:, order[n_users // 2 :]].mean(axis=1)
        ways = {
            "all points with all users": (users,),
            f"a race, {arguments.first:,} users first": tuple(np.split(users, [arguments.first])),
            "all points with half of the users": (users[: n_chosen_by // 2],),
        }
        for name, parts in ways.items():
            juries = bench.juries[:1] * len(parts)
            looked_up = LookedUp(juries, bench.candidates, bench.by_row, bench.item_item, table=table, parts=parts)
            settings = looked_up.chosen(started, left)
            number = place[tuple(getattr(settings, name) for name in CHOSEN)]
            found.setdefault(name, []).append((float(others[number]), looked_up.lists() / n_chosen_by, number))
    print(f"{n_users:,} users, {n_chosen_by:,} to choose by, {arguments.draws} draws")
    print("| | points | NDCG@10 of other users | difference | the same choice |")
    print("|---|---:|---:|---:|---:|")
    usual = np.array(next(iter(found.values())))
    for name, rows in found.items():
        own = np.array(rows)
        lead = own[:, 0] - usual[:, 0]
        print(
            f"| {name} | {own[:, 1].mean():.1f} | {own[:, 0].mean():.5f} | {lead.mean():+.5f} ±"
            f" {lead.std() / np.sqrt(len(lead)):.5f} | {np.mean(own[:, 2] == usual[:, 2]):.0%} |"
        )


if __name__ == "__main__":
    main()
