"""A session on Apache Spark: quiet, watched, and started only when it is needed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mlrec.errors import SparkFailedError, SparkUnavailableError
from mlrec.machine import total_memory
from mlrec.progress import SILENT, Progress, Task
from mlrec.settings import SparkSettings
from mlrec.spark.faults import told
from mlrec.spark.package import write_package
from mlrec.spark.runtime import load_pyspark, require_java, require_master
from mlrec.spark.worker import versions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameReader, SparkSession

TIMEOUT_SETTING = "spark.mlrec.executorTimeout"
"""Seconds without any executor after which a job is given up; our own setting among Spark's."""
_DEFAULT_TIMEOUT = 120.0
_LOOK_SECONDS = 0.5
_STOP_SECONDS = 20.0
_MOMENT_SECONDS = 1.0
# Who logs what py4j has to say of a broken connection; it also speaks in the name of the root.
_TALKING = (None, "py4j.clientserver", "py4j.java_gateway")
_MOST_LOCAL_MEMORY = 8 << 30


class Spark:
    """A session that starts with the first use of `session` and ends with the block. One at a time in a process.

    Spark's own words go to a file, for they belong neither on stdout nor between the lines of a progress bar.

    Parameters
    ----------
    settings
        Where it runs.
    log
        The file for Spark's own words.
    progress
        Told of the start and of each job.

    Raises
    ------
    MissingExtraError
        If PySpark is not installed.
    SparkUnavailableError
        If there is no Java that fits, or the master does not answer.
    """

    def __init__(self, settings: SparkSettings, log: Path, progress: Progress = SILENT) -> None:
        load_pyspark()
        require_java()
        require_master(settings.master)
        self.settings = settings
        self.log = log
        self.progress = progress
        self._session: SparkSession | None = None
        self._handler: Any = None
        self._gateway: Any = None
        self._timeout = _DEFAULT_TIMEOUT
        self._package: TemporaryDirectory[str] | None = None
        self._warehouse: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        """Return the session, not started yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop Spark; at once if the block was interrupted, for the connection may be in the midst of a word."""
        self.stop(at_once=error is not None and not isinstance(error, Exception))

    @property
    def session(self) -> SparkSession:
        """The session of PySpark, which is started if need be."""
        if self._session is None:
            with self.progress.task(f"Starting Spark on {self.settings.master}"):
                self._start()
        assert self._session is not None
        return self._session

    @property
    def reader(self) -> DataFrameReader:
        """A reader to which a path is a path, whatever is in it."""
        return self.session.read.option("__globPaths__", "false")

    def read_parquet(self, path: Path, schema: Any = None) -> DataFrame:
        """The rows of a Parquet file or a folder of part files. With a schema no file is opened beforehand."""
        return (self.reader if schema is None else self.reader.schema(schema)).parquet(uri(path))

    def ready_workers(self) -> None:
        """Give the executors' Python mlrec itself, and see that it has what it needs before anything waits for it.

        Raises
        ------
        SparkFailedError
            If it lacks a package, or there is no such Python.
        """
        if self._package is not None:
            return
        with self.job("Looking at the workers' Python"):
            context = self.session.sparkContext
            self._package = TemporaryDirectory(prefix="mlrec-")  # kept: executors that come later fetch it as well
            context.addPyFile(str(write_package(Path(self._package.name, "mlrec.zip"))))
            context.parallelize([0], 1).map(versions).collect()

    @contextmanager
    def job(self, label: str) -> Iterator[None]:
        """Tell how the jobs of a block go on, give them up when nobody is left to run them, and tell what went wrong.

        Raises
        ------
        SparkFailedError
            If a job failed.
        """
        from py4j.protocol import Py4JError
        from pyspark.errors import AnalysisException, ParseException, PySparkException

        session = self.session
        with self.progress.task(label) as task:
            watch = _Watch(session.sparkContext, task, label, None if self.settings.is_local else self._timeout)
            try:
                with watch:
                    yield
            except (AnalysisException, ParseException):
                raise  # what we asked for makes no sense: a bug
            except (Py4JError, PySparkException, ConnectionError, EOFError) as error:
                if watch.deserted:
                    raise SparkFailedError(
                        f"No executor of {self.settings.master} has been there for {self._timeout:g} seconds.",
                        "Check that its workers run and have cores and memory free. How long to wait:"
                        f" --spark-conf {TIMEOUT_SETTING}=600",
                    ) from error
                raise told(error, self.settings.master, self.log, driver_has_ended=self._has_ended()) from error

    def _has_ended(self) -> bool:
        """Whether the process of Java is gone, or about to be."""
        if self._gateway is None:
            return True
        with suppress(subprocess.TimeoutExpired):
            self._gateway.proc.wait(_MOMENT_SECONDS)
            return True
        return False

    # -- start and stop ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        from py4j.protocol import Py4JError
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkException
        from pyspark.java_gateway import launch_gateway
        from pyspark.sql import SparkSession

        if SparkContext._active_spark_context is not None:
            raise SparkUnavailableError(
                "This process has a Spark session of its own already.", "Stop it, or run mlrec in another process."
            )
        values = self._conf()
        timeout = values.pop(TIMEOUT_SETTING, str(_DEFAULT_TIMEOUT))
        try:
            self._timeout = float(timeout)
        except ValueError:
            raise SparkUnavailableError(f"{TIMEOUT_SETTING} must be a number of seconds, not '{timeout}'.") from None
        # Spark makes this folder when it starts, by default in the current directory. No table is ever put there.
        self._warehouse = TemporaryDirectory(prefix="mlrec-")
        values.setdefault("spark.sql.warehouse.dir", uri(Path(self._warehouse.name)))
        conf = SparkConf(loadDefaults=False)
        for key, value in values.items():
            conf.set(key, value)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._handler = signal.getsignal(signal.SIGINT)
        for name in _TALKING:
            logging.getLogger(name).addFilter(_not_of_py4j)
        try:
            # It may quote paths and rows: a new one is for its owner alone.
            with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
                self._gateway = launch_gateway(conf, {"stdout": log, "stderr": log})
            context = SparkContext(conf=conf, gateway=self._gateway)
            self._put_handler_back()  # PySpark's own talks to Spark over the connection that it interrupts
            # What a broken connection means is told by `job`; PySpark's own thread would print a traceback beside it.
            context._accumulatorServer.handle_error = lambda *_: None
            context.pythonExec = self._python(values)
            self._session = SparkSession(context)
        except (Py4JError, PySparkException, ConnectionError, EOFError) as error:
            self.stop()
            cause = told(error, self.settings.master, self.log).message
            raise SparkUnavailableError(f"Spark cannot be started. {cause}", f"Its own words: {self.log}") from error
        except BaseException:
            self.stop(at_once=True)
            raise

    def _put_handler_back(self) -> None:
        if threading.current_thread() is threading.main_thread() and self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)

    def _conf(self) -> dict[str, str]:
        """Spark's settings: what mlrec needs, and over it what the user says."""
        values = {
            "spark.master": self.settings.master,
            "spark.app.name": "mlrec",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.session.timeZone": "UTC",
            # Three splits are written at once, each row in its turn, instead of being sorted by split first.
            "spark.sql.maxConcurrentOutputFileWriters": "3",
            "spark.sql.parquet.compression.codec": "zstd",
            "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
            # Each Python worker has a processor to itself.
            "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
            "spark.executorEnv.OMP_NUM_THREADS": "1",
        }
        if self.settings.is_local:
            values |= {
                "spark.driver.host": "127.0.0.1",
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.driver.memory": f"{_local_memory() >> 20}m",
            }
        return values | dict(self.settings.conf)

    def _python(self, values: dict[str, str]) -> str:
        """The Python that workers run: that of the settings, or this one where the workers are on this machine."""
        here = sys.executable if self.settings.is_local else "python3"
        return values.get("spark.pyspark.python") or os.environ.get("PYSPARK_PYTHON") or here

    def stop(self, *, at_once: bool = False) -> None:
        """Stop Spark, and wait until its process has gone. May be called twice."""
        from pyspark import SparkContext

        session, gateway = self._session, self._gateway
        self._session = self._gateway = None
        for folder in (self._package, self._warehouse):
            if folder is not None:
                folder.cleanup()
        self._package = self._warehouse = None
        self._put_handler_back()
        for name in _TALKING:
            logging.getLogger(name).removeFilter(_not_of_py4j)
        if gateway is None:
            return
        process = gateway.proc
        if at_once:
            process.terminate()
        elif session is not None and process.poll() is None:
            with suppress(Exception):  # it goes either way
                session.stop()
        with suppress(Exception):
            gateway.shutdown()
        # PySpark keeps the process for the next session, which may want another one.
        SparkContext._gateway = SparkContext._jvm = None
        SparkContext._active_spark_context = None
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _not_of_py4j(record: logging.LogRecord) -> bool:
    """Leaves out what py4j logs when a connection breaks: `job` tells what that means."""
    return Path(record.pathname).parent.name != "py4j"


class _Watch:
    """A thread that looks after running jobs: it tells how far they are, and ends them when no executor is left."""

    def __init__(self, context: Any, task: Task, label: str, timeout: float | None) -> None:
        self.deserted = False
        self._context = context
        self._task = task
        self._label = label
        self._timeout = timeout
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_STOP_SECONDS)

    def _look(self) -> None:
        tracker = self._context._jsc.sc().statusTracker()
        seen = time.monotonic()
        # What cannot be asked is not told; the main thread hears of it by itself.
        with suppress(Exception):
            while not self._over.wait(_LOOK_SECONDS):
                done = total = 0
                for stage in tracker.getActiveStageIds():
                    info = tracker.getStageInfo(stage)
                    if info.isDefined():
                        done += info.get().numCompletedTasks()
                        total += info.get().numTasks()
                self._task.say(f"{self._label}, {done:,} of {total:,} tasks" if total else self._label)
                # The driver is one of them.
                if len(tracker.getExecutorInfos()) > 1 or not total:
                    seen = time.monotonic()
                elif self._timeout is not None and time.monotonic() - seen > self._timeout:
                    self.deserted = True
                    self._context.cancelAllJobs()
                    return


def uri(path: Path) -> str:
    """How Spark is told of a local path. Not percent-encoded: Hadoop takes it as it is."""
    return f"file:{path.absolute()}"


def _local_memory() -> int:
    """Bytes for a Spark that shares this machine: half of it, up to a limit."""
    return min((total_memory() or 2 << 30) // 2, _MOST_LOCAL_MEMORY)
