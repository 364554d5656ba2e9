"""Compares Spark with the local engine on one machine: the cost of Spark where it has no advantage.

    python benchmarks/spark.py compare [--scales 0.1 1] [--rounds 1] [--master 'local[*]'] [--work-dir data/bench]
    python benchmarks/spark.py study [--scale 0.1 | --data-dir DIR] [--times 0.1 0.3 1 3]

`compare` prepares and trains with each engine in turn, in separate processes and data directories, and evaluates both
models on validation. It says whether the splits are the same. `study` trains on Spark with multiples of the
regularization that mlrec passes to it, and evaluates each model (docs/decisions/0010). Both share the work directory
with `bench.py`. Spark needs the extra "spark" and Java.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script has only its own folder on the path
from benchmarks.bench import MLREC, Contestant, generated, machine, plain_environment
from mlrec.artifacts import registry
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_prepared
from mlrec.evaluation.protocol import evaluate
from mlrec.model import spark_als
from mlrec.model.train import train
from mlrec.settings import EvaluateSettings, SparkSettings
from mlrec.spark.session import Spark
from mlrec.workspace import Workspace

ENGINES = ("local", "spark")


def main() -> None:
    """Run the chosen command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=Path("data/bench"))
    parser.add_argument("--master", default="local[*]")
    commands = parser.add_subparsers(dest="command", required=True)
    comparing = commands.add_parser("compare")
    comparing.add_argument("--scales", type=float, nargs="+", default=[0.1, 1.0])
    comparing.add_argument("--rounds", type=int, default=1)
    studying = commands.add_parser("study")
    studying.add_argument("--scale", type=float, default=0.1)
    studying.add_argument("--data-dir", type=Path, help="a prepared data directory instead of generated data")
    studying.add_argument("--times", type=float, nargs="+", default=[0.1, 0.3, 1.0, 3.0])
    arguments = parser.parse_args()
    print("; ".join(machine().values()) + "\n")
    if arguments.command == "compare":
        compare(arguments.work_dir, arguments.scales, arguments.rounds, arguments.master)
    else:
        study(arguments.work_dir, arguments.scale, arguments.data_dir, arguments.times, arguments.master)


def compare(work: Path, scales: list[float], rounds: int, master: str) -> None:
    """Print seconds, memory and quality of both engines at each scale."""
    print("| ratings | step | local | Spark | Spark takes | local, memory | Spark, memory |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for scale in scales:
        raw = generated(work, scale)
        data = {engine: raw.with_name(f"engine-{engine}") for engine in ENGINES}
        options = {"local": ["--engine", "local"], "spark": ["--engine", "spark", "--spark-master", master]}
        steps = {
            step: {
                engine: Contestant(engine, [MLREC, "--data-dir", str(data[engine]), *words, *options[engine]])
                for engine in ENGINES
            }
            for step, words in {"prepare": ["prepare", "--raw", str(raw)], "train": ["train"]}.items()
        }
        for _ in range(rounds):
            for step, contestants in steps.items():
                for engine, contestant in contestants.items():
                    contestant.run(plain_environment(), (raw, data[engine] / "prepared"))
                    print(f"scale {scale:g}: {step} {engine} {contestant.seconds[-1]:.1f} s", file=sys.stderr)
        rows = {engine: hash_of(Workspace(data[engine])) for engine in ENGINES}
        manifest = json.loads((data["local"] / "prepared" / "manifest.json").read_text())
        for step, contestants in steps.items():
            seconds = {engine: median(contestant.seconds) for engine, contestant in contestants.items()}
            megabytes = {engine: median(contestant.megabytes) for engine, contestant in contestants.items()}
            ratings = manifest["steps"][0]["ratings"]
            print(
                f"| {ratings:,} | {step} | {seconds['local']:.1f} s | {seconds['spark']:.1f} s |"
                f" {seconds['spark'] / seconds['local']:.1f}× | {megabytes['local']:,.0f} MB |"
                f" {megabytes['spark']:,.0f} MB |"
            )
        same = "the same rows" if rows["local"] == rows["spark"] else "DIFFERENT ROWS"
        print(f"| | {same}; NDCG@10 | {ndcg(data['local'])} | {ndcg(data['spark'])} | | | |", flush=True)


def hash_of(workspace: Workspace) -> str:
    """A hash over all rows of all splits, in order."""
    events = read_prepared(workspace).events
    digest = hashlib.sha256()
    for column in vars(events).values():
        digest.update(column.tobytes())
    return digest.hexdigest()


def ndcg(data: Path, model_id: str | None = None) -> str:
    """NDCG@10 of a model on validation, with its confidence interval; by default of the published model."""
    workspace = Workspace(data)
    chosen = model_id or registry.published_id(workspace)
    value = evaluate(workspace, EvaluateSettings(), model_id=chosen).models["als"]["ndcg@10"]
    return f"{value.value:.4f} ({value.low:.4f} to {value.high:.4f})"


def study(work: Path, scale: float, data: Path | None, times: list[float], master: str) -> None:
    """Print the quality of models that Spark trained with multiples of the mapped regularization."""
    if data is None:
        raw = generated(work, scale)
        data = raw.with_name("engine-study")
        prepare(Workspace(data), raw=raw)
    workspace = Workspace(data)
    print("| engine | regularization, times the mapped one | NDCG@10 validation |\n|---|---:|---:|")
    local = train(workspace, publish=False)
    print(f"| local | | {ndcg(data, local.model_id)} |", flush=True)
    with Spark(SparkSettings(master), workspace.spark_log) as spark:
        for factor in times:
            with multiplied(factor):
                model_id = train(workspace, spark=spark, publish=False).model_id
            print(f"| Spark | {factor:g} | {ndcg(data, model_id)} |", flush=True)


@contextmanager
def multiplied(factor: float) -> Iterator[None]:
    """Multiply the regularization that is passed to Spark."""
    mapped = spark_als.mapped_regularization
    spark_als.mapped_regularization = lambda *values: factor * mapped(*values)
    try:
        yield
    finally:
        spark_als.mapped_regularization = mapped


if __name__ == "__main__":
    main()
