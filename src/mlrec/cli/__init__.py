"""The command line: parse, call the library once, render."""

from __future__ import annotations

import gc
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

# Seconds that one thread has the interpreter while another waits for it. The threads that compute need it often and
# for a moment only, so with Python's 0.005 they lose a twentieth of their time.
_SWITCH_INTERVAL = 0.0005
# Objects made before Python looks for garbage in cycles, of which commands, and the service too, leave little. With
# Python's 700, imports take a tenth longer.
_COLLECT_AFTER = 50_000


def main() -> None:
    """Entry point of the `mlrec` command. An interrupt ends it without a traceback, even while Typer is loading."""
    # Python sets a stream to None if the caller has closed it, as `>&-` does.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.set_threshold(_COLLECT_AFTER)
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
    """The packages that `pip install mlrec` installs. Each is imported under the name it is installed under."""
    from importlib.metadata import requires

    named = (requirement for requirement in requires("mlrec") or [] if "extra ==" not in requirement)
    return {re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in named}


def _refuse(package: str) -> NoReturn:
    """Exit because a dependency is missing. A backend that only serves may install mlrec without dependencies."""
    from mlrec.cli.exit_codes import STATE

    print(
        f"Error: The mlrec command needs the package '{package}', which is not installed.\n"
        "Serving from Python needs only numpy. To install what the command needs: pip install mlrec",
        file=sys.stderr,
    )
    sys.exit(STATE)
