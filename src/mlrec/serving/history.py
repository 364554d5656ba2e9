"""A user's log for people to read: with titles, and with undone swipes marked."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from mlrec.errors import shown
from mlrec.ids import PublicId
from mlrec.serving.served_model import ServedModel
from mlrec.serving.spoken_titles import label
from mlrec.serving.stores.interface import SwipeStore


@dataclass(frozen=True)
class HistoryEvent:
    """A swipe in a user's log.

    Attributes
    ----------
    event_id
        Number of the event. It rises with each event of the user, including undos.
    movie_id, title, year
        The movie; title and year are None if the model does not know it.
    preference
        −2, −1, +1 or +2; 0 for a skip.
    at
        When it happened, in epoch seconds.
    undone
        Whether the swipe was undone.
    idempotency_key
        The caller's own id of the swipe, if it gave one.
    """

    event_id: int
    movie_id: PublicId
    title: str | None
    year: int | None
    preference: int
    at: int
    undone: bool
    idempotency_key: str | None

    @property
    def label(self) -> str:
        """Title and year as one text, or the id of an unknown movie."""
        return (
            label(self.title, self.year)
            if self.title is not None
            else f"movie {shown(self.movie_id)}, not in the model"
        )

    @property
    def client_id(self) -> str | None:
        """Deprecated: the former name of `idempotency_key`, kept until 1.0."""
        warnings.warn(
            "client_id is now called idempotency_key. The old name will be removed in mlrec 1.0.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.idempotency_key

    def to_json(self) -> dict[str, Any]:
        """Return the event as plain JSON values. The idempotency key is named `client_id`, as in exports."""
        return {"client_id" if name == "idempotency_key" else name: value for name, value in vars(self).items()}


def history_of(store: SwipeStore, user_id: PublicId, served: ServedModel | None) -> list[HistoryEvent]:
    """Return a user's swipes in the order of the log.

    Parameters
    ----------
    store
        The store of swipes.
    user_id
        The user.
    served
        The model that titles come from; None if there is no model.
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
                idempotency_key=event.idempotency_key,
            )
        )
    return found
