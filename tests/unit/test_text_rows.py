"""Rows of raw text files, compared with Python's csv module and with results written by hand."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.dataset import text_files
from mlrec.dataset.database import connect
from mlrec.dataset.editions import ML_100K_GENRES
from mlrec.dataset.sources import CSV_COLUMNS, Layout, RawFile, Role
from mlrec.dataset.sql_steps import SqlSteps
from mlrec.dataset.text_files import count_blank_lines, survey
from mlrec.dataset.text_rows import LineBlock, has_records_over_lines, record_blocks
from mlrec.errors import InputError
from mlrec.progress import SILENT

RATINGS_HEADER = "userId,movieId,rating,timestamp"


def described(path: Path, role: Role = "ratings", **how: Any) -> RawFile:
    """Describe a file; CSV has a header line."""
    layout: Layout = how.pop("layout", "delimited")
    delimiter = how.pop("delimiter", ",")
    return RawFile(
        role,
        path,
        path.name,
        layout,
        delimiter,
        header_lines=1 if delimiter == "," else 0,
        columns=how.pop("columns", CSV_COLUMNS[role]),
    )


def rows(path: Path, content: str | bytes, role: Role = "ratings", **how: Any) -> list[tuple[Any, ...]]:
    """Write a file and read its rows: line, text, width, then the fields that are wanted."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    file = described(path, role, **how)
    encoding = survey(path, path.name).encoding
    with connect() as connection:
        steps = SqlSteps(connection, SILENT)
        steps.execute("00_setup")
        steps.set("genre_names", list(ML_100K_GENRES))
        steps.set_file(file)
        steps.load(record_blocks(file, encoding))
        step, table = {
            "ratings": ("22_rating_rows", "split_rows"),
            "movies": ("10_movie_rows", "movie_rows"),
            "links": ("12_link_rows", "link_rows"),
        }[role]
        steps.execute(f"{step}_{file.layout}", file)
        return steps.rows(f"SELECT line, text, width, {', '.join(file.wanted)} FROM {table} ORDER BY line")


def fields(tmp_path: Path, line: str, **how: Any) -> list[str | None]:
    """The three fields of a line of movies.csv."""
    header = "movieId,title,genres\n" if how.get("delimiter", ",") == "," else ""
    return list(rows(tmp_path / "movies.csv", f"{header}{line}\n", "movies", **how)[0][3:])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("1,2,3.5", ["1", "2", "3.5"]),
        ("1", ["1", None, None]),
        (",5,", ["", "5", ""]),
        (",,", ["", "", ""]),
        ('1,"American President, The (1995)",Comedy', ["1", "American President, The (1995)", "Comedy"]),
        ('1,"""Great"" Thing, A (1990)",X', ["1", '"Great" Thing, A (1990)', "X"]),
        ('1,"",X', ["1", "", "X"]),
        ('"5","6","7"', ["5", "6", "7"]),
        (" 5 , Amélie ,x", [" 5 ", " Amélie ", "x"]),
        ("1\u3000,\u00a04\u2003,x", ["1\u3000", "\u00a04\u2003", "x"]),
        ('1,a "b" c,x', ["1", 'a "b" c', "x"]),
        ('1,"ab"cd,x', ["1", "abcd", "x"]),
        ('1," x ",y', ["1", " x ", "y"]),
    ],
)
def test_a_csv_line_is_cut_as_pythons_reader_cuts_it(tmp_path, line, found):
    assert fields(tmp_path, line) == found
    assert next(csv.reader([line])) == [field for field in found if field is not None]


@pytest.mark.parametrize(
    ("line", "delimiter", "found"),
    [
        ('1::"Quoted" (1990)::Drama', "::", ["1", '"Quoted" (1990)', "Drama"]),
        ("1::Star Wars: Episode IV, The::Drama", "::", ["1", "Star Wars: Episode IV, The", "Drama"]),
        ("1\t2\t3", "\t", ["1", "2", "3"]),
    ],
)
def test_other_editions_know_no_quotes(tmp_path, line, delimiter, found):
    assert fields(tmp_path, line, delimiter=delimiter) == found


def test_lines_are_numbered_and_blank_ones_are_left_out(tmp_path):
    content = f'{RATINGS_HEADER}\n1,2,4.5,10\n\n"1","3","5","11"\n  \nboom\n1,2,3,4,5\n1,2,3,4,\n'
    assert rows(tmp_path / "ratings.csv", content) == [
        (2, "1,2,4.5,10", 4, "1", "2", "4.5", "10"),
        (4, '"1","3","5","11"', 4, "1", "3", "5", "11"),
        (6, "boom", 1, "boom", None, None, None),
        (7, "1,2,3,4,5", 5, "1", "2", "3", "4"),
        (8, "1,2,3,4,", 4, "1", "2", "3", "4"),
    ]


def test_extra_and_reordered_columns(tmp_path):
    content = 'genres,note,title,movieId\nDrama,"a, b",Heat (1995),6\n'
    columns = ("genres", "note", "title", "movie_id")
    found = rows(tmp_path / "movies.csv", content, "movies", columns=columns)
    assert found == [(2, 'Drama,"a, b",Heat (1995),6', 4, "6", "Heat (1995)", "Drama")]


def test_rows_of_u_item(tmp_path):
    def line(movie_id: int, title: str, *genres: str) -> str:
        flags = ["1" if genre in genres else "0" for genre in ML_100K_GENRES]
        return "|".join([str(movie_id), title, "01-Jan-1995", "", "http://us.imdb.com/", *flags])

    lines = [line(1, "Toy Story (1995)", "Animation", "Children's", "Comedy"), line(267, "unknown", "unknown")]
    found = rows(
        tmp_path / "u.item", "\n".join([*lines, "3|x"]).encode("latin-1"), "movies", layout="item", delimiter="|"
    )
    assert found == [
        (1, lines[0], 24, "1", "Toy Story (1995)", "Animation|Children's|Comedy"),
        (2, lines[1], 24, "267", "unknown", ""),
        (3, "3|x", 2, "3", "x", ""),
    ]


# -- quotes ----------------------------------------------------------------------------------------------------------


def test_a_quoted_field_may_run_over_lines(tmp_path):
    content = 'movieId,title,genres\r\n1,"Two\r\nlines, (1990)",Drama\r\n2,Next (1991),Drama\r\n'
    assert rows(tmp_path / "movies.csv", content, "movies") == [
        (2, '1,"Two\nlines, (1990)",Drama', 3, "1", "Two\nlines, (1990)", "Drama"),
        (4, "2,Next (1991),Drama", 3, "2", "Next (1991)", "Drama"),
    ]
    assert has_records_over_lines(described(tmp_path / "movies.csv", "movies"), "utf-8")


@pytest.mark.parametrize("last", ["", '9,"Baz,Drama\n', '9,Baz",Drama\n'])
def test_a_quote_that_is_never_closed_spoils_its_own_line_alone(tmp_path, last):
    good = "".join(f"{number},Movie {number},Drama\n" for number in range(2, 300))
    content = f'movieId,title,genres\n1,"Foo,Drama\n{good}{last}'
    first, *others = rows(tmp_path / "movies.csv", content, "movies")
    assert first[:3] == (2, '1,"Foo,Drama', -1)
    assert [row[3] for row in others if row[2] == 3][:298] == [str(number) for number in range(2, 300)]
    assert not has_records_over_lines(described(tmp_path / "movies.csv", "movies"), "utf-8")


def test_the_quote_of_a_later_row_does_not_close_an_open_one(tmp_path):
    content = 'movieId,title,genres\n1,"Foo,Drama\n2,Bar,Drama\n3,"Baz",Drama\n'
    assert [(row[0], row[2]) for row in rows(tmp_path / "movies.csv", content, "movies")] == [
        (2, -1),
        (3, 3),
        (4, 3),
    ]


TRACKS = ['1\t2\t"Live at\t7', "3\t4\tNo quotes\t8", '5\t6\tLive"\t9', '7\t8\t"Weird Al\t1']


def test_between_tabs_a_quote_swallows_no_rows(tmp_path):
    columns = ("user_id", "movie_id", "title", "timestamp")
    found = rows(tmp_path / "ratings.tsv", "\n".join(TRACKS), delimiter="\t", columns=columns)
    assert [(row[0], row[2:]) for row in found] == [
        (1, (4, "1", "2", "7")),
        (2, (4, "3", "4", "8")),
        (3, (4, "5", "6", "9")),
        (4, (4, "7", "8", "1")),
    ]


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_a_quoted_field_may_run_over_lines_between_any_separators(tmp_path, delimiter):
    columns = ("user_id", "movie_id", "title", "timestamp")
    content = '1;2;"A line\nand another";7\n3;4;five;8\n'.replace(";", delimiter)
    found = rows(tmp_path / "ratings.csv", content, delimiter=delimiter, columns=columns)
    assert [(row[0], row[2], row[3], row[5]) for row in found] == [(1, 4, "1", "7"), (3, 4, "3", "8")]


def tables(*excluded: str) -> st.SearchStrategy[list[list[str]]]:
    """Rows of three fields with any text."""
    field = st.text(st.characters(exclude_characters=["\0", *excluded], codec="utf-8"), max_size=8)
    return st.lists(st.lists(field, min_size=3, max_size=3), min_size=1, max_size=8)


@given(
    # Python's writer leaves a line break unquoted that is not its own line end.
    st.one_of(st.tuples(tables("\r", "\n"), st.just(csv.QUOTE_MINIMAL)), st.tuples(tables(), st.just(csv.QUOTE_ALL))),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@settings(deadline=None, max_examples=50)
def test_whatever_pythons_writer_has_written_is_read_back(tmp_path_factory, written, end):
    table, quoting = written
    path = tmp_path_factory.mktemp("written") / "movies.csv"
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([["movieId", "title", "genres"], *table])
    found = rows(path, text.getvalue(), "movies")

    def seen(field: str) -> str:
        return field.replace("\r\n", "\n").replace("\r", "\n")

    expected = [tuple(map(seen, row)) for row in table]
    assert [row[3:] for row in found] == expected
    assert {row[2] for row in found} == {3}


# -- bytes -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[1, 2, 3, 7, 1 << 22], ids="blocks of {}".format)
def _small_blocks(request, monkeypatch):
    """Files are read in blocks, and nothing may get lost between two of them."""
    monkeypatch.setattr(text_files, "_BLOCK", request.param)


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize(
    ("content", "lines", "is_uniform", "blank"),
    [
        (b"", 0, True, 0),
        (b"a", 1, True, 0),
        (b"a\n", 1, True, 0),
        (b"a\nb", 2, True, 0),
        (b"a\r\nb\r\n", 2, True, 0),
        (b"a\rb\r", 2, True, 0),
        (b"a\rb\n", 2, False, 0),
        (b"a\r\nb\n", 2, False, 0),
        (b"a\r\nb\r", 2, False, 0),
        (b"a\n\r", 2, False, 1),
        (b"\n\n\n", 3, True, 3),
        (b"\r\n\r\n", 2, True, 2),
        (b"\r\r\n", 2, False, 2),
    ],
)
def test_lines_are_counted(tmp_path, content, lines, is_uniform, blank):
    for path, stored in ((tmp_path / "f.csv", content), (tmp_path / "f.csv.gz", gzip.compress(content))):
        path.write_bytes(stored)
        found = survey(path, path.name)
        assert (found.lines, found.is_uniform) == (lines, is_uniform)
        assert count_blank_lines(path, path.name) == blank
        assert lines == len(io.StringIO(content.decode(), newline=None).readlines())


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize(
    ("content", "encoding", "title"),
    [
        ("Amélie".encode(), "utf-8", "Amélie"),
        ("Amélie".encode("latin-1"), "latin-1", "Amélie"),
        ("Schindler\u2019s €".encode("cp1252"), "windows-1252", "Schindler\u2019s €"),
        (b"odd \x81 \x92", "windows-1252", "odd \x81 \u2019"),
        ("\u20ac".encode()[:2], "windows-1252", "\u00e2\u201a"),
        (b"plain", "utf-8", "plain"),
    ],
)
def test_encodings(tmp_path, content, encoding, title):
    path = tmp_path / "movies.csv"
    found = rows(path, b"movieId,title,genres\n1," + content + b",Drama\n", "movies")
    assert survey(path, path.name).encoding == encoding
    assert found[0][4] == title


@pytest.mark.usefixtures("_small_blocks")
def test_a_byte_order_mark_is_no_part_of_the_first_field(tmp_path):
    found = rows(tmp_path / "movies.dat", "\ufeff1::A::Drama\n", "movies", delimiter="::")
    assert found == [(1, "1::A::Drama", 3, "1", "A", "Drama")]


@pytest.mark.usefixtures("_small_blocks")
@given(st.lists(st.tuples(st.integers(10, 999), st.sampled_from(["\n", "\r", "\r\n"])), max_size=20))
@settings(deadline=None)
def test_every_mixture_of_line_ends_gives_every_line(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("mixed") / "ratings.csv"
    path.write_bytes((f"{RATINGS_HEADER}\r" + "".join(f"{number},1,5,100{end}" for number, end in lines)).encode())
    blocks = [block for block in record_blocks(described(path), "utf-8") if isinstance(block, LineBlock)]
    assert [line for block in blocks for line in block.lines] == [f"{number},1,5,100" for number, _ in lines]
    assert [block.first + i for block in blocks for i in range(len(block.lines))] == list(range(2, len(lines) + 2))


def test_a_file_that_ends_too_early_is_told(tmp_path):
    path = tmp_path / "ratings.csv.gz"
    path.write_bytes(gzip.compress(b"1,2,3,4\n" * 1000)[:-10])
    with pytest.raises(InputError, match=r"ratings\.csv\.gz cannot be read"):
        survey(path, path.name)
    with pytest.raises(InputError, match=r"ratings\.csv\.gz cannot be read"):
        list(record_blocks(described(path), "utf-8"))


def test_a_line_without_end_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "_LONGEST_LINE", 1000)
    monkeypatch.setattr(text_files, "_BLOCK", 100)
    path = tmp_path / "ratings.csv"
    path.write_bytes(b"a\n" + b"x" * 2000)
    with pytest.raises(InputError, match=r"ratings\.csv, line 2 is over 1,000 characters long"):
        list(record_blocks(described(path), "utf-8"))
