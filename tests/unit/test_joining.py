"""Part files joined into one have the same records, whatever is in their fields."""

from __future__ import annotations

import csv
import io
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.dataset.finding import find_source
from mlrec.dataset.joining import keys_of
from mlrec.dataset.sources import RawFile
from mlrec.dataset.text_rows import LineBlock, record_blocks
from mlrec.settings import PrepareSettings

HEADER = ["user", "item", "rating", "ts", "note"]
FIELDS = st.text(st.sampled_from("ab1é \"',;|\n#"), max_size=6)
ROWS = st.lists(st.lists(FIELDS, min_size=5, max_size=5), max_size=5)


def written(rows: list[list[str]], separator: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([HEADER, *rows])
    return out.getvalue()


def records(file: RawFile) -> list[tuple[int, list[str]]]:
    """The records of a file, each with the number of its line."""
    found = []
    for block in record_blocks(file, "utf-8"):
        if isinstance(block, LineBlock):
            found += [(block.first + n, line.split(file.delimiter)) for n, line in enumerate(block.lines) if line]
        else:
            found += [(one.line, one.quoted or one.text.split(file.delimiter)) for one in block if one.text]
    return found


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(ROWS, min_size=1, max_size=4),
    separator=st.sampled_from(",;\t|"),
    key=st.text(st.sampled_from('ab,;" %'), min_size=1, max_size=3),
)
def test_joined_parts_have_the_records_of_each(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[list[str]]], separator: str, key: str
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    where = folder / "logs" / f"day={key.replace('%', '%25')}"
    where.mkdir(parents=True)
    (folder / "scratch").mkdir()
    for number, rows in enumerate(parts):
        (where / f"{number}.csv").write_text(written(rows, separator), encoding="utf-8")
    file = find_source(folder, folder / "scratch", PrepareSettings(), ratings=str(folder / "logs")).ratings
    assert file.columns == ("user_id", "movie_id", "rating", "timestamp", "note", "day")
    found = records(file)
    assert [fields for _, fields in found] == [[*row, key] for rows in parts for row in rows]
    for line, fields in found:
        piece = [piece for piece in file.pieces if piece.first_line <= line][-1]
        own = (where / piece.label.rpartition("/")[2]).read_text(encoding="utf-8").split("\n")
        first = own[line - piece.first_line + piece.first_line_in_piece - 1]
        assert first.startswith('"' + fields[0].split("\n")[0].replace('"', '""'))


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("part.csv", {}),
        ("year=2024/month=5/part.csv", {"year": "2024", "month": "5"}),
        ("day=a%2Fb%20c/part.csv", {"day": "a/b c"}),
        ("day=__HIVE_DEFAULT_PARTITION__/x", {"day": ""}),
        ("a=b=c/x", {"a": "b=c"}),
        ("=x/y=/z=1", {"y": ""}),
    ],
)
def test_keys_of_folders(path, keys):
    assert keys_of(PurePosixPath(path)) == keys
