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

# What an operating system says of a disk or a path, as opposed to what a bug makes of it.
_DISK_FAULTS = {
    errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG,
    errno.ENOENT, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS,
}  # fmt: skip


class ErrorBoundary(Group):
    """Renders what mlrec raises on purpose; anything else is a bug and keeps its traceback."""

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


def _say(message: str, hint: str = "") -> None:
    for line in filter(None, (message, hint)):
        print(render.plain(line), file=sys.stderr)


@contextmanager
def _plain_words() -> Iterator[None]:
    """What Typer says of a wrong call quotes the call."""
    try:
        yield
    except TyperException as error:
        error.message = render.plain(error.message)
        raise


class _Warnings(logging.Handler):
    """Shows what the library logs, which without it would be Python's to print, as it is."""

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
