"""The backend of an app that shows one card at a time: swipes in, the next list out.

    uvicorn examples.fastapi_app:app --workers 2

MLREC_DATA_DIR is the data directory, MLREC_STORE another store of swipes than `users.db` in it, MLREC_REFRESH_SECONDS
how often a worker looks for a newly published model. Who may act for which user is for your authentication to say.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlrec import Explanation, MlrecError, Recommendation, Recommender, ServeSettings, UserState, errors
from mlrec.serving.arguments import LONGEST_TEXT, MOST_GENRES, MOST_OPINIONS
from mlrec.serving.results import Movie

LARGEST_BODY = 256 * 1024  # bytes; as many likes as a visitor may have take about half of it

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Recommender]]:
    """Open one recommender for this worker's threads; here and not at import, where a fork could still follow."""
    seconds = os.environ.get("MLREC_REFRESH_SECONDS", ServeSettings.refresh_seconds)
    with Recommender.open(
        os.environ.get("MLREC_DATA_DIR", "data"),
        store=os.environ.get("MLREC_STORE"),
        settings=ServeSettings(refresh_seconds=float(seconds)),
    ) as recommender:
        yield {"recommender": recommender}


def as_written(value: object) -> object:
    """Refuses what pydantic would take for a whole number, though no id is written so: "1_0" is not user 10."""
    if isinstance(value, str) and not re.fullmatch(r"0|-?[1-9]\d*", value, re.ASCII):
        raise ValueError("an id is a whole number")
    return value


Id = Annotated[int, BeforeValidator(as_written)]


async def opened(request: Request) -> Recommender:  # async: there is nothing to wait for, so no thread is needed
    recommender: Recommender = request.state.recommender
    return recommender


class LimitedBody:
    """Refuses a body that is too large before it is held in memory, whether or not it says its length."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_BODY:
                raise HTTPException(413, "The body is too large.")
            return message

        await self.app(scope, counted, send)


app = FastAPI(title="mlrec", lifespan=lifespan)
app.add_middleware(LimitedBody)
Opened = Annotated[Recommender, Depends(opened)]
Length = Annotated[int, Query(ge=1, le=100)]


class Wanted(BaseModel):
    """Query parameters of a list."""

    n: int = Field(10, ge=1, le=100)
    genre: Annotated[list[str] | None, Field(max_length=MOST_GENRES)] = None
    first_year: int | None = None
    last_year: int | None = None
    diversity: float = 0.0

    def options(self) -> dict[str, Any]:
        """Arguments of `Recommender.get_top_n` and `Recommender.recommend_for`."""
        years = (self.first_year or 0, self.last_year or 9999) if self.first_year or self.last_year else None
        return {"n": self.n, "genres": self.genre, "years": years, "diversity": self.diversity}


class Visitor(BaseModel):
    """What somebody without an account has said so far."""

    likes: list[int] = Field([], max_length=MOST_OPINIONS)
    dislikes: list[int] = Field([], max_length=MOST_OPINIONS)


class NewSwipe(BaseModel):
    """The answer to a card. With an idempotency key of its own it can be sent again when the reply was lost."""

    movie_id: int
    swipe: Literal["superdislike", "dislike", "skip", "like", "superlike"]
    idempotency_key: str | None = None
    event_id: str | None = Field(None, json_schema_extra={"deprecated": True})  # the key's name before 0.1


def one_key(key: str | None, former: str | None) -> str | None:
    """The idempotency key of a request, which may still call it `event_id`."""
    if key is not None and former is not None:
        raise errors.SettingsError("Give idempotency_key or event_id, its old name, but not both.")
    return key if former is None else former


class State(BaseModel, from_attributes=True):
    """A user after a swipe or an undo: `mlrec.UserState` without the vector."""

    user_id: int
    model_id: str
    event_id: int
    movie_id: int
    preference: int
    undone: bool
    is_new: bool
    in_effect: bool
    opinions: int


class Reply(BaseModel):
    """What comes back from a swipe or an undo."""

    state: State
    recommendations: list[Recommendation]


def reply(recommender: Recommender, state: UserState, n: int) -> Reply:
    return Reply(state=State.model_validate(state), recommendations=recommender.get_top_n(state.user_id, n))


# All plain `def`: FastAPI runs them in its thread pool, so a swipe's way to the disk holds up nobody else.
@app.get("/users/{user_id}/recommendations")
def recommend(user_id: Id, wanted: Annotated[Wanted, Query()], recommender: Opened) -> list[Recommendation]:
    return recommender.get_top_n(user_id, **wanted.options())


@app.post("/users/{user_id}/swipes")
def swipe(user_id: Id, made: NewSwipe, recommender: Opened, n: Length = 10) -> Reply:
    # No filters here: one that cannot be used would refuse the request after its swipe had been stored.
    key = one_key(made.idempotency_key, made.event_id)
    return reply(recommender, recommender.update_user(user_id, made.movie_id, made.swipe, idempotency_key=key), n)


@app.delete("/users/{user_id}/swipes/latest")
def undo(
    user_id: Id,
    recommender: Opened,
    n: Length = 10,
    idempotency_key: str | None = None,
    event_id: Annotated[str | None, Query(deprecated=True)] = None,
) -> Reply:
    key = one_key(idempotency_key, event_id)
    return reply(recommender, recommender.undo(user_id, idempotency_key=key), n)


@app.get("/users/{user_id}/why/{movie_id}")
def why(user_id: Id, movie_id: Id, recommender: Opened) -> Explanation:
    return recommender.explain(user_id, movie_id)


@app.get("/movies/{movie_id}/similar")
def similar(movie_id: Id, recommender: Opened, n: Length = 10) -> list[Recommendation]:
    return recommender.similar_movies(movie_id, n)


@app.get("/movies")
def search(title: Annotated[str, Query(max_length=LONGEST_TEXT)], recommender: Opened, n: Length = 10) -> list[Movie]:
    return recommender.search(title, n)


@app.post("/visitors/recommendations")
def greet(visitor: Visitor, wanted: Annotated[Wanted, Query()], recommender: Opened) -> list[Recommendation]:
    return recommender.recommend_for(visitor.likes, visitor.dislikes, **wanted.options())


@app.get("/health")
def health(recommender: Opened) -> dict[str, str]:
    return {"model_id": recommender.model_id}


STATUS: dict[type[MlrecError], int] = {
    errors.UnknownMovieError: 404,
    errors.IdempotencyKeyConflictError: 409,
    errors.NothingToUndoError: 409,
    errors.ForgottenUserError: 410,  # 403 is about who asks; here nobody may store anything
    errors.SettingsError: 422,
    errors.CannotExplainError: 501,  # neither another request nor waiting changes the update rule
    errors.InputError: 400,
    errors.StateError: 503,
}


@app.exception_handler(RequestValidationError)
async def misshapen(_: Request, error: RequestValidationError) -> JSONResponse:
    # FastAPI's own answer quotes what was sent, which need not be JSON: NaN, half of a surrogate pair.
    faults = [{name: fault[name] for name in ("type", "loc", "msg")} for fault in error.errors()]
    return JSONResponse({"detail": faults}, 422)


@app.exception_handler(MlrecError)
async def refuse(request: Request, error: MlrecError) -> JSONResponse:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if status != 503:
        return JSONResponse({"error": error.message, "hint": error.hint}, status)
    # It names files and servers: that is for the log, not for whoever called.
    log.error("%s %s: %s %s", request.method, request.url.path, error.message, error.hint)
    headers = {"Retry-After": "5"} if isinstance(error, errors.StoreUnavailableError) else None
    return JSONResponse({"error": "The service cannot answer now.", "hint": "Try again later."}, status, headers)
