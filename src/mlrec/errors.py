"""Every error mlrec raises on purpose: one sentence that names the thing, one hint that says what to do.

The tree has two branches, and a caller rarely needs more than them: `InputError` (the data is bad or missing) and
`StateError` (the model, the data directory or the environment is not what the call needs). Anything else that escapes
from mlrec is a bug.
"""

from __future__ import annotations

import reprlib

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


def shown(value: object) -> str:
    """A value as a message quotes it: one line, cut where it is long, whatever it is."""
    try:
        return " ".join(_REPR.repr(value).split())
    except Exception:  # a number of too many digits, or an object that cannot be told
        return f"a value of type {type(value).__name__}"


class MlrecError(Exception):
    """Base of all errors that mlrec raises on purpose.

    Parameters
    ----------
    message
        One sentence: what is wrong, and where.
    hint
        What to do next, or an empty string.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(MlrecError):
    """A setting has a value that cannot be used."""


class InputError(MlrecError):
    """Input data is bad or missing."""


class RawDataMissingError(InputError):
    """No MovieLens files were found where they were looked for."""


class PreparedDataMissingError(InputError):
    """There is no prepared folder yet."""


class TooManyRejectsError(InputError):
    """More input rows are bad than the settings allow."""


class EmptyResultError(InputError):
    """The filters left nothing."""


class FetchError(InputError):
    """A data set could not be downloaded, verified or unpacked."""


class SettingsFileError(InputError):
    """A file of training settings is missing, or says what cannot be used."""


class UnknownMovieError(InputError):
    """No movie, or more than one, goes by the given id or title."""


class NothingToUndoError(InputError):
    """A user has no swipe that could be undone."""


class IdempotencyKeyConflictError(InputError):
    """The caller's idempotency key has been used for another swipe of the same user."""


EventIdConflictError = IdempotencyKeyConflictError
"""The former name, kept until 1.0."""


class StateError(MlrecError):
    """The model, the data directory or the environment is not in the state that the call needs."""


class ModelMissingError(StateError):
    """No model with that id, or none published yet."""


class IncompatibleFormatError(StateError):
    """A file was written by another version of mlrec, or is damaged."""


class DataChangedError(StateError):
    """The prepared data is not the data that the model was trained on, or that a study was made on."""


class StudyChangedError(StateError):
    """A tuning study was begun with other settings than it shall go on with."""


class TrainingFailedError(StateError):
    """Training gave factors that must not be published."""


class WorkspaceLockedError(StateError):
    """Another process is changing this data directory."""


class StoreUnavailableError(StateError):
    """The store of swipes cannot be reached, read or written."""


class ForgottenUserError(StateError):
    """A user has been forgotten, and nothing may be stored of them."""

    def __init__(self, user_id: int) -> None:
        super().__init__(
            f"User {user_id} has been forgotten; nothing is stored of them.",
            f"To take them back: mlrec users allow {user_id}",
        )


class CannotExplainError(StateError):
    """A score does not come from a rule whose parts add up."""


class SparkUnavailableError(StateError):
    """Spark cannot be started or reached: there is no Java, or another version, or the master does not answer."""


class SparkFailedError(StateError):
    """A job on Spark has failed, or the processes that it ran on have gone."""


class MissingExtraError(StateError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs the optional extra '{extra}', which is not installed.",
            f"Install it with: pip install 'mlrec[{extra}]'",
        )
