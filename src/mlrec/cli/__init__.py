"""The command line: parse, one library call, render."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Entry point of the `mlrec` command. Even an interrupt while Typer is still loading ends without a traceback."""
    # Where a caller has closed them, as `>&-` does, Python has None in their place.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    try:
        from mlrec.cli.characters import prepare_streams

        prepare_streams()
        from mlrec.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
