"""What goes wrong on Spark, in our words."""

from __future__ import annotations

import re
from pathlib import Path

from mlrec.errors import MlrecError, SparkFailedError

# What is found in the text of an error, what that means, and what to do. The first that is found counts: a lost
# executor may have run out of memory, and a stopped driver has lost its executors.
_KNOWN = (
    (
        r"No space left on device|Disk quota exceeded",
        "A disk is full",
        "Free space where the data directory and Spark's temporary files lie (spark.local.dir).",
    ),
    (
        r"OutOfMemoryError|Java heap space|GC overhead limit",
        "Memory does not suffice",
        "Give more: --spark-conf spark.driver.memory=8g (local masters), or spark.executor.memory=8g.",
    ),
    (
        r"Total size of serialized results",
        "The results do not fit into the driver",
        "Allow more: --spark-conf spark.driver.maxResultSize=4g.",
    ),
    (
        r"PYTHON_VERSION_MISMATCH",
        "The workers run another version of Python than this machine",
        "Name the right one: --spark-conf spark.pyspark.python=/path/to/python3",
    ),
    (
        r"ModuleNotFoundError: No module named '(\w+)'",
        "The workers' Python lacks a package",
        "It needs numpy, pandas and pyarrow. Name another Python: --spark-conf spark.pyspark.python=/path/to/python3",
    ),
    (
        r"Cannot run program \"([^\"]+)\"",
        "The workers have no such Python",
        "Name theirs: --spark-conf spark.pyspark.python=/path/to/python3",
    ),
    (
        r"Mkdirs failed to create|FileNotFoundException|SparkFileNotFoundException|Permission denied",
        "A worker cannot read or write the data directory",
        "Every worker needs it under the same path: put it on a file system that they share.",
    ),
    (
        r"ExecutorLostFailure \([^)]*\)[^\n]*|Executor heartbeat timed out|Master removed our application[^\n]*",
        "Executors have died, again and again",
        "See why in Spark's own logs; often it is memory: --spark-conf spark.executor.memory=4g",
    ),
    (
        r"SparkContext was shut down|stopped SparkContext|All masters are unresponsive",
        "The connection to the master is lost",
        "Check that the master and its workers run, then try again.",
    ),
)


def told(error: Exception, master: str, log: Path, *, driver_has_ended: bool = False) -> MlrecError:
    """What an error of Spark's or of the connection to it means for whoever started the command.

    Parameters
    ----------
    error
        What PySpark or py4j raised.
    master
        Where Spark ran.
    log
        Where Spark's own words are.
    driver_has_ended
        Whether Spark's process on this machine is gone.
    """
    text = f"{type(error).__name__}: {error}"
    for pattern, meaning, way in _KNOWN:
        if found := re.search(pattern, text):
            detail = re.sub(r"\s+", " ", found[0]).strip().rstrip(".")[:160]
            return SparkFailedError(f"Spark on {master}: {meaning} ({detail}).", f"{way} Spark's own words: {log}")
    if driver_has_ended or re.search(
        r"Py4JNetworkError|ConnectionRefusedError|ConnectionResetError|Answer from Java side is empty", text
    ):
        return SparkFailedError(
            f"Spark's driver process on this machine has ended; it ran on {master}.",
            f"It may have been killed for want of memory. Spark's own words: {log}",
        )
    return SparkFailedError(f"Spark on {master} has failed: {_root_cause(text)}", f"Spark's own words: {log}")


def _root_cause(text: str) -> str:
    """The innermost cause that a Java stack trace names, on one line."""
    causes = re.findall(r"^Caused by: (.+)$", text, re.MULTILINE) or re.findall(r"^: (.+)$", text, re.MULTILINE)
    line = causes[-1] if causes else text.strip().partition("\n")[0]
    return re.sub(r"\s+", " ", line).strip()[:300]
