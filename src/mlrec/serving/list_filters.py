"""The filters of a list: which movies it may have, and how they are spread. One object for lists of every kind.

A new filter is a field of `ListFilters` with its check, a key of `NamedFilters`, and what it lets pass in `allowed.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypedDict

from mlrec.errors import SettingsError, shown, unfit
from mlrec.ids import PublicId
from mlrec.serving import arguments
from mlrec.settings import SeenMovies


@dataclass(frozen=True, kw_only=True)
class ListFilters:
    """Which movies may be listed, and how they are spread.

    The filters narrow a list and never pad it: if fewer than n movies pass, the list is shorter. An empty list says
    which filter left nothing (`ResultList.why_empty`).

    Attributes
    ----------
    genres
        Only movies of at least one of these genres, at most 1,000 of them. Case does not matter.
    not_genres
        No movies of any of these genres.
    years
        Only movies released from the first to the second year, both included.
    only
        Only the movies with these ids, at most 100,000: the films on a shelf or a watchlist, say. Their order does not
        matter, because the list is in order of score. Ids that the model does not know are ignored. None: all movies.
        An empty list of ids lets no movie pass.
    exclude
        Ids of movies not to list, at most 10,000. Ids that the model does not know are ignored.
    seen
        What becomes of movies that the user has rated or swiped. "hide": they are not listed. "show": they are listed
        too. "only": no others are, for watching again.
    max_per_genre
        At most this many movies of any one genre. A movie counts for each of its genres. The better-ranked movie comes
        in first. None: any number.
    diversity
        0 to 1. At 0, movies are ranked by score alone. The higher the value, the lower a movie that resembles those
        above it is ranked (maximal marginal relevance, Carbonell & Goldstein 1998).

    Raises
    ------
    SettingsError
        If a value cannot be used.
    """

    genres: Iterable[str] | None = None
    not_genres: Iterable[str] = ()
    years: tuple[int, int] | None = None
    only: Iterable[PublicId] | None = None
    exclude: Iterable[PublicId] = ()
    seen: SeenMovies = "hide"
    max_per_genre: int | None = None
    diversity: float = 0.0

    def __post_init__(self) -> None:
        """Check every value, and store the content of iterators. What the ids are is checked with the model."""
        checked = {
            "genres": arguments.genres("genres", self.genres),
            "not_genres": arguments.genres("not_genres", self.not_genres) or (),
            "years": arguments.years(self.years),
            "only": None if self.only is None else arguments.unchecked_ids("only", self.only, arguments.MOST_ONLY),
            "exclude": arguments.unchecked_ids("exclude", self.exclude, arguments.MOST_EXCLUDED),
            "seen": arguments.seen(self.seen),
            "max_per_genre": arguments.max_per_genre(self.max_per_genre),
            "diversity": arguments.diversity(self.diversity),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def ranks_alone(self) -> bool:
        """Whether the place of a movie depends on its score alone, and not on the movies above it."""
        return not self.diversity and self.max_per_genre is None


_NONE = ListFilters()


class NamedFilters(TypedDict, total=False):
    """The fields of `ListFilters` as keyword arguments."""

    genres: Iterable[str] | None
    not_genres: Iterable[str]
    years: tuple[int, int] | None
    only: Iterable[PublicId] | None
    exclude: Iterable[PublicId]
    seen: SeenMovies
    max_per_genre: int | None
    diversity: float
    include_seen: bool
    """True is `seen="show"`, and False is `seen="hide"`."""


def combined(filters: ListFilters | None, named: NamedFilters) -> ListFilters:
    """Return filters whose fields are those of `filters`, except where they are named.

    Raises
    ------
    TypeError
        If no filter has one of the names.
    SettingsError
        If a value cannot be used.
    """
    if filters is None and not named:
        return _NONE
    if not isinstance(filters, ListFilters | None):
        raise unfit("filters", "ListFilters", filters)
    given: dict[str, Any] = {**named}
    if "include_seen" in given:
        if "seen" in given:
            raise SettingsError("seen and include_seen were both given.", "include_seen=True is seen='show'.")
        given["seen"] = "show" if arguments.yes_or_no("include_seen", given.pop("include_seen")) else "hide"
    known = [field.name for field in fields(ListFilters)]
    if unknown := given.keys() - known:
        raise TypeError(f"unexpected keyword argument {shown(min(unknown))}; the filters are {', '.join(known)}")
    return ListFilters(**given) if filters is None else replace(filters, **given)


@dataclass(frozen=True)
class Emptied:
    """Why a list is empty: how many movies its filters have left, one after the other.

    Attributes
    ----------
    movies
        How many movies the model has.
    steps
        The name of each filter that took movies away, and how many it left. The last one left none. Names are fields of
        `ListFilters`, except "unseen" (seen movies were hidden) and "disliked" (somebody in a group dislikes them).
    """

    movies: int
    steps: tuple[tuple[str, int], ...]

    def told(self, names: Mapping[str, str] | None = None) -> str:
        """Return it as a sentence. `names` says what to call the filters."""
        named = {**_CALLED, **(names or {})}
        what = [f"{named.get(name, name)} leaves {f'{left:,}' if left else 'none'}" for name, left in self.steps]
        if len(what) < 2:
            return f"No movie is left: {''.join(what)} of {self.movies:,} movies."
        others = ", ".join(what[:-1])
        return f"No movie is left: of {self.movies:,} movies, {others}{',' * (len(what) > 2)} and {what[-1]}."


_CALLED = {
    "unseen": "leaving out what has been seen",
    "seen": "listing only what has been seen",
    "disliked": "leaving out what somebody dislikes",
}
