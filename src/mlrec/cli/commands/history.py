"""mlrec history: a user's swipes, or ratings."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, StoreName, UsageError, examples
from mlrec.cli.output import STDOUT, write_output
from mlrec.cli.public_ids import known_kind, parse_id
from mlrec.errors import MlrecError, ModelMissingError, in_shell
from mlrec.plurals import counted
from mlrec.preferences import Swipe

if TYPE_CHECKING:
    from mlrec.serving.history import HistoryEvent
    from mlrec.serving.served_model import ServedModel
    from mlrec.workspace import Workspace

EXAMPLES = examples(
    "mlrec history --user 42",
    "mlrec history --user 42 --ratings",
    "mlrec history --user 42 -n 5 --json",
    "mlrec history --user 42 --csv swipes-of-42.csv",
)


def history(
    user: Annotated[str, typer.Option("--user", "-u", metavar="ID", help="User id.")],
    n: Annotated[
        int | None, typer.Option("-n", "--n", metavar="N", min=1, help="Show only the latest N.", show_default="all")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write CSV to this file; - is stdout. 'mlrec users import' reads such a file."
        ),
    ] = None,
    ratings: Annotated[
        bool, typer.Option("--ratings", help="Show the user's ratings in the model's data instead of the swipes.")
    ] = False,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Show a user's swipes, or the user's ratings with --ratings.

    Swipes come from the store, in the order in which they were logged. Undone swipes are marked. Ratings come from the
    data of the published model.
    """
    if ratings:
        if csv is not None:
            raise UsageError("--csv writes swipes and cannot be combined with --ratings.")
        _ratings(user, n, store, as_json, data_dir)
        return
    if csv is not None and as_json:
        raise UsageError("Use --csv or --json, not both.")
    from mlrec.serving.history import history_of
    from mlrec.serving.interchange import export_swipes
    from mlrec.serving.stores import open_store
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    with closing(open_store(store, workspace)) as opened:
        served = titles_from(workspace)
        user_id = parse_id(user, "user", known_kind("user", workspace, opened, served.model if served else None))
        events = history_of(opened, user_id, served)[-n if n else 0 :]
        forgotten, place = opened.head(user_id).forgotten, opened.place
    if as_json:
        render.print_json({"user_id": user_id, "events": [event.to_json() for event in events]})
    elif csv is not None:
        written = write_output(csv, lambda file: export_swipes(file, [(user_id, events)]), source=place, private=True)
        if csv != STDOUT:
            render.line(f"Wrote {counted(written, 'swipe')} of user {in_shell(user_id)} to {csv}.")
    else:
        if events:
            _show(events)
        else:
            whose = f"User {in_shell(user_id)}"
            render.line(f"{whose} is forgotten." if forgotten else f"{whose} has not swiped yet.")
            if not forgotten:
                command = f"mlrec history --user {in_shell(user_id)} --ratings"
                render.note(f"For the user's ratings in the model's data: {command}")


def _ratings(user: str, n: int | None, store: str | None, as_json: bool, data_dir: Path) -> None:
    from mlrec.serving.recommender import Recommender

    with Recommender.open(data_dir, store=store) as recommender:
        user_id = parse_id(user, "user", recommender.user_id_kind)
        rated = recommender.ratings(user_id)[-n if n else 0 :]
        forgotten, model_id = recommender.is_forgotten(user_id), recommender.model_id
    if as_json:
        ratings = [rating.to_json() for rating in rated]
        render.print_json({"user_id": user_id, "model_id": model_id, "ratings": ratings})
    elif not rated:
        name = in_shell(user_id)
        render.line(f"User {name} is forgotten." if forgotten else f"The model's data has no ratings of user {name}.")
    else:
        _table(
            [
                "when",
                "movie",
                "year",
                "opinion",
                "split",
                render.id_heading("id", (rating.movie_id for rating in rated)),
            ],
            [
                (
                    when(rating.at),
                    rating.label if rating.title is None else rating.title,
                    rating.year or "",
                    Swipe(rating.preference).label,
                    rating.split,
                    "" if rating.movie_id is None else rating.movie_id,
                )
                for rating in rated
            ],
            narrow=[1, 3, 5],
        )


def titles_from(workspace: "Workspace") -> "ServedModel | None":
    """Open the published model for its titles. Without a model, warn and return None: the log is readable anyway."""
    from mlrec.artifacts import model_folder, registry
    from mlrec.serving.served_model import ServedModel
    from mlrec.settings import ServeSettings

    try:
        return ServedModel(model_folder.open_model(registry.resolve(workspace)), ServeSettings())
    except ModelMissingError as error:
        render.note(f"{error.message} Titles are left out.")
    except MlrecError as error:
        render.warn(f"{error.message} Titles are left out.")
    return None


def _show(events: "list[HistoryEvent]") -> None:
    _table(
        ["#event", "when", "movie", "year", "swipe", ""],
        [
            (
                event.event_id,
                when(event.at),
                event.label if event.title is None else event.title,
                event.year or "",
                Swipe(event.preference).label,
                "undone" if event.undone else "",
            )
            for event in events
        ],
        narrow=[0, 2, 4, 5],
    )


def _table(columns: list[str], rows: list[tuple[object, ...]], *, narrow: list[int]) -> None:
    """Print a table, and of a narrow one the columns with these numbers alone."""
    kept = narrow if render.is_narrow() else range(len(columns))
    render.table([columns[i] for i in kept], [[row[i] for i in kept] for row in rows])


def when(at: int) -> str:
    """Format a time by ISO 8601: local time on a terminal, UTC with its zone in a pipe."""
    moment = datetime.fromtimestamp(at, UTC)
    if not sys.stdout.isatty():
        return moment.isoformat()
    try:
        return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError):  # the last hours of the year 9999, east of Greenwich
        return moment.isoformat()
