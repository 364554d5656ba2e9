"""Exports made to do harm, or damaged: a clear error that names the file, in bounded time and memory."""

from __future__ import annotations

import zipfile

import pytest

from mlrec.errors import InputError
from mlrec.own_films import rows, sources
from mlrec.own_films.rows import BadRow
from mlrec.own_films.sources import read_export

RATINGS = "Date,Name,Year,Letterboxd URI,Rating\n2021-03-04,Heat,1995,https://boxd.it/2a,4\n"


def zipped(path, **files: str):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../ratings.csv", "/etc/ratings.csv", "a/../../ratings.csv", "C:\\ratings.csv"])
def test_a_zip_that_escapes_is_refused(name, tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    archive = zipped(folder / "export.zip", **{"ratings.csv": RATINGS, name: RATINGS})
    with pytest.raises(InputError, match=r"export\.zip is refused: its entry .* points outside"):
        read_export(archive)
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["downloads", "export.zip"]


def test_a_zip_with_a_link_is_refused(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ratings.csv", RATINGS)
        link = zipfile.ZipInfo("watched.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="is a link"):
        read_export(path)


def test_a_damaged_zip(tmp_path):
    path = zipped(tmp_path / "export.zip", **{"ratings.csv": RATINGS * 100})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"export\.zip is not a readable zip archive"):
        read_export(path)


def test_a_zip_of_something_else(tmp_path):
    path = zipped(tmp_path / "photos.zip", **{"a.txt": "x"})
    with pytest.raises(InputError, match=r"photos\.zip is not an export of films"):
        read_export(path)


def test_a_file_that_would_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST_FILE", 1000)
    big = RATINGS + "2021-03-04,Heat,1995,https://boxd.it/2a,4\n" * 100
    with pytest.raises(InputError, match=r"export\.zip:ratings\.csv is larger than"):
        read_export(zipped(tmp_path / "export.zip", **{"ratings.csv": big}))
    (tmp_path / "ratings.csv").write_text(big)
    with pytest.raises(InputError, match=r"ratings\.csv is larger than"):
        read_export(tmp_path / "ratings.csv")


def test_a_zip_bomb(tmp_path):
    path = zipped(tmp_path / "export.zip", **{"ratings.csv": "0" * (70 << 20)})
    with pytest.raises(InputError, match=r"ratings\.csv is larger than 64 MiB"):
        read_export(path)


def test_too_many_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "_MOST_ROWS", 3)
    (tmp_path / "ratings.csv").write_text(RATINGS + "2021-03-04,Heat,1995,u,4\n" * 3)
    with pytest.raises(InputError, match=r"ratings\.csv has over 3 rows"):
        read_export(tmp_path / "ratings.csv")


@pytest.mark.parametrize("depth", [1_001, 100_000])
@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_json_nested_a_thousand_deep(depth, pair, tmp_path):
    opening = "[" if pair == "[]" else '{"a":'
    path = tmp_path / "ratings-movies.json"
    path.write_text(opening * depth + ("1" if pair == "{}" else "") + pair[1] * depth)
    with pytest.raises(InputError, match=r"ratings-movies\.json (is nested too deeply|is not an export)"):
        read_export(path)


@pytest.mark.parametrize("content", ['[{"rated_at": ', '{"a": 1}]', "[NaN", '"\ud800'])
def test_damaged_json(content, tmp_path):
    path = tmp_path / "ratings-movies.json"
    path.write_bytes(content.encode(errors="surrogatepass"))
    with pytest.raises(InputError, match=r"ratings-movies\.json is not"):
        read_export(path)


def test_json_of_unexpected_types_is_reported_row_by_row(tmp_path):
    path = tmp_path / "ratings-movies.json"
    path.write_text(
        '[{"rated_at": "2021-03-04T00:00:00Z", "rating": {"a": 1}, "movie": {"title": ["x"], "year": "x", "ids": 3}},'
        ' {"rated_at": 5, "rating": 9, "movie": {"title": "A", "ids": {"imdb": 3, "tmdb": "x"}}},'
        ' {"rated_at": "2021-13-04T00:00:00Z", "rating": 9, "movie": {"title": "B"}},'
        ' 5, null, {"rated_at": "2021-03-04T00:00:00Z", "rating": 1e400, "movie": {"title": "C"}}]'
    )
    found = read_export(path)
    assert [row.line for row in found.rows] == [1, 2, 3, 6]
    assert [isinstance(row, BadRow) for row in found.rows] == [True, False, True, True]


def test_not_text(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_bytes(RATINGS.encode() + b"\0\0\0")
    with pytest.raises(InputError, match=r"ratings\.csv is not a text file: it has NUL bytes"):
        read_export(path)


def test_a_field_without_end(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(RATINGS + '2021-03-04,"Heat' + "x" * 200_000)
    with pytest.raises(InputError, match=r"ratings\.csv is not a CSV file"):
        read_export(path)


def test_rows_of_the_wrong_length(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(RATINGS + "2021-03-04,Alien\n2021-03-04,Alien,1979,u,4,5,6\n")
    found = read_export(path).rows
    assert [row.reason for row in found if isinstance(row, BadRow)] == ["another number of fields than the header"] * 2


@pytest.mark.parametrize("date", ["1950-01-01", "2999-01-01"])
def test_impossible_dates(date, tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(RATINGS.replace("2021-03-04", date))
    (row,) = read_export(path).rows
    assert isinstance(row, BadRow)
    assert row.reason == ("date before 1970" if date < "1970" else "date in the future")


@pytest.mark.parametrize("moment", ["1950-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_impossible_moments(moment, tmp_path):
    """A swipe of the future would outrank all that come later."""
    path = tmp_path / "ratings-movies.json"
    path.write_text(f'[{{"rated_at": "{moment}", "rating": 9, "movie": {{"title": "Heat", "year": 1995}}}}]')
    (row,) = read_export(path).rows
    assert isinstance(row, BadRow)
    assert row.reason == ("date before 1970" if moment < "1970" else "date in the future")


def test_one_unreadable_file_of_a_folder_is_told_and_the_others_are_read(tmp_path):
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "watched.csv").write_bytes(b"\0\0")
    found = read_export(tmp_path)
    assert len(found.rows) == 1
    assert found.notes == ("watched.csv is not a text file: it has NUL bytes. It is passed over.",)


def test_missing_and_unreadable(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.zip cannot be read: No such file"):
        read_export(tmp_path / "nothing.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is not an export of films"):
        read_export(tmp_path / "empty")
