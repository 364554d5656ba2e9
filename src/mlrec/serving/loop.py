"""The way back from serving to learning: what the swipe log holds, read for the next preparation."""

from __future__ import annotations

from collections.abc import Iterator

from mlrec.progress import SILENT, Progress
from mlrec.ranking.effective_history import SwipeLog
from mlrec.ranking.standing_swipes import StandingSwipes
from mlrec.serving.stores.interface import SwipeStore


def standing_swipes(store: SwipeStore, progress: Progress = SILENT) -> StandingSwipes:
    """Read the standing swipes of all users of a store, user by user.

    Parameters
    ----------
    store
        Where the swipes are. Those that are logged meanwhile may or may not be among the result.
    progress
        Told of the users that are read.

    Raises
    ------
    StoreUnavailableError, IncompatibleFormatError
        If the store cannot be read, or is damaged.
    """
    user_ids = store.user_ids()
    with progress.task("Reading swipes", len(user_ids), "users") as task:

        def logs() -> Iterator[tuple[int, SwipeLog]]:
            for user_id in user_ids:
                yield user_id, SwipeLog().extended(store.events(user_id))
                task.advance()

        return StandingSwipes.of(logs())
