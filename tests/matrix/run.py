"""Running prepare on a written data set, and comparing it with the definitions."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from mlrec.errors import InputError, MlrecError
from mlrec.pipeline import PrepareResult, prepare
from tests.matrix.files import Raw
from tests.matrix.oracle import SPLITS, Expected, RefusedError, expected
from tests.queries import query

HAS_ZSTD = bool(
    importlib.util.find_spec("compression")
    or (importlib.util.find_spec("backports") and importlib.util.find_spec("backports.zstd"))
)
"""Python 3.14 has Zstandard, and the extra `zstd` brings it to earlier versions."""


def rows_of(path: Path, columns: str = "*") -> list[tuple[Any, ...]]:
    return query(f"SELECT {columns} FROM read_parquet($path, hive_partitioning = false)", {"path": str(path)})


def prepared(raw: Raw, data: Path, **settings: Any) -> PrepareResult:
    return prepare(data, raw.prepare_settings(**settings), **raw.call)


def agree(raw: Raw, data: Path, *, may_refuse: bool = False, **settings: Any) -> None:
    """Prepare a data set, and compare every row; or, if the test allows that, see that both refuse it."""
    how = raw.prepare_settings(**settings)
    if raw.needs_zstd and not HAS_ZSTD:
        with pytest.raises(MlrecError) as refused:
            prepare(data, how, **raw.call)
        assert "zstd" in f"{refused.value.message} {refused.value.hint}"
        return
    try:
        then = expected(raw.ratings, raw.movies, how, raw.amounts)
    except RefusedError:
        assert may_refuse
        with pytest.raises(InputError):
            prepare(data, how, **raw.call)
        return
    compare(prepare(data, how, **raw.call), then)


def compare(result: PrepareResult, then: Expected) -> None:
    """Compare a prepared folder with what it should be."""
    folder = result.folder
    by_reason = dict(result.manifest.rejects.by_reason)
    if "no object" in then.rejects:  # a line of JSON: what it is called is not defined
        assert sum(by_reason.values()) == sum(then.rejects.values())
    else:
        assert by_reason == dict(then.rejects)
    for name in SPLITS:
        assert rows_of(folder / f"{name}.parquet") == then.splits[name], name
    movies = rows_of(folder / "movies.parquet", "movie_id, title, year, genres")
    assert movies == [movie[:4] for movie in then.movies]
    compare_details(folder, then)


def compare_details(folder: Path, then: Expected) -> None:
    """Compare the further columns of the movies file. If no movie has any, there is no such column."""
    path = folder / "movies.parquet"
    columns = query("SELECT name FROM parquet_schema($path)", {"path": str(path)})
    found = rows_of(path, "details") if ("details",) in columns else [(None,)] * len(then.movies)
    assert [one and json.loads(one) for (one,) in found] == [movie[4] for movie in then.movies]
