"""mlrec users: count, list and show users; forget one; import and export swipes."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from mlrec.cli import exit_codes, render
from mlrec.cli.commands.history import titles_from, when
from mlrec.cli.help import Group
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, StoreName, examples, parse_id
from mlrec.cli.output import STDOUT, write_output
from mlrec.cli.progress import progress
from mlrec.errors import IncompatibleFormatError, InputError, ModelMissingError, SettingsError
from mlrec.settings import DEFAULT_USERS, PrepareSettings

if TYPE_CHECKING:
    from mlrec.serving.history import HistoryEvent
    from mlrec.serving.stores.interface import SwipeStore
    from mlrec.workspace import Workspace

STDIN = Path("-")

app = typer.Typer(
    cls=Group,
    help="Count, list and show users; forget a user; import and export swipes.",
    invoke_without_command=True,
    epilog=examples(
        "mlrec users",
        "mlrec users list",
        "mlrec users show 42",
        "mlrec users forget 42",
        "mlrec users export swipes.csv",
    ),
)

UserId = Annotated[int, typer.Argument(metavar="ID", help="User id.", parser=parse_id)]


@app.callback()
def users(
    context: typer.Context, store: StoreName = None, as_json: AsJson = False, data_dir: DataDir = DATA_DIR_DEFAULT
) -> None:
    if context.invoked_subcommand is not None:
        # `mlrec users --store X forget 42` means `mlrec users forget 42 --store X`, whose options read these variables.
        os.environ["MLREC_DATA_DIR"] = str(data_dir)
        if store is not None:
            os.environ["MLREC_STORE"] = store
        if as_json:
            raise typer.BadParameter(f"It goes behind '{context.invoked_subcommand}'.", param_hint="--json")
        return
    from mlrec.serving.stores import open_store
    from mlrec.workspace import Workspace

    with closing(open_store(store, Workspace(data_dir))) as opened:
        counts, place, kept = opened.counts(), opened.place, opened.describe()
        forgotten = opened.forgotten()
    if as_json:
        render.print_json(asdict(counts) | {"forgotten_user_ids": forgotten, "store": place, "durability": kept})
        return
    rows = {
        "users with swipes": counts.users,
        "swipes": counts.swipes,
        "of them undone": counts.undone,
        "forgotten users": counts.forgotten,
    }
    render.table(["", "#"], [(name, f"{count:,}") for name, count in rows.items()])
    render.line(kept)


@app.command("list", epilog=examples("mlrec users list", "mlrec users list -n 100 --after 42 --json"))
def list_users(
    n: Annotated[int, typer.Option("-n", "--n", metavar="N", min=1, help="How many users.")] = DEFAULT_USERS,
    after: Annotated[
        int | None,
        typer.Option(
            metavar="ID",
            help="Begin behind this user id: the last one of the page before.",
            parser=parse_id,
            show_default=False,
        ),
    ] = None,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """List the users of the published model and of the store by id, with ratings, swipes and last activity.

    Forgotten users are left out.
    """
    from mlrec.serving.recommender import Recommender

    with Recommender.open(data_dir, store=store) as recommender:
        page = recommender.users(n, after=after)
    if as_json:
        render.print_json(page.to_json())
        return
    if not page.users:
        render.line("There are no users." if after is None else f"There are no users with an id above {after}.")
        return
    render.table(
        ["#user", "#ratings", "#swipes", "last activity"],
        [
            (user.user_id, f"{user.ratings:,}", f"{user.swipes:,}", "" if user.last_at is None else when(user.last_at))
            for user in page.users
        ],
    )
    more = "" if page.next_after is None else f" Next: mlrec users list -n {n} --after {page.next_after}"
    render.line(f"{len(page.users):,} of {page.total:,} users.{more}")


@app.command("show", epilog=examples("mlrec users show 42", "mlrec users show 42 --json"))
def show_user(
    user: UserId, store: StoreName = None, as_json: AsJson = False, data_dir: DataDir = DATA_DIR_DEFAULT
) -> None:
    """Show what is known of a user: ratings, swipes, opinions in effect, and the genres that the user likes most."""
    from mlrec.serving.recommender import Recommender

    with Recommender.open(data_dir, store=store) as recommender:
        profile = recommender.user(user)
    if as_json:
        render.print_json(profile.to_json())
        return
    if profile.is_forgotten:
        render.line(f"User {user} is forgotten: nothing personal is kept or served.")
        return
    likes = ", ".join(f"{genre} {count:,}" for genre, count in profile.liked_genres.items())
    rows = {
        "in the model's data": "yes" if profile.is_known else "no",
        "recommendations": "personal" if profile.has_taste else "popular movies, for want of a like",
        "ratings": f"{profile.ratings:,}",
        "swipes": f"{profile.swipes:,}" + (f" ({profile.undone:,} more undone)" if profile.undone else ""),
        "likes in effect": f"{profile.likes:,}",
        "dislikes in effect": f"{profile.dislikes:,}",
        "first activity": "" if profile.first_at is None else when(profile.first_at),
        "last activity": "" if profile.last_at is None else when(profile.last_at),
        "most liked genres": likes,
    }
    render.table(["", ""], [row for row in rows.items() if row[1]], title=f"User {user}")


@app.command("forget", epilog=examples("mlrec users forget 42", "mlrec users forget 42 --yes --json"))
def forget_user(
    user: UserId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Off a terminal nothing is asked.")] = False,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Delete a user's swipes for good, and keep the user out from now on.

    A blocklist keeps the id: no swipe is stored, nothing personal is served, and preparations leave the ratings out.

    What a model has learned from the user stays in it until the next training.
    """
    from mlrec.serving.stores import open_store
    from mlrec.workspace import Workspace

    with closing(open_store(store, Workspace(data_dir))) as opened:
        if not yes:
            _ask(
                f"Delete all {_count_of_events(opened, user)} of user {user} in {opened.place}, and keep the user out"
                " of serving and preparations from now on?"
            )
        deleted = opened.forget(user, int(time.time()))
    if as_json:
        render.print_json({"user_id": user, "forgotten": True, "deleted_events": deleted})
        return
    gone = f"{deleted:,} events are deleted" if deleted else "there were no events to delete"
    render.line(f"User {user} is forgotten: {gone}, and none will be stored from now on.")
    render.line("What a model has learned stays in it until you train again: mlrec run --final")


def _count_of_events(store: "SwipeStore", user_id: int) -> str:
    """How many there are, if that can be told: to forget a user is also the way out for one whose log is damaged."""
    try:
        return f"{len(store.events(user_id)):,} events"
    except IncompatibleFormatError:
        return "events"


def _ask(question: str) -> None:
    """Let a person say no; where nobody can answer, nothing is asked."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    print(f"{render.plain(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        print("Nothing has been deleted.", file=sys.stderr)
        raise typer.Exit(exit_codes.INTERRUPTED)


@app.command("allow", epilog=examples("mlrec users allow 42"))
def allow_user(
    user: UserId, store: StoreName = None, as_json: AsJson = False, data_dir: DataDir = DATA_DIR_DEFAULT
) -> None:
    """Take a user off the blocklist. What was deleted does not come back."""
    from mlrec.serving.stores import open_store
    from mlrec.workspace import Workspace

    with closing(open_store(store, Workspace(data_dir))) as opened:
        was_forgotten = opened.allow(user)
    if as_json:
        render.print_json({"user_id": user, "was_forgotten": was_forgotten})
    elif was_forgotten:
        render.line(f"User {user} may swipe again.")
    else:
        render.line(f"User {user} was not forgotten; nothing has changed.")


@app.command(
    "import",
    epilog=examples(
        "mlrec users import swipes.csv",
        "mlrec users import swipes.csv --store redis://localhost:6379/0",
        "mlrec users export - | mlrec users import - --store redis://localhost:6379/0",
    ),
)
def import_users(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file; - is stdin.")],
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where rows that cannot be used are listed, with line and reason.",
            show_default="swipes.rejects.csv in the data directory",
        ),
    ] = None,
    max_reject_share: Annotated[
        float, typer.Option(metavar="X", min=0, max=1, help="Import nothing if a larger share of the rows is bad.")
    ] = PrepareSettings.max_reject_share,
    any_movie: Annotated[
        bool, typer.Option("--any-movie", help="Also import swipes of movies that the published model does not know.")
    ] = False,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Import swipes from a CSV file: what 'mlrec users export' has written, or your own.

    UTF-8 with commas; a header, then one swipe a line. Columns in any order; others are passed over:

    user_id and movie_id (or userId, movieId): whole numbers.

    preference: -2 to 2, or superdislike, dislike, skip, like, superlike. Or bucket: 1 (worst) to 4 (best).

    at (or timestamp): epoch seconds, or ISO 8601 with a time zone.

    idempotency_key, optional: your own id of the swipe, unique per user. An export has it in client_id. In a file with
    neither, event_id counts, which is the former name.

    undone, optional: rows with true are left out.

    What is in the log already is not logged again: importing a file twice changes nothing.

    Swipes of forgotten users and of unknown movies are rejected, like any row that cannot be read.
    """
    from mlrec.serving.interchange import import_swipes
    from mlrec.serving.stores import open_store
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    report = rejects or workspace.swipe_rejects
    with _opened(file) as source, closing(open_store(store, workspace)) as opened:
        if report.exists() and file != STDIN and report.samefile(file):
            raise SettingsError(f"The rejects would take the place of {file} itself.", "Name another --rejects.")
        outcome = import_swipes(
            source,
            "stdin" if file == STDIN else file.name,
            opened,
            report,
            movie_ids=None if any_movie else _known_movies(workspace),
            max_reject_share=max_reject_share,
            size=None if file == STDIN else file.stat().st_size,
            progress=progress(),
        )
    if rejects is None and not outcome.rejects:
        report.unlink(missing_ok=True)  # it would be of another import
    if as_json:
        render.print_json(outcome.to_json())
    else:
        render.line(
            f"Swipes imported: {outcome.imported:,}; already there: {outcome.already_there:,};"
            f" undone, left out: {outcome.undone:,}."
        )
    if outcome.rejects:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in outcome.rejects.items())
        render.warn(f"Bad rows, left out: {sum(outcome.rejects.values()):,} ({reasons}). See {report}")


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    if file == STDIN:
        if sys.stdin is None:
            raise InputError("There is nothing on stdin: it is closed.", "Name a file.")
        yield sys.stdin.buffer
        return
    try:
        opened = file.open("rb")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.", "Name a CSV file, or - for stdin.") from error
    with opened:
        yield opened


def _known_movies(workspace: "Workspace") -> frozenset[int] | None:
    """Movies of the published model; None, and a word about it, if there is none."""
    from mlrec.artifacts import model_folder, registry

    try:
        model = model_folder.open_model(registry.resolve(workspace))
    except ModelMissingError as error:
        render.warn(f"{error.message} So any movie is taken.")
        return None
    return frozenset(model.movie_ids.tolist())


@app.command(
    "export",
    epilog=examples("mlrec users export swipes.csv", "mlrec users export - --store redis://localhost:6379/0"),
)
def export_users(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file to write; - is stdout.")],
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Export the swipes of all users as CSV: a backup, or the way into another store.

    user_id, event_id (counts the user's events), movie_id, title: whose swipe of what.

    preference (-2 to 2), at (epoch seconds), undone (true or false): how and when, and whether it was taken back.

    client_id: the idempotency key that your application gave the swipe, if any, exactly as it is.

    A title that a spreadsheet would take for a formula begins with an apostrophe. A new file is for its owner alone.

    'mlrec users import' reads it, and leaves out the undone. Whoever is forgotten has to be forgotten there, too.
    """
    if as_json and file == STDOUT:
        raise typer.BadParameter("stdout takes the CSV or the JSON, not both.", param_hint="--json")
    from mlrec.serving.history import history_of
    from mlrec.serving.interchange import export_swipes
    from mlrec.serving.stores import open_store
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    with closing(open_store(store, workspace)) as opened:
        user_ids, forgotten, place = opened.user_ids(), opened.forgotten(), opened.place
        served = titles_from(workspace)
        with progress().task("Exporting", len(user_ids), "users") as task:
            damaged: list[int] = []

            def logs() -> "Iterator[tuple[int, list[HistoryEvent]]]":
                for user_id in user_ids:
                    try:
                        yield user_id, history_of(opened, user_id, served)
                    except IncompatibleFormatError as error:
                        render.warn(f"Left out: {error.message}")
                        damaged.append(user_id)
                    task.advance()

            swipes = write_output(file, lambda output: export_swipes(output, logs()), source=opened.place, private=True)
    if as_json:
        n_users = len(user_ids) - len(damaged)
        render.print_json({"users": n_users, "swipes": swipes, "file": str(file), "damaged_user_ids": damaged})
    elif file != STDOUT:
        render.line(f"{swipes:,} swipes of {len(user_ids) - len(damaged):,} users are in {file}.")
    if not user_ids:
        render.warn(f"There are no swipes in {place}.")
    if forgotten:
        render.warn(
            f"{len(forgotten):,} users are forgotten here; 'mlrec users --json' names them, for 'mlrec users forget'"
            " in another store."
        )
    if damaged:
        raise typer.Exit(exit_codes.STATE)
