"""A part of a data set in the format of MovieLens, for tests to which all of it says no more."""

from __future__ import annotations

from pathlib import Path

N_USERS = 150


def leave_few_users(raw: Path, folder: Path) -> None:
    """Copy the ratings of the first users, and the movies that these have rated, to another folder or over itself."""
    header, *ratings = (raw / "ratings.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in ratings if int(line.split(",", 1)[0]) <= N_USERS]
    rated = {line.split(",")[1] for line in kept}
    first, *movies = (raw / "movies.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "ratings.csv").write_text("".join([header, *kept]), encoding="utf-8")
    (folder / "movies.csv").write_text(
        "".join([first, *(line for line in movies if line.split(",", 1)[0] in rated)]), encoding="utf-8"
    )
