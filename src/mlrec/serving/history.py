"""A user's log as people read it: with titles, and what was undone marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlrec.artifacts.documents import to_json
from mlrec.serving.served_model import ServedModel
from mlrec.serving.spoken_titles import label
from mlrec.serving.stores.interface import SwipeStore


@dataclass(frozen=True)
class HistoryEvent:
    """A swipe in a user's log.

    Attributes
    ----------
    event_id
        Rises with each event of the user, tombstones included.
    movie_id, title, year
        The movie; title and year are None if the model does not know it (any more).
    preference
        −2, −1, +1 or +2; 0 for a skip.
    at
        Epoch seconds.
    undone
        Whether it was taken back.
    client_id
        The application's own id of the swipe, if it gave one.
    """

    event_id: int
    movie_id: int
    title: str | None
    year: int | None
    preference: int
    at: int
    undone: bool
    client_id: str | None

    @property
    def label(self) -> str:
        """Title and year as one text, or the id."""
        return label(self.title, self.year) if self.title is not None else f"movie {self.movie_id}, not in the model"

    def to_json(self) -> dict[str, Any]:
        """Return the event as plain JSON values."""
        return to_json(self)


def history_of(store: SwipeStore, user_id: int, served: ServedModel | None) -> list[HistoryEvent]:
    """Return a user's swipes in the order of the log.

    Parameters
    ----------
    store
        Where they are.
    user_id
        Whose.
    served
        Where titles come from; None if there is no model.
    """
    events = store.events(user_id)
    undone = {event.undoes for event in events}
    found = []
    for event in events:
        if event.undoes:
            continue
        row = served.model.movie_idx(event.movie_id) if served else None
        found.append(
            HistoryEvent(
                event_id=event.event_id,
                movie_id=event.movie_id,
                title=served.title(row) if served and row is not None else None,
                year=served.model.catalogue.year[row] if served and row is not None else None,
                preference=event.preference,
                at=event.at,
                undone=event.event_id in undone,
                client_id=event.client_id,
            )
        )
    return found
