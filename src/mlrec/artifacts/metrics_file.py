"""A model's evaluation results, `metrics.json`: each evaluation adds to them, listings read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mlrec.artifacts.documents import DocumentError, from_json, to_json
from mlrec.artifacts.files import read_json, write_json
from mlrec.errors import IncompatibleFormatError, ModelMissingError, StateError
from mlrec.locks import exclusive
from mlrec.settings import Relevance, RelevanceWithin, SplitName
from mlrec.workspace import ModelFiles

FORMAT_VERSION = 1
_REMEDY = "Evaluate the model again: mlrec evaluate"
# The key of what the gate found, beside the splits.
_GATE = "gate"

KnownPart = Literal["train", "train+val", "fold-in"]
"""Which history of the evaluated users the model knew."""

ResultKind = Literal["liked", "any", "liked-all", "any-all"]
"""Which held-out movies are relevant. "liked" and "any" are those of the core, as in earlier versions."""


@dataclass(frozen=True)
class Figure:
    """A figure with its 95% confidence interval, if it has one."""

    value: float
    low: float | None
    high: float | None

    def __post_init__(self) -> None:
        """Refuse half an interval."""
        if (self.low is None) != (self.high is None):
            raise DocumentError("low and high must both be there, or both be null")


Figures = Mapping[str, Mapping[str, Figure]]
"""Model or pair of models → metric ("ndcg@10") → figure."""


@dataclass(frozen=True)
class Result:
    """The part of an evaluation result that readers need. Some earlier versions lack `differences` and `ks`."""

    users: int
    models: Figures
    differences: Figures = field(default_factory=dict)
    ks: tuple[int, ...] = ()


Verdict = Literal["publish", "worse", "too-few-users"]
"""What the gate says of a new model."""


@dataclass(frozen=True)
class GateRecord:
    """What the gate found when it compared a model with the published one.

    Attributes
    ----------
    verdict
        See `mlrec.evaluation.verdict`.
    published
        Id of the model that was published then.
    judged_in_its_place
        The model that was compared in its place, if any; see `mlrec.evaluation.gate.Gate`.
    metric
        The metric that was compared, on validation.
    users
        Number of users in the figures.
    difference
        New minus published, paired by user, with the interval that decided.
    largest_loss, margin
        The largest accepted loss, as a share of the published model's figure, and in the unit of the metric.
    users_needed
        About how many users would do, if there are too few; None if that is unknown.
    """

    verdict: Verdict
    published: str
    judged_in_its_place: str | None
    metric: str
    users: int
    difference: Figure
    largest_loss: float
    margin: float
    users_needed: int | None


Results = dict[SplitName, dict[KnownPart, dict[ResultKind, Result]]]


def kind_of(relevance: Relevance, within: RelevanceWithin) -> ResultKind:
    """Return the key of a result. Figures of the core and of all movies are told apart."""
    if relevance == "liked":
        return "liked-all" if within == "all" else "liked"
    return "any-all" if within == "all" else "any"


@dataclass(frozen=True)
class Metrics:
    """A model's evaluation results.

    Attributes
    ----------
    results
        Split → history → kind → result. Empty if the model was never evaluated.
    gate
        How the model compared with the published one; None if the gate has not judged it.
    document
        The same as plain JSON values, including keys that this version does not know.
    """

    results: Results = field(default_factory=dict)
    gate: GateRecord | None = None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def of(self, split: SplitName, history: KnownPart, kind: ResultKind) -> Result | None:
        """Return one of the results, or None if there is none of this kind."""
        return self.results.get(split, {}).get(history, {}).get(kind)


def read_metrics(files: ModelFiles) -> Metrics:
    """Return a model's evaluation results.

    Raises
    ------
    IncompatibleFormatError
        If they are damaged or have another format version.
    """
    try:
        document = read_json(files.metrics, FORMAT_VERSION, remedy=_REMEDY)
    except FileNotFoundError:
        return Metrics()
    del document["format_version"]
    try:
        gate = from_json(GateRecord, document[_GATE], at=_GATE) if _GATE in document else None
        return Metrics(from_json(Results, document), gate, document)
    except DocumentError as error:
        raise IncompatibleFormatError(f"{files.metrics} is damaged: {error}.", _REMEDY) from error


def add_metrics(files: ModelFiles, split: str, history: str, kind: ResultKind, result: Mapping[str, Any]) -> None:
    """Add an evaluation result to those of a model; it replaces figures of the same kind.

    Figures of an earlier result for other cutoffs or baselines stay. Figures that are undefined are left out. A file
    that cannot be read is replaced.

    Raises
    ------
    ModelMissingError
        If the model was deleted in the meantime.
    """

    def add(document: dict[str, Any]) -> None:
        kept = document.setdefault(split, {}).setdefault(history, {})
        kept[kind] = _merged(kept.get(kind), _defined(result))

    _change(files, add)


def keep_gate(files: ModelFiles, record: GateRecord) -> None:
    """Keep what the gate found with a model's evaluation results. It replaces what the gate found before.

    Raises
    ------
    ModelMissingError
        If the model was deleted in the meantime.
    """
    _change(files, lambda document: document.update({_GATE: to_json(record)}))


def _change(files: ModelFiles, change: Callable[[dict[str, Any]], object]) -> None:
    try:
        with exclusive(files.info):
            document = dict(readable_metrics(files).document)
            change(document)
            write_json(files.metrics, {"format_version": FORMAT_VERSION, **document})
    except FileNotFoundError:
        raise ModelMissingError(
            f"Model {files.root.name} was deleted while it was being evaluated.", "See 'mlrec models list'."
        ) from None


def readable_metrics(files: ModelFiles) -> Metrics:
    """Return what `read_metrics` returns, or empty results if it fails, so that listing and evaluating go on."""
    try:
        return read_metrics(files)
    except StateError:
        return Metrics()


def _merged(earlier: object, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result, with the cutoffs and baselines that only an earlier result has."""
    merged = dict(result)
    if isinstance(earlier, dict) and {"ks", "models", "differences"} <= earlier.keys():
        merged["ks"] = sorted({*earlier["ks"], *result["ks"]})
        for table in ("models", "differences"):
            rows = {**earlier[table], **result[table]}
            merged[table] = {name: {**earlier[table].get(name, {}), **own} for name, own in rows.items()}
    return merged


def _defined(value: Any) -> Any:
    """Leave out figures whose value is null: they are undefined, and earlier versions expect a number."""
    if isinstance(value, list):
        return [_defined(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: _defined(one)
        for name, one in value.items()
        if not (isinstance(one, Mapping) and "value" in one and one["value"] is None)
    }
