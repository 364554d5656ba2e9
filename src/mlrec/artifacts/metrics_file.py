"""A model's evaluation results, `metrics.json`: written by one evaluation after another, read by listings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mlrec.artifacts.documents import DocumentError, from_json
from mlrec.artifacts.files import read_json, write_json
from mlrec.errors import IncompatibleFormatError, ModelMissingError, StateError
from mlrec.locks import exclusive
from mlrec.settings import Relevance, SplitName
from mlrec.workspace import ModelFiles

FORMAT_VERSION = 1
_REMEDY = "Evaluate the model again."

KnownPart = Literal["train", "train+val", "fold-in"]
"""What was known of the users who were judged."""


@dataclass(frozen=True)
class Figure:
    """A figure with its 95% interval, where there is one."""

    value: float
    low: float | None
    high: float | None

    def __post_init__(self) -> None:
        """Refuse half an interval."""
        if (self.low is None) != (self.high is None):
            raise DocumentError("low and high must both be there, or both be null")


Figures = Mapping[str, Mapping[str, Figure]]
"""Model, or pair of models, → metric ("ndcg@10") → figure."""


@dataclass(frozen=True)
class Result:
    """What readers need of one evaluation result. (Not all earlier versions wrote `differences` and `ks`.)"""

    users: int
    models: Figures
    differences: Figures = field(default_factory=dict)
    ks: tuple[int, ...] = ()


Results = dict[SplitName, dict[KnownPart, dict[Relevance, Result]]]


@dataclass(frozen=True)
class Metrics:
    """A model's evaluation results.

    Attributes
    ----------
    results
        Split → history → relevance → result; empty if the model was never evaluated.
    document
        The same as plain JSON values, with what this version does not know.
    """

    results: Results = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def of(self, split: SplitName, history: KnownPart, relevance: Relevance) -> Result | None:
        """One of the results, if there is such a one."""
        return self.results.get(split, {}).get(history, {}).get(relevance)


def read_metrics(files: ModelFiles) -> Metrics:
    """Return a model's evaluation results.

    Raises
    ------
    IncompatibleFormatError
        If they are damaged, or of another format.
    """
    try:
        document = read_json(files.metrics, FORMAT_VERSION, remedy=_REMEDY)
    except FileNotFoundError:
        return Metrics()
    del document["format_version"]
    try:
        return Metrics(from_json(Results, document), document)
    except DocumentError as error:
        raise IncompatibleFormatError(f"{files.metrics} is damaged: {error}.", _REMEDY) from error


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
            results = dict(readable_metrics(files).document)
            kept = results.setdefault(split, {}).setdefault(history, {})
            kept[relevance] = _merged(kept.get(relevance), result)
            write_json(files.metrics, {"format_version": FORMAT_VERSION, **results})
    except FileNotFoundError:
        raise ModelMissingError(
            f"Model {files.root.name} was deleted while it was evaluated.", "See 'mlrec models list'."
        ) from None


def readable_metrics(files: ModelFiles) -> Metrics:
    """Return what `read_metrics` does, or nothing if they cannot be read: listing and evaluating go on."""
    try:
        return read_metrics(files)
    except StateError:
        return Metrics()


def _merged(earlier: object, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what an earlier one has beyond it."""
    merged = dict(result)
    if isinstance(earlier, dict) and {"ks", "models", "differences"} <= earlier.keys():
        merged["ks"] = sorted({*earlier["ks"], *result["ks"]})
        for table in ("models", "differences"):
            rows = {**earlier[table], **result[table]}
            merged[table] = {name: {**earlier[table].get(name, {}), **own} for name, own in rows.items()}
    return merged
