"""Every command in the README, and every Python block in the README and the docs, runs as written."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlrec import Recommender
from mlrec.workspace import Workspace
from tests.command_line import MLREC
from tests.exports import films_of, letterboxd
from tests.few_users import leave_few_users
from tests.pages import PAGES, ROOT, blocks, python_blocks

README = (ROOT / "README.md").read_text(encoding="utf-8")
APPLICATION = (ROOT / "examples" / "fastapi_app.py").read_text(encoding="utf-8")


def commands() -> list[str]:
    lines = (line.split("#")[0].strip() for block in blocks("README.md", "bash") for line in block.splitlines())
    return [line for line in lines if line]


def an_export(workspace: Workspace, folder: Path) -> None:
    """Write the export that the README and the docs name, of films of the model, and a file of corrections."""
    films = films_of(workspace, 30)
    letterboxd(folder / "letterboxd-me.zip", [(film, 4.5, "2021-03-04") for film in films])
    first = films[0]
    (folder / "corrected.csv").write_text(f'title,year,movie_id\n"{first.title}",{first.year},{first.movie_id}\n')


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
        if "import" in words:
            an_export(Workspace(tmp_path / "data"), tmp_path)
        execute([MLREC, *words[1:]], tmp_path)
        if words[1:] == ["fetch", "demo"]:  # the commands that follow do the same with less
            leave_few_users(tmp_path / "data" / "raw", tmp_path / "data" / "raw")


def test_its_other_commands_are_targets_that_continuous_integration_runs():
    others = {command for command in commands() if not command.startswith("mlrec ")}
    assert others == {"make demo", "make test"}
    script = (ROOT / ".ci" / "run").read_text()
    for command in others:
        assert command in script


def test_its_python_example_runs_and_stores_its_swipe(demo_copy):
    *_, example = blocks("README.md", "python")
    assert "1 " in execute([sys.executable, "-c", example], demo_copy.root.parent)
    with Recommender.open(demo_copy.root) as rec:
        assert [event.idempotency_key for event in rec.history(42)] == ["card-7f3a"]


@pytest.mark.parametrize(("page", "block"), python_blocks(with_spark=False))
def test_every_python_block_runs_or_stands_in_the_application_that_is_tested(few_copy, few_raw, page, block):
    if "import " not in block:
        assert block in APPLICATION
        return
    shutil.copytree(few_raw, few_copy.raw)
    if "import_films" in block:
        an_export(few_copy, few_copy.root.parent)
    execute([sys.executable, "-W", "error", "-c", block], few_copy.root.parent)


# What the recipe calls, with MLflow's own rule for names (mlflow/utils/validation.py of 3.17). MLflow itself, which is
# large, is used where it is installed.
STAND_IN = r"""
import contextlib, pathlib, re

def log_metric(name, value):
    assert re.fullmatch(r"[/\w.\- :]*", name), name
    with open("logged.txt", "a") as file:
        print(name, float(value), file=file)

def log_params(params):
    for name, value in params.items():
        log_metric(name, 0)
        assert len(str(value)) <= 6000

def log_artifact(path): assert pathlib.Path(path).is_file()
def log_artifacts(path, place): assert pathlib.Path(path).is_dir()
def set_tracking_uri(uri): pass
def set_experiment(name): pass
def set_tags(tags): assert all(tags.values())
def start_run(run_name): return contextlib.nullcontext()
"""


def test_the_recipe_for_mlflow_runs_on_what_its_commands_write(small_model, tmp_path):
    folder, page = tmp_path, (ROOT / "docs/pipeline.md").read_text(encoding="utf-8")
    shutil.copytree(small_model.root, folder / "data")
    [recipe] = [block for block in blocks("docs/pipeline.md", "python") if "import mlflow" in block]
    indented = re.findall(r"^    (mlrec .*)$", page.partition("MLflow")[2], re.MULTILINE)
    assert [command.split()[1] for command in indented] == ["train", "evaluate"]
    for command in indented:
        words, _, target = command.partition(" > ")
        written = execute([str(Path(sys.executable).with_name("mlrec")), *shlex.split(words)[1:]], folder)
        if target:
            (folder / target).write_text(written)
    if importlib.util.find_spec("mlflow") is None:
        (folder / "mlflow.py").write_text(STAND_IN)
    execute([sys.executable, "-c", recipe], folder)
    if (folder / "logged.txt").exists():
        logged = (folder / "logged.txt").read_text()
        assert "als/ndcg_at_10" in logged
        assert "factors" in logged


@pytest.mark.parametrize("options", [["--seeds", "1"], ["--calls", "20"]], ids=["quality", "serving"])
def test_the_commands_behind_its_figures_run(few_copy, tmp_path, options):
    script = {"--seeds": "benchmarks/quality.py", "--calls": "benchmarks/serving.py"}[options[0]]
    assert f"python {script}" in README
    work = ["--work-dir", str(tmp_path)] if script.endswith("serving.py") else []
    output = execute([sys.executable, script, "--data-dir", str(few_copy.root), *options, *work], ROOT)
    assert "popularity" in output or "get_top_n: median" in output


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert (ROOT / page).parent.joinpath(target).exists(), target
