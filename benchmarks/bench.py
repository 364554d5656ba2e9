"""Times the whole pipeline against the usual way, side by side, on data of MovieLens 20M's shape.

    make bench                       # 20 million ratings
    make bench SCALE=0.1
    python benchmarks/bench.py [--scale 1] [--rounds 3] [--work-dir data/bench] [--out bench.json]

Every step runs in its own process. mlrec and the others take turns, round after round, so that a noisy machine affects
all alike. The output shows the median seconds with their range, the median peak memory, and the ratio of the medians to
mlrec's. `benchmarks/usual.py` is the usual way; "DuckDB alone" reads the CSV, sorts once and writes Parquet. The raw
data is generated once and stays in the work directory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script has only its own folder on the path
from benchmarks.usual import KS
from mlrec.settings import PrepareSettings

HERE = Path(__file__).parent
PYTHON = sys.executable
MLREC = str(Path(PYTHON).with_name("mlrec"))
OURS = "mlrec"

ALONE = """
import sys, duckdb
raw, out, memory_limit = sys.argv[1:]
duckdb.execute("SET memory_limit = '" + memory_limit + "'; SET temp_directory = '" + out + ".tmp'")
duckdb.execute(
    "COPY (SELECT userId, movieId, rating, timestamp FROM read_csv('" + raw + "/ratings.csv')"
    " ORDER BY userId, timestamp, movieId) TO '" + out + "' (FORMAT parquet, COMPRESSION zstd)"
)
"""
BARE = """
import typer
app = typer.Typer()
@app.command()
def one(name: str = "x"):
    "One command."
@app.command()
def two(name: str = "x"):
    "Another."
app()
"""
SERVE = """
import json, sys, time
import numpy as np
from mlrec import Recommender
data, users_file, store, calls = sys.argv[1:]
users = np.random.default_rng(1).choice(np.load(users_file), int(calls)).tolist()
found = {}
def measure(name, call):
    taken = []
    for number, user in enumerate(users):
        started = time.perf_counter()
        call(user, movies[number % len(movies)])
        taken.append(time.perf_counter() - started)
    found[name], found[name + "_p99"] = np.percentile(taken, [50, 99]).tolist()
for where in ("memory", store):
    rec = Recommender.open(data, store=where)
    movies = [item.movie_id for item in rec.get_top_n(users[0], 200)]
    if where == "memory":
        measure("top_n", lambda user, movie: rec.get_top_n(user))
        measure("similar", lambda user, movie: rec.similar_movies(movie))
        measure("update", lambda user, movie: rec.update_user(user, movie, 1))
    else:
        measure("durable_update", lambda user, movie: rec.update_user(user, movie, 1))
print(json.dumps(found))
"""
CALLS = {
    "top_n": "a list of ten",
    "similar": "similar movies",
    "update": "an update in memory",
    "durable_update": "an update, committed to disk",
}


@dataclass
class Contestant:
    """One way to do a step, and its measurements.

    Attributes
    ----------
    name
        "mlrec" or another way.
    command
        Its process.
    stages
        Reads the seconds of each stage from the output of the process.
    """

    name: str
    command: Sequence[str]
    stages: Callable[[str], Mapping[str, float]] = lambda _: {}
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    staged: dict[str, list[float]] = field(default_factory=dict)

    def run(self, environment: Mapping[str, str], inputs: Sequence[Path] = ()) -> None:
        """Run the process once. Its input folders are read in advance, so that no contestant waits for the disk."""
        for file in (file for folder in inputs for file in folder.glob("*") if file.is_file()):
            with file.open("rb") as content:
                while content.read(2**24):
                    pass
        with tempfile.TemporaryFile() as out:
            started = time.perf_counter()
            process = subprocess.Popen(self.command, stdout=out, stderr=subprocess.DEVNULL, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
            taken = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise SystemExit(f"{' '.join(self.command)} failed with exit code {process.returncode}")
            out.seek(0)
            printed = out.read().decode()
        self.seconds.append(taken)
        self.megabytes.append(usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))
        for name, value in self.stages(printed).items():
            self.staged.setdefault(name, []).append(value)

    def to_json(self) -> dict[str, Any]:
        """All measurements."""
        return {"name": self.name, "seconds": self.seconds, "megabytes": self.megabytes, "stages": self.staged}


def main() -> None:
    """Run all steps and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work-dir", type=Path, default=Path("data/bench"))
    parser.add_argument("--calls", type=int, default=1000, help="calls of serving (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="also write the measurements to this file")
    arguments = parser.parse_args()
    raw = generated(arguments.work_dir, arguments.scale)
    data, usual = raw.with_name("data"), raw.with_name("usual")
    usual.mkdir(exist_ok=True)
    environment = plain_environment() | {"MLREC_DATA_DIR": str(data), "OPENBLAS_NUM_THREADS": "1"}

    results: dict[str, list[Contestant]] = {}
    for step, contestants, rounds in steps(raw, data, usual, arguments.rounds, arguments.calls):
        for number in range(rounds):
            for contestant in contestants:
                contestant.run(environment, (raw, data / "prepared", usual / "model"))
                print(f"{step}, round {number + 1}: {contestant.name} {contestant.seconds[-1]:.2f} s", file=sys.stderr)
        results[step] = contestants
        if step == "train":
            one_model(data)
    document = {
        "scale": arguments.scale,
        "machine": machine(),
        "steps": {step: [own.to_json() for own in contestants] for step, contestants in results.items()},
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(document, indent=2) + "\n")
    print(report(document))


def plain_environment() -> dict[str, str]:
    """The environment variables without those of mlrec."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MLREC_")}


def last_line(printed: str) -> dict[str, float]:
    """The JSON document in the last line of a process's output."""
    return dict(json.loads(printed.strip().splitlines()[-1]))


def folder_of(work: Path, scale: float) -> Path:
    """The folder for all files of a scale."""
    return work / f"scale-{scale:g}"


def generated(work: Path, scale: float) -> Path:
    """The folder of raw data of a scale, generated if it does not exist."""
    raw = folder_of(work, scale) / "raw"
    if not (raw / "ratings.csv").exists():
        raw.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([PYTHON, str(HERE / "generate.py"), str(raw), "--scale", str(scale), "--no-check"], check=True)
    return raw


def steps(raw: Path, data: Path, usual: Path, rounds: int, calls: int) -> list[tuple[str, list[Contestant], int]]:
    """The steps in order, with the contestants and the number of runs of each."""

    def mlrec(*arguments: str) -> list[str]:
        return [MLREC, *arguments]

    def by_hand(*arguments: object) -> list[str]:
        return [PYTHON, str(HERE / "usual.py"), *map(str, arguments)]

    prepared, model, memory_limit = data / "prepared", usual / "model", PrepareSettings().memory_limit
    return [
        (
            "prepare",
            [
                Contestant(OURS, mlrec("prepare", "--raw", str(raw))),
                Contestant("pandas, loop over users", by_hand("prepare", raw, usual / "prepared"), last_line),
                Contestant(
                    "DuckDB alone", [PYTHON, "-c", ALONE, str(raw), str(usual / "sorted.parquet"), memory_limit]
                ),
            ],
            rounds,
        ),
        (
            "train",
            [
                Contestant(OURS, mlrec("train", "--json"), lambda printed: dict(json.loads(printed)["seconds"])),
                Contestant("implicit used directly", by_hand("train", prepared, model), last_line),
            ],
            rounds,
        ),
        (
            "evaluate",
            [
                Contestant(OURS, mlrec("evaluate", *(f"-k{k}" for k in KS), "--baseline", "popularity")),
                Contestant("loop over users", by_hand("evaluate", prepared, model), last_line),
                Contestant(
                    "implicit's evaluator, one K",
                    by_hand("evaluate", prepared, model, "--evaluator", "implicit"),
                    last_line,
                ),
            ],
            rounds,
        ),
        (
            "start-up",
            [Contestant(OURS, mlrec("--help")), Contestant("a bare Typer application", [PYTHON, "-c", BARE, "--help"])],
            3 * rounds,
        ),
        ("recommend", [Contestant(OURS, mlrec("recommend", "--user", "42"))], 3 * rounds),
        (
            "serve",
            [
                Contestant(
                    OURS,
                    [PYTHON, "-c", SERVE, *map(str, (data, data / "users.npy", usual / "users.db", calls))],
                    last_line,
                ),
                Contestant("implicit's own calls", by_hand("serve", prepared, model, "--calls", calls), last_line),
            ],
            rounds,
        ),
    ]


def one_model(data: Path) -> None:
    """Delete all models except the published one, and write down its users for serving."""
    from mlrec.artifacts import registry
    from mlrec.workspace import Workspace

    workspace = Workspace(data)
    with workspace.writing("benchmark"):
        registry.prune(workspace, 1)
    users = registry.resolve(workspace).array("user_ids")
    (data / "users.npy").write_bytes(users.read_bytes())


def machine() -> dict[str, str]:
    """The machine that the benchmark ran on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "implicit", "numpy", "scipy", "pandas"))
    return {
        "processor": f"{os.cpu_count()} × {cpu}",
        "memory": f"{memory:.0f} GiB",
        "python": f"{platform.python_version()} on {platform.system()}",
        "versions": versions,
    }


def report(document: Mapping[str, Any]) -> str:
    """The tables, as Markdown."""
    lines = [f"Scale {document['scale']:g}; " + "; ".join(document["machine"].values()), ""]
    lines += ["| step | | seconds | range | peak memory | against mlrec |", "|---|---|---:|---:|---:|---:|"]
    steps_ = document["steps"]
    for step, contestants in steps_.items():
        ours = median(contestants[0]["seconds"])
        for own in contestants:
            taken = median(own["seconds"])
            ratio = "" if own["name"] == OURS or step == "serve" else f"{taken / ours:.2f} ×"
            spread = f"{min(own['seconds']):.2f} to {max(own['seconds']):.2f}"
            lines.append(
                f"| {step} | {own['name']} | {taken:.2f} | {spread} | {median(own['megabytes']):,.0f} MB | {ratio} |"
            )
    totals = {
        name: sum(median(steps_[step][place]["seconds"]) for step in ("prepare", "train", "evaluate"))
        for name, place in ((OURS, 0), ("the usual way", 1))
    }
    for name, total in totals.items():
        ratio = "" if name == OURS else f"{total / totals[OURS]:.2f} ×"
        lines.append(f"| prepare, train, evaluate | {name} | {total:.1f} | | | {ratio} |")
    lines += ["", "| milliseconds, median (99th percentile) | mlrec | implicit's own calls | against mlrec |"]
    lines.append("|---|---:|---:|---:|")
    ours, theirs = (own["stages"] for own in steps_["serve"])
    for call, what in CALLS.items():
        cells = (
            f"{1000 * median(own[call]):.3f} ({1000 * median(own[call + '_p99']):.3f})" if call in own else ""
            for own in (ours, theirs)
        )
        ratio = f"{median(theirs[call]) / median(ours[call]):.2f} ×" if call in theirs else ""
        lines.append(f"| {what} | {' | '.join(cells)} | {ratio} |")
    lines += ["", "| seconds of training | mlrec | implicit used directly |", "|---|---:|---:|"]
    ours, theirs = (own["stages"] for own in steps_["train"])
    for stage in dict.fromkeys([*ours, *theirs]):
        cells = (f"{median(own[stage]):.2f}" if stage in own else "" for own in (ours, theirs))
        lines.append(f"| {stage.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
