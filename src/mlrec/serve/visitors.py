"""The page to swipe on: its files, and the session of the person on it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from mlrec.serve import problems
from mlrec.serve.keys import COOKIE, SESSION_SECONDS
from mlrec.serve.models import Session
from mlrec.serve.problems import Refusal
from mlrec.serve.requests import Serving, as_id, known_parameters

router = APIRouter()
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str
    tag: str


@cache
def _file(name: str) -> _File | None:
    """A file of the page. It is read once for each process."""
    folder = resources.files("mlrec.serve") / "page"
    suffix = f".{name.rpartition('.')[2]}"
    if "/" in name or suffix not in _TYPES or not (folder / name).is_file():
        return None
    content = (folder / name).read_bytes()
    return _File(content, f"{_TYPES[suffix]}; charset=utf-8", f'"{hashlib.sha256(content).hexdigest()[:16]}"')


def _sent(name: str, request: Request) -> Response:
    file = _file(name)
    if file is None:
        raise Refusal(404, "The page has no such file.")
    headers = {"ETag": file.tag, "Cache-Control": "no-cache"}  # kept by the browser, and asked about each time
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


@router.get("/", include_in_schema=False)
async def page(request: Request) -> Response:
    """The page to swipe on; ?user=42 swipes for that user, where there are no API keys."""
    return _sent("index.html", request)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The API, for people."""
    return _sent("docs.html", request)


@router.get("/page/{name}", include_in_schema=False)
async def file(name: str, request: Request) -> Response:
    """A file of the page."""
    return _sent(name, request)


@router.post(
    "/session",
    tags=["page"],
    dependencies=[Depends(known_parameters)],
    responses=problems.responses(400, 403, 421, 422, 429, 503),
)
async def session(
    request: Request,
    response: Response,
    service: Serving,
    user: Annotated[
        str | None, Query(max_length=200, description="Act for this user; needs a service without keys.")
    ] = None,
    new: Annotated[bool, Query(description="Begin as somebody new.")] = False,
) -> Session:
    """Who is on the page. Somebody without a session gets one, with a user id of its own, in a signed cookie."""
    may_be_anyone = not service.keys.are_needed
    if user is not None:
        if not may_be_anyone:
            raise Refusal(403, "A session on the page may act for its own user only.")
        user_id = as_id(user, service.recommender.user_id_kind, "query", "user")
    else:
        found = None if new else request.scope["session_user"]
        if found is None:
            cookie = service.sessions.new()
            found = service.sessions.user_of(cookie)
            assert found is not None
            response.set_cookie(
                COOKIE,
                cookie,
                max_age=SESSION_SECONDS,
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
        user_id = found
    return Session(
        user_id=user_id,
        may_be_anyone=may_be_anyone,
        poster_url=service.settings.poster_url,
        is_forgotten=await service.read(service.recommender.is_forgotten, user_id),
    )
