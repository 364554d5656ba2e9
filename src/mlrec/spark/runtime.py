"""What Spark needs before it can start: PySpark, a Java, and a master that answers."""

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
        If it, or Arrow, is not installed.
    SparkUnavailableError
        If it is too old.
    """
    try:
        # PySpark wants to see pandas before it gives Arrow, though nobody hands it a frame.
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        import pandas  # noqa: F401
        import pyarrow  # noqa: F401
        import pyspark
        import pyspark.sql
    except ImportError as error:
        raise MissingExtraError("spark", "The engine Spark") from error
    if int(pyspark.__version__.partition(".")[0]) < OLDEST_PYSPARK:
        raise SparkUnavailableError(
            f"PySpark {pyspark.__version__} is installed; mlrec needs version {OLDEST_PYSPARK} or newer.",
            "Install it with: pip install 'mlrec[spark]'",
        )


def require_java() -> int:
    """Check that the Java that Spark would start is there, and new enough; returns its version.

    Raises
    ------
    SparkUnavailableError
        If it is not.
    """
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else shutil.which("java")
    ways = (
        f"Install Java {OLDEST_JAVA} (on Debian: apt-get install openjdk-17-jre-headless), or let JAVA_HOME name one."
    )
    if java is None or not Path(java).is_file():
        where = f"JAVA_HOME is {home}, where there is no Java." if home else "There is no Java on this machine's PATH."
        raise SparkUnavailableError(f"Spark needs Java. {where}", ways)
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SparkUnavailableError(f"Spark needs Java, and {java} cannot be run: {error}.", ways) from error
    found = re.search(r'version "(1\.)?(\d+)', told.stderr + told.stdout)
    if found is None:
        raise SparkUnavailableError(f"Spark needs Java, and {java} does not tell its version.", ways)
    if int(found[2]) < OLDEST_JAVA:
        raise SparkUnavailableError(f"{java} is Java {found[2]}; Spark needs {OLDEST_JAVA} or newer.", ways)
    return int(found[2])


def require_master(master: str) -> None:
    """Check that somebody listens where a standalone master should be; of other masters nothing is known beforehand.

    Raises
    ------
    SparkUnavailableError
        If nobody does.
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
            reason = f"'{port}' is no port"
        except OSError as error:
            reason = error.strerror or str(error)
    raise SparkUnavailableError(
        f"The Spark master {master} does not answer: {reason}.",
        "Start it, or name another with --spark-master; local[*] runs on this machine.",
    )
