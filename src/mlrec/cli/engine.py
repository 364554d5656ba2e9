"""Options that say where the work is done, and opening what they name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.settings import EngineName

if TYPE_CHECKING:
    from mlrec.progress import Progress
    from mlrec.spark.session import Spark
    from mlrec.workspace import Workspace


Engine = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="local: DuckDB and implicit on this machine; spark: Apache Spark, for ratings beyond one machine (extra"
        " 'spark', Java 17 or newer).",
    ),
]
SparkMaster = Annotated[
    str | None,
    typer.Option(
        "--spark-master",
        metavar="URL",
        help="Where Spark runs: local[*], spark://host:7077, yarn or k8s://….",
        show_default="local[*]",
    ),
]
SparkConf = Annotated[
    list[str] | None,
    typer.Option(
        "--spark-conf",
        metavar="KEY=VALUE",
        help="A setting of Spark's own, such as spark.executor.memory=8g; may be given several times.",
        show_default=False,
    ),
]


@contextmanager
def opened(
    engine: EngineName, master: str | None, conf: list[str] | None, workspace: "Workspace", bar: "Progress"
) -> Iterator["Spark | None"]:
    """A Spark session for the time of a block, if that is the engine."""
    if engine == "local":
        for name, value in {"--spark-master": master, "--spark-conf": conf}.items():
            if value:
                raise typer.BadParameter("It means something only with --engine spark.", param_hint=name)
        yield None
        return
    from mlrec.settings import SparkSettings
    from mlrec.spark.session import Spark

    pairs = []
    for text in conf or []:
        key, is_pair, value = text.partition("=")
        if not is_pair:
            raise typer.BadParameter(f"'{text}' is not KEY=VALUE.", param_hint="--spark-conf")
        pairs.append((key.strip(), value.strip()))
    settings = SparkSettings(conf=tuple(pairs)) if master is None else SparkSettings(master, tuple(pairs))
    with Spark(settings, workspace.spark_log, bar) as spark:
        yield spark
