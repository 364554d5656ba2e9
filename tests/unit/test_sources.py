"""Finding the raw files of a data set in every supported form."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mlrec.dataset.finding import find_source
from mlrec.dataset.sources import RawFile, RawSource
from mlrec.errors import InputError, RawDataMissingError
from mlrec.settings import PrepareSettings

RATINGS = "userId,movieId,rating,timestamp\n1,1,4.0,10\n"
MOVIES = "movieId,title,genres\n1,Amélie (2001),Comedy\n"
LINKS = "movieId,imdbId,tmdbId\n1,0211915,194\n"
CSV_FILES = {"ratings.csv": RATINGS, "movies.csv": MOVIES}
DAT_FILES = {"ratings.dat": "1::1::4::10\n", "movies.dat": "1::Amélie (2001)::Comedy\n"}
EARLY_FILES = {"u.data": "1\t1\t4\t10\n", "u.item": "1|Amélie (2001)|01-Jan-2001||http://x" + "|0" * 19 + "\n"}


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files into a folder; those that end in .gz are compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


def write_zip(path: Path, files: dict[str, str]) -> Path:
    """Write a zip archive with these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def damage(path: Path, offset: int) -> None:
    """Overwrite a few bytes of a file with ones that no compressor writes at the beginning of a block."""
    data = bytearray(path.read_bytes())
    data[offset : offset + 4] = b"\xff" * 4
    path.write_bytes(data)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def find(raw: Path, **settings: Any) -> RawSource:
    scratch = raw.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return find_source(raw, scratch, PrepareSettings(**settings))


# -- where -----------------------------------------------------------------------------------------------------------


def test_csv_files_in_the_folder_itself(raw):
    source = find(write(raw, CSV_FILES))
    assert [(file.role, file.path, file.label) for file in source.files] == [
        ("ratings", raw / "ratings.csv", "ratings.csv"),
        ("movies", raw / "movies.csv", "movies.csv"),
    ]
    assert source.links is None


def test_an_archive_unpacked_where_it_lay_is_one_data_set(raw):
    write_zip(raw / "ml-20m.zip", {f"ml-20m/{name}": content for name, content in CSV_FILES.items()})
    write(raw / "ml-20m", CSV_FILES)
    assert find(raw).ratings.path == raw / "ml-20m" / "ratings.csv"
    write(raw / "another", CSV_FILES)
    with pytest.raises(InputError, match="more than one data set: another, ml-20m"):
        find(raw)


def test_links_are_taken_where_they_are(raw):
    source = find(write(raw, {**CSV_FILES, "links.csv": LINKS}))
    assert source.links is not None
    assert source.links.path == raw / "links.csv"
    assert source.files == (source.ratings, source.movies, source.links)


def test_a_subfolder_counts_where_the_folder_itself_has_nothing(raw):
    write(raw / "ml-20m", CSV_FILES)
    assert find(raw).ratings.label == "ml-20m/ratings.csv"


def test_the_folder_itself_comes_before_its_subfolders(raw):
    write(raw / "ml-20m", CSV_FILES)
    assert find(write(raw, CSV_FILES)).ratings.label == "ratings.csv"


@pytest.mark.parametrize("files", [CSV_FILES, DAT_FILES, EARLY_FILES], ids=["csv", "dat", "early"])
def test_members_of_a_zip_in_the_folder_are_unpacked_to_the_scratch_folder(raw, files):
    write_zip(raw / "ml.zip", {f"ml/{name}": content for name, content in files.items()})
    source = find(raw)
    name = next(iter(files))
    assert source.ratings.label == f"ml.zip:ml/{name}"
    assert source.ratings.path == raw.parent / "scratch" / name
    assert source.ratings.path.read_text() == files[name]
    assert sorted(path.name for path in raw.iterdir()) == ["ml.zip"]


def test_a_zip_may_be_named_itself(raw):
    path = write_zip(raw / "ML.ZIP", {"README.txt": "hello", **CSV_FILES})
    assert movies_of(find(path)).label == "ML.ZIP:movies.csv"


def test_what_a_mac_adds_to_a_zip_is_not_data(raw):
    write_zip(raw / "ml.zip", {"ml/ratings.csv": RATINGS, "ml/movies.csv": MOVIES, "__MACOSX/ml/ratings.csv": "junk"})
    assert find(raw).ratings.path.read_text() == RATINGS


def test_hidden_folders_and_other_files_are_passed_over(raw):
    write(raw / ".trash", CSV_FILES)
    write(raw / "ml-20m", {**CSV_FILES, "tags.csv": "userId,movieId,tag,timestamp\n", "README.txt": "hello"})
    assert find(raw).ratings.label == "ml-20m/ratings.csv"


@pytest.mark.parametrize(
    ("files", "delimiter", "layout"),
    [(CSV_FILES, ",", "delimited"), (DAT_FILES, "::", "delimited"), (EARLY_FILES, "\t", "item")],
    ids=["csv", "dat", "early"],
)
@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gz"])
def test_every_edition_plain_or_gzipped(raw, files, delimiter, layout, gzipped):
    source = find(write(raw, {name + ".gz" * gzipped: content for name, content in files.items()}))
    assert source.ratings.delimiter == delimiter
    assert movies_of(source).layout == layout
    assert source.ratings.columns == ("user_id", "movie_id", "rating", "timestamp")
    assert source.ratings.header_lines == (1 if delimiter == "," else 0)


def parquet(path: Path, query: str) -> bytes:
    """The content of a Parquet file with the rows of a query."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


def test_parquet_files_are_told_by_their_content(raw, tmp_path):
    ratings = parquet(tmp_path / "r", 'SELECT 1 AS "User ID", 2 AS "it""em", 3.5 AS score, 7 AS ts, 1 AS movie')
    movies = parquet(tmp_path / "m", "SELECT 1 AS movieId, 'A' AS title")
    source = find(write(raw, {"ratings.csv": ratings, "movies.parquet": movies}), columns=(("movie", 'it"em'),))
    assert [file.layout for file in source.files] == ["parquet", "parquet"]
    assert source.ratings.columns == ("user_id", "movie_id", "rating", "timestamp", "movie")
    assert source.ratings.own_names == {
        "user_id": "User ID", "movie_id": 'it"em', "rating": "score", "timestamp": "ts"
    }  # fmt: skip
    assert 'raw."it""em"' in source.ratings.selected()


def test_a_parquet_file_without_the_columns_is_refused(raw, tmp_path):
    content = parquet(tmp_path / "r", "SELECT 1 AS who, 2 AS movie, 3.5 AS score, 7 AS ts")
    with pytest.raises(InputError) as error:
        find(write(raw, {"ratings.parquet": content}))
    assert error.value.message == ("ratings.parquet: there is no column userId. Its columns are who, movie, score, ts.")
    assert "--columns user=NAME" in error.value.hint


def test_a_damaged_parquet_file_is_refused(raw):
    with pytest.raises(InputError, match=r"ratings\.parquet cannot be read"):
        find(write(raw, {"ratings.parquet": b"PAR1" + b"x" * 100 + b"PAR1"}))


def test_forms_may_be_mixed_within_a_data_set(raw, tmp_path):
    movies = parquet(tmp_path / "m", "SELECT 1 AS movieId, 'A' AS title")
    source = find(write(raw, {"ratings.csv.gz": RATINGS, "movies.parquet": movies}))
    assert (source.ratings.layout, movies_of(source).layout) == ("delimited", "parquet")
    source = find(write(raw.parent / "other", {"ratings.csv": RATINGS, "movies.dat": "1::A::B\n"}))
    assert (source.ratings.delimiter, movies_of(source).delimiter) == (",", "::")


# -- not there, or there twice ---------------------------------------------------------------------------------------


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(RawDataMissingError, match="does not exist") as error:
        find(tmp_path / "raw")
    assert "mlrec run demo" in error.value.hint


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"movies.csv": MOVIES, "links.csv": LINKS},
        {"my-ratings.csv": RATINGS, "my-movies.csv": MOVIES},
    ],
    ids=["empty", "no ratings", "other names"],
)
def test_without_ratings_there_is_no_data_set(raw, files):
    with pytest.raises(RawDataMissingError, match="does not contain ratings") as error:
        find(write(raw, files))
    assert "ratings.csv and movies.csv" in error.value.hint
    assert "--ratings FILE" in error.value.hint


def test_movies_may_be_missing(raw):
    source = find(write(raw, {"ratings.csv": RATINGS}))
    assert source.files == (source.ratings,)


@pytest.mark.parametrize(
    ("names", "ratings", "movies"),
    [
        (["Rating.CSV", "Movie.csv"], "Rating.CSV", "Movie.csv"),
        (["interactions.tsv", "items.txt"], "interactions.tsv", "items.txt"),
        (["events.csv.gz", "ITEM.csv"], "events.csv.gz", "ITEM.csv"),
        (["ratings.csv", "RATINGS.CSV", "rating.csv", "movies.csv"], "ratings.csv", "movies.csv"),
        (["events.csv", "interactions.csv", "movies.csv"], "interactions.csv", "movies.csv"),
    ],
)
def test_other_names_in_the_order_of_preference(raw, names, ratings, movies):
    content = {name: RATINGS if name.lower()[0] in "rie" and "item" not in name.lower() else MOVIES for name in names}
    source = find(write(raw, content))
    assert (source.ratings.path.name, movies_of(source).path.name) == (ratings, movies)


def test_a_complete_family_comes_before_a_mixture(raw):
    source = find(write(raw, {"ratings.csv": RATINGS, **DAT_FILES}))
    assert source.ratings.path.name == "ratings.dat"


def test_a_file_that_is_not_an_archive_holds_no_data_set(raw):
    write(raw, CSV_FILES)
    with pytest.raises(RawDataMissingError):
        find(raw / "ratings.csv")


def test_several_data_sets_are_named(raw):
    write(raw / "ml-1m", DAT_FILES)
    write_zip(raw / "ml-20m.zip", CSV_FILES)
    with pytest.raises(InputError, match="more than one data set") as error:
        find(raw)
    assert "ml-1m, ml-20m.zip" in error.value.message
    assert "--raw" in error.value.hint


def test_several_data_sets_in_one_zip_are_not_mixed(raw):
    write_zip(
        raw / "both.zip",
        {f"{folder}/{name}": content for folder in ("ml-20m", "ml-25m") for name, content in CSV_FILES.items()},
    )
    with pytest.raises(InputError, match="more than one data set"):
        find(raw)


def test_of_equal_names_in_a_zip_the_outermost_stands(raw):
    write_zip(raw / "ml.zip", {**CSV_FILES, "backup/ratings.csv": "old", "backup/movies.csv": "old"})
    assert find(raw).ratings.path.read_text() == RATINGS


# -- damage ----------------------------------------------------------------------------------------------------------


def test_a_file_that_only_claims_to_be_a_zip(raw):
    (raw / "ml.zip").write_text("<html>Not found</html>")
    with pytest.raises(InputError, match=r"ml\.zip is not a readable zip"):
        find(raw)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_a_damaged_member_of_a_zip(raw, compression):
    content = RATINGS + "".join(f"{user_id},1,4.0,{user_id * 7919}\n" for user_id in range(2000))
    with zipfile.ZipFile(raw / "ml.zip", "w", compression) as archive:
        archive.writestr("ratings.csv", content)
        archive.writestr("movies.csv", MOVIES)
    damage(raw / "ml.zip", 30 + len("ratings.csv"))  # the header of a member has 30 bytes and its name
    with pytest.raises(InputError, match=r"ml\.zip:ratings\.csv cannot be unpacked") as error:
        find(raw)
    assert "damaged" in error.value.hint


def test_a_file_that_is_not_compressed_although_its_name_says_so(raw):
    source = find(write(raw, {"ratings.csv": RATINGS}) and raw)
    (raw / "movies.csv.gz").write_text(MOVIES)
    source = find(raw)
    assert movies_of(source).path.read_text() == MOVIES
    assert movies_of(source).bytes == len(MOVIES.encode())


@pytest.mark.parametrize("harm", ["damaged", "truncated"])
def test_a_gzipped_file_that_cannot_be_read(raw, harm):
    content = MOVIES + "".join(f"{movie_id},Movie {movie_id * 7919} (1990),Drama\n" for movie_id in range(2000))
    write(raw, {"ratings.csv": RATINGS, "movies.csv.gz": content})
    path = raw / "movies.csv.gz"
    match harm:
        case "damaged":
            damage(path, 10)  # the header of a gzip file has 10 bytes
        case "truncated":
            path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"movies\.csv\.gz cannot be read") as error:
        find(raw)
    assert "damaged" in error.value.hint


# -- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "userId,movieId,rating,timestamp",
        "user_id,movie_id,rating,timestamp",
        "USERID,MovieID,Rating,Timestamp",
        '"userId","movieId","rating","timestamp"',
        " userId , movieId , rating , timestamp ",
        "\ufeffuserId,movieId,rating,timestamp",
        '\ufeff"userId","movieId","rating","timestamp"',
        "userId,movieId,rating,timestamp\r",
    ],
)
def test_ways_to_write_the_header(raw, header):
    source = find(write(raw, {"ratings.csv": f"{header}\n1,1,4,10\n", "movies.csv": MOVIES}))
    assert source.ratings.columns == ("user_id", "movie_id", "rating", "timestamp")


def test_columns_may_be_more_and_in_another_order(raw):
    content = 'timestamp,"my, note",rating,movieId,userId\n10,x,4,1,1\n'
    source = find(write(raw, {"ratings.csv": content, "movies.csv": MOVIES}))
    assert source.ratings.columns == ("timestamp", "my, note", "rating", "movie_id", "user_id")
    described = source.ratings.for_sql()
    assert described["fields"] == {"user_id": 5, "movie_id": 4, "rating": 3, "timestamp": 1}
    assert list(described["columns"]) == ["timestamp", "unused_1", "rating", "movie_id", "user_id"]
    assert described["width"] == 5


@pytest.mark.parametrize(
    ("name", "content", "missing"),
    [
        ("ratings.csv", "userId,movieId,rating\n1,1,4\n", "timestamp"),
        ("ratings.csv", "who,what,rating,timestamp\n1,1,4,10\n", "userId, movieId"),
        ("ratings.csv", "1,1,4,10\n", "userId, movieId, rating, timestamp"),
        ("ratings.csv", "", "userId, movieId, rating, timestamp"),
        ("movies.csv", "movieId,genres\n1,A\n", "title"),
    ],
)
def test_a_missing_column_is_named_with_the_header_that_is_wanted(raw, name, content, missing):
    with pytest.raises(InputError) as error:
        find(write(raw, {**CSV_FILES, name: content}))
    assert error.value.message.startswith(f"{name}, line 1: the header lacks {missing}. The line is ")
    assert f"The line is {(content and repr(content.split(chr(10))[0])) or 'empty'}" in error.value.message
    assert ("The first line should be " in error.value.hint) or "--columns " in error.value.hint


def test_a_column_that_is_there_twice(raw):
    with pytest.raises(InputError, match="twice"):
        find(write(raw, {**CSV_FILES, "ratings.csv": "userId,user_id,movieId,rating,timestamp\n1,1,1,4,10\n"}))


def test_text_without_a_mark_that_it_is_utf_16_is_refused(raw):
    with pytest.raises(InputError, match=r"ratings\.csv, line 1 has NUL characters") as error:
        find(write(raw, {"ratings.csv": RATINGS.encode("utf-16-le")}))
    assert "--encoding utf-16-le" in error.value.hint
    assert find(raw, encoding="utf-16-le").ratings.columns == ("user_id", "movie_id", "rating", "timestamp")


# -- forms of text -----------------------------------------------------------------------------------------------------

ROWS = [["userId", "movieId", "rating", "timestamp"], ["1", "2", "4.5", "10"], ["3", "4", "5", "11"]]


def text_of(separator: str, rows: list[list[str]] = ROWS) -> str:
    return "".join(f"{separator.join(row)}\n" for row in rows)


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::"])
def test_separators_are_recognized(raw, separator):
    file = find(write(raw, {"ratings.txt": text_of(separator)})).ratings
    assert (file.delimiter, file.header_lines, file.width) == (separator, 1, 4)
    assert file.knows_quotes == (separator != "::")
    headerless = (("user", "1"), ("movie", "2"), ("rating", "3"), ("time", "4"))
    file = find(write(raw, {"ratings.txt": text_of(separator, ROWS[1:])}), columns=headerless).ratings
    assert (file.delimiter, file.header_lines, file.columns) == (
        separator, 0, ("user_id", "movie_id", "rating", "timestamp")
    )  # fmt: skip


def test_rows_that_could_be_separated_in_two_ways_are_asked_about(raw):
    columns = (("user", "1"), ("movie", "2"))
    write(raw, {"ratings.txt": "1|2;3\n4|5;6\n"})
    with pytest.raises(InputError) as error:
        find(raw, columns=columns, implicit=True, no_time="file")
    assert error.value.message == (
        "ratings.txt, line 1: the fields could be separated by ';' (2 fields) or '|' (2 fields). The line is '1|2;3'."
    )
    assert find(raw, columns=columns, implicit=True, no_time="file", separator="|").ratings.delimiter == "|"


@pytest.mark.parametrize(("given", "separator"), [("\\t", "\t"), ("#", "#"), ("||", "||")])
def test_a_separator_may_be_given(raw, given, separator):
    file = find(write(raw, {"ratings.csv": text_of(separator)}), separator=given).ratings
    assert (file.delimiter, file.width) == (separator, 4)


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"'])
def test_what_excel_writes_into_the_first_line(raw, first):
    file = find(write(raw, {"ratings.csv": f"{first}\r\n" + text_of(";")})).ratings
    assert (file.delimiter, file.header_lines, file.unusual) == (";", 2, ("separated by ;",))


def test_comments(raw):
    content = "# from: a, b\n#\n\n" + text_of(",") + "# 9,9,9,9\n5,6,3,12\n"
    file = find(write(raw, {"ratings.csv": content})).ratings
    assert file.header_lines == 4
    assert file.path.read_text() == "\n\n\n" + text_of(",") + "\n5,6,3,12\n"
    assert file.bytes == len(content)
    assert file.sha256() == hashlib.sha256(content.encode()).hexdigest()


def test_a_number_sign_is_a_comment_only_if_the_file_begins_with_one(raw):
    content = text_of(",") + "#5,6,3,12\n"
    assert find(write(raw, {"ratings.csv": content})).ratings.path.read_text() == content


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_marks_of_encodings(raw, encoding, end):
    content = "movieId;title\n1;Amélie „x“\n".replace("\n", end)
    mark = "\ufeff" if encoding.endswith(("le", "be")) else ""
    source = find(write(raw, {"ratings.csv": RATINGS, "movies.csv": (mark + content).encode(encoding)}))
    file = movies_of(source)
    assert (file.encoding, file.columns) == ("utf-8", ("movie_id", "title"))
    assert file.path.read_bytes().decode("utf-8-sig") == content


def test_an_encoding_may_be_given(raw):
    write(raw, {"ratings.csv": RATINGS, "movies.csv": "movieId,title\n1,Солярис\n".encode("cp1251")})
    file = movies_of(find(raw, encoding="windows-1251"))
    assert "Солярис" in file.path.read_text()
    assert file.unusual == ("windows-1251",)
    with pytest.raises(InputError, match=r"movies\.csv is not text in utf-8"):
        find(raw, encoding="utf-8")
    with pytest.raises(InputError, match="'klingon' is not an encoding"):
        find(raw, encoding="klingon")
    with pytest.raises(InputError, match="is not an encoding"):
        find(raw, encoding="zip")


@pytest.mark.parametrize(
    ("header", "skips"),
    [
        ("userId, movieId, rating, timestamp", True),
        ("userId, movieId,rating, timestamp", False),
        ('"userId", "movieId", "rating", "timestamp"', True),
    ],
)
def test_blanks_after_separators(raw, header, skips):
    assert find(write(raw, {"ratings.csv": f"{header}\n1, 2, 3, 4\n"})).ratings.skip_blanks == skips


def test_quotes_in_the_first_rows_are_noted(raw):
    assert find(write(raw, {"ratings.csv": RATINGS})).ratings.quoted_start is False
    assert find(write(raw, {"ratings.csv": RATINGS + '"2",1,3,4\n'})).ratings.quoted_start is True


def test_json_lines(raw):
    content = '{"user": 1, "asin": "B\u00e9", "overall": 5}\n\n{"user": 2, "asin": "C", "ts": 7, "a/b~": null}\n'
    for name in ("ratings.jsonl", "events.ndjson", "ratings.txt"):
        file = find(write(raw.parent / name, {name: content})).ratings
        assert (file.layout, file.header_lines) == ("json", 0)
        assert file.columns == ("user_id", "movie_id", "rating", "timestamp", "a/b~")
        assert file.own_names == {"user_id": "user", "movie_id": "asin", "rating": "overall", "timestamp": "ts"}


def test_a_json_document_of_a_server_is_no_data(raw):
    with pytest.raises(InputError, match=r"the header lacks .* The line is '\{.message.: "):
        find(write(raw, {"ratings.csv": '{"message": "Not Found"}'}))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_header_ends_with_any_line_end(raw, end):
    source = find(write(raw, {**CSV_FILES, "ratings.csv": RATINGS.replace("\n", end)}))
    assert source.ratings.columns == ("user_id", "movie_id", "rating", "timestamp")


@pytest.mark.parametrize("links", [b"tmdb,imdb\n1,2\n", b"", b"\x00\xff"], ids=["columns", "empty", "bytes"])
def test_links_that_cannot_be_used_are_left_out(raw, links):
    source = find(write(raw, {**CSV_FILES, "links.csv": links}))
    assert source.links is None
    assert ["links.csv" in error.message for error in source.left_out] == [True]


# -- encodings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize(
    ("files", "movies"), [(DAT_FILES, "movies.dat"), (EARLY_FILES, "u.item"), (CSV_FILES, "movies.csv")]
)
def test_the_encoding_of_titles_is_found_out(raw, files, movies, encoding):
    source = find(write(raw, {**files, movies: files[movies].encode(encoding)}))
    assert movies_of(source).encoding == encoding


def test_the_encoding_of_a_gzipped_file_is_found_out(raw):
    source = find(write(raw, {"ratings.dat": b"", "movies.dat.gz": DAT_FILES["movies.dat"].encode("latin-1")}))
    assert movies_of(source).encoding == "latin-1"


def test_an_accent_late_in_a_large_file_counts(raw):
    filler = "".join(f"{movie_id},Plain title (1990),Drama\n" for movie_id in range(2, 60_000))
    content = ("movieId,title,genres\n" + filler + "1,Amélie (2001),Comedy\n").encode("latin-1")
    assert len(content) > 1 << 20
    assert movies_of(find(write(raw, {"ratings.csv": RATINGS, "movies.csv": content}))).encoding == "latin-1"


@pytest.mark.parametrize("shift", range(4))
def test_a_utf_8_character_may_lie_across_the_blocks_that_are_read(raw, shift):
    header = "movieId,title,genres\n"
    content = header + "x" * ((1 << 20) - len(header) - shift) + "€ (2001),Comedy\n"
    assert movies_of(find(write(raw, {"ratings.csv": RATINGS, "movies.csv": content}))).encoding == "utf-8"


def test_a_character_of_windows_1252_is_told_from_latin_1(raw):
    content = "movieId,title,genres\n1,Schindler\u2019s List (1993),Drama\n".encode("cp1252")
    assert movies_of(find(write(raw, {"ratings.csv": RATINGS, "movies.csv": content}))).encoding == "windows-1252"


def movies_of(source: RawSource) -> RawFile:
    assert source.movies is not None
    return source.movies


# -- what is not taken -------------------------------------------------------------------------------------------------


def test_files_that_may_have_the_movies_are_named(raw):
    source = find(write(raw, {"rating.csv": RATINGS, "anime.csv": MOVIES, "README.md": "x"}))
    assert source.notes == (
        "There is no file of movies, so titles are ids. If one of these has the movies, add --movies FILE: anime.csv",
    )
    assert find(write(raw, {"movies.csv": MOVIES})).notes == ()


def test_the_other_file_of_an_archive_can_be_named(raw):
    write_zip(raw / "archive.zip", {"x/rating.csv": RATINGS, "x/anime.csv": MOVIES, "x/README.md": ""})
    assert find(raw).notes[0].endswith("add --movies FILE: x/anime.csv")
    source = find_source(raw, raw.parent / "scratch", movies=str(raw / "archive.zip"))
    assert movies_of(source).label == f"{raw / 'archive.zip'}:x/anime.csv"
    assert movies_of(source).path.read_text() == MOVIES


@pytest.mark.parametrize("content", ['[{"user": 1}]', '{\n"user": 1}'])
def test_json_that_is_no_lines_is_refused(raw, content):
    with pytest.raises(InputError, match=r"ratings\.jsonl, line 1 is not an object of JSON: ") as error:
        find(write(raw, {"ratings.jsonl": content}))
    assert "one object per line" in error.value.hint


def test_a_file_that_is_compressed_twice_is_refused(raw):
    with pytest.raises(InputError, match=r"ratings\.csv\.gz is not a data file: it is a gzipped file"):
        find(write(raw, {"ratings.csv.gz": gzip.compress(RATINGS.encode())}))


def test_the_folders_of_parts_are_part_of_the_fingerprint(tmp_path):
    hashes = set()
    for value in ("1", "2"):
        folder = write(tmp_path / value / "logs" / f"movie={value}", {"part.csv": "user,rating,ts\n1,4,5\n"}).parent
        (tmp_path / "scratch").mkdir(exist_ok=True)
        file = find_source(tmp_path, tmp_path / "scratch", ratings=str(folder)).ratings
        assert file.bytes == len("user,rating,ts\n1,4,5\n")
        hashes.add(file.sha256())
    assert len(hashes) == 2


def test_compressed_parts_are_joined(tmp_path):
    parts = {f"part-{number}.csv.gz": f"user,item,rating,ts\n{number},é,4,5\n" for number in range(3)}
    write(tmp_path / "logs", parts)
    (tmp_path / "scratch").mkdir()
    file = find_source(tmp_path, tmp_path / "scratch", ratings=str(tmp_path / "logs" / "*.gz")).ratings
    assert file.path.read_text() == "0,é,4,5\n1,é,4,5\n2,é,4,5\n"
    assert [piece[:1] + piece[2:] for piece in file.pieces] == [(1, 2), (2, 2), (3, 2)]
