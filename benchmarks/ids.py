"""Prints how long serving takes with text ids, beside the same model with whole numbers.

    python benchmarks/ids.py [--data-dir data] [--times 20] [--calls 2000] [--rounds 6] [--store sqlite]

The model of the data directory, whose ids must be whole numbers, is repeated in memory. Its twin has a UUID in place of
each id; they sort as the numbers do, so both give the same lists. Calls to both take turns in one process with one
thread. A ratio is the median over the rounds of the ratio of the medians, and its range is that of the rounds.

Where an array lies in memory changes a call by some percent. So there are two pairs of recommenders, opened in
opposite orders, which the rounds use in turn.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import numpy as np

from mlrec import Recommender
from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.model_folder import Catalogue, Model
from mlrec.ids import IdArray, array_of, public
from mlrec.ranking.histories import EVENT_ARRAYS, History
from mlrec.serving.stores import open_store
from mlrec.settings import ServeSettings
from mlrec.workspace import Workspace

BATCH_ROUNDS = 3


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--times", type=int, default=20, help="how often the model is repeated (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=2000, help="calls in a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--store", choices=["memory", "sqlite"], default="memory")
    parser.add_argument("--work-dir", type=Path, default=Path())
    arguments = parser.parse_args()
    numbers = repeated(model_folder.open_model(registry.resolve(Workspace(arguments.data_dir))), arguments.times)
    texts = replace(numbers, user_ids=uuids(len(numbers.user_ids), 0), movie_ids=uuids(len(numbers.movie_ids), 1))
    print(f"model: {len(numbers.user_ids):,} users, {len(numbers.movie_ids):,} movies; store: {arguments.store}")
    with TemporaryDirectory(dir=arguments.work_dir) as folder:
        opened: dict[str, list[Recommender]] = {"numbers": [], "texts": []}
        kinds = {"numbers": numbers, "texts": texts}
        for number, kind in enumerate(("numbers", "texts", "texts", "numbers")):
            store = "memory" if arguments.store == "memory" else str(Path(folder).absolute() / f"{number}.db")
            # Few views are cached, because deriving one is what touches ids.
            settings = ServeSettings(cached_users=10)
            opened[kind].append(Recommender(kinds[kind], open_store(store, None), settings=settings))
        pairs = list(zip(opened["numbers"], opened["texts"], strict=True))
        measure(pairs, arguments.calls, arguments.rounds)
        for pair in pairs:
            for recommender in pair:
                recommender.close()


def measure(pairs: Sequence[Sequence[Recommender]], calls: int, rounds: int) -> None:
    """Time each method with both models."""
    draw = np.random.default_rng(0)
    models = [recommender._served().model for recommender in pairs[0]]
    users = [public(model.user_ids) for model in models]
    movies = [public(model.movie_ids) for model in models]
    by_user = [draw.integers(len(users[0]), size=calls).tolist() for _ in range(rounds)]
    by_movie = [draw.integers(len(movies[0]), size=calls).tolist() for _ in range(rounds)]
    print("| call | whole numbers | texts | ratio | range |\n|---|---:|---:|---:|---:|")

    def report(name: str, call: Callable[[Recommender, int, int], object], rows: Sequence[Sequence[int]]) -> None:
        medians = np.array([_turns(pairs[number % 2], call, of_round) for number, of_round in enumerate(rows)])
        ratios = medians[:, 1] / medians[:, 0]
        first, second = np.median(medians, axis=0) * 1e6
        print(
            f"| {name} | {first:,.0f} µs | {second:,.0f} µs | {np.median(ratios):.3f}"
            f" | {ratios.min():.3f} to {ratios.max():.3f} |"
        )

    report("`get_top_n`, a cached user", lambda rec, which, _: rec.get_top_n(users[which][0]), by_user)
    report("`get_top_n`", lambda rec, which, row: rec.get_top_n(users[which][row]), by_user)
    report("`similar_movies`", lambda rec, which, row: rec.similar_movies(movies[which][row]), by_movie)
    report(
        "`update_user`, users of the model",
        lambda rec, which, row: rec.update_user(users[which][row % len(users[which])], movies[which][row], 1),
        by_movie,
    )
    new: list[Any] = [10**9, "somebody"]
    report(
        "`update_user`, one new user",
        lambda rec, which, row: rec.update_user(new[which], movies[which][row], 1),
        by_movie,
    )
    report("`undo`", lambda rec, which, _: rec.undo(new[which]), by_movie)
    report("`explain`", lambda rec, which, row: rec.explain(users[which][row], movies[which][0]), by_user)
    few = [rows[:BATCH_ROUNDS] for rows in by_user]
    report("`users(100)`", lambda rec, _, __: rec.users(100), few)
    report("`recommend_all(10)`", lambda rec, _, __: sum(1 for _ in rec.recommend_all(10)), few[:1] * rounds)


def _turns(
    both: Sequence[Recommender], call: Callable[[Recommender, int, int], object], rows: Sequence[int]
) -> list[float]:
    """Median seconds of a call with each model, called in turn for each row."""
    seconds: list[list[float]] = [[], []]
    gc.disable()
    for number, row in enumerate(rows):
        for which in (0, 1) if number % 2 else (1, 0):
            started = time.perf_counter()
            call(both[which], which, row)
            seconds[which].append(time.perf_counter() - started)
    gc.enable()
    return [float(np.median(one)) for one in seconds]


def uuids(n: int, seed: int) -> IdArray:
    """Random UUIDs, ascending."""
    draw = np.random.default_rng(seed)
    return array_of(sorted(str(UUID(bytes=draw.bytes(16), version=4)) for _ in range(n)), "text")


def repeated(model: Model, times: int) -> Model:
    """Repeat users and movies; each copy of the users has rated its own copy of the movies."""
    history, n_movies = model.history.checked(), len(model.movie_ids)
    of_copy = np.repeat(np.arange(times), len(history.movie_idx)).astype(np.int32)
    events = {name: np.tile(getattr(history, name), times) for name in EVENT_ARRAYS}
    events["movie_idx"] = np.where(events["movie_idx"] < 0, -1, events["movie_idx"] + of_copy * n_movies).astype(
        np.int32
    )
    steps = np.tile(np.diff(history.indptr), times)
    catalogue = {name: list(column) * times for name, column in vars(model.catalogue).items()}
    return replace(
        model,
        user_ids=np.arange(1, len(model.user_ids) * times + 1),
        movie_ids=np.arange(1, n_movies * times + 1),
        movie_factors=np.tile(model.movie_factors, (times, 1)),
        user_vectors=np.tile(model.user_vectors, (times, 1)),
        popularity=np.tile(model.popularity, times),
        catalogue=Catalogue(**catalogue),
        history=History(np.concatenate([[0], np.cumsum(steps)]), **events),
        folder=None,
    )


if __name__ == "__main__":
    main()
