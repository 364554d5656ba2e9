"""Output to stdout (results) and stderr (everything else). All text passes through `plain`, so nothing in it acts as
markup or as a command to the terminal.
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

# Files and pipes have no width of their own, and titles must not be cut there.
_PIPE_WIDTH = 240
_NARROW = 72


@cache
def out() -> Console:
    """Console for results."""
    from rich.console import Console

    class ResultConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # handled by the error boundary; Rich would exit with code 1

    return ResultConsole(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


@cache
def err() -> Console:
    """Console for progress, notes and warnings."""
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def is_narrow() -> bool:
    """Whether the terminal is too narrow for the less important columns of a table."""
    return out().width < _NARROW


def plain(value: object) -> str:
    """Return one line of text that is safe to print, even if it holds text from data: only characters that stdout can
    encode, and none that act on a terminal.
    """
    return as_encoded(for_terminal(str(value)))


def text(value: object, style: str = "") -> Text:
    """Return the same as a Rich text."""
    from rich.text import Text

    return Text(plain(value), style=style)


def clipped(value: object, width: int) -> str:
    """Return the text in at most `width` columns, with "…" at the end if it was cut."""
    from rich.cells import cell_len, set_cell_size

    whole = plain(value)
    return whole if cell_len(whole) <= width else set_cell_size(whole, width - 1).rstrip() + "…"


def print_json(document: Any) -> None:
    """Print one JSON document. Characters that stdout cannot encode are escaped; the document stays the same."""
    shown = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)
    try:
        shown.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        shown = json.dumps(document, allow_nan=False, indent=2)
    print(for_json(shown))


def note(message: str) -> None:
    """Print a note for a person to stderr. Print nothing in a pipe."""
    if sys.stderr.isatty():
        err().print(plain(message), style="dim", soft_wrap=True)


def warn(message: str) -> None:
    """Print a warning to stderr, for a person or a log."""
    err().print(plain(message), style="yellow", soft_wrap=True)


def line(message: str = "", style: str | None = None) -> None:
    """Print one line of a result."""
    out().print(plain(message), style=style, soft_wrap=True)


def id_heading(name: str, ids: Iterable[object]) -> str:
    """Return the heading of a column of ids, which holds numbers unless some ids are texts."""
    return name if any(isinstance(one, str) for one in ids) else f"#{name}"


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    bold: Iterable[int] = (),
    bold_cells: Iterable[tuple[int, int]] = (),
    keys: int = 0,
) -> None:
    """Print a table. Columns whose name begins with `#` hold numbers and are aligned right.

    If a table is wider than the terminal, its text is wrapped, within a word if need be. A table with keys continues
    below instead, so that no number is cut.

    Parameters
    ----------
    columns
        Headings.
    rows
        Cells, shown by `str`.
    title
        A line above the table.
    bold
        Indices of rows to emphasize.
    bold_cells
        Row and column indices of single cells to emphasize.
    keys
        Number of leading columns that identify a row.
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
            grid.add_column(
                header,
                justify="right" if is_number else "left",
                no_wrap=is_number or number < keys,
                overflow="ellipsis" if is_number or number < keys else "fold",
            )
        for position, row in enumerate(rows):
            texts = (
                Text(row[number], style="bold" if (position, number) in cells else "")
                for number in chosen
                if number < len(row)
            )
            grid.add_row(*texts, style="bold" if position in emphasized else None)
        out().print(grid)
        line()


# Width between two columns: padding, and room for a rule.
_GAP = 3


def _parts(columns: Sequence[str], rows: Sequence[Sequence[str]], keys: int, width: int) -> list[list[int]]:
    """Split a wide table into several: the column indices of each, which begin with the keys."""
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
