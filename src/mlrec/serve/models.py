"""The bodies of requests, and those of replies that are not results of the library."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from mlrec.ids import LARGEST_ID, LONGEST_ID, SMALLEST_ID
from mlrec.serving.arguments import LONGEST_TEXT, MOST_EXCLUDED, MOST_GENRES, MOST_OPINIONS
from mlrec.serving.results import Recommendation, SwipeRequest
from mlrec.settings import SeenMovies

MOST_ITEMS = 1_000
"""Movies of one list, and entries of one page."""
MOST_BATCH = 100
"""Users or swipes of one batch."""
MOST_ONLY = 10_000
"""Movies that a list may be made of."""
_FIRST_YEAR, _LAST_YEAR = 0, 9999

SwipeName = Literal["superdislike", "dislike", "skip", "like", "superlike"]
CardSource = Literal["personal", "popular", "genre", "similar", "search", "visitor", "other"]


def _sendable(value: Any) -> Any:
    """Refuse a lone surrogate, which no store and no reply can hold."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("text must be valid Unicode, without lone surrogates") from None
    return value


Sendable = BeforeValidator(_sendable)
IdNumber = Annotated[StrictInt, Field(ge=SMALLEST_ID, le=LARGEST_ID)]
IdText = Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_ID), Sendable]
Id = IdNumber | IdText
"""The id of a user or movie: a whole number or a text, whichever the ids of the model are."""
GenreName = Annotated[str, Field(max_length=LONGEST_TEXT), Sendable]
Text = Annotated[str, Field(max_length=LONGEST_TEXT), Sendable]
Length = Annotated[int, Field(ge=1, le=MOST_ITEMS)]
Year = Annotated[int, Field(ge=_FIRST_YEAR, le=_LAST_YEAR)]
EventKey = Annotated[StrictStr, Field(min_length=1, max_length=200), Sendable]
PerGenre = Annotated[int, Field(ge=1)]
Diversity = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Strict(BaseModel):
    """A part of a request: whatever it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class Filters(Strict):
    """Which movies may be listed."""

    genre: list[GenreName] | None = Field(
        None, max_length=MOST_GENRES, description="Only movies of at least one of these genres."
    )
    not_genre: list[GenreName] = Field([], max_length=MOST_GENRES, description="No movies of any of these genres.")
    first_year: Year | None = Field(None, description="Only movies of this year or later.")
    last_year: Year | None = Field(None, description="Only movies of this year or earlier.")
    max_per_genre: PerGenre | None = Field(
        None, description="At most this many movies of any one genre. A movie counts for each of its genres."
    )
    diversity: Diversity = Field(
        0.0, description="How far a movie moves down if it is similar to those above it. 0: not at all."
    )

    def options(self) -> dict[str, Any]:
        """The filters as arguments of the library."""
        is_free = self.first_year is None and self.last_year is None
        first = _FIRST_YEAR if self.first_year is None else self.first_year
        last = _LAST_YEAR if self.last_year is None else self.last_year
        return {
            "genres": self.genre or None,
            "not_genres": self.not_genre,
            "years": None if is_free else (first, last),
            "max_per_genre": self.max_per_genre,
            "diversity": self.diversity,
        }


class CardFilters(Filters):
    """Which cards are dealt."""

    n: Length = Field(10, description="How many movies.")
    only: list[Id] | None = Field(
        None,
        max_length=MOST_ONLY,
        description="Only the movies with these ids, such as a shelf or a watchlist. Their order does not matter.",
    )
    exclude: list[Id] = Field([], max_length=MOST_EXCLUDED, description="Ids of movies not to list.")

    def options(self) -> dict[str, Any]:
        """The filters as arguments of the library."""
        return {**super().options(), "n": self.n, "only": self.only, "exclude": self.exclude}


class ListFilters(CardFilters):
    """Which movies are listed."""

    include_seen: bool = Field(False, description="Also list movies that the user has rated or swiped.")
    seen: SeenMovies | None = Field(
        None,
        description="What becomes of movies that the user has rated or swiped: hide, show, or only (to watch again)."
        " Without it: hide, or show with include_seen.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.include_seen and self.seen not in (None, "show"):
            raise ValueError(f"include_seen=true and seen={self.seen} contradict each other")
        return self

    def options(self) -> dict[str, Any]:
        """The filters as arguments of the library."""
        return {**super().options(), "seen": self.seen or ("show" if self.include_seen else "hide")}


class CardQuery(CardFilters):
    """Query parameters of a deck."""

    only: list[str] | None = Field(  # type: ignore[assignment]
        None, max_length=MOST_ONLY, description="Only the movies with these ids."
    )
    exclude: list[str] = Field([], max_length=MOST_EXCLUDED, description="Ids of movies not to deal.")  # type: ignore[assignment]


class ListQuery(ListFilters):
    """Query parameters of a list."""

    only: list[str] | None = Field(  # type: ignore[assignment]
        None, max_length=MOST_ONLY, description="Only the movies with these ids."
    )
    exclude: list[str] = Field([], max_length=MOST_EXCLUDED, description="Ids of movies not to list.")  # type: ignore[assignment]


class Visitor(ListFilters):
    """The opinions of a visitor without an account, and which movies are listed."""

    likes: list[Id] = Field([], max_length=MOST_OPINIONS, examples=[[1, 260]])
    dislikes: list[Id] = Field([], max_length=MOST_OPINIONS)
    include_seen: StrictBool = False


class VisitorQuestion(Strict):
    """A movie of a visitor's list."""

    movie_id: Id
    likes: list[Id] = Field([], max_length=MOST_OPINIONS, examples=[[1, 260]])
    dislikes: list[Id] = Field([], max_length=MOST_OPINIONS)


class Batch(ListFilters):
    """Users, and which movies are listed for each."""

    user_ids: list[Id] = Field(min_length=1, max_length=MOST_BATCH, examples=[[42, 43]])
    include_seen: StrictBool = False


class NewSwipe(Strict):
    """The answer to a card."""

    movie_id: Id = Field(examples=[318])
    swipe: SwipeName
    event_id: EventKey | None = Field(
        None,
        description="Your own id of the swipe, unique for the user. Sent again with the same id, it changes nothing."
        " The header Idempotency-Key means the same.",
        examples=["card-17"],
    )
    at: Annotated[StrictInt, Field(ge=0, le=LARGEST_ID)] | None = Field(
        None, description="When the swipe happened, in epoch seconds. Without it: now.", examples=[1_790_000_000]
    )
    source: CardSource = Field("other", description="Where the card came from. Only counted, for /metrics.")

    def request(self, user_id: int | str, key: str | None) -> SwipeRequest:
        """The swipe as an argument of the library."""
        return SwipeRequest(user_id, self.movie_id, self.swipe, self.at, key)


class SwipeOf(NewSwipe):
    """A swipe of a user, in a batch."""

    user_id: Id = Field(examples=[42])


class Swipes(Strict):
    """Swipes of one or several users, in the order in which they are learned."""

    swipes: list[SwipeOf] = Field(min_length=1, max_length=MOST_BATCH)


class State(BaseModel, from_attributes=True):
    """A user after a swipe or an undo."""

    user_id: int | str
    model_id: str
    event_id: int = Field(description="Number of the event in the user's log.")
    movie_id: int | str
    preference: int = Field(description="−2, −1, 0 (skip), +1 or +2.")
    undone: bool
    is_new: bool = Field(description="False if the log had it already, so that nothing was changed.")
    in_effect: bool = Field(description="Whether it is the user's current opinion of the movie.")
    opinions: int = Field(description="How many opinions the user's vector is computed from.")


class Reply(BaseModel):
    """A user after a swipe or an undo, and the list afterwards."""

    state: State
    recommendations: list[Recommendation] | None = Field(
        None, description="The user's list afterwards, if the request asks for one with n."
    )


class BatchReply(BaseModel):
    """What became of one swipe of a batch."""

    status: int = Field(description="200, or the status of the problem.")
    state: State | None = None
    detail: str = ""


class UserList(BaseModel):
    """The list of one user."""

    user_id: int | str
    recommendations: list[Recommendation]
    why_empty: str | None = Field(None, description="Which filter left no movie, if the list is empty.")


class Forgotten(BaseModel):
    """A user who was forgotten."""

    user_id: int | str
    deleted: int = Field(description="How many events of the log were deleted.")


class Session(BaseModel):
    """A person on the page."""

    user_id: int | str
    may_be_anyone: bool = Field(description="Whether the person may act for every user: there are no API keys.")
    poster_url: str | None = None
    is_forgotten: bool


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The service answers requests."""

    status: Literal["ready", "not ready"]
    model_id: str | None = None
    store: Literal["ok", "failing"] = "ok"
