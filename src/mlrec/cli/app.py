"""The Typer application: all commands, in the order in which people use them."""

from __future__ import annotations

import inspect
import os
from typing import Annotated

import typer

from mlrec.cli.boundary import ErrorBoundary
from mlrec.cli.commands import (
    doctor,
    evaluate,
    export,
    fetch,
    history,
    models,
    prepare,
    recommend,
    run,
    search,
    serve,
    similar,
    swipe,
    train,
    tune,
    update,
    users,
)
from mlrec.cli.help import Command

app = typer.Typer(
    name="mlrec",
    cls=ErrorBoundary,
    help="Recommend movies, and learn from every swipe.",
    epilog="Start here: mlrec run demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from mlrec.machine import installed_version

        print(f"mlrec {installed_version()}")
        raise typer.Exit


@app.callback()
def _options(
    data_dir: Annotated[
        str | None, typer.Option(help="Data directory, as in every command.", metavar="DIRECTORY", hidden=True)
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    # `mlrec --data-dir X prepare` means `mlrec prepare --data-dir X`, whose option reads this variable.
    if data_dir is not None:
        os.environ["MLREC_DATA_DIR"] = data_dir


app.command("run", epilog=run.EXAMPLES)(run.run)
app.command("fetch", epilog=fetch.EXAMPLES)(fetch.fetch)
app.command("prepare", epilog=prepare.EXAMPLES)(prepare.prepare)
app.command("train", epilog=train.EXAMPLES)(train.train)
app.command("update", epilog=update.EXAMPLES)(update.update)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("tune", epilog=tune.EXAMPLES)(tune.tune)
app.command("recommend", epilog=recommend.EXAMPLES)(recommend.recommend)
app.command("similar", epilog=similar.EXAMPLES)(similar.similar)
app.command("swipe", epilog=swipe.EXAMPLES)(swipe.swipe)
app.command("serve", epilog=serve.EXAMPLES)(serve.serve)
app.command("search", epilog=search.EXAMPLES)(search.search)
app.command("history", epilog=history.EXAMPLES)(history.history)
app.command("export", epilog=export.EXAMPLES)(export.export)
app.add_typer(users.app, name="users")
app.add_typer(models.app, name="models")
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)

# Typer keeps the line breaks of the source in all paragraphs but the first. A terminal wraps them better.
for _commands in (app, users.app, models.app):
    for _command in _commands.registered_commands:
        _command.cls = Command
        _paragraphs = inspect.cleandoc(getattr(_command.callback, "__doc__", None) or "").split("\n\n")
        _command.help = "\n\n".join(paragraph.replace("\n", " ") for paragraph in _paragraphs)
