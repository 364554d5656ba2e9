"""The way back from serving to training: reads the swipe log for the next preparation."""

from __future__ import annotations

from collections.abc import Iterator

from mlrec.ids import IdKind, PublicId, of_kind, public
from mlrec.progress import SILENT, Progress
from mlrec.ranking.effective_history import SwipeLog
from mlrec.ranking.standing_swipes import StandingSwipes
from mlrec.serving.stores.interface import SwipeStore

_TYPES: dict[IdKind, type] = {"integer": int, "text": str}


def logs_of(
    store: SwipeStore, users: IdKind, movies: IdKind, progress: Progress = SILENT
) -> Iterator[tuple[PublicId, SwipeLog]]:
    """Yield the users of a store and their swipes, user by user.

    Parameters
    ----------
    store
        The store of swipes. Swipes logged meanwhile may or may not be yielded.
    users, movies
        The kinds of ids. Users and swipes of a former data set, with ids of other kinds, are left out.
    progress
        Reports the users read.

    Raises
    ------
    StoreUnavailableError, IncompatibleFormatError
        If the store cannot be read or is damaged.
    """
    user_ids = public(of_kind(store.user_ids(), users))
    with progress.task("Reading swipes", len(user_ids), "users") as task:
        for user_id in user_ids:
            yield user_id, SwipeLog.empty(movies).extended(store.events(user_id))
            task.advance()


def standing_swipes(store: SwipeStore, progress: Progress = SILENT) -> StandingSwipes:
    """Read the standing swipes of all users of a store, user by user.

    Parameters
    ----------
    store
        The store of swipes. Swipes logged meanwhile may or may not be in the result.
    progress
        Reports the users read.

    Raises
    ------
    StoreUnavailableError, IncompatibleFormatError
        If the store cannot be read or is damaged.
    """
    user_ids = store.user_ids()
    with progress.task("Reading swipes", len(user_ids), "users") as task:

        def logs() -> Iterator[tuple[PublicId, SwipeLog]]:
            for user_id in user_ids:
                events = store.events(user_id)
                # A log has one kind of movie ids. A store may also have those of a former data set.
                types = {type(event.movie_id) for event in events}
                for kind in (kind for kind, type_ in _TYPES.items() if type_ in types):
                    yield user_id, SwipeLog.empty(kind).extended(events)
                task.advance()

        return StandingSwipes.of(logs())
