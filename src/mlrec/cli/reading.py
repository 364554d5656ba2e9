"""Options that say how the values of a ratings file are to be read, common to `mlrec prepare` and `mlrec run`."""

from typing import Annotated

import typer

from mlrec.errors import shown
from mlrec.settings import IdsSetting, OrderWithoutTime

_PANEL = "Your own data"

Scale = Annotated[
    str | None,
    typer.Option(
        "--scale",
        metavar="LOW,HIGH",
        help="Lowest and highest possible rating, such as 1,7. Without it: recognized.",
        rich_help_panel=_PANEL,
    ),
]
Unrated = Annotated[
    float | None,
    typer.Option(
        metavar="X", help="Rating that means 'seen, but not rated', such as -1. Such rows are left out.",
        rich_help_panel=_PANEL,
    ),
]  # fmt: skip
Implicit = Annotated[
    bool,
    typer.Option(
        "--implicit",
        help="Each row is a click, a watch or an order, and not a rating. It makes the movie liked; several make it"
        " liked strongly.",
        rich_help_panel=_PANEL,
    ),
]
StrongFrom = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="With --implicit: from this number or sum on, a like is a strong one. Without it: from the second"
        " interaction; for durations, from twice the median.",
        rich_help_panel=_PANEL,
    ),
]
UserIds = Annotated[
    IdsSetting,
    typer.Option("--user-ids", help="Whether user ids are whole numbers or texts.", rich_help_panel=_PANEL),
]
MovieIds = Annotated[
    IdsSetting,
    typer.Option("--movie-ids", help="Whether movie ids are whole numbers or texts.", rich_help_panel=_PANEL),
]
UserPrefix = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="Text to put before every user id that is a text, to keep the ids apart from your own application's.",
        rich_help_panel=_PANEL,
    ),
]
TimeFormat = Annotated[
    str,
    typer.Option(
        metavar="FORMAT",
        help="How times are written: s, ms, us or ns since 1970, iso, or a format such as %d/%m/%Y.",
        rich_help_panel=_PANEL,
    ),
]
TimeZone = Annotated[
    str,
    typer.Option(
        "--timezone", metavar="NAME", help="Zone of times that name none, such as Europe/Berlin.",
        rich_help_panel=_PANEL,
    ),
]  # fmt: skip
NoTime = Annotated[
    OrderWithoutTime | None,
    typer.Option(
        "--no-time",
        help="Ignore times. Each user's events are in the order of the file, or in a random one. Later events then"
        " weigh no more than earlier ones.",
        rich_help_panel=_PANEL,
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
