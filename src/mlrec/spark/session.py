"""A session on Apache Spark: it starts when it is first needed, writes to a log file, and is watched for failures."""

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
"""Seconds without any executor after which a job is cancelled; mlrec's own setting, given like one of Spark's."""
_DEFAULT_TIMEOUT = 120.0
_LOOK_SECONDS = 0.5
_STOP_SECONDS = 20.0
_MOMENT_SECONDS = 1.0
# The loggers that py4j reports a broken connection to; it also uses the root logger.
_PY4J_LOGGERS = (None, "py4j.clientserver", "py4j.java_gateway")
_MOST_LOCAL_MEMORY = 8 << 30


class Spark:
    """A session that starts with the first use of `session` and ends with the block. A process can have only one.

    Spark's own output goes to a file: it belongs neither on stdout nor between the lines of a progress bar.

    Parameters
    ----------
    settings
        Where Spark runs.
    log
        The file for Spark's own output.
    progress
        Reports the start and each job.

    Raises
    ------
    MissingExtraError
        If PySpark is not installed.
    SparkUnavailableError
        If there is no suitable Java, or the master does not answer.
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
        """Stop Spark. After an interrupt, stop at once, because the connection may be in the middle of a message."""
        self.stop(at_once=error is not None and not isinstance(error, Exception))

    @property
    def session(self) -> SparkSession:
        """The PySpark session, started if necessary."""
        if self._session is None:
            with self.progress.task(f"Starting Spark on {self.settings.master}"):
                self._start()
        assert self._session is not None
        return self._session

    @property
    def reader(self) -> DataFrameReader:
        """A reader that takes paths literally, without treating them as patterns."""
        return self.session.read.option("__globPaths__", "false")

    def read_parquet(self, path: Path, schema: Any = None) -> DataFrame:
        """The rows of a Parquet file or a folder of part files. With a schema, no file is opened in advance."""
        return (self.reader if schema is None else self.reader.schema(schema)).parquet(uri(path))

    def ready_workers(self) -> None:
        """Send mlrec to the executors, and check in advance that their Python has the packages it needs.

        Raises
        ------
        SparkFailedError
            If a package is missing or their Python cannot be found.
        """
        if self._package is not None:
            return
        with self.job("Checking the workers' Python"):
            context = self.session.sparkContext
            self._package = TemporaryDirectory(prefix="mlrec-")  # kept, because executors that join later fetch it too
            context.addPyFile(str(write_package(Path(self._package.name, "mlrec.zip"))))
            context.parallelize([0], 1).map(versions).collect()

    @contextmanager
    def job(self, label: str) -> Iterator[None]:
        """Report the progress of a block's jobs, cancel them if no executor is left, and explain failures.

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
                raise  # the query itself is wrong: a bug in mlrec
            except (Py4JError, PySparkException, ConnectionError, EOFError) as error:
                if watch.deserted:
                    raise SparkFailedError(
                        f"Spark on {self.settings.master} has had no executor for {self._timeout:g} seconds.",
                        "Check that its workers are running and have free cores and memory. To wait longer:"
                        f" --spark-conf {TIMEOUT_SETTING}=600",
                    ) from error
                raise told(error, self.settings.master, self.log, driver_has_ended=self._has_ended()) from error

    def _has_ended(self) -> bool:
        """Whether the Java process has ended or ends within a moment."""
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
                "This process already has another Spark session.", "Stop it, or run mlrec in another process."
            )
        values = self._conf()
        timeout = values.pop(TIMEOUT_SETTING, str(_DEFAULT_TIMEOUT))
        try:
            self._timeout = float(timeout)
        except ValueError:
            raise SparkUnavailableError(
                f"{TIMEOUT_SETTING} must be a number of seconds, not '{timeout}'.",
                f"For example: --spark-conf {TIMEOUT_SETTING}=600",
            ) from None
        # Spark creates this folder when it starts, by default in the current directory. mlrec puts no tables there.
        self._warehouse = TemporaryDirectory(prefix="mlrec-")
        values.setdefault("spark.sql.warehouse.dir", uri(Path(self._warehouse.name)))
        conf = SparkConf(loadDefaults=False)
        for key, value in values.items():
            conf.set(key, value)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._handler = signal.getsignal(signal.SIGINT)
        for name in _PY4J_LOGGERS:
            logging.getLogger(name).addFilter(_not_of_py4j)
        try:
            # The log may quote paths and rows, so only its owner may read it.
            with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
                self._gateway = launch_gateway(conf, {"stdout": log, "stderr": log})
            context = SparkContext(conf=conf, gateway=self._gateway)
            self._restore_handler()  # PySpark's own handler would use the very connection that it interrupts
            # `job` explains a broken connection. PySpark's own thread would print a traceback in addition.
            context._accumulatorServer.handle_error = lambda *_: None
            context.pythonExec = self._python(values)
            self._session = SparkSession(context)
        except (Py4JError, PySparkException, ConnectionError, EOFError) as error:
            self.stop()
            cause = told(error, self.settings.master, self.log).message
            raise SparkUnavailableError(f"Spark cannot be started. {cause}", f"Spark's log: {self.log}") from error
        except BaseException:
            self.stop(at_once=True)
            raise

    def _restore_handler(self) -> None:
        if threading.current_thread() is threading.main_thread() and self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)

    def _conf(self) -> dict[str, str]:
        """Spark's settings: those that mlrec needs, overridden by the user's."""
        values = {
            "spark.master": self.settings.master,
            "spark.app.name": "mlrec",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.session.timeZone": "UTC",
            # All three splits are open at once, so rows need not be sorted by split before they are written.
            "spark.sql.maxConcurrentOutputFileWriters": "3",
            "spark.sql.parquet.compression.codec": "zstd",
            "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
            # Each Python worker has one processor to itself.
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
        """The Python for the workers: that of the settings or, if the workers are on this machine, this one."""
        here = sys.executable if self.settings.is_local else "python3"
        return values.get("spark.pyspark.python") or os.environ.get("PYSPARK_PYTHON") or here

    def stop(self, *, at_once: bool = False) -> None:
        """Stop Spark and wait until its process has ended. May be called twice."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        session, gateway = self._session, self._gateway
        self._session = self._gateway = None
        for folder in (self._package, self._warehouse):
            if folder is not None:
                folder.cleanup()
        self._package = self._warehouse = None
        self._restore_handler()
        for name in _PY4J_LOGGERS:
            logging.getLogger(name).removeFilter(_not_of_py4j)
        if gateway is None:
            return
        process = gateway.proc
        if at_once:
            process.terminate()
        elif session is not None and process.poll() is None:
            with suppress(Exception):  # the process is ended below in any case
                session.stop()
        with suppress(Exception):
            gateway.shutdown()
        # For the next session, PySpark would reuse the process, although it may need another one, and ask the former
        # session, although its driver may have died.
        SparkContext._gateway = SparkContext._jvm = None
        SparkContext._active_spark_context = None
        SparkSession._instantiatedSession = SparkSession._activeSession = None
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _not_of_py4j(record: logging.LogRecord) -> bool:
    """Filter out what py4j logs when a connection breaks; `job` explains that itself."""
    return Path(record.pathname).parent.name != "py4j"


class _Watch:
    """A thread that watches running jobs: it reports their progress, and cancels them if no executor is left."""

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
        # If the connection fails, stop reporting; the main thread gets the error itself.
        with suppress(Exception):
            while not self._over.wait(_LOOK_SECONDS):
                done = total = 0
                for stage in tracker.getActiveStageIds():
                    info = tracker.getStageInfo(stage)
                    if info.isDefined():
                        done += info.get().numCompletedTasks()
                        total += info.get().numTasks()
                self._task.say(f"{self._label}, {done:,} of {total:,} tasks" if total else self._label)
                # The driver counts as one executor.
                if len(tracker.getExecutorInfos()) > 1 or not total:
                    seen = time.monotonic()
                elif self._timeout is not None and time.monotonic() - seen > self._timeout:
                    self.deserted = True
                    self._context.cancelAllJobs()
                    return


def uri(path: Path) -> str:
    """The URI of a local path for Spark, not percent-encoded, because Hadoop takes it literally."""
    return f"file:{path.absolute()}"


def _local_memory() -> int:
    """Memory in bytes for Spark on this machine: half of the machine's, up to a limit."""
    return min((total_memory() or 2 << 30) // 2, _MOST_LOCAL_MEMORY)
