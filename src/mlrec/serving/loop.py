"""The way back from serving to training: reads the swipe log for the next preparation."""

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

        def logs() -> Iterator[tuple[int, SwipeLog]]:
            for user_id in user_ids:
                yield user_id, SwipeLog().extended(store.events(user_id))
                task.advance()

        return StandingSwipes.of(logs())
