"""Read JSON documents into frozen dataclasses by their annotations, and turn them back into plain JSON values.

A document of the next minor version may have keys that this version does not know. They are ignored. A missing key
without a default, or a value of the wrong type, is an error that names the key.
"""

from __future__ import annotations

import math
import types
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mlrec.artifacts.files import read_json
from mlrec.errors import IncompatibleFormatError, SettingsError, unfit
from mlrec.settings import Settings, converted

T = TypeVar("T")
D = TypeVar("D", bound="Document")


class DocumentError(ValueError):
    """A document lacks a key or has an impossible value; the message begins with the key."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A dataclass that holds the content of a whole file.

    Attributes
    ----------
    document
        Everything in the file, including keys that this version does not know. Empty if it was not read from a file.
    """

    document: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Needs:
    """Settings that a document must contain although they have defaults: `Annotated[TrainSettings, Needs(...)]`.

    A file records what was used when it was written, and today's defaults may differ.
    """

    names: tuple[str, ...]


def read_document(path: Path, kind: type[D], format_version: int, *, remedy: str) -> D:
    """Read a JSON file into a dataclass.

    Parameters
    ----------
    path
        The file.
    kind
        The dataclass.
    format_version
        The only format version that can be read.
    remedy
        What to do if the file is damaged: the hint of the error.

    Raises
    ------
    IncompatibleFormatError, FileNotFoundError, StateError
        As in `read_json`. An error about a key names the file and the key.
    """
    document = read_json(path, format_version, remedy=remedy)
    try:
        return from_json(kind, document)
    except DocumentError as error:
        raise IncompatibleFormatError(f"{path} is damaged: {error}.", remedy) from error


def from_json(kind: type[T], value: object, *, at: str = "") -> T:
    """Convert plain JSON values to a type.

    Parameters
    ----------
    kind
        A dataclass, made of dataclasses, settings, mappings, tuples and plain values. If the keys of a mapping are a
        `Literal`, other keys are ignored.
    value
        What was read.
    at
        The key of the value, for messages.

    Raises
    ------
    DocumentError
        If a key is missing or a value has the wrong type.
    """
    found: T = _read(kind, value, at)
    return found


def to_json(record: Any, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Convert a dataclass to plain JSON values: fields in their order, tuples as lists.

    Parameters
    ----------
    record
        The dataclass. Its parts are converted too.
    without
        Fields to omit. The `document` of a `Document` is always omitted.
    """
    if isinstance(record, Document):
        without = {*without, "document"}
    return {one.name: _plain(getattr(record, one.name)) for one in fields(record) if one.name not in without}


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return _plain(value.to_json())
    if is_dataclass(value):
        return to_json(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and math.isnan(value):
        return None  # what is undefined; JSON has no NaN
    return value


def _read(kind: Any, value: Any, at: str) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        _check_needs(parts[1:], value, at)
        return _read(parts[0], value, at)
    if origin in (Union, types.UnionType):  # X | None
        return None if value is None else _read(parts[0], value, at)
    if kind is Any:
        return value
    if origin in (dict, Mapping):
        return _read_mapping(parts[0], parts[1], value, at)
    if origin in (tuple, list):
        return _read_sequence(origin, parts, value, at)
    if isinstance(kind, type) and issubclass(kind, Settings):
        return _read_settings(kind, value, at)
    if is_dataclass(kind):
        return _read_record(kind, value, at)
    try:
        return converted(at, value, kind)
    except SettingsError as error:
        raise _told(error) from error


def _read_mapping(key_kind: Any, kind: Any, value: Any, at: str) -> dict[str, Any]:
    known = get_args(key_kind) if get_origin(key_kind) is Literal else None
    return {
        name: _read(kind, one, _joined(at, name))
        for name, one in _object(value, at).items()
        if known is None or name in known
    }


def _read_sequence(origin: Any, parts: tuple[Any, ...], value: Any, at: str) -> Any:
    if not isinstance(value, list):
        raise _unfit(at, "a list", value)
    kinds = parts[:1] * len(value) if origin is list or parts[-1] is Ellipsis else parts
    if len(kinds) != len(value):
        raise _unfit(at, f"a list of {len(kinds)}", value)
    return origin(
        _read(kind, one, f"{at}[{number}]") for number, (kind, one) in enumerate(zip(kinds, value, strict=True))
    )


def _read_settings(kind: type[Settings], value: Any, at: str) -> Settings:
    known = _hints_of(kind)  # type: ignore[arg-type]  # classes are hashable
    try:
        return kind.from_json({name: one for name, one in _object(value, at).items() if name in known})
    except SettingsError as error:
        raise DocumentError(f"{_joined(at, error.message.removesuffix('.'))}") from error


def _read_record(kind: Any, value: Any, at: str) -> Any:
    values, hints = _object(value, at), _hints_of(kind)
    found: dict[str, Any] = {"document": values} if issubclass(kind, Document) else {}
    for one in fields(kind):
        if one.name in found:
            continue
        if one.name in values:
            found[one.name] = _read(hints[one.name], values[one.name], _joined(at, one.name))
        elif one.default is MISSING and one.default_factory is MISSING:
            raise DocumentError(f"{_joined(at, one.name)} is missing")
    try:
        return kind(**found)
    except DocumentError as error:  # values that contradict each other
        raise DocumentError(_joined(at, str(error))) from error


def _check_needs(notes: tuple[Any, ...], value: Any, at: str) -> None:
    for note in notes:
        missing = [name for name in note.names if name not in _object(value, at)]
        if missing:
            raise DocumentError(f"{_joined(at, missing[0])} is missing")


def _object(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unfit(at or "the document", "an object", value)
    return value


def _unfit(at: str, needed: str, value: object) -> DocumentError:
    return _told(unfit(at, needed, value))


def _told(error: SettingsError) -> DocumentError:
    """The error of a key without its full stop: `read_document` puts it into a sentence."""
    return DocumentError(error.message.removesuffix("."))


def _joined(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


@cache
def _hints_of(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)
