"""Time and quality of a warm start: a model of the older ratings, then one of all, from its movie factors and anew.

    python benchmarks/warm_start.py RAW_DIR [--known 0.5 0.9] [--sweeps 1 2 3 4] [--seeds 1 2 3] [--sample 20000]

RAW_DIR holds ratings.csv and movies.csv in MovieLens' format. For each share, the ratings are cut in two by time, and
the older part is that share. Both parts together are the data of the new models, which are ALS alone: the item-item
weights do not depend on its start. Quality is NDCG@10 of liked movies, with a 95% confidence interval of the difference
to the model that began anew with the same seed (of the first seed). The seconds are those of the fits alone, which take
turns. Nothing is kept. docs/decisions/0023 has the tables.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean

import duckdb
import numpy as np

from mlrec.artifacts.model_folder import Model
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.evaluation.comparing import compare_models, has_learned
from mlrec.machine import available_threads, blas_threads
from mlrec.model import als
from mlrec.model.matrix import core_matrix
from mlrec.model.train import build_model
from mlrec.model.warm_start import movie_start
from mlrec.settings import EvaluateSettings, HeldOutSplit, TrainSettings
from mlrec.workspace import Workspace

SPLITS: tuple[HeldOutSplit, ...] = ("val", "test")
METRIC = "ndcg@10"
_ROUNDS = 5


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path)
    parser.add_argument("--known", type=float, nargs="+", default=[0.5, 0.9], help="shares of the older ratings")
    parser.add_argument("--sweeps", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--sample", type=int, default=0, help="number of users to evaluate; 0: all")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        everything = prepared(arguments.raw, Path(folder) / "all", 1.0)
        print("| older part | fit | time | NDCG@10 validation | difference | NDCG@10 test | difference |")
        print("|---|---|---:|---:|---:|---:|---:|")
        for share in arguments.known:
            older = prepared(arguments.raw, Path(folder) / "older", share)
            compare(older, everything, share, arguments.sweeps, arguments.seeds, arguments.sample)


def prepared(raw: Path, folder: Path, share: float) -> PreparedData:
    """Prepare the older part of the ratings."""
    shutil.rmtree(folder, ignore_errors=True)
    workspace = Workspace(folder)
    workspace.raw.mkdir(parents=True)
    ratings, target = str(raw / "ratings.csv"), str(workspace.raw / "ratings.csv")
    with duckdb.connect() as connection:
        read = connection.read_csv(ratings, all_varchar=True).set_alias("r")  # noqa: F841  # DuckDB reads it by its name
        connection.sql(
            "SELECT * FROM read WHERE CAST(timestamp AS BIGINT) <="
            f" (SELECT quantile_disc(CAST(timestamp AS BIGINT), {share:f}) FROM read)"
        ).write_csv(target)
    shutil.copyfile(raw / "movies.csv", workspace.raw / "movies.csv")
    prepare(workspace)
    return read_prepared(workspace)


def compare(
    older: PreparedData, data: PreparedData, share: float, sweeps: list[int], seeds: list[int], sample: int
) -> None:
    """Print the rows of one share."""
    anew: list[Model] = []
    warm: dict[int, list[Model]] = {n: [] for n in sweeps}
    known = 0.0
    for seed in seeds:
        settings = TrainSettings(item_item="off", random_seed=seed)
        first = build_model(older, settings)[0]
        held_out = data.held_out("val")
        known = float(has_learned(first, held_out)[held_out.preference > 0].mean())
        anew.append(named(build_model(data, settings)[0], "anew"))
        for n in sweeps:
            model = build_model(data, replace(settings, iterations=n), warm_start=first)[0]
            warm[n].append(named(model, f"warm start, {n} sweeps"))
    ratios = times(first, anew[-1], sweeps)
    for n in sweeps:
        print(f"| {share:.0%}, {known:.1%} of val known | {row(warm[n], anew, ratios[n], sample, data)}", flush=True)


def named(model: Model, name: str) -> Model:
    """The model under a name that says how it was fitted."""
    return replace(model, model_id=name)


def row(models: list[Model], others: list[Model], ratio: float, sample: int, data: PreparedData) -> str:
    """How a warm start does on both splits beside fits anew."""
    cells = []
    for split in SPLITS:
        settings = EvaluateSettings(split=split, sample=sample, ks=(10,))
        found = [compare_models(data, *pair, settings) for pair in zip(models, others, strict=True)]
        lead = found[0].difference[METRIC]
        cells += [
            f"{mean(one.models[one.first][METRIC].value for one in found):.4f}"
            f" (anew {mean(one.models[one.second][METRIC].value for one in found):.4f})",
            f"{lead.value:+.4f} [{lead.low:+.4f}, {lead.high:+.4f}]",
        ]
    return f"{models[0].model_id} | {ratio:.2f} | {' | '.join(cells)} |"


def times(first: Model, anew: Model, sweeps: list[int]) -> dict[int, float]:
    """Seconds of fits from another model, as shares of those of a fit anew: medians of fits that take turns."""
    preferences = core_matrix(anew.history.only(anew.info.trained_on), anew.is_trained)
    start = movie_start(first, anew.movie_ids[anew.is_trained])
    cold = anew.info.settings
    seconds: dict[int, list[float]] = {n: [] for n in [0, *sweeps]}
    for _ in range(_ROUNDS):
        for n, own in seconds.items():
            settings = cold if not n else replace(cold, start_share=0.0, iterations=n)
            since = time.perf_counter()
            with blas_threads():
                als.fit(preferences, settings, available_threads(), movie_start=start if n else None)
            own.append(time.perf_counter() - since)
    medians = {n: float(np.median(own)) for n, own in seconds.items()}
    return {n: medians[n] / medians[0] for n in sweeps}


if __name__ == "__main__":
    main()
