"""mlrec update: new movies and swipes into the published model, without training."""

from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, StoreName, examples
from mlrec.cli.progress import progress
from mlrec.plurals import counted

if TYPE_CHECKING:
    from mlrec.model.update import Updated

EXAMPLES = examples(
    "mlrec update",
    "mlrec update --movies movies-of-today.csv",
    "mlrec update --store redis://localhost:6379/0 --json",
)

_STEPS = {"merge": "merge swipes", "fold_in": "compute vectors", "matrix": "build the matrix"}


def update(
    movies: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The file of movies as it is now.", show_default="the one in the raw folder"),
    ] = None,
    links: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="IMDb and TMDB ids by movie.", show_default="those in the raw folder"),
    ] = None,
    raw: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Folder or archive with the raw files.", show_default="raw/ in the data directory"
        ),
    ] = None,
    store: StoreName = None,
    publish: Annotated[
        bool, typer.Option("--publish/--no-publish", help="Let serving use the new model from now on.")
    ] = True,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Bring the published model up to date without training: new movies, swipes, popularity.

    New rows of the file of movies become movies that can be searched, liked and recommended. Movies with few ratings
    get new vectors from the swipes, popularity is renewed, and new users get vectors. Movies with many ratings (the
    core) keep the vectors that training gave them.

    The result is a new model, which is published at once. Running servers switch to it within a minute.

    The command takes seconds, also on large data. Retrain now and then; the command says when it is due.
    """
    from mlrec.pipeline import update as run

    result = run(data_dir, movies=movies, links=links, raw=raw, store=store, publish=publish, progress=progress())
    for warning in result.warnings:
        render.warn(warning)
    if as_json:
        render.print_json(result.to_json())
        return
    _show(result)


def _show(result: "Updated") -> None:
    if not result.is_new:
        render.line(f"There are no new movies or swipes since model {result.model_id}.")
    else:
        spent = ", ".join(f"{_STEPS.get(name, name)} {value:.1f} s" for name, value in result.seconds.items())
        render.line(f"Updated {result.updated_from} to {result.model_id} ({spent}).")
        render.line(
            f"New: {counted(result.movies_added, 'movie')}, {counted(result.swipes, 'swipe')},"
            f" {counted(result.users_added, 'user')}."
            + (f" Changed: {counted(result.movies_changed, 'movie')}." if result.movies_changed else "")
            + (f" Removed: {counted(result.users_removed, 'forgotten user')}." if result.users_removed else "")
        )
        render.line(
            "Published. Serving uses it from now on."
            if result.published
            else f"Not published. To publish it: mlrec models use {result.model_id}"
        )
    since = result.since_training
    if since.updates:
        render.line(
            f"Since the training of {since.model_id}: {counted(since.swipes, 'swipe')},"
            f" {counted(since.users, 'new user')}, {counted(since.movies, 'new movie')}."
        )
    if result.retrain_because:
        render.line(f"A retrain is due: {'; '.join(result.retrain_because)}. Run: mlrec run --final --with-swipes")
