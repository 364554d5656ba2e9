"""Finding raw files on a file system that Spark can reach and Python cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mlrec.dataset.examining import Examiner
from mlrec.dataset.finding import opened_source
from mlrec.dataset.names import choose
from mlrec.dataset.sources import Elsewhere, RawFile, RawSource, Role
from mlrec.dataset.sql_steps import first_line
from mlrec.errors import InputError, RawDataMissingError
from mlrec.settings import PrepareSettings
from mlrec.spark.session import Spark

# Bytes, enough for the header of a text file. A Parquet file needs none.
_BEGINNING = 1 << 16


def find_remote_source(spark: Spark, place: str, scratch: Path, settings: PrepareSettings) -> RawSource:
    """Find the data set in a remote folder. Small files are copied to this machine; the ratings stay where they are.

    Parameters
    ----------
    spark
        The session. Its settings say how to reach the file system.
    place
        The URL of the folder, such as `hdfs://namenode/ml-20m`.
    scratch
        An existing folder for copies.
    settings
        What the user says about the files.

    Raises
    ------
    RawDataMissingError
        If there is no complete data set.
    InputError
        If the folder cannot be reached, or a file's header lacks a column.
    """
    context = spark.session.sparkContext
    jvm: Any = context._jvm
    with _readable(place):
        folder = jvm.org.apache.hadoop.fs.Path(place)
        system = folder.getFileSystem(context._jsc.hadoopConfiguration())
        found = {status.getPath().getName(): status for status in system.listStatus(folder) if status.isFile()}
        members = choose(found)
    if members is None:
        raise RawDataMissingError(
            f"{place} does not contain ratings.",
            "It should contain ratings.csv and movies.csv, or the unpacked files of a MovieLens edition.",
        )

    examiner = Examiner(settings, scratch)

    def open_member(role: Role, name: str, movie_name: str | None) -> RawFile:
        path, copy = found[name].getPath(), scratch / name
        with _readable(f"{place}/{name}"):
            if role != "ratings":
                system.copyToLocalFile(path, jvm.org.apache.hadoop.fs.Path(f"file:{copy.absolute()}"))
                return examiner.examined(role, copy, name, movie_name=movie_name)
            stream = system.open(path)
            copy.write_bytes(jvm.org.apache.commons.io.IOUtils.toByteArray(_limited(jvm, stream)))
            stream.close()
            whole = Elsewhere(path.toString(), found[name].getLen(), partial(_sha256, jvm, system, path))
            if name.lower().endswith(".parquet"):
                file = examiner.parquet(role, copy, name, spark.reader.parquet(whole.uri).columns)
            else:
                file = examiner.examined(role, copy, name, is_whole=False)
            return replace(file, elsewhere=whole)

    return opened_source({role: partial(open_member, role, name) for role, name in members.items()})


@contextmanager
def _readable(place: str) -> Iterator[None]:
    """Turn errors of Java and Spark into an InputError that says why a place cannot be read."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        reason = error.java_exception.toString() if isinstance(error, Py4JJavaError) else str(error)
        raise InputError(
            f"{place} cannot be read: {first_line(reason)}.",
            "Check the path and the settings of its file system (--spark-conf).",
        ) from error


def _limited(jvm: Any, stream: Any) -> Any:
    """The beginning of a stream."""
    return jvm.org.apache.commons.io.input.BoundedInputStream(stream, _BEGINNING)


def _sha256(jvm: Any, system: Any, path: Any) -> str:
    """The hash of a file, computed in Java, because passing the bytes to Python would be slower."""
    stream = system.open(path)
    try:
        return str(jvm.org.apache.commons.codec.digest.DigestUtils.sha256Hex(stream))
    finally:
        stream.close()
