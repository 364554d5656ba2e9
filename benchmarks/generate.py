"""Write ratings.csv and movies.csv of MovieLens 20M's shape, at any scale, and check them.

Run from anywhere: python benchmarks/generate.py OUT_DIR [--scale 1.0] [--seed 42]
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

# A script has its own folder on the path, but what it imports is known by its place in the project.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.synthetic.dataset import Dataset, Report, make_dataset
from benchmarks.synthetic.marginals import MAX_SCALE, MIN_SCALE
from benchmarks.synthetic.self_check import check, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns 0 on success, 1 if a marginal is off."""
    options = _parser().parse_args(arguments)
    report = stderr_report()
    threads = options.threads or os.cpu_count() or 1
    out_dir: Path = options.out_dir
    dataset = make_dataset(options.scale, options.seed, threads, report)
    write_csv(dataset, out_dir, report, text_users=options.text_users)
    if not options.check or options.text_users:
        return 0
    report("self-check", 0, 1)
    results = check(out_dir, options.scale)
    print(table(results))
    return 0 if all(result.passed for result in results) else 1


def write_csv(dataset: Dataset, out_dir: Path, report: Report, *, text_users: bool = False) -> None:
    """Write ratings.csv and movies.csv into a folder, which is created if necessary."""
    out_dir.mkdir(parents=True, exist_ok=True)
    report("movies.csv", 0, 1)
    catalogue = dataset.catalogue
    with (out_dir / "movies.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("movieId", "title", "genres"))
        writer.writerows(zip(catalogue.movie_ids.tolist(), catalogue.titles, catalogue.genres, strict=True))
    report("ratings.csv", 0, 1)
    columns = {
        "userId": dataset.user_id,
        "movieId": dataset.movie_id,
        "rating": dataset.rating,
        "timestamp": dataset.timestamp,
    }
    with duckdb.connect() as con:
        con.register("ratings", columns)
        # Rows keep their order with any number of threads (preserve_insertion_order, the default).
        users = "CAST(CAST(md5(CAST(userId AS VARCHAR)) AS UUID) AS VARCHAR)" if text_users else "userId"
        rows = f"SELECT * REPLACE ({users} AS userId) FROM ratings"
        con.execute(f"COPY ({rows}) TO $path (FORMAT csv, HEADER)", {"path": str(out_dir / "ratings.csv")})


def stderr_report() -> Report:
    """Report progress as lines on stderr, at most one per tenth of a step."""
    began = time.monotonic()

    def report(step: str, done: int, total: int) -> None:
        if done == 0 or done * 10 // total > (done - 1) * 10 // total:
            share = f" {done * 100 // total}%" if done else ""
            print(f"{time.monotonic() - began:6.1f} s  {step}{share}", file=sys.stderr, flush=True)

    return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="generate.py", description="Write ratings.csv and movies.csv of MovieLens 20M's shape, and check them."
    )
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="folder for the two files, created if necessary")
    parser.add_argument("--scale", type=_scale, default=1.0, help="1 is 20 million ratings (default: %(default)s)")
    parser.add_argument(
        "--seed", type=_whole_number, default=42, help="the same seed gives the same bytes (default: %(default)s)"
    )
    parser.add_argument(
        "--threads", type=_whole_number, default=0, help="0 for all processors (default); does not change a byte"
    )
    parser.add_argument("--text-users", action="store_true", help="a UUID for each user; without the check")
    parser.add_argument("--check", action=argparse.BooleanOptionalAction, default=True, help="read back and compare")
    return parser


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not MIN_SCALE <= scale <= MAX_SCALE:
        raise argparse.ArgumentTypeError(f"must be a number from {MIN_SCALE:g} to {MAX_SCALE:g}, not {text}")
    return scale


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more, not {text}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
