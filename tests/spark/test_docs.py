"""The Python blocks of the docs that need Spark, on this machine in place of a cluster."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mlrec.workspace import Workspace
from tests.pages import python_blocks
from tests.spark.conftest import SMALL


@pytest.mark.parametrize(("page", "block"), python_blocks(with_spark=True))
def test_python_blocks_run(page, block, few_raw, tmp_path):
    here = {
        "/shared/mlrec": str(tmp_path / "data"),
        "hdfs://namenode/ratings": str(few_raw),
        "spark://host:7077": "local[2]",
        '("spark.executor.memory", "8g"),': "".join(f"{option}, " for option in SMALL.items()),
    }
    for there, instead in here.items():
        assert there in block
        block = block.replace(there, instead)
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"], "Spark left something in the current directory"
    workspace = Workspace(tmp_path / "data")
    assert workspace.current_pointer.exists()
    assert workspace.spark_log.stat().st_mode & 0o777 == 0o600
