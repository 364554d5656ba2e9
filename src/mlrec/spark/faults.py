"""Translating failures of Spark into errors of mlrec."""

from __future__ import annotations

import re
from pathlib import Path

from mlrec.errors import MlrecError, SparkFailedError

# A pattern in the text of an error, what it means, and what to do. The first match counts, so causes come before their
# consequences: a lost executor may have run out of memory, and a stopped driver has lost its executors.
_KNOWN = (
    (
        r"No space left on device|Disk quota exceeded",
        "A disk is full",
        "Free space for the data directory and for Spark's temporary files (spark.local.dir).",
    ),
    (
        r"OutOfMemoryError|Java heap space|GC overhead limit",
        "Not enough memory",
        "Allow more: --spark-conf spark.driver.memory=8g (local masters) or --spark-conf spark.executor.memory=8g.",
    ),
    (
        r"Total size of serialized results",
        "The results do not fit into the driver",
        "Allow more: --spark-conf spark.driver.maxResultSize=4g.",
    ),
    (
        r"PYTHON_VERSION_MISMATCH",
        "The workers run a different version of Python than this machine",
        "Choose the right one: --spark-conf spark.pyspark.python=/path/to/python3",
    ),
    (
        r"ModuleNotFoundError: No module named '(\w+)'",
        "The workers' Python lacks a package",
        "It needs numpy, pandas and pyarrow. To choose another Python:"
        " --spark-conf spark.pyspark.python=/path/to/python3",
    ),
    (
        r"Cannot run program \"([^\"]+)\"",
        "The workers cannot find their Python",
        "Say where it is: --spark-conf spark.pyspark.python=/path/to/python3",
    ),
    (
        r"Mkdirs failed to create|FileNotFoundException|SparkFileNotFoundException|Permission denied",
        "A worker cannot read or write the data directory",
        "Put it on a file system that all workers share, under the same path.",
    ),
    (
        r"ExecutorLostFailure \([^)]*\)[^\n]*|Executor heartbeat timed out|Master removed our application[^\n]*",
        "Executors have died repeatedly",
        "Spark's own logs say why. If they ran out of memory: --spark-conf spark.executor.memory=4g",
    ),
    (
        r"SparkContext was shut down|stopped SparkContext|All masters are unresponsive",
        "The connection to the master was lost",
        "Check that the master and its workers are running, then try again.",
    ),
)


def told(error: Exception, master: str, log: Path, *, driver_has_ended: bool = False) -> MlrecError:
    """Explain an error of Spark, or of the connection to it, to the person who started the command.

    Parameters
    ----------
    error
        The exception that PySpark or py4j raised.
    master
        The master that Spark ran on.
    log
        Path of Spark's own log.
    driver_has_ended
        Whether Spark's process on this machine is gone.
    """
    text = f"{type(error).__name__}: {error}"
    for pattern, meaning, way in _KNOWN:
        if found := re.search(pattern, text):
            detail = re.sub(r"\s+", " ", found[0]).strip().rstrip(".")[:160]
            return SparkFailedError(f"Spark on {master}: {meaning} ({detail}).", f"{way} Spark's log: {log}")
    if driver_has_ended or re.search(
        r"Py4JNetworkError|ConnectionRefusedError|ConnectionResetError|Answer from Java side is empty", text
    ):
        return SparkFailedError(
            f"Spark's driver process on this machine has ended (master {master}).",
            f"It may have been killed because memory ran out. Spark's log: {log}",
        )
    return SparkFailedError(f"Spark on {master} has failed: {_root_cause(text)}", f"Spark's log: {log}")


def _root_cause(text: str) -> str:
    """The innermost cause in a Java stack trace, on one line."""
    causes = re.findall(r"^Caused by: (.+)$", text, re.MULTILINE) or re.findall(r"^: (.+)$", text, re.MULTILINE)
    line = causes[-1] if causes else text.strip().partition("\n")[0]
    return re.sub(r"\s+", " ", line).strip()[:300]
