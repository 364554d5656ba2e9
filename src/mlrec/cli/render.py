"""What goes to stdout (results) and to stderr (the rest). Data is printed as it is: brackets are no markup."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Off a terminal there is no width to fit into: titles must not be cut in a file or a pipe.
_PIPE_WIDTH = 240
_NARROW = 72


@cache
def out() -> Console:
    """Console for results."""
    from rich.console import Console

    class ResultConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # the error boundary knows what to do; Rich would exit with code 1

    return ResultConsole(markup=False, highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


@cache
def err() -> Console:
    """Console for progress, notes and warnings."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False)


def is_narrow() -> bool:
    """Whether a table has to do without what is least needed."""
    return out().width < _NARROW


def print_json(document: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2))


def note(message: str) -> None:
    """Tell a person something that is not a result; quiet in a pipe."""
    if sys.stderr.isatty():
        err().print(message, style="dim", soft_wrap=True)


def warn(message: str) -> None:
    """Tell something that a person or a log should know."""
    err().print(message, style="yellow", soft_wrap=True)


def line(message: str = "", style: str | None = None) -> None:
    """Print one line of a result."""
    out().print(message, style=style, soft_wrap=True)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    bold: Iterable[int] = (),
    bold_cells: Iterable[tuple[int, int]] = (),
) -> None:
    """Print a table; columns whose name begins with `#` are numbers and stand to the right.

    Parameters
    ----------
    columns
        Headings.
    rows
        Cells; they are shown by `str`.
    title
        A line above.
    bold
        Numbers of the rows to emphasize.
    bold_cells
        Numbers of row and column of single cells to emphasize.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=any(name.strip("#") for name in columns)
    )
    for name in columns:
        number = name.startswith("#")
        grid.add_column(Text(name.removeprefix("#")), justify="right" if number else "left", no_wrap=number)
    emphasized, cells = set(bold), set(bold_cells)
    for position, row in enumerate(rows):
        texts = (
            Text(str(cell), style="bold" if (position, column) in cells else "") for column, cell in enumerate(row)
        )
        grid.add_row(*texts, style="bold" if position in emphasized else None)
    if title:
        line(title, style="bold")
    out().print(grid)
    line()
