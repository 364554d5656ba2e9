"""Checking what Spark needs before it can start: PySpark, Java, and a master that answers."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import warnings
from pathlib import Path

from mlrec.errors import MissingExtraError, SparkUnavailableError

OLDEST_PYSPARK = 4
OLDEST_JAVA = 17
_SECONDS_TO_ANSWER = 5.0
_MASTER_PORT = 7077


def load_pyspark() -> None:
    """Import PySpark.

    Raises
    ------
    MissingExtraError
        If PySpark, pandas or Arrow is not installed.
    SparkUnavailableError
        If PySpark is too old.
    """
    try:
        # PySpark requires pandas before it returns Arrow, although mlrec passes it no data frame.
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        import pandas  # noqa: F401
        import pyarrow  # noqa: F401
        import pyspark
        import pyspark.sql
    except ImportError as error:
        raise MissingExtraError("spark", "The engine Spark") from error
    if int(pyspark.__version__.partition(".")[0]) < OLDEST_PYSPARK:
        raise SparkUnavailableError(
            f"PySpark {pyspark.__version__} is too old; mlrec needs version {OLDEST_PYSPARK} or newer.",
            "Upgrade it: pip install -U 'mlrec[spark]'",
        )


def require_java() -> int:
    """Check that the Java that Spark would start exists and is new enough. Returns its version.

    Raises
    ------
    SparkUnavailableError
        If it does not exist, cannot be run or is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else shutil.which("java")
    ways = f"Install Java {OLDEST_JAVA} (on Debian: apt-get install openjdk-17-jre-headless), or set JAVA_HOME."
    if java is None or not Path(java).is_file():
        where = f"JAVA_HOME is {home}, which has no bin/java." if home else "There is no java on the PATH."
        raise SparkUnavailableError(f"Spark needs Java. {where}", ways)
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SparkUnavailableError(f"Spark needs Java, but {java} cannot be run: {error}.", ways) from error
    found = re.search(r'version "(1\.)?(\d+)', answer.stderr + answer.stdout)
    if found is None:
        raise SparkUnavailableError(f"Spark needs Java, but {java} does not report its version.", ways)
    if int(found[2]) < OLDEST_JAVA:
        raise SparkUnavailableError(f"{java} is Java {found[2]}; Spark needs {OLDEST_JAVA} or newer.", ways)
    return int(found[2])


def require_master(master: str) -> None:
    """Check that a standalone master accepts connections. Other kinds of masters are not checked.

    Raises
    ------
    SparkUnavailableError
        If it does not.
    """
    if not master.startswith("spark://"):
        return
    reason = ""
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":") if ":" in address else (address, "", str(_MASTER_PORT))
        try:
            with socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER):
                return
        except ValueError:
            reason = f"'{port}' is not a valid port"
        except OSError as error:
            reason = error.strerror or str(error)
    raise SparkUnavailableError(
        f"The Spark master {master} does not answer: {reason}.",
        "Start it, or choose another master. To use this machine: --spark-master 'local[*]'",
    )
