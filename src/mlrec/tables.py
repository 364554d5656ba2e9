"""Rows of a result as a pandas data frame, and as an HTML table, which a notebook shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from mlrec.errors import MissingExtraError
from mlrec.ids import IdArray, kind_of, public
from mlrec.untrusted_text import for_terminal

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 60
"""Rows of an HTML table. Of a longer one, the first are shown."""


def data_frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return columns as a pandas data frame.

    Parameters
    ----------
    columns
        Name → values: arrays or lists of equal length.

    Raises
    ------
    MissingExtraError
        If pandas is not installed.
    """
    return load_pandas().DataFrame(dict(columns))


def id_column(ids: IdArray) -> Any:
    """Return ids as a column of a data frame: int64, or texts."""
    return public(ids) if kind_of(ids) == "text" else ids


def load_pandas() -> Any:
    """Import pandas and return the module.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError("pandas", "to_frame") from error
    return pandas


def html_table(head: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> str:
    """Return rows as an HTML table without any style of its own, which notebooks give to all tables.

    Parameters
    ----------
    head
        Headings. Numbers below them are aligned right.
    rows
        Cells, shown by `str`; None as an empty cell. All text is escaped.
    title
        A line above the table.
    """
    shown = [list(row) for row in rows]
    columns = "".join(f'<th scope="col">{plain(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in shown[:MOST_ROWS])
    caption = f"<p><strong>{plain(title)}</strong></p>" if title else ""
    table = f"<table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"
    more = f"<p>The first {MOST_ROWS} of {len(shown):,} rows.</p>" if len(shown) > MOST_ROWS else ""
    return f"<div>{caption}{table}{more}</div>"


def plain(value: object) -> str:
    """Return text that is safe in HTML, without characters that would change the direction of what follows."""
    return escape(for_terminal(str(value)))


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, Real):
        return f"<td>{'' if value is None else plain(value)}</td>"
    text = str(value) if isinstance(value, Integral) else f"{float(value):z.3f}"
    return f'<td style="text-align:right">{text}</td>'
