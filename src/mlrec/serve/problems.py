"""Errors as `application/problem+json` (RFC 9457): what went wrong, and what to do about it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from mlrec import errors
from mlrec.errors import MlrecError

MEDIA_TYPE = "application/problem+json"
STATUS: Mapping[type[MlrecError], int] = {
    errors.UnknownMovieError: 404,
    errors.IdempotencyKeyConflictError: 409,
    errors.NothingToUndoError: 409,
    errors.ForgottenUserError: 410,  # 403 depends on who asks; here nobody may store anything
    errors.SettingsError: 422,
    errors.CannotExplainError: 501,  # neither another request nor waiting changes the update rule
    errors.InputError: 400,
    errors.StateError: 503,
}
"""The status of each error of the library; the nearest base class counts."""

TITLES: Mapping[int, str] = {
    400: "Bad request",
    401: "No valid API key",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Request too slow",
    409: "Conflict with an earlier request",
    410: "The user was forgotten",
    413: "Request too large",
    415: "Not JSON",
    421: "Unknown host",
    422: "Value that cannot be used",
    429: "Too many requests",
    500: "Internal error",
    501: "Not possible with this model",
    503: "Not available at the moment",
}

_log = logging.getLogger(__name__)


class Fault(BaseModel):
    """One value of a request that cannot be used."""

    where: list[str | int] = Field(examples=[["query", "n"]])
    message: str = Field(examples=["Input should be less than or equal to 1000"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(
        default="about:blank", description="Always about:blank: the status says what kind of problem it is."
    )
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The status of the response once more.")
    detail: str = Field(description="What went wrong in this request.")
    hint: str = Field(default="", description="What to do about it.")
    faults: list[Fault] = Field(default=[], description="The values that cannot be used, for status 422.")


class Refusal(HTTPException):
    """A request that this service does not take."""

    def __init__(self, status: int, detail: str, hint: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, None if headers is None else dict(headers))
        self.hint = hint

    def response(self) -> Response:
        """The refusal as a response."""
        return as_response(self.status_code, self.detail, self.hint, headers=self.headers)


def as_response(
    status: int,
    detail: str,
    hint: str = "",
    faults: list[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem as a response. A surrogate in a message cannot be sent: it becomes a question mark."""
    problem = Problem(
        title=TITLES.get(status, "Error"),
        status=status,
        detail=_sendable(detail),
        hint=_sendable(hint),
        faults=faults or [],
    )
    kept = None if headers is None else dict(headers)
    return Response(problem.model_dump_json(), status, headers=kept, media_type=MEDIA_TYPE)


def _sendable(text: str) -> str:
    return text.encode(errors="replace").decode()


def of_error(error: MlrecError) -> tuple[int, str, str]:
    """Status, detail and hint of an error of the library. What names files and servers stays out of it."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if status == 503:
        return status, "The service is not available at the moment.", "Try again later."
    # What to type on the command line helps nobody who asks over HTTP.
    sentences = re.split(r"(?<=\.) ", error.hint)
    return status, error.message, " ".join(one for one in sentences if "mlrec " not in one)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of the problems that a route may answer with."""
    example = {"type": "about:blank", "detail": "…", "hint": "", "faults": []}
    return {
        status: {
            "model": Problem,
            "description": TITLES[status],
            "content": {MEDIA_TYPE: {"example": {**example, "title": TITLES[status], "status": status}}},
        }
        for status in statuses
    }


def route_of(scope: Scope) -> str:
    """The address of a request as a template, without ids: "/v1/users/{user_id}"."""
    return getattr(scope.get("route"), "path_format", "(none)")


async def on_mlrec_error(request: Request, error: Exception) -> Response:
    """Answer a request that the library refused."""
    assert isinstance(error, MlrecError)
    status, detail, hint = of_error(error)
    headers = None
    if status == 503:
        # The message names files and servers. It belongs in the log, not in the reply.
        _log.error("%s: %s %s", _named(request), error.message, error.hint)
        request.app.state.service.metrics.count_fault(error)
        headers = {"Retry-After": "2"}
    return as_response(status, detail, hint, headers=headers)


async def on_misshapen(_: Request, error: Exception) -> Response:
    """Answer a request whose values have the wrong form. The values are not quoted: they may not be sendable."""
    assert isinstance(error, RequestValidationError)
    faults = [Fault(where=list(map(_place, fault["loc"])), message=_sendable(fault["msg"])) for fault in error.errors()]
    first = "; ".join(f"{'.'.join(map(str, fault.where))}: {fault.message}" for fault in faults[:3])
    return as_response(422, first, "See /openapi.json for the parameters of this request.", faults[:20])


def _place(step: object) -> str | int:
    return step if isinstance(step, int) else _sendable(str(step))[:100]


async def on_http_error(_: Request, error: Exception) -> Response:
    """Answer what this service or the framework refuses: unknown paths and methods, bodies that are not JSON."""
    assert isinstance(error, HTTPException)
    if isinstance(error, Refusal):
        return error.response()
    hint = "See /openapi.json for all addresses." if error.status_code in (404, 405) else ""
    return as_response(error.status_code, str(error.detail), hint, headers=error.headers)


async def on_bug(request: Request, error: Exception) -> Response:
    """Answer a request that met a bug. The traceback is in the log."""
    _log.error("A bug in %s", _named(request), exc_info=error)
    return as_response(500, "Something went wrong in the service.", "Its log has the reason, under the X-Request-ID.")


def _named(request: Request) -> str:
    """A request for the log, by its route and its X-Request-ID."""
    return f"{route_of(request.scope)}, request {request.scope['request_id']}"
