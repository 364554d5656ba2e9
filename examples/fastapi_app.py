"""The backend of an app that shows one card at a time: it takes swipes and returns the next list.

    uvicorn examples.fastapi_app:app --workers 2

Set MLREC_DATA_DIR to the data directory. MLREC_STORE names a store of swipes other than `users.db` in it.
MLREC_REFRESH_SECONDS is how often a worker checks for a newly published model. Your own authentication must decide who
may act for which user.

Ids are whole numbers or texts, whichever the ids of the model are. In a path, percent-encode a text id: user "a b/c"
is /users/a%20b%2Fc/recommendations. Two texts cannot be in a path: "." and "..", which clients resolve.
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
from pydantic import BaseModel, Field, StrictInt, StrictStr
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlrec import Explanation, MlrecError, Recommendation, Recommender, ServeSettings, UserState, errors
from mlrec.ids import IdKind
from mlrec.serving.arguments import LONGEST_TEXT, MOST_GENRES, MOST_OPINIONS
from mlrec.serving.results import Movie

LARGEST_BODY = 256 * 1024  # bytes; the most likes that a visitor may send take about half of it

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Recommender]]:
    """Open one recommender for this worker's threads; not at import, because the server may fork after that."""
    seconds = os.environ.get("MLREC_REFRESH_SECONDS", ServeSettings.refresh_seconds)
    with Recommender.open(
        os.environ.get("MLREC_DATA_DIR", "data"),
        store=os.environ.get("MLREC_STORE"),
        settings=ServeSettings(refresh_seconds=float(seconds)),
    ) as recommender:
        yield {"recommender": recommender}


async def opened(request: Request) -> Recommender:  # async: there is nothing to wait for, so no thread is needed
    recommender: Recommender = request.state.recommender
    return recommender


def as_id(text: str, kind: IdKind, name: str) -> int | str:
    """Return the id that a path names: a whole number, or the text as it is."""
    if kind == "text":
        return text  # the library checks it
    # `int` would take "1_0" for user 10, and refuses to read thousands of digits.
    if not re.fullmatch(r"0|-?[1-9]\d{0,99}", text, re.ASCII):
        fault = {"type": "int_parsing", "loc": ("path", name), "msg": "an id is a whole number", "input": text}
        raise RequestValidationError([fault])
    return int(text)


async def user(user_id: str, recommender: Annotated[Recommender, Depends(opened)]) -> int | str:
    return as_id(user_id, recommender.user_id_kind, "user_id")


async def movie(movie_id: str, recommender: Annotated[Recommender, Depends(opened)]) -> int | str:
    return as_id(movie_id, recommender.movie_id_kind, "movie_id")


class LimitedBody:
    """Refuse a body that is too large before it fills the memory, whether or not its length is declared."""

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
UserId = Annotated[int | str, Depends(user)]
MovieId = Annotated[int | str, Depends(movie)]
IdInBody = StrictInt | StrictStr
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
    """The opinions of a visitor without an account."""

    likes: list[IdInBody] = Field([], max_length=MOST_OPINIONS)
    dislikes: list[IdInBody] = Field([], max_length=MOST_OPINIONS)


class NewSwipe(BaseModel):
    """The answer to a card. If it has an idempotency key, it can be sent again when the reply was lost."""

    movie_id: IdInBody
    swipe: Literal["superdislike", "dislike", "skip", "like", "superlike"]
    idempotency_key: str | None = None
    event_id: str | None = Field(None, json_schema_extra={"deprecated": True})  # the key's name before 0.1


def one_key(key: str | None, former: str | None) -> str | None:
    """Return the idempotency key of a request, which may still be named `event_id`."""
    if key is not None and former is not None:
        raise errors.SettingsError("Give idempotency_key or its old name event_id, but not both.")
    return key if former is None else former


class State(BaseModel, from_attributes=True):
    """A user after a swipe or an undo: `mlrec.UserState` without the vector."""

    user_id: int | str
    model_id: str
    event_id: int
    movie_id: int | str
    preference: int
    undone: bool
    is_new: bool
    in_effect: bool
    opinions: int


class Reply(BaseModel):
    """The reply to a swipe or an undo."""

    state: State
    recommendations: list[Recommendation]


def reply(recommender: Recommender, state: UserState, n: int) -> Reply:
    return Reply(state=State.model_validate(state), recommendations=recommender.get_top_n(state.user_id, n))


# All are plain `def`: FastAPI runs them in its thread pool, so writing a swipe to disk does not block other requests.
@app.get("/users/{user_id:path}/recommendations")
def recommend(user_id: UserId, wanted: Annotated[Wanted, Query()], recommender: Opened) -> list[Recommendation]:
    return recommender.get_top_n(user_id, **wanted.options())


@app.post("/users/{user_id:path}/swipes")
def swipe(user_id: UserId, made: NewSwipe, recommender: Opened, n: Length = 10) -> Reply:
    # Filters are not accepted here: an invalid one would fail the request after its swipe had been stored.
    key = one_key(made.idempotency_key, made.event_id)
    return reply(recommender, recommender.update_user(user_id, made.movie_id, made.swipe, idempotency_key=key), n)


@app.delete("/users/{user_id:path}/swipes/latest")
def undo(
    user_id: UserId,
    recommender: Opened,
    n: Length = 10,
    idempotency_key: str | None = None,
    event_id: Annotated[str | None, Query(deprecated=True)] = None,
) -> Reply:
    key = one_key(idempotency_key, event_id)
    return reply(recommender, recommender.undo(user_id, idempotency_key=key), n)


@app.get("/users/{user_id:path}/why/{movie_id:path}")
def why(user_id: UserId, movie_id: MovieId, recommender: Opened) -> Explanation:
    return recommender.explain(user_id, movie_id)


@app.get("/movies/{movie_id:path}/similar")
def similar(movie_id: MovieId, recommender: Opened, n: Length = 10) -> list[Recommendation]:
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
    errors.ForgottenUserError: 410,  # 403 depends on who asks; here nobody may store anything
    errors.SettingsError: 422,
    errors.CannotExplainError: 501,  # neither another request nor waiting changes the update rule
    errors.InputError: 400,
    errors.StateError: 503,
}


@app.exception_handler(RequestValidationError)
async def misshapen(_: Request, error: RequestValidationError) -> JSONResponse:
    # FastAPI's own reply quotes the input, which may not be valid JSON: NaN, or half of a surrogate pair.
    faults = [{name: fault[name] for name in ("type", "loc", "msg")} for fault in error.errors()]
    return JSONResponse({"detail": faults}, 422)


@app.exception_handler(MlrecError)
async def refuse(request: Request, error: MlrecError) -> JSONResponse:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if status != 503:
        return JSONResponse({"error": error.message, "hint": error.hint}, status)
    # The message names files and servers. It belongs in the log, not in the reply.
    log.error("%s %s: %s %s", request.method, request.url.path, error.message, error.hint)
    headers = {"Retry-After": "5"} if isinstance(error, errors.StoreUnavailableError) else None
    return JSONResponse({"error": "The service is not available.", "hint": "Try again later."}, status, headers)
