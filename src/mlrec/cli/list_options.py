"""Options that filter lists, for the commands that show some, and files of movie ids."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlrec.cli import render
from mlrec.cli.options import UsageError
from mlrec.cli.public_ids import parse_id
from mlrec.errors import InputError, in_shell, shown
from mlrec.plurals import counted

if TYPE_CHECKING:
    from mlrec.ids import IdKind, PublicId
    from mlrec.serving.list_filters import ListFilters
    from mlrec.serving.recommender import Recommender
    from mlrec.settings import SeenMovies

Genres = Annotated[
    list[str] | None, typer.Option("--genre", metavar="GENRE", help="Only movies of this genre. Repeatable.")
]
NotGenres = Annotated[
    list[str] | None, typer.Option("--not-genre", metavar="GENRE", help="No movies of this genre. Repeatable.")
]
Years = Annotated[
    str | None,
    typer.Option("--years", metavar="FIRST-LAST", help="Only movies of these years: 1990-1999, 1990-, -1999 or 1990."),
]
Only = Annotated[
    Path | None,
    typer.Option(
        "--only",
        metavar="FILE",
        help="Only the movies in this file: one id per line, a CSV with a column movie_id, or a watchlist of"
        " Letterboxd, IMDb or Trakt. The best one for the user comes first, whatever the order of the file. -: ids from"
        " stdin.",
    ),
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="ID", help="Leave out this movie id. Repeatable.")
]
IncludeSeen = Annotated[
    bool, typer.Option("--include-seen", help="Also list movies that the user has rated or swiped.")
]
SeenOnly = Annotated[
    bool,
    typer.Option(
        "--seen-only",
        help="Only movies that the user has rated or swiped, to watch again. For several users: that all of them have.",
    ),
]
MaxPerGenre = Annotated[
    int | None,
    typer.Option(
        "--max-per-genre",
        metavar="N",
        min=1,
        help="At most N movies of any one genre. A movie counts for each of its genres.",
        show_default="any number",
    ),
]
Diversity = Annotated[
    float,
    typer.Option(
        "--diversity",
        metavar="X",
        min=0,
        max=1,
        help="How far a movie moves down if it is similar to those above it. 0: not at all.",
    ),
]

_SEPARATORS = ",;\t|"
# Many times what 100,000 of the longest ids take.
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class FilterOptions:
    """The filters as they were typed; see the options above."""

    genre: list[str] | None = None
    not_genre: list[str] | None = None
    years: str | None = None
    only: Path | None = None
    exclude: list[str] | None = None
    include_seen: bool = False
    seen_only: bool = False
    max_per_genre: int | None = None
    diversity: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what can be refused before a model is opened."""
        parse_years(self.years)
        if self.include_seen and self.seen_only:
            raise UsageError("Use --include-seen or --seen-only, not both.")
        # Not `is_file`: the shell's <(command) is a pipe.
        if self.only is not None and str(self.only) != "-" and (not self.only.exists() or self.only.is_dir()):
            raise UsageError(f"--only: there is no file {shown(str(self.only))}.")

    def read(self, recommender: Recommender) -> ListFilters:
        """Return the filters for a model. Says how many ids of the file it does not know.

        Raises
        ------
        InputError
            If the file cannot be read, or has no ids.
        UsageError
            If an id cannot be one of the model's movies.
        """
        from mlrec.serving.list_filters import ListFilters

        kind = recommender.movie_id_kind
        seen: SeenMovies = "only" if self.seen_only else "show" if self.include_seen else "hide"
        return ListFilters(
            genres=self.genre or None,
            not_genres=self.not_genre or (),
            years=parse_years(self.years),
            only=None if self.only is None else _known_of(self.only, recommender),
            exclude=[parse_id(text, "movie", kind) for text in self.exclude or ()],
            seen=seen,
            max_per_genre=self.max_per_genre,
            diversity=self.diversity,
        )

    @property
    def called(self) -> Mapping[str, str]:
        """What to call each filter in a message: the option as it was typed."""
        return {
            "only": f"--only {in_shell(str(self.only))}",
            "genres": " ".join(f"--genre {in_shell(name)}" for name in self.genre or ()),
            "not_genres": " ".join(f"--not-genre {in_shell(name)}" for name in self.not_genre or ()),
            "years": f"--years {self.years}",
            "exclude": "--exclude",
            "seen": "--seen-only",
        }


def parse_years(text: str | None) -> tuple[int, int] | None:
    """Parse a range of years: 1990-1999, 1990-, -1999 or 1990."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{4})?(-)?(\d{4})?", text.strip())
    if not match or not (match[1] or match[3]):
        raise UsageError(f"--years needs 1990-1999, 1990-, -1999 or 1990, not '{text}'.")
    first = int(match[1]) if match[1] else 0
    last = int(match[3]) if match[3] else 9999 if match[2] else first
    if first > last:
        raise UsageError(f"--years '{text}' ends before it begins. Put the earlier year first.")
    return first, last


# -- a file of ids -----------------------------------------------------------------------------------------------------


def _known_of(path: Path, recommender: Recommender) -> list[PublicId]:
    """Return the movies in a file that the model knows, each once, and say how many it does not know."""
    from mlrec.own_films.shelf import movies_on
    from mlrec.own_films.sources import is_export

    label = _label(path)
    if path.is_file() and is_export(path):
        known, named = movies_on(path, recommender.movies())
    else:
        found = read_ids(path, recommender.movie_id_kind)
        known, named = recommender.known_movies(found), len(found)
    if unknown := named - len(known):
        render.warn(f"The model does not know {unknown:,} of the {counted(named, 'movie')} in {label}.")
    return known


def read_ids(path: Path, kind: IdKind) -> list[PublicId]:
    """Read movie ids from a file: one per line, or a column of separated text with a header.

    Returns
    -------
    list
        Each id once, in the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read, has no ids, or has something else among them; the error names the line.
    """
    label = _label(path)
    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{label} cannot be read: {error.strerror}.", "Check the file and its permissions.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{label} is not text in UTF-8.", "Save it as UTF-8, with one movie id per line.") from error
    if len(content) > _MOST_BYTES:
        raise InputError(
            f"{label} is over {_MOST_BYTES >> 20} MiB long.", "Write one movie id per line, and only these."
        )
    found: dict[PublicId, None] = {}
    for number, text in _fields(lines):
        try:
            found[parse_id(text, "movie", kind)] = None
        except UsageError as error:
            raise InputError(
                f"{label}, line {number}: {error.message}",
                "Write one id per line, or a CSV whose header names a column movie_id.",
            ) from None
    if not found:
        raise InputError(f"{label} has no movie ids.", "Write one id per line, or a CSV with a column movie_id.")
    return list(found)


def _fields(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Each id as it is written, with the number of its line. Empty lines and empty fields are passed over."""
    from mlrec.dataset.columns import movie_id_column

    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    header = lines[first] if lines else ""
    separator = max(_SEPARATORS, key=header.count)
    column = movie_id_column(next(csv.reader([header], delimiter=separator), []))
    if column is None:
        yield from ((number, line.strip()) for number, line in enumerate(lines, 1) if line.strip())
        return
    rows: Any = csv.reader(lines[first + 1 :], delimiter=separator)
    for row in rows:
        if len(row) > column and row[column]:
            yield first + 1 + rows.line_num, row[column]


def _label(path: Path) -> str:
    return "stdin" if str(path) == "-" else shown(str(path))
