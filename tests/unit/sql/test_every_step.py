"""Each step of sql/ has a test in this folder."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

SQL = resources.files("mlrec.dataset").joinpath("sql")


def test_every_step_has_a_test_here():
    texts = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    steps = [Path(file.name).stem for folder in ("duckdb", "shared") for file in SQL.joinpath(folder).iterdir()]
    assert len(steps) > 20
    assert len(set(steps)) == len(steps)
    assert [step for step in sorted(steps) if f'run("{step}"' not in texts] == []
