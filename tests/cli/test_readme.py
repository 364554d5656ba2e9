"""Every command of the README and its Python example run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mlrec import Recommender

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = (line.split("#")[0].strip() for block in blocks("bash") for line in block.splitlines())
    return [line for line in lines if line]


def execute(words: list[str], folder: Path) -> str:
    done = subprocess.run(
        words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def test_its_commands_run_one_after_the_other(tmp_path):
    ours = [shlex.split(command) for command in commands() if command.startswith("mlrec ")]
    assert len(ours) >= 9
    for words in ours:
        execute([str(Path(sys.executable).with_name("mlrec")), *words[1:]], tmp_path)


def test_its_other_commands_are_targets_that_continuous_integration_runs():
    others = {command for command in commands() if not command.startswith("mlrec ")}
    assert others == {"make demo", "make test"}
    script = (ROOT / ".ci" / "run").read_text()
    for command in others:
        assert command in script


def test_its_python_example_runs_and_stores_its_swipe(demo_copy):
    (example,) = blocks("python")
    assert "1 " in execute([sys.executable, "-c", example], demo_copy.root.parent)
    with Recommender.open(demo_copy.root) as rec:
        assert [event.client_id for event in rec.history(42)] == ["card-7f3a"]


@pytest.mark.parametrize("options", [["--seeds", "1"], ["--calls", "20"]], ids=["quality", "serving"])
def test_the_commands_behind_its_figures_run(demo_copy, options):
    script = {"--seeds": "benchmarks/quality.py", "--calls": "benchmarks/serving.py"}[options[0]]
    assert f"python {script}" in README
    output = execute([sys.executable, script, "--data-dir", str(demo_copy.root), *options], ROOT)
    assert "popularity" in output or "get_top_n: median" in output


@pytest.mark.parametrize("page", ["README.md", *(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md"))])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert (ROOT / page).parent.joinpath(target).exists(), target
