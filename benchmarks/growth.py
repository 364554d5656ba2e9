"""How time and memory grow with the ratings: prepare, train and evaluate at several scales of MovieLens 20M's shape.

    python benchmarks/growth.py [--scales 0.1 0.3 1] [--rounds 1] [--work-dir data/bench] [--out growth.json]

It shares the work directory with `bench.py` and generates what is missing there. Scale 1 takes half a gigabyte of disk
and a minute. Rounds alternate between the scales. The output shows medians, the microseconds per rating of the raw file
for each step, and peak memory.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script has only its own folder on the path
from benchmarks.bench import MLREC, Contestant, folder_of, generated, machine, one_model, plain_environment
from benchmarks.usual import KS

STEPS: Mapping[str, list[str]] = {
    "prepare": ["prepare"],
    "train": ["train", "--json"],
    "evaluate": ["evaluate", *(f"-k{k}" for k in KS), "--baseline", "popularity"],
}


def main() -> None:
    """Run all steps at all scales and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.1, 0.3, 1.0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--work-dir", type=Path, default=Path("data/bench"))
    parser.add_argument("--out", type=Path, help="also write the measurements to this file")
    arguments = parser.parse_args()
    environment = plain_environment()
    measured = {
        scale: {step: Contestant(step, command(arguments.work_dir, scale, step), stages(step)) for step in STEPS}
        for scale in arguments.scales
    }
    for scale in measured:
        generated(arguments.work_dir, scale)
    for number in range(arguments.rounds):
        for scale, steps in measured.items():
            data = folder_of(arguments.work_dir, scale) / "data"
            for step, contestant in steps.items():
                inputs = (folder_of(arguments.work_dir, scale) / "raw", data / "prepared")
                contestant.run(environment | {"MLREC_DATA_DIR": str(data)}, inputs)
                print(f"scale {scale:g}, round {number + 1}: {step} {contestant.seconds[-1]:.1f} s", file=sys.stderr)
            one_model(data)
    document = {
        "machine": machine(),
        "scales": [
            {
                "scale": scale,
                "sizes": sizes(folder_of(arguments.work_dir, scale) / "data"),
                "steps": [contestant.to_json() for contestant in steps.values()],
            }
            for scale, steps in measured.items()
        ],
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(document, indent=2) + "\n")
    print(report(document))


def command(work: Path, scale: float, step: str) -> list[str]:
    """The command of a step."""
    raw = ["--raw", str(folder_of(work, scale) / "raw")] if step == "prepare" else []
    return [MLREC, *STEPS[step], *raw]


def stages(step: str) -> Any:
    """The function that reads the stages of a step from its output."""
    if step == "train":
        return lambda printed: dict(json.loads(printed)["seconds"])
    return lambda _: {}


def sizes(data: Path) -> dict[str, int]:
    """The number of ratings read, and of users and movies in the core."""
    steps = json.loads((data / "prepared" / "manifest.json").read_text())["steps"]
    return {"ratings": steps[0]["ratings"], "users": steps[-1]["users"], "movies": steps[-1]["movies"]}


def report(document: Mapping[str, Any]) -> str:
    """The table, as Markdown."""
    lines = ["; ".join(document["machine"].values()), ""]
    lines += [
        "| ratings | users | movies | step | seconds | µs a rating | peak memory |",
        "|---:|---:|---:|---|---:|---:|---:|",
    ]
    for of_scale in document["scales"]:
        ratings, users, movies = of_scale["sizes"].values()
        for own in of_scale["steps"]:
            cells = [(own["name"], median(own["seconds"]), f"{median(own['megabytes']):,.0f} MB")]
            if "fit" in own["stages"]:
                cells.append(("of which the fit", median(own["stages"]["fit"]), ""))
            for name, seconds, memory in cells:
                each = f"{1e6 * seconds / ratings:.2f}"
                lines.append(f"| {ratings:,} | {users:,} | {movies:,} | {name} | {seconds:.1f} | {each} | {memory} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
