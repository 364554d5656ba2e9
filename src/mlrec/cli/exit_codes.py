"""The table of exit codes."""

from __future__ import annotations

from mlrec.errors import InputError, MlrecError, SettingsError, StateError

DONE = 0
BUG = 1  # Python's own, with a traceback
USAGE = 2
INPUT = 3
STATE = 4
INTERRUPTED = 130

TABLE = {
    DONE: "done",
    BUG: "a bug in mlrec, with a traceback",
    USAGE: "the command line is wrong: an unknown option, a bad value, or options that exclude each other",
    INPUT: "input data is bad or missing",
    STATE: "the model, the data directory or the environment is not in the state that the command needs",
    INTERRUPTED: "interrupted; completed work is kept",
}

_CODES: dict[type[MlrecError], int] = {SettingsError: USAGE, InputError: INPUT, StateError: STATE}


def exit_code(error: type[MlrecError]) -> int:
    """Return the exit code of an error class: its own, or that of the nearest base class."""
    return next(_CODES[base] for base in error.__mro__ if base in _CODES)
