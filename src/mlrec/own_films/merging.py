"""What an export says of each film, from all the rows about it; and what that means as an opinion."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlrec.dataset.scales import FIVE_STARS
from mlrec.own_films.rows import BadRow, FilmRow, Rows, Says, Service
from mlrec.preferences import BUCKETS, Swipe

# What says more of a film comes later.
_ORDER: tuple[Says, ...] = ("nothing", "seen", "like", "rating")
_DAY = 86_400


@dataclass(frozen=True)
class FilmInExport:
    """A film of an export, and the row that says most about it.

    Attributes
    ----------
    row
        The row: a rating outranks a like, which outranks that it was seen, which outranks a watchlist.
    identity
        What tells it from the other films of the service.
    at
        When, in epoch seconds. For a row without a date, the date of its neighbour in the file; None if no row of the
        file has one.
    """

    row: FilmRow
    identity: str
    at: int | None


def films_of(rows: Rows) -> tuple[list[FilmInExport], list[BadRow]]:
    """Merge the rows of an export film by film. Returns the films by time, and the rows that cannot be used.

    A film is known by its id or address. A row without one, such as an entry of Letterboxd's diary, is about the film
    with its title and year, unless the service has two of them.
    """
    bad = [row for row in rows if isinstance(row, BadRow)]
    good = [row for row in rows if isinstance(row, FilmRow)]
    dated = dict(zip(map(id, good), _neighbours(good), strict=True))
    groups: dict[tuple[Service, str], list[FilmRow]] = defaultdict(list)
    doubtful: list[FilmRow] = []
    keys: dict[tuple[Service, str], set[str]] = defaultdict(set)
    for row in good:
        if row.key and row.film.title:
            keys[row.service, _titled(row)].add(row.key)
    for row in good:
        same = keys[row.service, _titled(row)]
        if row.key:
            groups[row.service, row.key].append(row)
        elif len(same) == 1:
            groups[row.service, next(iter(same))].append(row)
        elif same:
            doubtful.append(row)
        else:
            groups[row.service, _titled(row)].append(row)
    bad += [_as_bad(row, "the export has two films with this title and year") for row in doubtful]
    films = []
    for (_, identity), own in groups.items():
        best = max(own, key=lambda row: (_ORDER.index(row.says), not _is_diary(row), dated[id(row)] or 0))
        films.append(FilmInExport(best, identity, dated[id(best)]))
    position = {id(row): number for number, row in enumerate(good)}
    films.sort(key=lambda film: (film.at is None, film.at or 0, position[id(film.row)]))
    return films, sorted(bad, key=lambda row: (row.file, row.line))


def _titled(row: FilmRow) -> str:
    return f"{row.film.title.casefold()} | {row.film.year or ''}"


def _is_diary(row: FilmRow) -> bool:
    """Whether a row is about one of several viewings: it does not have the film's own address."""
    return not row.key


def _as_bad(row: FilmRow, reason: str) -> BadRow:
    return BadRow(row.file, row.line, row.text, row.film, reason)


def _neighbours(rows: Sequence[FilmRow]) -> list[int | None]:
    """The date of each row, or that of the row before it in its file, or else of the next one that has a date."""
    found: list[int | None] = [row.at for row in rows]
    for step in (1, -1):
        order = range(len(rows)) if step > 0 else range(len(rows) - 1, -1, -1)
        before: int | None = None
        file: str | None = None
        for number in order:
            if rows[number].file != file:
                file, before = rows[number].file, None
            if found[number] is None:
                found[number] = before
            before = found[number]
    return found


class Scale:
    """How a person's stars become swipes.

    Parameters
    ----------
    stars
        The person's ratings, if their own quarters are to be used: the lowest quarter of them is a strong dislike, and
        so on. None: the cut points of five stars.
    """

    def __init__(self, stars: Iterable[float] | None = None) -> None:
        self._own = None if stars is None else sorted(stars)

    def swipe(self, row: FilmRow) -> Swipe:
        """The swipe that a row means; a skip for a film that was only seen."""
        if row.says == "like":
            return Swipe.LIKE
        if row.stars is None:
            return Swipe.SKIP
        if self._own is None:
            return BUCKETS[bisect_left(FIVE_STARS.cut_points, row.stars)]
        below, up_to = bisect_left(self._own, row.stars), bisect_right(self._own, row.stars)
        # Equal ratings share their middle rank, so that they become the same swipe.
        middle = (below + up_to) / 2 / max(len(self._own), 1)
        return BUCKETS[min(int(len(BUCKETS) * middle), len(BUCKETS) - 1)]


def moments(films: Sequence[FilmInExport], now: int) -> list[int]:
    """The time of each film, in epoch seconds; the films are by time.

    Films of one day keep their order, because each is a second later than the one before. Films without a date are the
    last ones up to now.
    """
    found: list[int] = []
    so_far = 0
    for number, film in enumerate(films):
        if film.at is None:
            found.append(now - (len(films) - 1 - number))
            continue
        is_same_day = number > 0 and films[number - 1].at == film.at and film.at % _DAY == 0
        so_far = min(so_far + 1, _DAY - 1) if is_same_day else 0
        found.append(film.at + so_far)
    return found
