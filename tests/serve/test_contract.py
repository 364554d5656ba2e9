"""schemathesis against a running service: answers are as the OpenAPI document says, whatever is asked."""

from __future__ import annotations

import runpy

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from mlrec.serve.gate import LARGEST_BODY
from tests.pages import ROOT

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    negative_data_rejection,
]
ANY_TEXT = {
    "DELETE /v1/users/{user_id}",
    "GET /v1/movies/{movie_id}",
    "GET /v1/users/{user_id}",
    "GET /v1/users/{user_id}/why/{movie_id}",
}
"""Requests that have nothing but ids in the address. For the document, any text is an id."""


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_as_the_document_says(own, mode):
    schema = schemathesis.openapi.from_url(f"{own.address}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == len([1 for path in schema.raw_schema["paths"].values() for _ in path])
    asked, without = 0, set()
    for operation in operations:

        @settings(
            max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            nonlocal asked
            asked += 1
            response = case.call(timeout=60)
            if response.status_code == 413:  # a refusal, too, but of the whole body, whatever is in it
                assert len(response.request.body) > LARGEST_BODY
                case.validate_response(
                    response, checks=[check for check in CHECKS if check is not negative_data_rejection]
                )
                return
            # What is not HTTP, the server below refuses before the application sees it.
            if response.text != "Invalid HTTP request received.":
                case.validate_response(response, checks=CHECKS)

        try:
            check()
        except Unsatisfiable:
            without.add(operation.label)  # nothing in such a request can be wrong
    assert asked > 200
    assert without <= {"GET /livez", "GET /readyz", "GET /metrics", "GET /v1/genres", "GET /v1/model", *ANY_TEXT}


def test_every_operation_has_the_answer_of_a_real_service_as_its_example(shared):
    document = shared.client.get("/openapi.json").json()
    operations = {one["operationId"]: one for methods in document["paths"].values() for one in methods.values()}
    assert len(operations) == sum(map(len, document["paths"].values()))  # the names are unique
    recorder = runpy.run_path(str(ROOT / "docs" / "record_examples.py"))
    assert {operation for operation, *_ in recorder["REQUESTS"]} == set(operations) - {"prometheus"}
    answers = recorder["answers"](shared.client)
    for name, answer in answers.items():
        recorded = operations[name]["responses"]["200"]["content"]["application/json"]["example"]
        assert shape(recorded) == shape(answer), name


def shape(value):
    """The names and kinds in an answer. Of a list, those of its first entry."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__
