"""Ids on the command line: what a text means as the id of a user or a movie, which depends on the data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from mlrec.cli.options import UsageError
from mlrec.errors import MlrecError, in_shell, shown

if TYPE_CHECKING:
    from pathlib import Path

    from mlrec.artifacts.model_folder import Model
    from mlrec.ids import IdKind, PublicId
    from mlrec.serving.stores.interface import SwipeStore
    from mlrec.workspace import Workspace

Whose = Literal["user", "movie"]

# As ids are written in data. `int` would read "1_0" as 10, "007" as 7, and Arabic digits.
_WHOLE_NUMBER = re.compile(r"0|-?[1-9]\d*", re.ASCII)


def parse_id(text: str, whose: Whose, kind: IdKind | None) -> PublicId:
    """Return what a text means as an id.

    Parameters
    ----------
    text
        What the user typed. A text id is taken exactly as it is.
    whose
        Whether it is the id of a user or of a movie.
    kind
        What the ids of the data are. If nothing is known about the data (None), a whole number is one.

    Raises
    ------
    UsageError
        If it cannot be such an id.
    """
    from mlrec.ids import LARGEST_ID, LONGEST_ID, SMALLEST_ID, text_fault

    if kind is None:
        kind = "integer" if _WHOLE_NUMBER.fullmatch(text) else "text"
    if kind == "text":
        if fault := text_fault(text):
            raise UsageError(
                f"The id {shown(text)} {fault}. The {whose} ids of this data are texts of 1 to {LONGEST_ID} bytes."
            )
        return text
    # More digits need not be read, and Python refuses to read thousands.
    if not _WHOLE_NUMBER.fullmatch(text[:30]) or not SMALLEST_ID <= int(text[:30]) <= LARGEST_ID:
        raise UsageError(
            f"{shown(text)} is not a valid id. The {whose} ids of this data are whole numbers of up to 64 bits."
        )
    return int(text)


def known_kind(whose: Whose, workspace: Workspace, store: SwipeStore, model: Model | None) -> IdKind | None:
    """Return what the ids of users or movies are; None if nothing says so.

    The model knows. Without one, the prepared data does. Without that, the swipes do if their ids are of one kind.
    """
    from mlrec.artifacts import prepared

    if model is not None:
        return model.user_id_kind if whose == "user" else model.movie_id_kind
    try:
        kinds = prepared.read_manifest(workspace).ids
    except MlrecError:
        if whose == "user":
            return _kind_of_all([*store.user_ids(), *store.forgotten()])
        return _kind_of_all(event.movie_id for user_id in store.user_ids()[:1] for event in store.events(user_id))
    return kinds.users if whose == "user" else kinds.movies


def _kind_of_all(ids: Iterable[PublicId]) -> IdKind | None:
    kinds: set[IdKind] = {"text" if isinstance(one, str) else "integer" for one in ids}
    return kinds.pop() if len(kinds) == 1 else None


def user_of(text: str, workspace: Workspace, store: SwipeStore) -> PublicId:
    """Return what a text means as a user id in a command that works without a model."""
    return parse_id(text, "user", known_kind("user", workspace, store, readable_model(workspace)))


def readable_model(workspace: Workspace) -> Model | None:
    """Return the published model; None if there is none, or it cannot be opened."""
    from mlrec.artifacts import model_folder, registry

    try:
        return model_folder.open_model(registry.resolve(workspace))
    except MlrecError:
        return None


def recommend_example(data_dir: Path) -> str:
    """Return a command that recommends movies to a user of the published model."""
    from mlrec.ids import public_at
    from mlrec.workspace import Workspace

    model = readable_model(Workspace(data_dir))
    is_text = model is not None and model.user_id_kind == "text"
    return f"mlrec recommend --user {in_shell(public_at(model.user_ids, 0) if model and is_text else 42)}"
