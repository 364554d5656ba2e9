"""Lists of results that a notebook shows as a table, and that become data frames. Otherwise they are plain lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from mlrec.serving.list_filters import Emptied
from mlrec.tables import MOST_ROWS, data_frame, html_table, load_pandas

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class ResultList(list[T]):
    """A list of results of one kind, which compares, slices and serializes as any list does.

    Parameters
    ----------
    rows
        The results.
    of
        Their class, a dataclass.
    emptied
        Why the list is empty, if it is and filters are the reason.
    """

    def __init__(self, rows: Iterable[T], of: type[T], emptied: Emptied | None = None) -> None:
        super().__init__(rows)
        self._of: Any = of
        self.emptied = emptied

    @property
    def why_empty(self) -> str | None:
        """Which filter left no movie, as a sentence. None if the list has movies, or no filter is the reason."""
        return None if self or self.emptied is None else self.emptied.told()

    def to_frame(self) -> pd.DataFrame:
        """Return one row per result and one column per attribute as a pandas data frame.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        pandas, kinds = load_pandas(), get_type_hints(self._of)
        columns: dict[str, Any] = {}
        for name in self._names():
            values = [getattr(row, name) for row in self]
            # Whole numbers that may be missing would become floats.
            columns[name] = pandas.array(values, dtype="Int64") if kinds[name] == int | None else values
        return data_frame(columns)

    def _repr_html_(self) -> str:
        """Return the list as an HTML table, without what is missing in all rows."""
        first = list(islice(self, MOST_ROWS))
        names = [name for name in self._names() if any(getattr(row, name) not in (None, {}) for row in first)]
        # The table needs all rows to say how many there are, but does not show them.
        rows = [[_shown(name, getattr(row, name)) for name in names] for row in first]
        return html_table(names, [*rows, *([()] * (len(self) - len(first)))])

    def __reduce__(self) -> tuple[type[ResultList[T]], tuple[list[T], Any, Emptied | None]]:
        """Copies and pickles stay lists of the same kind."""
        return type(self), (list(self), self._of, self.emptied)

    def _names(self) -> list[str]:
        return [one.name for one in fields(self._of)]


def _shown(name: str, value: object) -> object:
    """A value as people read it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if name.endswith("at") and isinstance(value, int):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M}"
    return value
