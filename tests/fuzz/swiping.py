"""What the attacks on stores of swipes share: people with swipes, every question that may be asked, and the laws."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from mlrec import Recommender
from mlrec.errors import ForgottenUserError, MlrecError
from mlrec.serving.stores.interface import Draft, Event, SwipeStore
from mlrec.workspace import Workspace
from tests.fuzz.attack import Case, command, told
from tests.fuzz.small import MOVIES

KNOWN, STRANGER, FORGOTTEN, QUIET = 3, 900, 901, 902
"""Somebody whom the model knows, two whom it does not (one is forgotten), and somebody who has not swiped."""


class Acknowledged(NamedTuple):
    """A swipe that the store has taken."""

    user_id: int
    event: Event


def fill(store: SwipeStore) -> list[Acknowledged]:
    """Swipes of some people, one of whom is forgotten; returns those that are to be there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "randbits", Random(4).getrandbits)  # the same bytes in each run, for the same damage
        return _fill(store)


def _fill(store: SwipeStore) -> list[Acknowledged]:
    chance, found = Random(3), []
    for number in range(24):
        for user_id in (KNOWN, STRANGER, FORGOTTEN):
            key = f"client é {number}" if number % 3 == 0 else None
            draft = Draft(chance.randint(1, MOVIES), chance.randint(-2, 2), 1_000_000_000 + number, idempotency_key=key)
            logged = store.append(user_id, draft)
            assert logged is not None
            found.append(Acknowledged(user_id, logged.event))
    last = store.append(STRANGER, Draft(found[-2].event.movie_id, 0, 1_000_001_000, undoes=24))
    assert last is not None
    store.forget(FORGOTTEN, 1_000_002_000)
    return [one for one in found if one.user_id != FORGOTTEN] + [Acknowledged(STRANGER, last.event)]


def ask(case: Case, workspace: Workspace, store: str, *, forgotten_is_known: bool = False) -> None:
    """Call everything that reads or writes swipes. What is stored shows at once; and where the damage cannot have
    changed who is forgotten, nothing is stored of those, and nobody else is taken for one.
    """
    opened = told(lambda: Recommender.open(workspace.root, store=store))
    if isinstance(opened, MlrecError):
        return
    with opened as rec:
        users = case.chance.sample((KNOWN, STRANGER, FORGOTTEN, QUIET), 3)
        calls = {
            "undo": lambda user: rec.undo(user),
            "swipe": lambda user: _swipe(case, rec, user),
            "swipe with an id": lambda user: rec.update_user(user, 5, "dislike", idempotency_key="client é 0"),
            "undo with an id": lambda user: rec.undo(user, idempotency_key="client é 3"),
            "list": lambda user: rec.get_top_n(user, 5),
            "history": lambda user: rec.history(user),
            "explain": lambda user: rec.explain(user, 1),
            "forgotten?": lambda user: rec.is_forgotten(user),
            "knows": lambda user: rec.knows_user(user),
            "forget": lambda user: rec.forget_user(QUIET),
            "everybody": lambda user: list(rec.recommend_all(2)),
        }
        for user in users:
            for name in case.chance.sample(sorted(calls), 6):
                outcome = told(lambda: calls[name](user))  # noqa: B023  # called at once
                if forgotten_is_known and user != QUIET and name in ("swipe", "swipe with an id"):
                    is_refused = isinstance(outcome, ForgottenUserError)
                    if user == FORGOTTEN:
                        assert isinstance(outcome, MlrecError), "a swipe of a forgotten user is stored"
                    else:
                        assert not is_refused, f"user {user} has never been forgotten: {outcome}"


def _swipe(case: Case, rec: Recommender, user: int) -> object:
    movie_id = case.chance.randint(1, MOVIES)
    state = rec.update_user(user, movie_id, "superlike")
    there = {(event.event_id, event.movie_id, event.preference) for event in rec.history(user)}
    if (state.event_id, movie_id, 2) not in there:
        assert is_told(rec.store), "a swipe is acknowledged and not there"
    return state


def ask_commands(case: Case, workspace: Workspace, store: str | Path) -> None:
    """The commands that read a store; doctor goes through to its end."""
    options = ("--store", store)
    assert "Next: " in command("doctor", *options, data=workspace.root).out
    commands = {
        "users": ("users", *options),
        "users --json": ("users", "--json", *options),
        "export": ("users", "export", "-", *options),
        "history": ("history", "--user", STRANGER, *options),
        "history --csv": ("history", "--user", STRANGER, "--csv", "-", *options),
        "undo": ("swipe", "--user", STRANGER, "--undo", *options),
        "swipe": ("swipe", "--user", KNOWN, "--movie", 7, "--preference", "like", *options),
        "recommend": ("recommend", "--user", STRANGER, *options),
        "prepare": ("prepare", "--with-swipes", "--min-movie-ratings", 2, *options),
        "allow": ("users", "allow", QUIET, *options),
    }
    for name in case.chance.sample(sorted(commands), 3):
        case.note(f"mlrec {name}")
        command(*commands[name], data=workspace.root)


def is_told(store: SwipeStore) -> bool:
    """Whether a close look finds anything to say."""
    found = told(store.check)
    return isinstance(found, MlrecError) or bool(found)


def is_told_or_there(store: SwipeStore, acknowledged: Sequence[Acknowledged]) -> bool:
    """Whether all that was acknowledged is there, or somebody says that it is not: reading, or a close look."""
    if is_told(store):
        return True
    for user_id in {one.user_id for one in acknowledged}:
        events = told(lambda: store.events(user_id))  # noqa: B023
        if not isinstance(events, MlrecError):
            there = set(events)
            if any(one.event not in there for one in acknowledged if one.user_id == user_id):
                return False
    return True


def planned(name: str, number: int) -> tuple[int, int, int]:
    """User, movie and preference of a worker's nth swipe: few users, shared by all workers."""
    draw = zlib.crc32(f"{name}-{number}".encode())
    return 9_000_001 + draw % 3, 1 + draw // 3 % MOVIES, draw // 200 % 5 - 2
