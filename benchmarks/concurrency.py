"""How serving scales: lists and updates per second, with several threads in one process and with several processes.

    OPENBLAS_NUM_THREADS=1 python benchmarks/concurrency.py [--data-dir DIR] [--redis URL] [--work-dir DIR]
                                                             [--workers N …]

Every worker sends the next call as soon as the last one returns, for its own users. Threads share one `Recommender`.
Processes have one each, on the same store, except that each process has its own memory store. The "SQLite" file is in
the work directory, and each update is flushed to that disk. Only the model of the data directory is read.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mlrec import Recommender
from mlrec.artifacts import model_folder, registry
from mlrec.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script has only its own folder on the path
from benchmarks.serving import empty, parser_of

WORKERS = (1, 2, 4)
USERS_EACH = 200
MOST_SECONDS_TO_BEGIN = 120  # who waits longer for the others waits for one that has failed
CALLS = ("get_top_n", "update_user")


def main() -> None:
    """Measure everything and print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each figure is measured")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, help="numbers of threads, and of processes")
    arguments = parser.parse_args()
    numbers = arguments.workers
    model = model_folder.open_model(registry.resolve(Workspace(Path(arguments.data_dir))))
    users = np.random.default_rng(0).permutation(np.asarray(model.user_ids))
    movies = np.asarray(model.movie_ids)[np.argsort(-np.asarray(model.popularity))][:200]

    print(f"{os.cpu_count()} processors; calls per second")
    print(f"| store | call | {' | '.join(f'{kind}: {n}' for kind in ('threads', 'processes') for n in numbers)} |")
    print("|---|---|" + "---:|" * (2 * len(numbers)))
    with TemporaryDirectory(dir=arguments.work_dir) as scratch:
        stores = {"memory": "memory", "SQLite": str(Path(scratch).absolute() / "users.db")}
        if arguments.redis:
            stores["Redis"] = arguments.redis
        for name, store in stores.items():
            for call in CALLS:
                cells = []
                for run in (by_threads, by_processes):
                    for n in numbers:
                        parts = [users[part * USERS_EACH :][:USERS_EACH].tolist() for part in range(n)]
                        calls = run(arguments.data_dir, store, call, parts, movies.tolist(), arguments.seconds)
                        cells.append(f"{calls / arguments.seconds:,.0f}")
                print(f"| {name} | `{call}` | {' | '.join(cells)} |", flush=True)
    if arguments.redis:
        empty(arguments.redis)


def work(
    recommender: Recommender,
    call: str,
    users: list[int],
    movies: list[int],
    begin: Callable[[], object],
    seconds: float,
) -> int:
    """Call for the given time once all workers are ready. Returns the number of calls."""
    for user_id in users:
        recommender.get_top_n(user_id)
    begin()
    n, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        user_id = users[n % len(users)]
        if call == "get_top_n":
            recommender.get_top_n(user_id)
        else:
            recommender.update_user(user_id, movies[n // len(users) % len(movies)], 1 if n % 3 else -1)
        n += 1
    return n


def by_threads(data_dir: str, store: str, call: str, parts: list[list[int]], movies: list[int], seconds: float) -> int:
    """The number of calls by threads that share one recommender."""
    barrier = threading.Barrier(len(parts), timeout=MOST_SECONDS_TO_BEGIN)
    with Recommender.open(data_dir, store=store) as recommender, ThreadPoolExecutor(len(parts)) as pool:
        return sum(pool.map(lambda users: work(recommender, call, users, movies, barrier.wait, seconds), parts))


def by_processes(
    data_dir: str, store: str, call: str, parts: list[list[int]], movies: list[int], seconds: float
) -> int:
    """The number of calls by processes with a recommender each."""
    context = multiprocessing.get_context("spawn")
    barrier, counts = context.Barrier(len(parts), timeout=MOST_SECONDS_TO_BEGIN), context.Queue()
    processes = [
        context.Process(target=one_process, args=(data_dir, store, call, users, movies, barrier, counts, seconds))
        for users in parts
    ]
    for process in processes:
        process.start()
    total: int = sum(counts.get(timeout=MOST_SECONDS_TO_BEGIN + 10 * seconds) for _ in processes)
    for process in processes:
        process.join()
    return total


def one_process(
    data_dir: str,
    store: str,
    call: str,
    users: list[int],
    movies: list[int],
    barrier: object,
    counts: object,
    seconds: float,
) -> None:
    with Recommender.open(data_dir, store=store) as recommender:
        counts.put(work(recommender, call, users, movies, barrier.wait, seconds))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
