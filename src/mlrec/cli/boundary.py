"""The boundary where errors become messages and exit codes."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from mlrec.cli import exit_codes
from mlrec.errors import MlrecError

# What an operating system says of a disk or a path, as opposed to what a bug makes of it.
_DISK_FAULTS = {
    errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG,
    errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS,
}  # fmt: skip


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


def _say(message: str, hint: str = "") -> None:
    for line in filter(None, (message, hint)):
        print(line, file=sys.stderr)
