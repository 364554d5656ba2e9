"""Running mlrec, and a small model."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlrec.dataset.prepare import prepare
from mlrec.model.train import train
from mlrec.settings import PrepareSettings, TrainSettings
from mlrec.workspace import Workspace
from tests.command_line import Finished, in_its_own_process, in_this_process


@pytest.fixture
def run(tmp_path):
    """Run mlrec in a working directory of the test's own; returns the finished process.

    That is this process, where Python and its libraries are loaded already, unless the test says `process`: what a
    command prints is the same in both, which `test_processes.py` holds them to. Variables of Python's own need one.
    """

    def run(
        *arguments: object,
        data: Path | None = None,
        text: str = "",
        expect: int | None = 0,
        process: bool = False,
        **environment: str,
    ) -> Finished:
        words = [*map(str, arguments)]
        environment = {"MLREC_DATA_DIR": str(data)} | environment if data else environment
        if process or any(name.startswith("PYTHON") for name in environment):
            done = in_its_own_process(words, typed=text, folder=tmp_path, environment=environment)
        else:
            done = in_this_process(words, typed=text, folder=tmp_path, environment=environment)
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
