"""mlrec inside a FastAPI application of one's own: its users, its login, its routes.

    uvicorn examples.fastapi_app:app --workers 2

`mlrec serve` is a whole service. This is for an application that exists already and wants recommendations in the same
process. A token says who is asking, so no address contains a user id. Put your own login in place of `TOKENS`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from mlrec import MlrecError, Recommendation, Recommender, errors

TOKENS = {"token-of-ann": 42, "token-of-bob": 9_000_001}
STATUS: dict[type[MlrecError], int] = {
    errors.UnknownMovieError: 404,
    errors.IdempotencyKeyConflictError: 409,
    errors.NothingToUndoError: 409,
    errors.ForgottenUserError: 410,
    errors.SettingsError: 422,
    errors.CannotExplainError: 501,
    errors.InputError: 400,
    errors.StateError: 503,
}

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Recommender]]:
    """Open one recommender for this worker's threads; not at import, because the server may fork after that."""
    with Recommender.open(os.environ.get("MLREC_DATA_DIR", "data")) as recommender:
        yield {"recommender": recommender}


app = FastAPI(title="An app of films", lifespan=lifespan)


async def opened(request: Request) -> Recommender:  # async: there is nothing to wait for, so no thread is needed
    recommender: Recommender = request.state.recommender
    return recommender


async def asking(sent: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> int:
    """The user who is logged in."""
    if sent.credentials not in TOKENS:
        raise HTTPException(401, "Log in first.", {"WWW-Authenticate": "Bearer"})
    return TOKENS[sent.credentials]


Opened = Annotated[Recommender, Depends(opened)]
UserId = Annotated[int, Depends(asking)]


class Answer(BaseModel):
    """The answer to a card. With a key, it can be sent again when the reply was lost."""

    movie_id: int
    swipe: Literal["superdislike", "dislike", "skip", "like", "superlike"]
    idempotency_key: str | None = Field(None, max_length=200)


# All are plain `def`: FastAPI runs them in its thread pool, so writing a swipe to disk does not block other requests.
@app.get("/cards")
def cards(user_id: UserId, recommender: Opened, n: Annotated[int, Query(ge=1, le=100)] = 10) -> list[Recommendation]:
    return recommender.get_top_n(user_id, n)


@app.post("/answers")
def answer(user_id: UserId, made: Answer, recommender: Opened) -> list[Recommendation]:
    recommender.update_user(user_id, made.movie_id, made.swipe, idempotency_key=made.idempotency_key)
    return recommender.get_top_n(user_id)


@app.delete("/answers/latest")
def undo(user_id: UserId, recommender: Opened, idempotency_key: str | None = None) -> list[Recommendation]:
    recommender.undo(user_id, idempotency_key=idempotency_key)
    return recommender.get_top_n(user_id)


@app.exception_handler(MlrecError)
async def refuse(request: Request, error: MlrecError) -> JSONResponse:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if status != 503:
        return JSONResponse({"error": error.message, "hint": error.hint}, status)
    # The message names files and servers. It belongs in the log, not in the reply.
    log.error("%s %s: %s %s", request.method, request.url.path, error.message, error.hint)
    return JSONResponse({"error": "The service is not available."}, status, {"Retry-After": "5"})
