"""The command line: parse, one library call, render."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NoReturn


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
    except ModuleNotFoundError as error:
        if error.name is None or error.name not in _required_packages():
            raise
        _refuse(error.name)
    except KeyboardInterrupt:
        sys.exit(130)


def _required_packages() -> set[str]:
    """The packages that `pip install mlrec` brings along; each is imported by the name that it is installed by."""
    from importlib.metadata import requires

    named = (requirement for requirement in requires("mlrec") or [] if "extra ==" not in requirement)
    return {re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in named}


def _refuse(package: str) -> NoReturn:
    """Exit where mlrec was installed without its dependencies, as a backend that only serves may do."""
    from mlrec.cli.exit_codes import STATE

    print(
        f"Error: The mlrec command needs the package '{package}', which is not installed.\n"
        "Install what is missing with: pip install mlrec (serving from Python needs only numpy)",
        file=sys.stderr,
    )
    sys.exit(STATE)
