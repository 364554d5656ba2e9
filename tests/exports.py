"""Exports of a person's films as the services write them, of films of a model."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mlrec.artifacts import model_folder, registry
from mlrec.serving.spoken_titles import spoken
from mlrec.workspace import Workspace

LETTERBOXD = ("Date", "Name", "Year", "Letterboxd URI")


class Known(NamedTuple):
    """A film of a model, with its title as services write it."""

    movie_id: int
    title: str
    year: int


def films_of(workspace: Workspace, n: int) -> list[Known]:
    """The most liked films of a model whose title and year say which one they are."""
    model = model_folder.open_model(registry.resolve(workspace))
    titles, years = model.catalogue.title, model.catalogue.year
    rows = sorted(range(len(titles)), key=lambda row: -int(model.popularity[row]))
    chosen = (row for row in rows if years[row] is not None and "(" not in titles[row])
    return [
        Known(int(model.movie_ids[row]), spoken(titles[row]), years[row] or 0)
        for row, _ in zip(chosen, range(n), strict=False)
    ]


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def address(film: Known) -> str:
    return f"https://boxd.it/{film.movie_id:x}"


def letterboxd(
    path: Path,
    rated: Iterable[tuple[Known, float, str]] = (),
    watched: Iterable[tuple[Known, str]] = (),
    liked: Iterable[tuple[Known, str]] = (),
    diary: Iterable[tuple[Known, float | str, str]] = (),
    wanted: Iterable[tuple[Known, str]] = (),
) -> Path:
    """Write the zip that Letterboxd lets people download."""

    def named(film: Known, day: str) -> list[object]:
        return [day, film.title, film.year, address(film)]

    files = {
        "ratings.csv": csv_text([*LETTERBOXD, "Rating"], ([*named(film, day), stars] for film, stars, day in rated)),
        "watched.csv": csv_text(LETTERBOXD, (named(film, day) for film, day in watched)),
        "likes/films.csv": csv_text(LETTERBOXD, (named(film, day) for film, day in liked)),
        "diary.csv": csv_text(
            [*LETTERBOXD, "Rating", "Rewatch", "Tags", "Watched Date"],
            (
                [day, film.title, film.year, f"https://boxd.it/entry{number}", stars, "", "", day]
                for number, (film, stars, day) in enumerate(diary)
            ),
        ),
        "watchlist.csv": csv_text(LETTERBOXD, (named(film, day) for film, day in wanted)),
        "profile.csv": "Date Joined,Username\n2019-01-01,me\n",
        "deleted/diary.csv": csv_text([*LETTERBOXD, "Rating"], []),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
