"""The speed benchmarks run on little data, and measure all contestants at every step."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_step_is_measured_side_by_side(tmp_path):
    out = tmp_path / "bench.json"
    sizes = ["--scale", 0.002, "--rounds", 1, "--calls", 20]
    printed = run("bench.py", *sizes, "--work-dir", tmp_path, "--out", out)
    document = json.loads(out.read_text())
    steps = document["steps"]
    assert list(steps) == ["prepare", "train", "evaluate", "start-up", "recommend", "serve"]
    assert [len(contestants) for contestants in steps.values()] == [3, 2, 3, 2, 1, 2]
    for step, contestants in steps.items():
        assert contestants[0]["name"] == "mlrec"
        for own in contestants:
            assert len(own["seconds"]) == (3 if step in ("start-up", "recommend") else 1)
            assert 10 < own["megabytes"][0] < 2000
    # The usual way does the same work: it finds what mlrec finds, on the same split of its own making.
    usual = tmp_path / "scale-0.002" / "usual" / "prepared"
    ours = tmp_path / "scale-0.002" / "data" / "prepared"
    assert rows(usual) == rows(ours) != {}
    assert "| train | implicit used directly |" in printed
    calls = {"top_n", "similar", "update"}
    assert {call for call in steps["serve"][0]["stages"] if not call.endswith("_p99")} == {*calls, "durable_update"}
    assert {call for call in steps["serve"][1]["stages"] if not call.endswith("_p99")} == {*calls, "open"}


def test_growth_is_measured_at_each_scale(tmp_path):
    out = tmp_path / "growth.json"
    printed = run("growth.py", "--scales", 0.002, 0.004, "--work-dir", tmp_path, "--out", out)
    scales = json.loads(out.read_text())["scales"]
    assert [of_scale["sizes"]["ratings"] for of_scale in scales] == [40_001, 80_001]
    for of_scale in scales:
        assert [step["name"] for step in of_scale["steps"]] == ["prepare", "train", "evaluate"]
        assert of_scale["steps"][1]["stages"]["fit"][0] < of_scale["steps"][1]["seconds"][0]
    assert printed.count("of which the fit") == 2


def test_threads_and_processes_are_measured_for_each_store(demo, tmp_path):
    printed = run(
        "concurrency.py", "--data-dir", demo.root, "--seconds", 0.05, "--workers", 1, 2, "--work-dir", tmp_path
    )
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines()[3:]]
    calls = ("`get_top_n`", "`update_user`")
    assert [row[:2] for row in rows] == [[store, call] for store in ("memory", "SQLite") for call in calls]
    assert all(int(cell.replace(",", "")) > 0 for row in rows for cell in row[2:])
    assert not list(tmp_path.iterdir())


def test_the_fit_is_measured_sweep_by_sweep(demo):
    printed = run("fit.py", "--study", "order", "--data-dir", demo.root, "--sweeps", 1, 2)
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines()[4:]]
    assert [row[1] for row in rows] == ["1", "2"] * 5
    quality = {(row[0], row[1]): [float(figure) for figure in row[4:]] for row in rows}
    # Movie factors do not depend on the order of users, but for rounding.
    assert quality["as the rows come", "1"] == pytest.approx(quality["active users first", "1"], abs=0.0005)


def test_the_start_on_a_part_of_the_users_is_measured(demo):
    printed = run("fit.py", "--data-dir", demo.root, "--sweeps", 2, "--variants", "all", "random fifth × 8")
    everybody, fifth = (line.strip("| ").split(" | ") for line in printed.splitlines()[4:])
    assert everybody[:3] == ["all users", "2", "2.0"]
    assert fifth[0] == "random fifth × 8"
    assert 3 < float(fifth[2]) < 4.5  # two sweeps over all users, and eight over a fifth of them
    assert float(fifth[4]) > float(everybody[4])


def test_a_warm_start_is_measured_beside_a_fit_anew(demo_raw):
    printed = run("warm_start.py", demo_raw, "--known", 0.9, "--sweeps", 1, 3)
    one, three = (line.strip("| ").split(" | ") for line in printed.splitlines()[2:])
    assert [row[1] for row in (one, three)] == ["warm start, 1 sweeps", "warm start, 3 sweeps"]
    assert 0 < float(one[2]) < float(three[2]) < 1


def rows(folder: Path) -> dict[str, list[tuple[int, ...]]]:
    import duckdb

    query = "SELECT * FROM read_parquet($path) ORDER BY ALL"
    with duckdb.connect() as connection:
        return {
            name: connection.execute(query, {"path": str(folder / f"{name}.parquet")}).fetchall()
            for name in ("train", "val", "test")
        }
