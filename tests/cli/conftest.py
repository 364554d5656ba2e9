"""Running mlrec as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
