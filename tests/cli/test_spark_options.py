"""Options of Spark: what is refused before anything is done. These run where there is no Java, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MLREC = str(Path(sys.executable).with_name("mlrec"))


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MLREC, *arguments], capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin:/bin"} | environment
    )


@pytest.mark.parametrize("step", ["prepare", "train", "run"])
def test_the_commands_end_with_code_4_before_anything_is_done(tmp_path, step):
    pytest.importorskip("pyspark")
    done = command("--data-dir", str(tmp_path / "data"), step, "--engine", "spark", JAVA_HOME=str(tmp_path))
    assert done.returncode == 4
    assert done.stderr.startswith("Error: Spark needs Java. ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--spark-master", "local[2]"], "--spark-master"),
        (["--spark-conf", "spark.ui.enabled=true"], "--spark-conf"),
        (["--engine", "spark", "--spark-conf", "spark.ui.enabled"], "KEY=VALUE"),
        (["--engine", "spark", "--spark-master", "localhost"], "the Spark master must be"),
        (["--engine", "flink"], "flink"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, options, message):
    done = command("--data-dir", str(tmp_path / "data"), "prepare", *options)
    assert done.returncode == 2
    assert message in done.stderr
