"""The command line: parse, one library call, render."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the `mlrec` command. Even an interrupt while Typer is still loading ends without a traceback."""
    try:
        from mlrec.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
