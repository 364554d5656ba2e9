"""mlrec doctor: check the installation and the data, and say what to do next."""

from dataclasses import asdict

import typer

from mlrec.cli import exit_codes, render
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, StoreName, examples

EXAMPLES = examples(
    "mlrec doctor",
    "mlrec doctor --json",
    "mlrec doctor --store redis://localhost:6379/0",
)
_MARKS = {"ok": "✓", "note": "·", "problem": "✗"}


def doctor(store: StoreName = None, as_json: AsJson = False, data_dir: DataDir = DATA_DIR_DEFAULT) -> None:
    """Check the installation, the data, the published model and the swipes, and show what to do next.

    The exit code is 4 if something is broken.
    """
    from mlrec.doctor import diagnose
    from mlrec.workspace import Workspace

    diagnosis = diagnose(Workspace(data_dir), store)
    if as_json:
        render.print_json(asdict(diagnosis))
    else:
        render.table(
            ["", "", ""],
            [(_MARKS[finding.status], finding.name, finding.detail) for finding in diagnosis.findings],
        )
        render.line(f"Next: {diagnosis.next_step}")
    if any(finding.status == "problem" for finding in diagnosis.findings):
        raise typer.Exit(exit_codes.STATE)
