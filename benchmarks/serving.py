"""Prints how long serving takes: opening, a cold command, lists, filters, and lists and updates by length of history.

    python benchmarks/serving.py [--data-dir data] [--calls 2000] [--redis redis://localhost:6379/15] [--work-dir DIR]

Only the model of the data directory is read. Swipes go to the benchmark's own stores: a file in the work directory (on
the disk to be measured), a file on a RAM disk (to show the time without the flush of the disk), memory, and an empty
Redis database if one is given. It uses one thread, and prints medians and 99th percentiles.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mlrec import Recommender
from mlrec.artifacts import model_folder, registry
from mlrec.serving.stores.interface import Draft
from mlrec.workspace import Workspace

LENGTHS = (0, 10, 100, 300, 1_000, 3_000, 10_000)
UPDATES = 40
COLD_RUNS = 7
RAM_DISK = Path("/dev/shm")
# Opens a model, asks for one list, and prints the times, without the start of the interpreter.
OPEN = """
import resource, sys, time
started = time.perf_counter()
from mlrec import Recommender
imported = time.perf_counter()
rec = Recommender.open(sys.argv[1], store="memory")
opened = time.perf_counter()
rec.get_top_n(int(sys.argv[2]))
listed = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(imported - started, opened - imported, listed - opened, peak * (1 if sys.platform == "darwin" else 1024))
"""


def main() -> None:
    """Measure everything and print it."""
    parser = parser_of(__doc__)
    parser.add_argument("--calls", type=int, default=2000, help="calls a figure (default: %(default)s)")
    arguments = parser.parse_args()
    model = model_folder.open_model(registry.resolve(Workspace(Path(arguments.data_dir))))
    sizes = {"movies": len(model.movie_ids), "users": len(model.user_ids), "events": len(model.history.movie_idx)}
    print("model: " + ", ".join(f"{n:,} {name}" for name, n in sizes.items()))
    users = np.asarray(model.user_ids)
    cold_start(arguments.data_dir, int(users[len(users) // 2]))

    draw = np.random.default_rng(0)
    users_asked = draw.choice(users, arguments.calls).tolist()
    movies_asked = draw.choice(np.asarray(model.movie_ids), arguments.calls).tolist()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir=arguments.work_dir)))
        stores = {"memory": "memory", "SQLite": str(folder.absolute() / "users.db")}
        if RAM_DISK.is_dir():
            ram = Path(stack.enter_context(TemporaryDirectory(dir=RAM_DISK)))
            stores["SQLite, RAM disk"] = str(ram / "users.db")
        if arguments.redis:
            stores["Redis"] = arguments.redis
            stack.callback(empty, arguments.redis)
        opened = {
            name: stack.enter_context(Recommender.open(arguments.data_dir, store=store))
            for name, store in stores.items()
        }
        for name, recommender in opened.items():
            recommender.update_user(users_asked[0], movies_asked[0], 1)
            for user_id in set(users_asked):
                recommender.get_top_n(user_id)
            report(f"get_top_n, {name}", recommender.get_top_n, users_asked)
        report("get_top_n", opened["SQLite"].get_top_n, users_asked)
        report("get_top_n, diversity 0.3", lambda u: opened["memory"].get_top_n(u, diversity=0.3), users_asked[:500])
        filters(opened["memory"], users_asked, np.asarray(model.movie_ids).tolist())
        report("similar_movies", opened["memory"].similar_movies, movies_asked)
        report("explain", lambda u: opened["memory"].explain(u, movies_asked[0]), users_asked[:500])
        updates(opened, np.asarray(model.movie_ids).tolist())


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """The options for the model to serve and for the stores of its swipes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--redis", help="URL of an empty Redis database; its keys are deleted afterwards")
    parser.add_argument("--work-dir", type=Path, default=Path(), help="where the SQLite file lies (default: here)")
    return parser


def cold_start(data_dir: str, user_id: int) -> None:
    """Time opening in a separate process, and the whole command."""
    rows = []
    for _ in range(COLD_RUNS):
        done = subprocess.run(
            [sys.executable, "-c", OPEN, data_dir, str(user_id)], capture_output=True, text=True, check=True
        )
        rows.append([float(value) for value in done.stdout.split()])
    imports, opening, first, peak = np.median(rows, axis=0)
    print(
        f"open: {opening * 1e3:.0f} ms, beside {imports * 1e3:.0f} ms of imports and {first * 1e3:.1f} ms for the first"
        f" list; peak memory {peak / 2**20:.0f} MiB"
    )
    command = [
        str(Path(sys.executable).with_name("mlrec")),
        "--data-dir",
        data_dir,
        "recommend",
        "--user",
        str(user_id),
    ]
    seconds = []
    for _ in range(COLD_RUNS):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(
        f"mlrec recommend, cold: {np.median(seconds):.2f} s (median of {COLD_RUNS}, {min(seconds):.2f} to"
        f" {max(seconds):.2f}); peak memory at most {peak / 2**20:.0f} MiB"
    )


def report(name: str, call: Callable[[int], object], ids: Sequence[int]) -> None:
    """Time one call per id."""
    milliseconds = timed(call, ids)
    median, late = np.percentile(milliseconds, [50, 99])
    print(f"{name}: median {median:.3f} ms, 99th percentile {late:.3f} ms over {len(ids):,} calls")


def timed(call: Callable[[int], object], ids: Sequence[int]) -> list[float]:
    """Milliseconds of each call."""
    milliseconds = []
    for public_id in ids:
        started = time.perf_counter()
        call(public_id)
        milliseconds.append((time.perf_counter() - started) * 1e3)
    return milliseconds


def filters(recommender: Recommender, user_ids: Sequence[int], movie_ids: list[int]) -> None:
    """Print what each filter costs over a plain list of the same user.

    The calls take turns, so that whatever else the machine does slows all of them alike.
    """
    shelf = np.random.default_rng(1).choice(movie_ids, min(300, len(movie_ids)), replace=False).tolist()
    genres = [genre.name for genre in sorted(recommender.genres(), key=lambda genre: -genre.movies)]
    calls: dict[str, dict[str, Any]] = {
        "plain": {},
        "genres": {"genres": genres[:1]},
        "not_genres": {"not_genres": genres[1:3]},
        "years": {"years": (1980, 1999)},
        f"only, {len(shelf)} ids": {"only": shelf},
        f"exclude, {len(shelf)} ids": {"exclude": shelf},
        "seen='only'": {"seen": "only"},
        "max_per_genre=2": {"max_per_genre": 2},
        "all of them, seen='show'": {
            "genres": genres[:3], "not_genres": genres[3:5], "years": (1950, 2010), "only": shelf,
            "exclude": shelf[:10], "seen": "show", "max_per_genre": 2,
        },
    }  # fmt: skip
    took: dict[str, list[float]] = {name: [] for name in calls}
    draw = np.random.default_rng(2)
    for user_id in user_ids:
        recommender.get_top_n(user_id)  # what is read of a user for the first time is no cost of a filter
        for place in draw.permutation(len(calls)).tolist():
            name, given = list(calls.items())[place]
            took[name] += timed(lambda user_id: recommender.get_top_n(user_id, **given), [user_id])  # noqa: B023
    plain = np.array(took["plain"])
    print("\n| filter of get_top_n | median ms | over a plain list |")
    print("|---|---:|---:|")
    for name, milliseconds in took.items():
        over = np.median(np.array(milliseconds) - plain)
        print(f"| {name} | {np.median(milliseconds):.3f} | {over:+.3f} |")
    print()


def updates(opened: dict[str, Recommender], movie_ids: list[int]) -> None:
    """Print the time of `get_top_n` and of `update_user` by the number of the user's swipes.

    Each list follows a swipe, as in an app, so nothing that is derived from the user's swipes is known before.
    """
    print(f"\nmedian ms (99th percentile) over {UPDATES} calls, by swipes in the user's log")
    print(f"| swipes | a list | {' | '.join(f'update_user, {name}' for name in opened)} |")
    print("|---:" * (len(opened) + 2) + "|")
    for position, length in enumerate(LENGTHS):
        if length + UPDATES > len(movie_ids):
            break
        user_id = 2**40 + position
        cells: list[str] = []
        for recommender in opened.values():
            recommender.store.extend(
                (user_id, Draft(movie_id, 1 + number % 2 if number % 4 else -1, 1_500_000_000 + number))
                for number, movie_id in enumerate(movie_ids[:length])
            )
            recommender.get_top_n(user_id)
            updating, listing = [], []
            for movie_id in movie_ids[length : length + UPDATES]:
                updating += timed(lambda movie_id: recommender.update_user(user_id, movie_id, 1), [movie_id])  # noqa: B023
                listing += timed(recommender.get_top_n, [user_id])
            cells += [] if cells else ["{:.2f} ({:.2f})".format(*np.percentile(listing, [50, 99]))]
            cells.append("{:.2f} ({:.2f})".format(*np.percentile(updating, [50, 99])))
        print(f"| {length:,} | {' | '.join(cells)} |")


def empty(url: str) -> None:
    """Delete what the benchmark wrote to Redis."""
    import redis

    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(match="mlrec:*"):
            client.delete(key)


if __name__ == "__main__":
    main()
