"""Where an edition comes from."""

from __future__ import annotations

import hashlib
import json

import pytest

from mlrec.dataset.editions import EDITIONS
from mlrec.dataset.fetch import FetchResult
from mlrec.errors import FetchError, SettingsError
from tests.integration.fetch.mirror import (
    ARCHIVES,
    MOVIES,
    RATINGS,
    SMALL,
    TABLE,
    check_fetched,
    expected_files,
    fetch,
    unsummed,
    zip_of,
)


@pytest.mark.parametrize("edition", SMALL)
def test_a_mirror(workspace, mirror, edition):
    result = fetch(workspace, edition, mirror.url)
    check_fetched(workspace, edition)
    assert result == FetchResult(
        edition, tuple(sorted(expected_files(edition))), f"{mirror.url}{edition}.zip", TABLE[edition].sha256
    )
    marker = json.loads((workspace.raw / "SOURCE.json").read_bytes())
    assert (marker["format_version"], marker["edition"], marker["from"]) == (1, edition, result.origin)
    assert marker["sha256"] == TABLE[edition].sha256
    assert marker["files"] == {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in expected_files(edition).items()
    }
    assert "incomplete" not in marker
    assert mirror.requests[0]["User-Agent"].startswith("mlrec")


def test_places(workspace, mirror, archives, tmp_path, monkeypatch):
    unpacked = tmp_path / "unpacked"
    for member, text in SMALL["ml-20m"].items():
        path = unpacked / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    renamed = tmp_path / "renamed.zip"
    renamed.write_bytes(ARCHIVES["ml-20m"])
    mirror.files["/elsewhere/some.zip"] = ARCHIVES["ml-20m"]
    places = [
        mirror.url.rstrip("/"),
        mirror.url.replace("/movielens/", "/elsewhere/some.zip"),
        archives,
        archives.as_uri(),
        renamed,
        renamed.as_uri(),
        unpacked,
        unpacked / "ml-20m",
    ]
    for place in places:
        fetch(workspace, "ml-20m", place, force=True)
        check_fetched(workspace, "ml-20m")
    for place in places:
        monkeypatch.setenv("MLREC_MIRROR", str(place))
        fetch(workspace, "ml-20m", force=True)
        check_fetched(workspace, "ml-20m")
    assert renamed.read_bytes() == ARCHIVES["ml-20m"]
    assert (unpacked / "ml-20m" / "ratings.csv").exists()


def test_from_goes_before_the_environment(workspace, mirror, archives, monkeypatch):
    monkeypatch.setenv("MLREC_MIRROR", mirror.url)
    fetch(workspace, "ml-20m", archives)
    assert mirror.requests == []


def test_links_may_be_missing(workspace, tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of({"ratings.csv": RATINGS, "movies.csv": MOVIES}))
    assert fetch(workspace, "ml-20m", archive, editions=unsummed("ml-20m")).files == ("movies.csv", "ratings.csv")


def test_the_outermost_of_several_members_is_taken(workspace, tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of({"ml/old/ratings.csv": "old", "ml/ratings.csv": RATINGS, "ml/movies.csv": MOVIES}))
    fetch(workspace, "ml-20m", archive, editions=unsummed("ml-20m"))
    assert (workspace.raw / "ratings.csv").read_text() == RATINGS


@pytest.mark.parametrize("folder", ["", "nothing-here", "ml-1m"])
def test_a_folder_without_the_edition(workspace, tmp_path, folder):
    """Another edition's folder is not mistaken for it, though its files have the same names."""
    (tmp_path / "place" / folder).mkdir(parents=True)
    for name in ("ratings.dat", "movies.dat"):
        (tmp_path / "place" / "ml-1m").mkdir(exist_ok=True)
        (tmp_path / "place" / "ml-1m" / name).write_text("")
    with pytest.raises(FetchError, match=r"neither ml-10m\.zip nor ratings\.dat and movies\.dat"):
        fetch(workspace, "ml-10m", tmp_path / "place", editions=EDITIONS)


def test_a_place_that_does_not_exist(workspace, tmp_path):
    with pytest.raises(FetchError, match="nowhere is neither a zip nor a folder"):
        fetch(workspace, "ml-20m", tmp_path / "nowhere")


def test_an_unknown_scheme(workspace):
    with pytest.raises(SettingsError, match="cannot fetch 'ftp://"):
        fetch(workspace, "ml-20m", "ftp://example.org/")


def test_an_address_that_cannot_be_taken_apart(workspace):
    with pytest.raises(SettingsError, match="'http://\\[::1' is not a valid URL"):
        fetch(workspace, "ml-20m", "http://[::1")


def test_an_unknown_edition(workspace):
    with pytest.raises(SettingsError, match="'ml-5m'") as caught:
        fetch(workspace, "ml-5m")
    assert all(name in caught.value.hint for name in ("demo", *TABLE))
