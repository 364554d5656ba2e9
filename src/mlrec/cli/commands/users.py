"""mlrec users: count, list, show and forget users; import and export swipes."""

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
from mlrec.cli.commands.own_films import import_own_films, replay_own_films
from mlrec.cli.help import Group
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, StoreName, UsageError, examples
from mlrec.cli.output import STDOUT, write_output
from mlrec.cli.progress import progress
from mlrec.cli.public_ids import known_kind, parse_id, readable_model, user_of
from mlrec.errors import IncompatibleFormatError, InputError, ModelMissingError, in_shell
from mlrec.plurals import counted
from mlrec.settings import DEFAULT_TOP_N, DEFAULT_USERS, PrepareSettings

if TYPE_CHECKING:
    from mlrec.artifacts.model_folder import Model
    from mlrec.ids import PublicId
    from mlrec.serving.history import HistoryEvent
    from mlrec.serving.served_model import ServedModel
    from mlrec.serving.stores.interface import SwipeStore
    from mlrec.workspace import Workspace

STDIN = Path("-")

app = typer.Typer(
    cls=Group,
    help="Count, list, show and forget users. Import and export swipes and films rated elsewhere.",
    invoke_without_command=True,
    epilog=examples(
        "mlrec users",
        "mlrec users list",
        "mlrec users show 42",
        "mlrec users forget 42",
        "mlrec users export swipes.csv",
        "mlrec users import letterboxd-me.zip --user 100000",
        "mlrec users replay 100000",
    ),
)

UserId = Annotated[str, typer.Argument(metavar="ID", help="User id.")]


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
            raise UsageError(f"Put --json after '{context.invoked_subcommand}'.")
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
        "undone swipes": counts.undone,
        "forgotten users": counts.forgotten,
    }
    render.table(["", "#"], [(name, f"{count:,}") for name, count in rows.items()])
    render.line(kept)


@app.command("list", epilog=examples("mlrec users list", "mlrec users list -n 100 --after 42 --json"))
def list_users(
    n: Annotated[int, typer.Option("-n", "--n", metavar="N", min=1, help="Number of users.")] = DEFAULT_USERS,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="List the users after this id. To get the next page, give the last id of the page before.",
            show_default=False,
        ),
    ] = None,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """List users in order of id, with ratings, swipes and last activity.

    The list has the users of the published model and of the store, except forgotten users.
    """
    from mlrec.serving.recommender import Recommender

    with Recommender.open(data_dir, store=store) as recommender:
        start = None if after is None else parse_id(after, "user", recommender.user_id_kind)
        page = recommender.users(n, after=start)
    if as_json:
        render.print_json(page.to_json())
        return
    if not page.users:
        render.line(
            "There are no users." if start is None else f"There are no users with an id above {in_shell(start)}."
        )
        return
    render.table(
        [render.id_heading("user", (user.user_id for user in page.users)), "#ratings", "#swipes", "last activity"],
        [
            (user.user_id, f"{user.ratings:,}", f"{user.swipes:,}", "" if user.last_at is None else when(user.last_at))
            for user in page.users
        ],
    )
    more = "" if page.next_after is None else f" Next: mlrec users list -n {n} --after {in_shell(page.next_after)}"
    render.line(f"{len(page.users):,} of {counted(page.total, 'user')}.{more}")


@app.command("show", epilog=examples("mlrec users show 42", "mlrec users show 42 --json"))
def show_user(
    user: UserId, store: StoreName = None, as_json: AsJson = False, data_dir: DataDir = DATA_DIR_DEFAULT
) -> None:
    """Show what is known about a user: ratings, swipes, current opinions and the most liked genres."""
    from mlrec.serving.recommender import Recommender

    with Recommender.open(data_dir, store=store) as recommender:
        user_id = parse_id(user, "user", recommender.user_id_kind)
        profile = recommender.user(user_id)
    if as_json:
        render.print_json(profile.to_json())
        return
    if profile.is_forgotten:
        render.line(f"User {in_shell(user_id)} is forgotten. Nothing personal is stored or served.")
        return
    likes = ", ".join(f"{genre} {count:,}" for genre, count in profile.liked_genres.items())
    rows = {
        "in the model's data": "yes" if profile.is_known else "no",
        "recommendations": "personal" if profile.has_taste else "popular movies, because there are no likes",
        "ratings": f"{profile.ratings:,}",
        "swipes": f"{profile.swipes:,}" + (f" ({profile.undone:,} more undone)" if profile.undone else ""),
        "current likes": f"{profile.likes:,}",
        "current dislikes": f"{profile.dislikes:,}",
        "first activity": "" if profile.first_at is None else when(profile.first_at),
        "last activity": "" if profile.last_at is None else when(profile.last_at),
        "most liked genres": likes,
    }
    render.table(["", ""], [row for row in rows.items() if row[1]], title=f"User {in_shell(user_id)}")


@app.command("forget", epilog=examples("mlrec users forget 42", "mlrec users forget 42 --yes --json"))
def forget_user(
    user: UserId,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask for confirmation. In a pipe, nothing is asked anyway.")
    ] = False,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Delete a user's swipes permanently, and block the user from now on.

    The id goes on a blocklist. No swipes of the user are stored, nothing personal is served, and 'mlrec prepare' leaves
    the user's ratings out.

    What a model has learned from the user stays in it until the next training.
    """
    from mlrec.serving.stores import open_store
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    with closing(open_store(store, workspace)) as opened:
        user_id = user_of(user, workspace, opened)
        if not yes:
            events = _count_of_events(opened, user_id)
            _ask(
                f"Delete all {events} of user {in_shell(user_id)} in {opened.place}, and keep the user out of"
                " serving and of prepared data from now on?"
            )
        deleted = opened.forget(user_id, int(time.time()))
    if as_json:
        render.print_json({"user_id": user_id, "forgotten": True, "deleted_events": deleted})
        return
    gone = f"{counted(deleted, 'event')} deleted" if deleted else "there were no events to delete"
    render.line(f"User {in_shell(user_id)} is forgotten: {gone}. No events will be stored from now on.")
    render.line("What a model has learned from the user stays in it until you train again: mlrec run --final")


def _count_of_events(store: "SwipeStore", user_id: "PublicId") -> str:
    """Count a user's events, if their log is readable. Forgetting a user is also the remedy for a damaged log."""
    try:
        return counted(len(store.events(user_id)), "event")
    except IncompatibleFormatError:
        return "events"


def _ask(question: str) -> None:
    """Let a person say no. If nobody can answer, nothing is asked."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    print(f"{render.plain(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        print("Nothing was deleted.", file=sys.stderr)
        raise typer.Exit(exit_codes.INTERRUPTED)


@app.command("allow", epilog=examples("mlrec users allow 42"))
def allow_user(
    user: UserId, store: StoreName = None, as_json: AsJson = False, data_dir: DataDir = DATA_DIR_DEFAULT
) -> None:
    """Take a user off the blocklist. Deleted swipes do not come back."""
    from mlrec.serving.stores import open_store
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    with closing(open_store(store, workspace)) as opened:
        user_id = user_of(user, workspace, opened)
        was_forgotten = opened.allow(user_id)
    if as_json:
        render.print_json({"user_id": user_id, "was_forgotten": was_forgotten})
    elif was_forgotten:
        render.line(f"User {in_shell(user_id)} may swipe again.")
    else:
        render.line(f"User {in_shell(user_id)} was not forgotten. Nothing changed.")


@app.command(
    "import",
    epilog=examples(
        "mlrec users import swipes.csv",
        "mlrec users import swipes.csv --store redis://localhost:6379/0",
        "mlrec users export - | mlrec users import - --store redis://localhost:6379/0",
        "mlrec users import letterboxd-me.zip --user 100000 --dry-run",
        "mlrec users import ratings.csv --user 100000 --scale-to-me",
        "mlrec users import letterboxd-me.zip --user 100000 --match corrected.csv",
    ),
)
def import_users(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File to read; - is stdin. With --user, also a folder or a zip.")
    ],
    user: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The person whose films these are. Imports an export of Letterboxd, IMDb, Trakt or Netflix.",
        ),
    ] = None,
    scale_to_me: Annotated[
        bool,
        typer.Option(
            "--scale-to-me",
            help="With --user: divide the person's ratings at their own quarters, not at 2.5, 3.5 and 4.5 stars.",
        ),
    ] = False,
    match: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --user: corrections by hand. The report of an earlier import, with movie_id filled in.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --user: show what would be stored, and store nothing.")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File for the rows that cannot be used, with line and reason.",
            show_default="swipes.rejects.csv in the data directory, or films.rejects.csv with --user",
        ),
    ] = None,
    max_reject_share: Annotated[
        float,
        typer.Option(metavar="X", min=0, max=1, help="Import nothing if more than this share of the rows is bad."),
    ] = PrepareSettings.max_reject_share,
    any_movie: Annotated[
        bool, typer.Option("--any-movie", help="Also import swipes of movies that the published model does not know.")
    ] = False,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Import swipes from a CSV file, or with --user the films that a person rated elsewhere.

    With --user, FILE is an export of Letterboxd, IMDb, Trakt or Netflix: the zip as it was downloaded, its folder,
    or one of its files. Films are found by IMDb or TMDB id, or by title and year. A film that several movies fit
    equally well is not imported, but reported with the nearest titles. Up to 2.5 of five stars is a superdislike,
    up to 3.5 a dislike, up to 4.5 a like, and more is a superlike; ten points are halved. A film watched without a
    rating becomes a skip. A watchlist is not an opinion. Importing an export twice changes nothing, and nothing is
    fetched from the network.

    Without --user, FILE is a CSV file of swipes that 'mlrec users export' wrote, or your own.

    It is UTF-8 with commas. It has a header and one swipe per line. The columns below may be in any order, and
    other columns are ignored.

    user_id and movie_id (or userId, movieId): whole numbers or texts, like the ids of the published model or the
    prepared data. Without these, ids are like those of the stored swipes, or else like most of the first rows. Texts
    are taken exactly as they are.

    preference: -2 to 2, or superdislike, dislike, skip, like, superlike. Or bucket: 1 (worst) to 4 (best).

    at (or timestamp): epoch seconds, or ISO 8601 with a time zone.

    idempotency_key (optional): your own id for the swipe, unique per user. In an export, this is client_id. If a file
    has neither column, event_id is read, which is the former name.

    undone (optional): rows with true are left out.

    Swipes that are already stored are not stored again, so importing a file twice changes nothing.

    Swipes of forgotten users and of unknown movies are rejected, like rows that cannot be read.
    """
    from mlrec.artifacts.report_file import require_replaceable
    from mlrec.ids import public
    from mlrec.serving.interchange import REJECTS_HEADER, import_swipes
    from mlrec.serving.stores import open_store
    from mlrec.workspace import Workspace

    if user is not None:
        if any_movie or max_reject_share != PrepareSettings.max_reject_share:
            raise UsageError("--any-movie and --max-reject-share are for files of swipes, without --user.")
        import_own_films(
            file, user, data_dir, scale_to_me=scale_to_me, match=match, dry_run=dry_run, rejects=rejects, store=store,
            as_json=as_json,
        )  # fmt: skip
        return
    if scale_to_me or match is not None or dry_run:
        raise UsageError("--scale-to-me, --match and --dry-run require --user, the person whose films these are.")
    _refuse_export(file)
    workspace = Workspace(data_dir)
    report = rejects or workspace.swipe_rejects
    with _opened(file) as source, closing(open_store(store, workspace)) as opened:
        inputs = [Path(opened.place), *([] if file == STDIN else [file])]
        require_replaceable(report, REJECTS_HEADER, inputs=inputs)
        model = _model(workspace, any_movie=any_movie)
        outcome = import_swipes(
            source,
            "stdin" if file == STDIN else file.name,
            opened,
            report,
            movie_ids=None if any_movie or model is None else frozenset(public(model.movie_ids)),
            user_id_kind=known_kind("user", workspace, opened, model),
            movie_id_kind=known_kind("movie", workspace, opened, model),
            max_reject_share=max_reject_share,
            size=None if file == STDIN else file.stat().st_size,
            progress=progress(),
        )
    if rejects is None and not outcome.rejects:
        report.unlink(missing_ok=True)  # a report of an earlier import
    if as_json:
        render.print_json(outcome.to_json())
    else:
        render.line(
            f"Swipes imported: {outcome.imported:,}. Already stored: {outcome.already_there:,}."
            f" Left out because undone: {outcome.undone:,}."
        )
    if outcome.rejects:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in outcome.rejects.items())
        render.warn(f"Bad rows left out: {sum(outcome.rejects.values()):,} ({reasons}). See {report}")


@app.command("replay", epilog=examples("mlrec users replay 100000", "mlrec users replay 100000 -k 20 --json"))
def replay_user(
    user: Annotated[str | None, typer.Argument(metavar="ID", help="User id.", show_default=False)] = None,
    user_option: Annotated[
        str | None, typer.Option("--user", metavar="ID", help="User id, instead of the argument.")
    ] = None,
    k: Annotated[
        int, typer.Option("-k", "--k", metavar="K", min=1, help="A like among the first K of a list is a hit.")
    ] = DEFAULT_TOP_N,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Find out how well the model knows a user: predict each like before it is learned.

    The user's own history is replayed in order. Before each like, the movies not seen by then are ranked as serving
    would, by what was popular lately, and by popularity. A like among the first K is a hit.

    Likes that the published model was trained on are not predicted, because it knows them.
    """
    if (user is None) == (user_option is None):
        raise UsageError("Name one user: mlrec users replay 100000.")
    replay_own_films(user or user_option or "", data_dir, k=k, store=store, as_json=as_json)


def _refuse_export(file: Path) -> None:
    """Raise an error if a file is an export of films, whose swipes need a user."""
    from mlrec.own_films.sources import is_export

    if file != STDIN and is_export(file):
        raise InputError(
            f"{file} is an export of one person's films.",
            f"Say whose they are: mlrec users import {in_shell(str(file))} --user ME",
        )


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    if file == STDIN:
        if sys.stdin is None:
            raise InputError("stdin cannot be read: it is closed.", "Name a CSV file.")
        yield sys.stdin.buffer
        return
    try:
        opened = file.open("rb")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.", "Name a CSV file, or - for stdin.") from error
    with opened:
        yield opened


def _model(workspace: "Workspace", *, any_movie: bool) -> "Model | None":
    """Return the published model. Without one, return None; warn if its movies are needed."""
    from mlrec.artifacts import model_folder, registry

    if any_movie:
        return readable_model(workspace)
    try:
        return model_folder.open_model(registry.resolve(workspace))
    except ModelMissingError as error:
        render.warn(f"{error.message} Swipes of any movie are imported.")
        return None


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
    """Export the swipes of all users as CSV, for a backup or for another store.

    The columns are user_id, event_id (which numbers the user's events), movie_id, title, preference (-2 to 2), at
    (epoch seconds), undone (true or false) and client_id (your application's idempotency key for the swipe, if any,
    unchanged).

    A title that a spreadsheet would take for a formula begins with an apostrophe. Only the owner can read a new file.

    A user is left out if an id has a line break, because a swipe is one line of the file. If a model is published, so
    are users and swipes whose ids are not like those of the model: numbers among texts, or texts among numbers.

    'mlrec users import' reads the file and leaves out undone swipes. The file does not say who is forgotten. If you
    import it into another store, forget these users there, too.
    """
    if as_json and file == STDOUT:
        raise UsageError("stdout takes the CSV or the JSON, not both. Name a file, or leave out --json.")
    from mlrec.serving.history import history_of
    from mlrec.serving.interchange import check_exportable, export_swipes
    from mlrec.serving.stores import open_store
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    with closing(open_store(store, workspace)) as opened:
        user_ids, forgotten, place = opened.user_ids(), opened.forgotten(), opened.place
        served = titles_from(workspace)
        of_store = len(user_ids)
        if served is not None:
            user_ids = [one for one in user_ids if isinstance(one, str) == (served.model.user_id_kind == "text")]
        with progress().task("Exporting", len(user_ids), "users") as task:
            damaged: list[PublicId] = []
            unwritable: list[PublicId] = []

            def logs() -> "Iterator[tuple[PublicId, list[HistoryEvent]]]":
                for user_id in user_ids:
                    try:
                        events = _of_model(history_of(opened, user_id, served), served)
                        check_exportable(user_id, events)
                    except IncompatibleFormatError as error:
                        render.warn(f"Left out: {error.message}")
                        damaged.append(user_id)
                    except InputError as error:
                        render.warn(f"Left out: {error.message} {error.hint}")
                        unwritable.append(user_id)
                    else:
                        yield user_id, events
                    task.advance()

            swipes = write_output(file, lambda output: export_swipes(output, logs()), source=opened.place, private=True)
    n_users = len(user_ids) - len(damaged) - len(unwritable)
    if as_json:
        left_out = {"damaged_user_ids": damaged} | ({"unwritable_user_ids": unwritable} if unwritable else {})
        render.print_json({"users": n_users, "swipes": swipes, "file": str(file), **left_out})
    elif file != STDOUT:
        users = counted(n_users, "user")
        render.line(f"Wrote {counted(swipes, 'swipe')} of {users} to {file}.")
    if not of_store:
        render.warn(f"There are no swipes in {place}.")
    if others := of_store - len(user_ids):
        render.warn(
            f"Users left out, because their ids are not like those of the model: {others:,}. To export them, name this"
            " store and a data directory without a model: --data-dir DIRECTORY --store STORE"
        )
    if forgotten:
        render.warn(
            f"Forgotten users in this store: {len(forgotten):,}. To use the file in another store, forget them there,"
            " too. For their ids: mlrec users --json"
        )
    if damaged or unwritable:
        raise typer.Exit(exit_codes.STATE)


def _of_model(events: "list[HistoryEvent]", served: "ServedModel | None") -> "list[HistoryEvent]":
    """Leave out swipes whose movie ids are of another kind than the model's: an import could not tell them apart."""
    if served is None:
        return events
    return [event for event in events if isinstance(event.movie_id, str) == (served.model.movie_id_kind == "text")]
