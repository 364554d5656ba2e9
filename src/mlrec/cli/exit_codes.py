"""The table of exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlrec.errors import InputError, MlrecError, SettingsError, StateError

if TYPE_CHECKING:
    from mlrec.artifacts.metrics_file import Verdict

DONE = 0
BUG = 1  # Python's own, with a traceback
USAGE = 2
INPUT = 3
STATE = 4
WORSE = 5
TOO_FEW_USERS = 6
INTERRUPTED = 130

TABLE = {
    DONE: "done",
    BUG: "a bug in mlrec, with a traceback",
    USAGE: "the command line is wrong: an unknown option, a bad value, or options that exclude each other",
    INPUT: "input data is bad or missing",
    STATE: "the model, the data directory or the environment is not in the state that the command needs",
    WORSE: "with --exit-code: the new model was not published, because it is worse than the published one",
    TOO_FEW_USERS: "with --exit-code: the new model was not published, because there are too few users to know",
    INTERRUPTED: "interrupted; completed work is kept",
}

_CODES: dict[type[MlrecError], int] = {SettingsError: USAGE, InputError: INPUT, StateError: STATE}

OF_VERDICT: dict[Verdict, int] = {"publish": DONE, "worse": WORSE, "too-few-users": TOO_FEW_USERS}


def exit_code(error: type[MlrecError]) -> int:
    """Return the exit code of an error class: its own, or that of the nearest base class."""
    return next(_CODES[base] for base in error.__mro__ if base in _CODES)
