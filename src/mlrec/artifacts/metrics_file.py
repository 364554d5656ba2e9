"""A model's evaluation results, `metrics.json`: written by one evaluation after another, read by listings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlrec.artifacts.files import exclusive, read_json, write_json
from mlrec.errors import IncompatibleFormatError, ModelMissingError, StateError
from mlrec.workspace import ModelFiles

FORMAT_VERSION = 1


def read_metrics(files: ModelFiles) -> dict[str, Any]:
    """Return a model's evaluation results: split → history → relevance → result. Empty if it was never evaluated.

    Raises
    ------
    IncompatibleFormatError
        If they are damaged, or of another format.
    """
    try:
        document = read_json(files.metrics, FORMAT_VERSION, remedy="Evaluate the model again.")
    except FileNotFoundError:
        return {}
    results = {name: value for name, value in document.items() if name != "format_version"}
    if not _has_at(3, results, _is_result):
        raise IncompatibleFormatError(f"{files.metrics} is damaged.", "Evaluate the model again.")
    return results


def _has_at(depth: int, document: Any, test: Callable[[Any], bool]) -> bool:
    """Whether a document is of so many levels of keys, and what they lead to passes a test."""
    if depth == 0:
        return test(document)
    return isinstance(document, dict) and all(_has_at(depth - 1, value, test) for value in document.values())


def _is_result(result: Any) -> bool:
    """Whether a JSON value has what is read of an evaluation. (Not all earlier versions wrote `differences`.)"""
    match result:
        case {"users": int(), "models": models}:
            ks, differences = result.get("ks", []), result.get("differences", {})
            are_numbers = isinstance(ks, list) and all(type(k) is int for k in ks)
            return are_numbers and _has_at(2, models, _is_figure) and _has_at(2, differences, _is_figure)
    return False


def _is_figure(figure: Any) -> bool:
    match figure:
        case {"value": int() | float(), "low": None, "high": None}:
            return True
        case {"value": int() | float(), "low": int() | float(), "high": int() | float()}:
            return True
    return False


def add_metrics(files: ModelFiles, split: str, history: str, relevance: str, result: Mapping[str, Any]) -> None:
    """Put one evaluation result beside the others of a model; it replaces figures of the same kind.

    What an earlier one had of other list lengths or baselines stays. A file that cannot be read is written anew.

    Raises
    ------
    ModelMissingError
        If the model has been deleted meanwhile.
    """
    try:
        with exclusive(files.info):
            results = readable_metrics(files)
            kept = results.setdefault(split, {}).setdefault(history, {})
            kept[relevance] = _merged(kept.get(relevance), result)
            write_json(files.metrics, {"format_version": FORMAT_VERSION, **results})
    except FileNotFoundError:
        raise ModelMissingError(
            f"Model {files.root.name} was deleted while it was evaluated.", "See 'mlrec models list'."
        ) from None


def readable_metrics(files: ModelFiles) -> dict[str, Any]:
    """Return what `read_metrics` does, or nothing if they cannot be read: listing and evaluating go on."""
    try:
        return read_metrics(files)
    except StateError:
        return {}


def _merged(earlier: object, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what an earlier one has beyond it."""
    merged = dict(result)
    if isinstance(earlier, dict) and {"ks", "models", "differences"} <= earlier.keys():
        merged["ks"] = sorted({*earlier["ks"], *result["ks"]})
        for table in ("models", "differences"):
            rows = {**earlier[table], **result[table]}
            merged[table] = {name: {**earlier[table].get(name, {}), **own} for name, own in rows.items()}
    return merged
