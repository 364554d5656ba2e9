"""The example notebook runs from top to bottom, without Jupyter: cell by cell in one Python process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"
# Runs the cells, and shows the last expression of each as a notebook would.
RUNNER = """
import ast, json, pathlib, sys, warnings
warnings.simplefilter("error")
names, shown = {"__name__": "__main__"}, {}
for cell in json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))["cells"]:
    if cell["cell_type"] != "code":
        continue
    body = ast.parse("".join(cell["source"])).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), cell["id"], "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), cell["id"], "eval"), names)
        shown[cell["id"]] = [type(value).__name__, repr(value), value._repr_html_()]
print("<<<" + json.dumps(shown))
"""


def cells() -> list[dict]:
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    return list(document["cells"])


def test_it_is_committed_without_outputs():
    code = [cell for cell in cells() if cell["cell_type"] == "code"]
    assert len(code) == 10
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    names = [cell["id"] for cell in cells()]
    assert len(set(names)) == len(names)


def test_it_runs_and_shows_a_table_in_each_cell(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(NOTEBOOK)],
        cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress outside Jupyter
    shown = json.loads(done.stdout.partition("<<<")[2])
    assert {name: kind for name, (kind, _, _) in shown.items()} == {
        "data": "DataFrame", "prepare": "PrepareResult", "events": "DataFrame", "train": "TrainResult",
        "evaluate": "EvaluateResult", "figures": "DataFrame", "recommend": "ResultList", "swipe": "ResultList",
        "explain": "Explanation", "export": "DataFrame",
    }  # fmt: skip
    assert all(len(text) < 250 for name, (kind, text, _) in shown.items() if kind.endswith("Result"))
    assert "<svg" in shown["evaluate"][2]
    assert all("<table" in html for _, _, html in shown.values())
    assert "('movie_ids.npy', 'movie_vectors.npy'" in done.stdout
    assert (tmp_path / "vectors" / "vectors.json").exists()
