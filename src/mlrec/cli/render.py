"""What goes to stdout (results) and to stderr (the rest). All that is printed passes `plain`: nothing in it is markup,
and a terminal obeys none of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from mlrec.cli.characters import as_encoded
from mlrec.untrusted_text import for_json, for_terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

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

    return ResultConsole(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


@cache
def err() -> Console:
    """Console for progress, notes and warnings."""
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def is_narrow() -> bool:
    """Whether a table has to do without what is least needed."""
    return out().width < _NARROW


def plain(value: object) -> str:
    """One line of text that may hold what came from data, as it may be printed: in characters that stdout has, and
    without those that act on a terminal.
    """
    return as_encoded(for_terminal(str(value)))


def text(value: object, style: str = "") -> Text:
    """The same as a text of Rich's."""
    from rich.text import Text

    return Text(plain(value), style=style)


def print_json(document: Any) -> None:
    """Print one JSON document: as readable as stdout can carry it, and the same document wherever it goes."""
    shown = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)
    try:
        shown.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        shown = json.dumps(document, allow_nan=False, indent=2)
    print(for_json(shown))


def note(message: str) -> None:
    """Tell a person something that is not a result; quiet in a pipe."""
    if sys.stderr.isatty():
        err().print(plain(message), style="dim", soft_wrap=True)


def warn(message: str) -> None:
    """Tell something that a person or a log should know."""
    err().print(plain(message), style="yellow", soft_wrap=True)


def line(message: str = "", style: str | None = None) -> None:
    """Print one line of a result."""
    out().print(plain(message), style=style, soft_wrap=True)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    bold: Iterable[int] = (),
    bold_cells: Iterable[tuple[int, int]] = (),
    keys: int = 0,
) -> None:
    """Print a table; columns whose name begins with `#` are numbers and stand to the right.

    Where it is wider than the terminal, texts are wrapped; a table with keys goes on below instead, so that no figure
    is cut.

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
    keys
        How many of the first columns name a row.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = [plain(name) for name in columns]
    rows = [[plain(cell) for cell in row] for row in rows]
    emphasized, cells = set(bold), set(bold_cells)
    if title:
        line(title, style="bold")
    for chosen in _parts(columns, rows, keys, out().width) if keys else [range(len(columns))]:
        grid = Table(
            box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=any(name.strip("#") for name in columns)
        )
        for number in chosen:
            is_number = columns[number].startswith("#")
            header = Text(columns[number].removeprefix("#"))
            grid.add_column(header, justify="right" if is_number else "left", no_wrap=is_number or number < keys)
        for position, row in enumerate(rows):
            texts = (
                Text(row[number], style="bold" if (position, number) in cells else "")
                for number in chosen
                if number < len(row)
            )
            grid.add_row(*texts, style="bold" if position in emphasized else None)
        out().print(grid)
        line()


# Between two columns: their padding, and the place of a rule.
_GAP = 3


def _parts(columns: Sequence[str], rows: Sequence[Sequence[str]], keys: int, width: int) -> list[list[int]]:
    """Numbers of the columns of each table that a wide one is printed as; each begins with the keys."""
    from rich.cells import cell_len

    widths = [cell_len(name.removeprefix("#")) for name in columns]
    for row in rows:
        for number, cell in enumerate(row):
            widths[number] = max(widths[number], cell_len(cell))
    of_keys = sum(widths[:keys]) + _GAP * (keys - 1)
    parts, used = [list(range(keys))], of_keys
    for number in range(keys, len(columns)):
        if used + _GAP + widths[number] > width and len(parts[-1]) > keys:
            parts.append(list(range(keys)))
            used = of_keys
        parts[-1].append(number)
        used += _GAP + widths[number]
    return parts
