"""A real Spark for the tests: within one process, and a cluster of separate ones on this machine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mlrec.errors import MlrecError
from mlrec.settings import SparkSettings
from mlrec.spark.runtime import load_pyspark, require_java
from mlrec.spark.session import Spark
from tests.processes import wait_until

# Java that soon runs fast enough, rather than fast in the end. Where it compiles less, it has less room for what it has
# compiled, and would throw that away and compile it again.
_JAVA = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
SMALL = {
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.driver.extraJavaOptions": _JAVA,
    "spark.executor.extraJavaOptions": _JAVA,
}
"""Settings that suit the size of the tests' data."""


@pytest.fixture(scope="session", autouse=True)
def _needs_spark() -> None:
    """A skip with the reason where there is no Java or no PySpark; a failure in continuous integration."""
    missing = ""
    try:
        load_pyspark()
        require_java()
    except MlrecError as error:
        missing = error.message
    if missing:
        assert not os.environ.get("CI"), missing
        pytest.skip(missing)


@pytest.fixture(scope="session")
def spark(_needs_spark, tmp_path_factory) -> Iterator[Spark]:
    """Spark within one process, on two threads. The last test of the last file that uses it takes it away."""
    settings = SparkSettings("local[2]", tuple(SMALL.items()))
    with Spark(settings, tmp_path_factory.mktemp("spark") / "spark.log") as session:
        yield session


class Cluster:
    """A standalone master and workers, each a process of its own, on the loopback interface."""

    def __init__(self, folder: Path) -> None:
        import pyspark

        self.folder = folder
        self.script = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
        self.processes: list[subprocess.Popen[bytes]] = []
        self.master = ""

    def start(self, workers: int) -> None:
        self._launch("master", "master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        self.master = self._wait_for("master", r"Starting Spark master at (spark://\S+)")[0]
        for number in range(workers):
            self._launch(
                f"worker-{number}", "worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "--cores", "1",
                "--memory", "1g", "--work-dir", str(self.folder / f"work-{number}"), self.master,
            )  # fmt: skip
        for number in range(workers):
            self._wait_for(f"worker-{number}", r"Successfully registered with master")

    def _launch(self, name: str, role: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [self.script, f"org.apache.spark.deploy.{role}", *arguments],
                stdout=log,
                stderr=log,
                env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"},
                start_new_session=True,
            )
        self.processes.append(process)

    def _wait_for(self, name: str, pattern: str) -> list[str]:
        log = self.folder / f"{name}.log"
        try:
            wait_until(lambda: re.search(pattern, log.read_text()), pause=0.1)
        except AssertionError:
            raise AssertionError(log.read_text()) from None
        return re.findall(pattern, log.read_text())

    def executors(self) -> list[int]:
        """The processes that run tasks."""
        mine = str(self.folder)
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                if "CoarseGrainedExecutorBackend" in command and str((entry / "cwd").readlink()).startswith(mine):
                    found.append(int(entry.name))
        return found

    def stop_workers(self) -> None:
        """Kill the workers and what runs on them, leaving the master."""
        for process in self.processes[1:]:
            process.kill()
            process.wait(60)
        for pid in self.executors():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        del self.processes[1:]

    def stop(self) -> None:
        self.stop_workers()
        for process in self.processes:
            process.kill()
            process.wait(60)

    def options(self, **conf: str) -> list[str]:
        """What tells mlrec to run here."""
        values = SMALL | {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.executor.memory": "600m",
            "spark.pyspark.python": sys.executable,
        }
        values |= {key.replace("__", "."): value for key, value in conf.items()}
        pairs = [word for key, value in values.items() for word in ("--spark-conf", f"{key}={value}")]
        return ["--engine", "spark", "--spark-master", self.master, *pairs]


@pytest.fixture
def cluster(_needs_spark, tmp_path_factory) -> Iterator[Cluster]:
    """A cluster whose workers have not been started yet."""
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("finding the processes of a cluster needs /proc")
    folder = tmp_path_factory.mktemp("cluster")
    running = Cluster(folder)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
