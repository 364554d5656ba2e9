"""The routes of the API. Each is one call of the library and a model of its result."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from mlrec.errors import MlrecError
from mlrec.serve import problems
from mlrec.serve.models import (
    Batch,
    BatchReply,
    CardQuery,
    EventKey,
    Forgotten,
    Length,
    ListQuery,
    NewSwipe,
    Reply,
    State,
    Swipes,
    Text,
    UserList,
    Visitor,
    VisitorQuestion,
)
from mlrec.serve.requests import (
    HeaderKey,
    MovieId,
    Serving,
    UserId,
    as_ids,
    known_parameters,
    one_key,
    trusted,
)
from mlrec.serve.service import Service
from mlrec.serving.history import HistoryEvent
from mlrec.serving.people import RatedMovie, UserProfile
from mlrec.serving.recommender import Recommender
from mlrec.serving.result_list import ResultList
from mlrec.serving.results import Card, Explanation, Genre, ModelSummary, Movie, Recommendation, UserState

_COMMON = problems.responses(400, 401, 403, 404, 408, 413, 421, 422, 429, 503)

# What the API calls the filters of the library.
_FILTERS = {
    "genres": "genre",
    "not_genres": "not_genre",
    "years": "first_year to last_year",
    "seen": "seen=only",
}

router = APIRouter(prefix="/v1", dependencies=[Depends(known_parameters)], responses=_COMMON)


# -- lists -------------------------------------------------------------------------------------------------------------


@router.get("/users/{user_id:path}/recommendations", tags=["lists"])
async def recommendations(
    user_id: UserId, wanted: Annotated[ListQuery, Query()], service: Serving, response: Response
) -> list[Recommendation]:
    """The best movies for a user. A user whom nobody knows gets popular movies, spread over genres."""
    found = await service.read(service.recommender.get_top_n, user_id, **_options(wanted, service))
    _tell_why_empty(found, response)
    return _counted(service, found)


@router.get("/users/{user_id:path}/deck", tags=["lists"])
async def deck(
    user_id: UserId, wanted: Annotated[CardQuery, Query()], service: Serving, response: Response
) -> list[Card]:
    """The cards to show a user next: the best movies, each with its rank among all movies and with reasons."""
    found = await service.read(service.recommender.deck, user_id, **_options(wanted, service))
    _tell_why_empty(found, response)
    return found


def _options(wanted: CardQuery | ListQuery, service: Service) -> dict[str, Any]:
    """The filters of a query, in which ids are texts, as arguments of the library."""
    kind = service.recommender.movie_id_kind
    only = None if wanted.only is None else as_ids(wanted.only, kind, "only")
    return {**wanted.options(), "only": only, "exclude": as_ids(wanted.exclude, kind, "exclude")}


def _why_empty(found: ResultList[Any]) -> str | None:
    """Which filter of the API left no movie, as a sentence in ASCII; None if the list has movies."""
    return None if found or found.emptied is None else found.emptied.told(_FILTERS)


def _tell_why_empty(found: ResultList[Any], response: Response) -> None:
    if (why := _why_empty(found)) is not None:
        response.headers["X-Why-Empty"] = why


@router.get("/users/{user_id:path}/why/{movie_id:path}", tags=["lists"], responses=problems.responses(501))
async def why(user_id: UserId, movie_id: MovieId, service: Serving) -> Explanation:
    """Why a movie has its score: what each of the user's opinions adds to it. The likes and popularity add up to it."""
    return await service.read(service.recommender.explain, user_id, movie_id)


@router.post("/visitors/recommendations", tags=["lists"])
async def visitor_recommendations(visitor: Visitor, service: Serving, response: Response) -> list[Recommendation]:
    """The best movies for a visitor without an account, by a few likes and dislikes. Nothing is stored."""
    call = service.recommender.recommend_for
    found = await service.read(call, visitor.likes, visitor.dislikes, **visitor.options())
    _tell_why_empty(found, response)
    return _counted(service, found)


@router.post("/visitors/why", tags=["lists"], responses=problems.responses(501))
async def visitor_why(asked: VisitorQuestion, service: Serving) -> Explanation:
    """Why a movie has its score in a visitor's list."""
    return await service.read(service.recommender.explain_for, asked.movie_id, asked.likes, asked.dislikes)


@router.post("/batch/recommendations", tags=["lists"], dependencies=[Depends(trusted)])
async def batch_recommendations(batch: Batch, service: Serving) -> list[UserList]:
    """The lists of up to 100 users."""
    lists = await service.read(_lists, service.recommender, batch.user_ids, batch.options())
    return [
        UserList(user_id=user_id, recommendations=_counted(service, found), why_empty=_why_empty(found))
        for user_id, found in zip(batch.user_ids, lists, strict=True)
    ]


def _lists(
    recommender: Recommender, user_ids: list[int | str], options: dict[str, Any]
) -> list[ResultList[Recommendation]]:
    return [recommender.get_top_n(user_id, **options) for user_id in user_ids]


def _counted(service: Service, found: ResultList[Recommendation]) -> ResultList[Recommendation]:
    is_cold = bool(found) and found[0].taste == 0
    service.metrics.lists.labels("cold" if is_cold else "personal").inc()
    return found


# -- swipes ------------------------------------------------------------------------------------------------------------


@router.post("/users/{user_id:path}/swipes", tags=["swipes"], responses=problems.responses(409, 410))
async def swipe(
    user_id: UserId,
    made: NewSwipe,
    service: Serving,
    header_key: HeaderKey,
    n: Annotated[
        Length | None, Query(description="Also answer with the user's list afterwards, of this length.")
    ] = None,
) -> Reply:
    """Store a swipe and learn from it. When the answer comes, the swipe is on the disk.

    If no answer comes, send the request again with the same event_id: that changes nothing twice.
    """
    state = await service.swipes.run(made.request(user_id, one_key(made.event_id, header_key)))
    _count_swipe(service, made, state.is_new)
    return await _reply(service, state, n)


async def _reply(service: Service, state: UserState, n: int | None) -> Reply:
    listed = None if n is None else await service.read(service.recommender.get_top_n, state.user_id, n)
    return Reply(state=State.model_validate(state), recommendations=listed)


def _count_swipe(service: Service, made: NewSwipe, is_new: bool) -> None:
    if is_new:
        service.metrics.swipes.labels(made.swipe, made.source).inc()


@router.delete("/users/{user_id:path}/swipes/latest", tags=["swipes"], responses=problems.responses(409, 410))
async def undo(
    user_id: UserId,
    service: Serving,
    header_key: HeaderKey,
    event_id: Annotated[EventKey | None, Query(description="Your own id of the undo, as in a swipe.")] = None,
    n: Annotated[
        Length | None, Query(description="Also answer with the user's list afterwards, of this length.")
    ] = None,
) -> Reply:
    """Undo the user's latest swipe, as if it had never been made."""
    key = one_key(event_id, header_key)
    state = await service.write(service.recommender.undo, user_id, idempotency_key=key)
    if state.is_new:
        service.metrics.undone.inc()
    return await _reply(service, state, n)


@router.post("/batch/swipes", tags=["swipes"], dependencies=[Depends(trusted)])
async def batch_swipes(batch: Swipes, service: Serving) -> list[BatchReply]:
    """Store up to 100 swipes together, in their order. One that is refused does not stop the others.

    A swipe with status 503 may have been stored: send it again, with the same event_id.
    """
    requests = [made.request(made.user_id, made.event_id) for made in batch.swipes]
    states = await service.write(service.recommender.update_users, requests)
    for made, state in zip(batch.swipes, states, strict=True):
        if isinstance(state, UserState):
            _count_swipe(service, made, state.is_new)
    return list(map(_batch_reply, states))


def _batch_reply(state: UserState | MlrecError) -> BatchReply:
    if isinstance(state, UserState):
        return BatchReply(status=200, state=State.model_validate(state))
    status, detail, _ = problems.of_error(state)
    return BatchReply(status=status, detail=detail)


# -- users -------------------------------------------------------------------------------------------------------------


@router.get("/users/{user_id:path}/swipes", tags=["users"])
async def history(
    user_id: UserId,
    service: Serving,
    n: Annotated[Length, Query(description="How many swipes: the latest ones.")] = 100,
) -> list[HistoryEvent]:
    """The user's latest swipes, oldest first, with undone ones marked."""
    found = await service.read(service.recommender.history, user_id)
    return found[-n:]


@router.get("/users/{user_id:path}/ratings", tags=["users"])
async def ratings(
    user_id: UserId,
    service: Serving,
    n: Annotated[Length, Query(description="How many ratings: the latest ones.")] = 100,
) -> list[RatedMovie]:
    """The user's latest ratings in the model's data, oldest first."""
    found = await service.read(service.recommender.ratings, user_id)
    return found[-n:]


@router.get("/users/{user_id:path}", tags=["users"])
async def profile(user_id: UserId, service: Serving) -> UserProfile:
    """What is known of a user: counts, times, and the genres that the user likes most."""
    return await service.read(service.recommender.user, user_id)


@router.delete("/users/{user_id:path}", tags=["users"])
async def forget(user_id: UserId, service: Serving) -> Forgotten:
    """Forget a user: delete the log, and store nothing of this user again."""
    return Forgotten(user_id=user_id, deleted=await service.write(service.recommender.forget_user, user_id))


# -- movies ------------------------------------------------------------------------------------------------------------


@router.get("/movies", tags=["movies"])
async def search(
    title: Annotated[Text, Query(min_length=1, description="A title or a part of it; it need not be exact.")],
    service: Serving,
    n: Annotated[Length, Query(description="Most movies to find.")] = 10,
) -> list[Movie]:
    """Movies whose titles match a text or, if none do, are similar to it. The best match comes first."""
    return await service.read(service.recommender.search, title, n)


@router.get("/genres", tags=["movies"])
async def genres(service: Serving) -> list[Genre]:
    """The genres of the movies, in alphabetical order."""
    return await service.read(service.recommender.genres)


@router.get("/movies/{movie_id:path}/similar", tags=["movies"])
async def similar(
    movie_id: MovieId,
    service: Serving,
    n: Annotated[Length, Query(description="How many movies.")] = 10,
) -> list[Recommendation]:
    """The movies most similar to a movie, by their vectors and by which movies are liked together."""
    return await service.read(service.recommender.similar_movies, movie_id, n)


@router.get("/movies/{movie_id:path}", tags=["movies"])
async def movie(movie_id: MovieId, service: Serving) -> Movie:
    """Everything known of a movie, with its ids at IMDb and TMDB."""
    return await service.read(service.recommender.movie, movie_id)


@router.get("/model", tags=["service"])
async def model(service: Serving) -> ModelSummary:
    """The model that makes the recommendations."""
    return service.recommender.model_summary()
