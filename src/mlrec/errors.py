"""All errors that mlrec raises on purpose. Each says in one sentence what happened and where, and has a hint.

Callers rarely need more than the two main branches: `InputError` (the data is bad or missing) and `StateError` (the
model, the data directory or the environment is not in the state that the call needs). Any other exception that escapes
from mlrec is a bug.
"""

from __future__ import annotations

import reprlib
import shlex

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


def shown(value: object) -> str:
    """Quote any value for a message: on one line, and shortened if it is long."""
    try:
        return " ".join(_REPR.repr(value).split())
    except Exception:  # a number with too many digits, or an object whose repr fails
        return f"a value of type {type(value).__name__}"


def in_shell(public_id: int | str) -> str:
    """The id of a user or movie as a shell reads it: on one line, and quoted if it needs that.

    Characters that cannot be shown become escapes in `$'…'`, as bash, zsh and POSIX of 2024 have them.
    """
    text = str(public_id)
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_escaped, text)) + "'"


def _escaped(character: str) -> str:
    if character.isprintable() and character not in "'\\":
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogatepass"))


def as_argument(public_id: int | str) -> str:
    """The id as an argument at the end of a command: what begins with a hyphen would be an option without `--`."""
    return f"{'-- ' if str(public_id).startswith('-') else ''}{in_shell(public_id)}"


class MlrecError(Exception):
    """Base of all errors that mlrec raises on purpose.

    Parameters
    ----------
    message
        One sentence that says what is wrong, and where.
    hint
        What to do about it, or an empty string.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(MlrecError):
    """A setting has a value that cannot be used."""


def unfit(name: str, needed: str, value: object) -> SettingsError:
    """Return the error for a value that is not what its name needs: "n must be a whole number, not 'x'."."""
    return SettingsError(f"{name} must be {needed}, not {shown(value)}.")


class InputError(MlrecError):
    """Input data is bad or missing."""


class RawDataMissingError(InputError):
    """There are no MovieLens files in the given place."""


class PreparedDataMissingError(InputError):
    """There is no prepared folder yet."""


class TooManyRejectsError(InputError):
    """More input rows are bad than the settings allow."""


class EmptyResultError(InputError):
    """The filters left nothing."""


class FetchError(InputError):
    """A data set could not be downloaded, verified or unpacked."""


class SettingsFileError(InputError):
    """A file of training settings is missing or has unusable content."""


class UnknownMovieError(InputError):
    """No movie, or more than one, has the given id or title."""


class NothingToUndoError(InputError):
    """A user has no swipe to undo."""


class IdempotencyKeyConflictError(InputError):
    """The caller's idempotency key is already in use for another swipe of the same user."""


EventIdConflictError = IdempotencyKeyConflictError
"""The former name, kept until 1.0."""


class StateError(MlrecError):
    """The model, the data directory or the environment is not in the state that the call needs."""


class ModelMissingError(StateError):
    """There is no model with this id, or no model is published yet."""


class IncompatibleFormatError(StateError):
    """A file was written by another version of mlrec, or is damaged."""


class DataChangedError(StateError):
    """The prepared data is not the data that the model was trained on, or that a study began with."""


class StudyChangedError(StateError):
    """A tuning study cannot continue with settings other than those it began with."""


class TrainingFailedError(StateError):
    """Training produced factors that must not be published."""


class WorkspaceLockedError(StateError):
    """Another process is changing this data directory."""


class StoreUnavailableError(StateError):
    """The store of swipes cannot be reached, read or written."""


class ForgottenUserError(StateError):
    """A user has been forgotten, so nothing may be stored about them."""

    def __init__(self, user_id: int | str) -> None:
        super().__init__(
            f"User {in_shell(user_id)} has been forgotten, so nothing is stored about them.",
            f"To allow storing again: mlrec users allow {as_argument(user_id)}",
        )


class CannotExplainError(StateError):
    """A score comes from a rule that cannot be split into parts."""


class SparkUnavailableError(StateError):
    """Spark cannot be started or reached: Java is missing or too old, or the master does not answer."""


class SparkFailedError(StateError):
    """A job on Spark failed, or the processes that it ran on are gone."""


class MissingExtraError(StateError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs the optional extra '{extra}', which is not installed.",
            f"Install it: pip install 'mlrec[{extra}]'",
        )
