"""The benchmark runs, on little data, and measures everybody at every step."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "benchmarks" / "bench.py"


def test_every_step_is_measured_side_by_side(tmp_path):
    out = tmp_path / "bench.json"
    command = [sys.executable, BENCH, "--scale", "0.002", "--rounds", "1", "--calls", "20", "--work-dir", tmp_path]
    done = subprocess.run([*command, "--out", out], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
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
    assert "| train | implicit used directly |" in done.stdout


def rows(folder: Path) -> dict[str, list[tuple[int, ...]]]:
    import duckdb

    query = "SELECT * FROM read_parquet($path) ORDER BY ALL"
    with duckdb.connect() as connection:
        return {
            name: connection.execute(query, {"path": str(folder / f"{name}.parquet")}).fetchall()
            for name in ("train", "val", "test")
        }
