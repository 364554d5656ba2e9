"""What Spark needs and how it can fail, checked without starting it; these tests need no Java."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from mlrec.cli.exit_codes import exit_code
from mlrec.errors import MissingExtraError, SettingsError, SparkFailedError, SparkUnavailableError
from mlrec.settings import SparkSettings
from mlrec.spark.faults import told
from mlrec.spark.runtime import load_pyspark, require_java, require_master

MLREC = str(Path(sys.executable).with_name("mlrec"))


def java(folder: Path, says: str) -> Path:
    """A home of a Java that says so of its version."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    return folder


def test_no_java_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SparkUnavailableError, match="There is no java on the PATH") as error:
        require_java()
    assert "openjdk-17-jre-headless" in error.value.hint
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SparkUnavailableError, match=f"JAVA_HOME is {tmp_path}, which has no bin/java"):
        require_java()


@pytest.mark.parametrize(
    ("says", "enough"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "11.0.2" 2019-01-15 LTS', None),
        ('java version "1.8.0_421"', None),
        ("What?", None),
    ],
)
def test_the_version_of_java_counts(tmp_path, monkeypatch, says, enough):
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "jdk", says)))
    if enough:
        assert require_java() == enough
        return
    with pytest.raises(SparkUnavailableError, match=r"Spark needs (17 or newer|Java)"):
        require_java()


@pytest.mark.parametrize("package", ["pyspark", "pyarrow", "pandas"])
def test_a_missing_extra_is_told(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match="'spark'") as error:
        load_pyspark()
    assert "pip install 'mlrec[spark]'" in error.value.hint


def test_a_master_that_does_not_answer_is_told():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        with pytest.raises(
            SparkUnavailableError, match=f"spark://127.0.0.1:{port} does not answer: Connection refused"
        ):
            require_master(f"spark://127.0.0.1:{port}")
        listener.listen()
        require_master(f"spark://127.0.0.1:{port}")
        require_master(f"spark://127.0.0.1:1,127.0.0.1:{port}")  # one of several is enough
    with pytest.raises(SparkUnavailableError, match="'x' is not a valid port"):
        require_master("spark://127.0.0.1:x")
    require_master("local[*]")
    require_master("yarn")


@pytest.mark.parametrize("master", ["", "localhost", "local[", "http://host:7077", "spark://"])
def test_a_master_must_be_one(master):
    with pytest.raises(SettingsError, match="the Spark master must be"):
        SparkSettings(master)


def test_settings_of_sparks_are_named_so():
    assert SparkSettings(conf=(("spark.executor.memory", "2g"),)).is_local
    assert not SparkSettings("spark://host:7077").is_local
    for pair in (("executor.memory", "2g"), ("spark.executor.memory", "")):
        with pytest.raises(SettingsError, match="is not the name of a Spark setting"):
            SparkSettings(conf=(pair,))


@pytest.mark.parametrize(
    ("said", "message", "way"),
    [
        ("java.io.IOException: No space left on device", "A disk is full", "spark.local.dir"),
        ("java.lang.OutOfMemoryError: Java heap space", "Not enough memory", "spark.driver.memory=8g"),
        (
            "ExecutorLostFailure (executor 3 exited unrelated to the running tasks) Reason: x",
            "Executors have died",
            "own",
        ),
        (
            "ModuleNotFoundError: No module named 'pyarrow'",
            "lacks a package (ModuleNotFoundError",
            "numpy, pandas and pyarrow",
        ),
        ("Cannot call methods on a stopped SparkContext", "The connection to the master was lost", "master and its"),
        (
            "Mkdirs failed to create file:/data/prepared.new",
            "cannot read or write the data directory",
            "all workers share",
        ),
        ("one\nCaused by: a.B: the outer\nCaused by: c.D: the inner\n\tat e.F", "has failed: c.D: the inner", "log"),
    ],
)
def test_what_spark_says_is_told_in_our_words(said, message, way):
    error = told(RuntimeError(said), "spark://host:7077", Path("data/spark.log"))
    assert isinstance(error, SparkFailedError)
    assert exit_code(type(error)) == 4
    assert message in error.message
    assert way in error.hint
    assert "data/spark.log" in error.hint
    assert "\n" not in error.message
