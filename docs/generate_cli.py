"""Writes docs/cli.md from the commands' own --help, or with --check says whether it is up to date."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before Typer is imported: plain text of a fixed width, whatever terminal this runs in.
os.environ.update({"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb"})
for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "MLREC_DATA_DIR", "MLREC_MIRROR"):
    os.environ.pop(name, None)

import typer
from typer.testing import CliRunner

from mlrec.cli.app import app
from mlrec.cli.exit_codes import TABLE

TARGET = Path(__file__).with_name("cli.md")


def command_paths() -> list[list[str]]:
    """All commands and groups, as words after `mlrec`."""
    paths: list[list[str]] = [[]]
    root = typer.main.get_command(app)
    for name, command in getattr(root, "commands", {}).items():
        paths.append([name])
        paths += [[name, child] for child in getattr(command, "commands", {})]
    return paths


def help_text(words: list[str]) -> str:
    """What `mlrec WORDS --help` prints."""
    result = CliRunner().invoke(app, [*words, "--help"], prog_name="mlrec")
    if result.exit_code != 0:
        raise SystemExit(f"mlrec {' '.join(words)} --help failed: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.strip("\n").splitlines())


def render() -> str:
    """The whole page."""
    parts = [
        "# Command line",
        "<!-- Written by `make docs` from --help; do not edit. -->",
        "Results go to stdout, everything else to stderr. `--json` prints one JSON document. Every command takes"
        " `--data-dir` (or `MLREC_DATA_DIR`), `data` by default.",
        "| exit code | meaning |\n|---|---|\n" + "\n".join(f"| {code} | {text} |" for code, text in TABLE.items()),
    ]
    for words in command_paths():
        title = " ".join(["mlrec", *words])
        parts.append(f"## {title}\n\n```text\n{help_text(words)}\n```")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the page, or compare it."""
    page = render()
    if "--check" not in sys.argv:
        TARGET.write_text(page, encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != page:
        raise SystemExit("docs/cli.md does not say what --help says; run 'make docs'.")


if __name__ == "__main__":
    main()
