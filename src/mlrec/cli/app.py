"""The Typer application, and the boundary where errors become messages and exit codes."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mlrec.cli import exit_codes
from mlrec.errors import MlrecError


class ErrorBoundary(TyperGroup):
    """Renders what mlrec raises on purpose; anything else is a bug and keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except MlrecError as error:
            _say(f"Error: {error.message}", error.hint)
            raise typer.Exit(exit_codes.exit_code(type(error))) from error
        except KeyboardInterrupt:
            _say("Interrupted. What was complete before is still there.")
            raise typer.Exit(exit_codes.INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has what it wanted. Python would complain again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(exit_codes.DONE) from None
        except OSError as error:
            if error.errno not in _DISK_FAULTS:
                raise
            where = f": {error.filename}" if error.filename else ""
            _say(f"Error: {error.strerror}{where}", "What was complete before is still there.")
            raise typer.Exit(exit_codes.STATE) from error


_DISK_FAULTS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EIO,
    errno.ENOTDIR,
    errno.EFBIG,
}


def _say(message: str, hint: str = "") -> None:
    for line in filter(None, (message, hint)):
        print(line, file=sys.stderr)


app = typer.Typer(
    name="mlrec",
    cls=ErrorBoundary,
    help="Movie recommendation that learns from swipes: MovieLens ratings in, recommendations out.",
    epilog="Begin with: mlrec run demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import mlrec

        print(f"mlrec {mlrec.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    data_dir: Annotated[
        str | None, typer.Option(help="Data directory, as on each command.", metavar="DIRECTORY", hidden=True)
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    # `mlrec --data-dir X prepare` means `mlrec prepare --data-dir X`, whose option reads this variable.
    if data_dir is not None:
        os.environ["MLREC_DATA_DIR"] = data_dir


from mlrec.cli import commands  # noqa: E402, F401  # registers the commands
