"""Typed documents: what is read from JSON, what is ignored, and which key an error names."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from mlrec.artifacts.documents import Document, DocumentError, Needs, from_json, read_document, to_json
from mlrec.errors import IncompatibleFormatError
from mlrec.settings import FoldInSettings


@dataclass(frozen=True)
class Part:
    name: str
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Whole(Document):
    number: int
    share: float = 0.5
    is_whole: bool = True
    kind: Literal["a", "b"] = "a"
    parts: tuple[Part, ...] = ()
    pair: tuple[int, float] = (1, 2.0)
    by_kind: Mapping[Literal["a", "b"], Part] = field(default_factory=dict)
    first: Part | None = None
    fold_in: Annotated[FoldInSettings, Needs(("alpha",))] = field(default_factory=FoldInSettings)
    anything: Any = None


def test_a_document_is_read_with_its_parts_and_written_again():
    document = {
        "number": 3,
        "share": 0.25,
        "is_whole": False,
        "kind": "b",
        "parts": [{"name": "x", "size": 2}, {"name": "y", "size": None}],
        "pair": [4, 5.0],
        "by_kind": {"a": {"name": "z", "size": None}},
        "first": None,
        "fold_in": {"alpha": 3.0, "regularization": 1.0, "dislikes": "zero", "half_life": None, "feedback_weight": 5.0},
        "anything": [1, {"a": None}],
    }
    whole = from_json(Whole, document)
    assert whole.parts == (Part("x", 2), Part("y"))
    assert whole.by_kind == {"a": Part("z")}
    assert whole.fold_in.half_life == math.inf
    assert whole.document == document
    assert to_json(whole) == document
    assert list(to_json(whole)) == list(document)
    assert list(to_json(whole, without=("share",))) == [name for name in document if name != "share"]


def test_what_is_not_known_is_passed_over_and_what_is_not_there_has_its_default():
    later = {"later": {"x": [1]}}
    document = {
        "number": 1,
        "parts": [{"name": "x", **later}],
        "by_kind": {"a": {"name": "z"}, "c": 7},
        "fold_in": {"alpha": 3.0, **later},
        **later,
    }
    parts = (Part("x"),)
    by_kind: dict[Literal["a", "b"], Part] = {"a": Part("z")}
    assert from_json(Whole, document) == Whole(
        document=document, number=1, parts=parts, by_kind=by_kind, fold_in=FoldInSettings(alpha=3.0)
    )


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([1], "the document must be an object, not [1]"),
        ({}, "number is missing"),
        ({"number": "1"}, "number must be a whole number, not '1'"),
        ({"number": True}, "number must be a whole number, not True"),
        ({"number": None}, "number must be a whole number, not None"),
        ({"number": 1, "share": "0.5"}, "share must be a number"),
        ({"number": 1, "share": 10**400}, "share is too large"),
        ({"number": 1, "is_whole": 1}, "is_whole must be True or False, not 1"),
        ({"number": 1, "kind": "c"}, "kind must be one of a, b, not 'c'"),
        ({"number": 1, "parts": {}}, "parts must be a list"),
        ({"number": 1, "parts": [{"name": "x"}, {"size": 1}]}, "parts[1].name is missing"),
        ({"number": 1, "parts": [{"name": "x", "size": 1.5}]}, "parts[0].size must be a whole number"),
        ({"number": 1, "pair": [1]}, "pair must be a list of 2"),
        ({"number": 1, "pair": [1, "2"]}, "pair[1] must be a number"),
        ({"number": 1, "by_kind": {"a": 1}}, "by_kind.a must be an object, not 1"),
        ({"number": 1, "first": {}}, "first.name is missing"),
        ({"number": 1, "fold_in": {"half_life": 2}}, "fold_in.alpha is missing"),
        ({"number": 1, "fold_in": {"alpha": "2"}}, "fold_in.alpha must be a number, not '2'"),
        ({"number": 1, "fold_in": {"alpha": -1}}, "fold_in.alpha must be above 0"),
        ({"number": 1, "fold_in": 3}, "fold_in must be an object, not 3"),
    ],
)
def test_an_error_names_the_key(tmp_path, document, words):
    with pytest.raises(DocumentError) as caught:
        from_json(Whole, document)
    assert str(caught.value).startswith(words)
    if isinstance(document, dict):
        path = tmp_path / "whole.json"
        path.write_text(json.dumps({"format_version": 1, **document}))
        with pytest.raises(IncompatibleFormatError) as error:
            read_document(path, Whole, 1, remedy="Make it again.")
        assert error.value.message.startswith(f"{path} is damaged: {words}")
        assert error.value.hint == "Make it again."
