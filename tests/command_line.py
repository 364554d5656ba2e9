"""The command line: run in this process, where it need not load Python and libraries again, or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, chdir
from pathlib import Path
from tempfile import TemporaryFile
from types import ModuleType
from typing import IO

import pytest

MLREC = str(Path(sys.executable).with_name("mlrec"))

Finished = subprocess.CompletedProcess[str]


def in_this_process(
    words: Sequence[str],
    *,
    typed: str | bytes = b"",
    encoding: str = "utf-8",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Call the entry point of mlrec with standard streams, a working directory and an environment of its own.

    Parameters
    ----------
    words
        The arguments.
    typed
        What stdin holds, as text of UTF-8 or as bytes.
    encoding
        That of all three streams.
    folder
        The working directory; by default the one of this process.
    environment
        Variables to set beside those of this process.
    """
    from mlrec.cli import main, render

    code: object = 0
    with ExitStack() as stack:
        given, out, err = (
            stack.enter_context(TemporaryFile("w+", encoding=encoding, errors=errors, newline=""))
            for errors in ("strict", "strict", "backslashreplace")  # as Python opens its own
        )
        given.buffer.write(typed.encode() if isinstance(typed, str) else typed)
        given.seek(0)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        # What a command puts into the environment ends with it, as it would with its process.
        stack.callback(_restore_environment, dict(os.environ))
        os.environ.update(environment or {})
        for name, value in (("argv", ["mlrec", *words]), ("stdin", given), ("stdout", out), ("stderr", err)):
            patch.setattr(sys, name, value)
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # not pytest, in which Click would find its name
        if folder is not None:
            stack.enter_context(chdir(folder))
        for console in (render.out, render.err):
            console.cache_clear()  # they write to the streams that they were made for
            stack.callback(console.cache_clear)
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        printed, said = _content(out), _content(err)
    assert isinstance(code, int), code
    return Finished(["mlrec", *words], code, printed, said)


def in_its_own_process(
    words: Sequence[str], *, typed: str = "", folder: Path, environment: Mapping[str, str] | None = None
) -> Finished:
    """Run mlrec as a person does, with its output in pipes."""
    return subprocess.run(
        [MLREC, *words],
        cwd=folder,
        env=os.environ | (environment or {}),
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
    )


def _restore_environment(before: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(before)


def _content(stream: IO[str]) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
