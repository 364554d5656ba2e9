"""Prints how long the calls of a Recommender take: median and 99th percentile, on one thread.

python benchmarks/serving.py [--data-dir data] [--calls 2000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mlrec import Recommender
from mlrec.artifacts import models
from mlrec.workspace import ModelFiles, Workspace


def main() -> None:
    """Time opening, get_top_n and similar_movies over users and movies drawn at random with a fixed seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--calls", type=int, default=2000)
    arguments = parser.parse_args()

    started = time.perf_counter()
    with Recommender.open(arguments.data_dir) as recommender:
        recommender.get_top_n(1)
        print(f"open and first list: {(time.perf_counter() - started) * 1e3:.1f} ms")
        model = models.open_model(ModelFiles(Workspace(Path(arguments.data_dir)).model(recommender.model_id).root))
        print(f"model: {len(model.movie_ids):,} movies, {len(model.user_ids):,} users")
        draw = np.random.default_rng(0)
        users = draw.choice(np.asarray(model.user_ids), arguments.calls).tolist()
        movies = draw.choice(np.asarray(model.movie_ids), arguments.calls).tolist()
        report("get_top_n", recommender.get_top_n, users)
        report("similar_movies", recommender.similar_movies, movies)


def report(name: str, call: Callable[[int], object], ids: list[int]) -> None:
    """Time one call an id."""
    seconds = []
    for public_id in ids:
        started = time.perf_counter()
        call(public_id)
        seconds.append(time.perf_counter() - started)
    median, late = np.percentile(seconds, [50, 99]) * 1e3
    print(f"{name}: median {median:.3f} ms, 99th percentile {late:.3f} ms over {len(ids):,} calls")


if __name__ == "__main__":
    main()
