"""What routes need of a request: the service, ids, and who may do what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Header, Path, Request
from fastapi.exceptions import RequestValidationError

from mlrec.ids import IdKind, PublicId
from mlrec.serve.problems import Refusal
from mlrec.serve.service import Service

_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,99}")
_VISIBLE = re.compile(r"[\x21-\x7e]{1,200}")


async def service_of(request: Request) -> Service:
    """The service of this worker."""
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(service_of)]


def as_id(text: str, kind: IdKind, *place: str | int) -> PublicId:
    """The id that an address names: a whole number, or the text as it is. The library checks the rest."""
    if kind == "text":
        return text
    # `int` would take "1_0" for user 10, and refuses to read thousands of digits.
    if not _NUMBER.fullmatch(text):
        fault = {"type": "int_parsing", "loc": place, "msg": "an id is a whole number", "input": text}
        raise RequestValidationError([fault])
    return int(text)


def as_ids(texts: Sequence[str], kind: IdKind, name: str) -> list[PublicId]:
    """The ids that a query names."""
    return [as_id(text, kind, "query", name, position) for position, text in enumerate(texts)]


async def user(
    request: Request, service: Serving, user_id: Annotated[str, Path(description="The user.", examples=["42"])]
) -> PublicId:
    """The user that the address names, if the one who asks may act for that user.

    Raises
    ------
    Refusal
        With status 403, if a person on the page asks for somebody else.
    """
    found = as_id(user_id, service.recommender.user_id_kind, "path", "user_id")
    if not request.scope["is_trusted"] and request.scope["session_user"] != found:
        raise Refusal(403, "A session on the page may act for its own user only.", "Use an API key.")
    return found


async def movie(
    service: Serving, movie_id: Annotated[str, Path(description="The movie.", examples=["318"])]
) -> PublicId:
    """The movie that the address names."""
    return as_id(movie_id, service.recommender.movie_id_kind, "path", "movie_id")


async def trusted(request: Request) -> None:
    """Refuse people on the page.

    Raises
    ------
    Refusal
        With status 403.
    """
    if not request.scope["is_trusted"]:
        raise Refusal(403, "A session on the page may not do this.", "Use an API key.")


async def known_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not have, and single ones that are given twice.

    Raises
    ------
    RequestValidationError
        For the first such parameter.
    """
    if not request.scope["query_string"]:
        return
    kinds = request.app.state.query_parameters.get((request.scope["route"].path_format, request.method), {})
    given = request.query_params
    for name in given:
        kind = kinds.get(name)
        message = None
        if kind is None:
            message = f"unknown parameter; this request takes {', '.join(kinds) or 'none'}"
        elif kind != "array" and len(given.getlist(name)) > 1:
            message = "given more than once"
        if message is not None:
            raise RequestValidationError([{"type": "extra_forbidden", "loc": ("query", name), "msg": message}])


async def event_key(
    idempotency_key: Annotated[
        str | None, Header(description="The same as event_id; give one of them.", examples=["card-17"])
    ] = None,
) -> str | None:
    """The header Idempotency-Key, with or without the quotes of the draft standard.

    Raises
    ------
    Refusal
        With status 400, if it is empty, too long, or not visible ASCII.
    """
    if idempotency_key is None:
        return None
    key = idempotency_key.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _VISIBLE.fullmatch(key):
        raise Refusal(400, "Idempotency-Key must be 1 to 200 visible ASCII characters.")
    return key


def one_key(in_body: str | None, in_header: str | None) -> str | None:
    """The caller's id of a swipe, which may be in the body or in the header.

    Raises
    ------
    Refusal
        With status 422, if the two differ.
    """
    if in_body is not None and in_header is not None and in_body != in_header:
        raise Refusal(422, "event_id and Idempotency-Key differ.", "Give one of them, or the same text in both.")
    return in_header if in_body is None else in_body


UserId = Annotated[int | str, Depends(user)]
MovieId = Annotated[int | str, Depends(movie)]
HeaderKey = Annotated[str | None, Depends(event_key)]
