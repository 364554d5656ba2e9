"""The options that choose the engine, and the Spark session that they open."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli.options import UsageError
from mlrec.settings import EngineName

if TYPE_CHECKING:
    from mlrec.progress import Progress
    from mlrec.spark.session import Spark
    from mlrec.workspace import Workspace


Engine = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="Where to prepare and train. local: DuckDB and implicit on this machine. spark: Apache Spark, for ratings"
        " that do not fit on one machine; it needs the extra 'spark' and Java 17 or newer.",
    ),
]
SparkMaster = Annotated[
    str | None,
    typer.Option(
        "--spark-master",
        metavar="URL",
        help="Spark master: local[*], spark://host:7077, yarn or k8s://…. Requires --engine spark.",
        show_default="local[*]",
    ),
]
SparkConf = Annotated[
    list[str] | None,
    typer.Option(
        "--spark-conf",
        metavar="KEY=VALUE",
        help="Setting for Spark, such as spark.executor.memory=8g. Repeatable. Requires --engine spark.",
        show_default=False,
    ),
]


@contextmanager
def opened(
    engine: EngineName, master: str | None, conf: list[str] | None, workspace: "Workspace", bar: "Progress"
) -> Iterator["Spark | None"]:
    """Open a Spark session for a block if the engine is Spark; yield None if it is not."""
    if engine == "local":
        for name, value in {"--spark-master": master, "--spark-conf": conf}.items():
            if value:
                raise UsageError(f"{name} requires --engine spark.")
        yield None
        return
    from mlrec.settings import SparkSettings
    from mlrec.spark.session import Spark

    pairs = []
    for text in conf or []:
        key, is_pair, value = text.partition("=")
        if not is_pair:
            raise UsageError(f"--spark-conf needs KEY=VALUE, such as spark.executor.memory=8g, not '{text}'.")
        pairs.append((key.strip(), value.strip()))
    settings = SparkSettings(conf=tuple(pairs)) if master is None else SparkSettings(master, tuple(pairs))
    with Spark(settings, workspace.spark_log, bar) as spark:
        yield spark
