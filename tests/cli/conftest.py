"""Running mlrec in a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlrec.dataset.prepare import prepare
from mlrec.model.train import train
from mlrec.settings import PrepareSettings, TrainSettings
from mlrec.workspace import Workspace

MLREC = str(Path(sys.executable).with_name("mlrec"))


@pytest.fixture
def run(tmp_path):
    """Run mlrec in a pipe, in a working directory of the test's own; returns the finished process."""

    def run(*arguments: object, data: Path | None = None, text: str = "", expect: int | None = 0, **environment: str):
        environment = {"MLREC_DATA_DIR": str(data)} | environment if data else environment
        done = subprocess.run(
            [MLREC, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert expect in (None, done.returncode), done.stderr
        if expect != 1:
            assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def small_model(tmp_path_factory) -> Workspace:
    """A small model in a data directory of its own, with the raw files. For reading only."""
    workspace = Workspace(tmp_path_factory.mktemp("small"))
    workspace.raw.mkdir()
    titles = "".join(f"{movie},Movie {movie} (2000),Drama\n" for movie in range(1, 13))
    (workspace.raw / "movies.csv").write_text(f"movieId,title,genres\n{titles}")
    rows = "".join(
        f"{user},{movie},{(user * movie) % 5 + 1},{user * 100 + movie}\n"
        for user in range(1, 21) for movie in range(1, 13) if (user + movie) % 3
    )  # fmt: skip
    (workspace.raw / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}")
    prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1))
    train(workspace, TrainSettings(factors=4, iterations=1))
    return workspace
