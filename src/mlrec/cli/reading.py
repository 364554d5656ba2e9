"""Options for people's own files: where they are and how they are read. 'mlrec prepare' and 'mlrec run' share them."""

import csv
from typing import Annotated

import typer

from mlrec.errors import shown
from mlrec.settings import IdsSetting, OrderWithoutTime

PANEL = "Your own data"

Ratings = Annotated[
    str | None,
    typer.Option(
        "--ratings",
        rich_help_panel=PANEL,
        metavar="FILE",
        help="File of ratings or interactions with any name: CSV or other separated text, JSON lines or Parquet,"
        " compressed or not. Also a folder of part files, or a pattern in quotes such as 'logs/*.csv'.",
    ),
]
Movies = Annotated[
    str | None,
    typer.Option(
        "--movies",
        rich_help_panel=PANEL,
        metavar="FILE",
        help="File of movies, in the same forms. Without one, titles are ids.",
    ),
]
Links = Annotated[
    str | None,
    typer.Option(
        "--links", rich_help_panel=PANEL, metavar="FILE", help="File of IMDb and TMDB ids by movie, in the same forms."
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        rich_help_panel=PANEL,
        metavar="WHAT=NAME,…",
        help="Columns of the ratings file that are not recognized, such as user=uid,time=when. WHAT is user, movie,"
        " rating or time. If the file has no header, give positions: user=1,movie=2,rating=3,time=4.",
    ),
]
Separator = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=PANEL,
        metavar="TEXT",
        help="What separates the fields of text files. Without it: recognized.",
        show_default=False,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=PANEL,
        metavar="NAME",
        help="Encoding of text files, such as cp1251. Without it: recognized.",
        show_default=False,
    ),
]
Scale = Annotated[
    str | None,
    typer.Option(
        "--scale",
        metavar="LOW,HIGH",
        help="Lowest and highest possible rating, such as 1,7. Without it: recognized.",
        rich_help_panel=PANEL,
    ),
]
Unrated = Annotated[
    float | None,
    typer.Option(
        metavar="X", help="Rating that means 'seen, but not rated', such as -1. Such rows are left out.",
        rich_help_panel=PANEL,
    ),
]  # fmt: skip
Implicit = Annotated[
    bool,
    typer.Option(
        "--implicit",
        help="Each row is a click, a watch or an order, and not a rating. It makes the movie liked; several make it"
        " liked strongly.",
        rich_help_panel=PANEL,
    ),
]
StrongFrom = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="With --implicit: from this number or sum on, a like is a strong one. Without it: from the second"
        " interaction; for durations, from twice the median.",
        rich_help_panel=PANEL,
    ),
]
UserIds = Annotated[
    IdsSetting,
    typer.Option("--user-ids", help="Whether user ids are whole numbers or texts.", rich_help_panel=PANEL),
]
MovieIds = Annotated[
    IdsSetting,
    typer.Option("--movie-ids", help="Whether movie ids are whole numbers or texts.", rich_help_panel=PANEL),
]
UserPrefix = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="Text to put before every user id that is a text, to keep the ids apart from your own application's.",
        rich_help_panel=PANEL,
    ),
]
TimeFormat = Annotated[
    str,
    typer.Option(
        metavar="FORMAT",
        help="How times are written: s, ms, us or ns since 1970, iso, or a format such as %d/%m/%Y.",
        rich_help_panel=PANEL,
    ),
]
TimeZone = Annotated[
    str,
    typer.Option(
        "--timezone", metavar="NAME", help="Zone of times that name none, such as Europe/Berlin.",
        rich_help_panel=PANEL,
    ),
]  # fmt: skip
NoTime = Annotated[
    OrderWithoutTime | None,
    typer.Option(
        "--no-time",
        help="Ignore times. Each user's events are in the order of the file, or in a random one. Later events then"
        " weigh no more than earlier ones.",
        rich_help_panel=PANEL,
    ),
]


def scale_of(text: str | None) -> tuple[float, float] | None:
    """Parse the value of `--scale`."""
    if text is None:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{shown(text)} is not a scale. Use two numbers, such as 1,10.", param_hint="'--scale'"
        ) from None
    return low, high


def columns_of(text: str | None) -> tuple[tuple[str, str], ...]:
    """Parse what `--columns` says: pairs of a role and the name or position of a column."""
    if text is None:
        return ()
    try:
        pairs = [part.split("=", 1) for part in next(csv.reader([text]), [])]
        return tuple((role.strip(), name.strip()) for role, name in pairs)
    except (ValueError, csv.Error):
        raise typer.BadParameter(
            f"{shown(text)} is not a list of columns. Use user=NAME,movie=NAME,rating=NAME,time=NAME.",
            param_hint="'--columns'",
        ) from None
