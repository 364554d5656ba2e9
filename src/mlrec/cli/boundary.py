"""The boundary where errors become messages and exit codes."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.exceptions import TyperException

from mlrec.cli import exit_codes, render
from mlrec.cli.help import Group
from mlrec.errors import MlrecError

# Errors that come from a disk or a path. Any other OSError is a bug.
_DISK_FAULTS = {
    errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG,
    errno.ENOENT, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS,
}  # fmt: skip


class ErrorBoundary(Group):
    """Renders the errors that mlrec raises on purpose. Anything else is a bug and keeps its traceback."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        with _plain_words():
            return super().make_context(*arguments, **options)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            from mlrec.cli.suggestions import meant

            if suggestions := meant(args, self.commands):
                quoted = " or ".join(f"'{suggestion}'" for suggestion in suggestions)
                error.message = f"No such command '{args[0]}'. Did you mean {quoted}?"
            raise

    def invoke(self, ctx: Any) -> Any:
        try:
            with _plain_words(), _warnings_of_the_library():
                result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except MlrecError as error:
            _say(f"Error: {error.message}", error.hint)
            raise typer.Exit(exit_codes.exit_code(type(error))) from error
        except KeyboardInterrupt:
            _say("Interrupted. Completed work is kept.")
            raise typer.Exit(exit_codes.INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has closed the pipe. Without this, Python would fail again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(exit_codes.DONE) from None
        except OSError as error:
            if error.errno not in _DISK_FAULTS:
                raise
            where = f": {error.filename}" if error.filename else ""
            _say(f"Error: {error.strerror}{where}", "Completed work is kept.")
            raise typer.Exit(exit_codes.STATE) from error


def _say(message: str, hint: str = "") -> None:
    for line in filter(None, (message, hint)):
        print(render.plain(line), file=sys.stderr)


@contextmanager
def _plain_words() -> Iterator[None]:
    """Make Typer's own messages safe to print, because they quote what the user typed."""
    try:
        yield
    except TyperException as error:
        error.message = render.plain(error.message)
        raise


class _Warnings(logging.Handler):
    """Shows the warnings that the library logs. Otherwise Python would print them as they are, unescaped."""

    def emit(self, record: logging.LogRecord) -> None:
        render.warn(record.getMessage())


@contextmanager
def _warnings_of_the_library() -> Iterator[None]:
    logger, handler = logging.getLogger("mlrec"), _Warnings(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
