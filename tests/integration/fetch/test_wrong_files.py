"""Files that are not those of the requested edition."""

from __future__ import annotations

import json
import re

import pytest

from mlrec.dataset.editions import EDITIONS
from mlrec.dataset.raw_folder import FetchedFile, Marker
from mlrec.errors import FetchError, StateError
from tests.integration.fetch.mirror import (
    RATINGS,
    SMALL,
    check_fetched,
    fetch,
    folder_of,
    unsummed,
    visible_files,
    zip_of,
)

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"
WEB_PAGE = "\n<!DOCTYPE html>\n<html><title>404 Not Found</title></html>\n"


@pytest.mark.parametrize("member", ["ratings.csv", "movies.csv", "links.csv"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (LFS_POINTER, "it is a Git LFS pointer"),
        (WEB_PAGE, "it is a web page"),
        ('{"error": "not found"}', "it is a JSON document"),
        ("", "it is empty"),
        ("1::122::5::838985046\n", "its first line is '1::122::5::838985046'"),
        ("PK\x03\x04", "it is a zip archive"),
    ],
    ids=["pointer", "web page", "json", "empty", "dat", "zip"],
)
@pytest.mark.parametrize("way", ["folder", "zip", "download"])
def test_a_member_that_is_something_else(workspace, mirror, tmp_path, way, content, what, member):
    fetch(workspace, "ml-1m", mirror.url)
    files = {name.rpartition("/")[2]: text for name, text in SMALL["ml-20m"].items()} | {member: content}
    place = tmp_path / "place"
    if way == "folder":
        place.mkdir()
        for name, text in files.items():
            (place / name).write_text(text)
    else:
        place.write_bytes(zip_of(files))
        mirror.files["/movielens/ml-20m.zip"] = place.read_bytes()
    source = mirror.url if way == "download" else place
    origin = f"{mirror.url}ml-20m.zip" if way == "download" else place
    with pytest.raises(FetchError, match=re.escape(f"{member} of {origin} is not a ")) as caught:
        fetch(workspace, "ml-20m", source, editions=unsummed("ml-20m"))
    assert what in caught.value.message
    assert caught.value.hint
    check_fetched(workspace, "ml-1m")  # as before; no part is left


def test_a_download_that_is_a_web_page(workspace, mirror):
    """Of an edition whose checksum is known, too: that it differs says less."""
    mirror.files["/movielens/ml-20m.zip"] = WEB_PAGE.encode()
    with pytest.raises(FetchError, match=r"ml-20m\.zip is not a readable zip archive: it is a web page"):
        fetch(workspace, "ml-20m", mirror.url)
    assert list(workspace.raw.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "rows", "message"),
    [
        ("ml-10m", (1_000_209, 3_883), "ratings.dat of {} has 1,000,209 rows, which is the size of ml-1m; ml-10m has"),
        (
            "ml-20m",
            (100_836, 9_742),
            "ratings.csv of {} has 100,836 rows, which is the size of ml-latest-small; ml-20m has",
        ),
        ("ml-20m", (99, 27_278), "ratings.csv of {} has 99 rows; ml-20m has 20,000,263"),
        ("ml-100k", (99_999, 1_682), "u.data of {} has 99,999 rows; ml-100k has 100,000"),
        ("ml-100k", (100_000, 1_681), "u.item of {} has 1,681 rows; ml-100k has 1,682"),
        (
            "ml-latest",
            (100_836, 9_742),
            "ratings.csv of {} has 100,836 rows, which is the size of ml-latest-small; ml-",
        ),
    ],
)
def test_the_files_of_another_edition(workspace, tmp_path, wanted, rows, message):
    place = folder_of(tmp_path / "place", wanted, *rows)
    with pytest.raises(FetchError, match=re.escape(message.format(place))) as caught:
        fetch(workspace, wanted, place, editions=EDITIONS)
    assert "--from" in caught.value.hint
    assert list(workspace.raw.iterdir()) == []


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n\n"])
def test_the_files_of_the_edition(workspace, tmp_path, line_end, end):
    """However their lines and their last line end."""
    place = folder_of(tmp_path / "place", "ml-100k", 100_000, 1_682)
    for path in place.iterdir():
        path.write_text(path.read_text().rstrip() + end, newline=line_end)
    result = fetch(workspace, "ml-100k", place, editions=EDITIONS)
    assert result.warnings == ()
    assert fetch(workspace, "ml-100k", place, editions=EDITIONS).already_there


def test_an_edition_that_changes_may_have_other_rows_but_is_told_so(workspace, tmp_path):
    place = folder_of(tmp_path / "place", "ml-latest-small", 100_004, 9_125)  # as of 2016
    result = fetch(workspace, "ml-latest-small", place, editions=EDITIONS)
    assert [warning.partition(";")[0] for warning in result.warnings] == [
        f"ratings.csv of {place} has 100,004 rows", f"movies.csv of {place} has 9,125 rows",
    ]  # fmt: skip
    assert visible_files(workspace.raw).keys() == {"ratings.csv", "movies.csv"}


@pytest.mark.parametrize("text", [LFS_POINTER, WEB_PAGE])
def test_what_an_earlier_version_took_for_data_is_not_already_there(workspace, archives, text):
    workspace.raw.mkdir(parents=True)
    for name in ("movies.dat", "ratings.dat"):
        (workspace.raw / name).write_text(text)
    files = tuple(FetchedFile.of(path) for path in sorted(workspace.raw.iterdir()))
    Marker("ml-1m", "elsewhere", None, files).write(workspace.raw_files)
    assert not fetch(workspace, "ml-1m", archives).already_there
    check_fetched(workspace, "ml-1m")


def test_a_file_that_has_changed_and_kept_its_length_is_not_already_there(workspace, archives):
    fetch(workspace, "ml-20m", archives)
    (workspace.raw / "ratings.csv").write_text(RATINGS.replace("4.5", "0.5", 1))
    with pytest.raises(StateError, match=r"ratings\.csv was not put there by"):
        fetch(workspace, "ml-20m", archives)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"ratings.csv": {"bytes": [1], "sha256": "x"}},
        {"ratings.csv": {"bytes": 1, "sha256": {}}},
        {"ratings.csv": {"bytes": 1}},
        {"ratings.csv": None},
        [],
    ],
    ids=str,
)
def test_a_marker_that_makes_no_sense_vouches_for_nothing(workspace, archives, files):
    workspace.raw.mkdir(parents=True)
    marker = {"format_version": 1, "edition": "ml-20m", "from": "x", "sha256": None, "files": files}
    (workspace.raw / "SOURCE.json").write_text(json.dumps(marker))
    assert not fetch(workspace, "ml-20m", archives).already_there
    check_fetched(workspace, "ml-20m")
