"""Texts that occur rarely among very many are written exactly, whatever the number of threads.

As enumerations, DuckDB 2.0 writes some of them as empty texts, other ones each time. Small sets don't show it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_prepared
from mlrec.errors import IncompatibleFormatError
from mlrec.settings import PrepareSettings
from mlrec.workspace import Workspace

GOLDEN = Path(__file__).parents[2] / "golden"
ROWS, FILMS = 1_200_000, 600_000


def test_rare_texts_are_written_exactly(tmp_path):
    raw, workspace = tmp_path / "plays.parquet", Workspace(tmp_path / "data")
    films = f"'film-' || lpad(CAST(hash(range) % {FILMS} AS VARCHAR), 7, '0')"
    query = (
        f"SELECT 'u' || range // 2 AS uid, {films} AS item, 1 + range % 5 AS rating, range AS time FROM range({ROWS})"
    )
    with duckdb.connect() as database:
        database.execute(f"COPY ({query}) TO '{raw}'")
        prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1, threads=4), ratings=str(raw))
        written = f"(SELECT user_id, movie_id FROM read_parquet('{workspace.prepared.root}/t*.parquet'))"
        # Read as text with ||, because Parquet's statistics would hide an empty one.
        there, right = f"SELECT user_id || '', movie_id || '' FROM {written}", f"SELECT DISTINCT uid, item FROM '{raw}'"
        assert database.execute(f"({there}) EXCEPT ({right})").fetchall() == []
        assert database.execute(f"({right}) EXCEPT ({there})").fetchall() == []


@pytest.mark.parametrize(("column", "text"), [("user_id", "''"), ("movie_id", "repeat('x', 201)")])
def test_an_impossible_text_in_prepared_data_is_damage(tmp_path, column, text):
    workspace = Workspace(tmp_path / "data")
    shutil.copytree(GOLDEN / "v2-text", workspace.root)
    files = workspace.prepared
    train = files.split("train")
    with duckdb.connect() as database:
        changed = f"SELECT * REPLACE (CASE WHEN file_row_number = 7 THEN {text} ELSE {column} END AS {column})"
        source = f"read_parquet('{train}', file_row_number = true)"
        database.execute(f"CREATE TABLE events AS SELECT * EXCLUDE (file_row_number) FROM ({changed} FROM {source})")
        database.execute(f"COPY events TO '{train}'")
    document = json.loads(files.manifest.read_text())
    del document["engine"]["files"]  # the checksums, which would tell first
    files.manifest.write_text(json.dumps(document))
    with pytest.raises(IncompatibleFormatError, match=rf"damaged: a {column} is "):
        read_prepared(workspace)
