"""Calls from Python and over HTTP with arguments of any kind: an answer, or an error that names what is wrong."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from mlrec import MlrecError, Recommender
from mlrec.preferences import Swipe
from mlrec.serve.app import create_app
from mlrec.serving.list_filters import NamedFilters
from mlrec.settings import ServiceSettings
from tests.fuzz.attack import Case, Fuzz, told
from tests.fuzz.damage import VALUES
from tests.fuzz.small import GENRES, MOVIES, USERS

METHODS = (
    "get_top_n", "recommend_for", "recommend_all", "similar_movies", "explain", "explain_for", "update_user", "undo",
    "is_forgotten", "forget_user", "history", "label_of", "knows_user", "find_movie", "search", "movie",
    "get_top_n_for", "near_titles", "ratings", "users", "user", "standing",
)  # fmt: skip
SENSIBLE: dict[str, tuple[Any, ...]] = {
    "user_id": (1, USERS, 900, -5, np.int64(3)),
    "after": (None, 1, 900),
    "user_ids": ([1, 2], (900,), []),
    "movie_id": (1, MOVIES, np.int32(7)),
    "n": (1, 5, 1000),
    "genres": (None, ["Drama"], "Drama", set(GENRES[:2])),
    "years": (None, (1950, 1980), (1960, None), [1950, 1999]),
    "not_genres": ((), ["Drama"], "Drama"),
    "only": (None, [], range(40), {3, 900}),
    "seen": ("hide", "show", "only"),
    "max_per_genre": (None, 1, 3),
    "exclude": ((), [1, 2], {3}, np.array([1, 2])),
    "include_seen": (True, False),
    "diversity": (0.0, 0.5, 1),
    "likes": ((), [1, 2], np.array([5])),
    "dislikes": ((), [3]),
    "preference": (1, -2, 0, "like", Swipe.LIKE),
    "at": (None, 1_500_000_000, datetime(2020, 1, 1, tzinfo=UTC)),
    "idempotency_key": (None, "a", "é"),
    "text": ("matrix", "1", "é"),
}
ODD: tuple[Any, ...] = (
    *VALUES, b"x", b"\xff", Decimal("1"), Decimal("NaN"), 1 + 2j, object(), Path("x"), np.float64("nan"), np.int64(-1),
    np.array(1), np.array([[1]]), np.array(["x"]), range(5), range(10**7), "x" * 10**6, [1] * 10**6, (2000,),
    (1, 2, 3), ("a", "b"), (math.nan, 2000), datetime(2020, 1, 1), datetime(9999, 12, 31, tzinfo=UTC), {1: 2}, {"x"},
    int, len, 2.5, 10**30, "١", "like\n", "\x1b[2J", ["Drama", None], [[1]], [True], [1.5], ["1"], [10**30], [math.nan],
)  # fmt: skip
IDS = {"user_id", "movie_id", "n"}


def test_python_calls_with_odd_arguments_are_answered_or_refused(fuzz: Fuzz, copied, tmp_path):
    workspace = copied(tmp_path)
    with Recommender.open(workspace.root) as rec:
        methods = {name: method for name in METHODS if (method := getattr(rec, name, None)) is not None}

        def attack(case: Case) -> None:
            chance = case.chance
            name = chance.choice(sorted(methods))
            given = {}
            for parameter, is_needed in _parameters(methods[name]):
                if parameter not in SENSIBLE or not (is_needed or chance.random() < 0.4):
                    continue
                odd = chance.random() < 0.4
                given[parameter] = chance.choice(ODD if odd else SENSIBLE[parameter])
            case.note(f"{name}({', '.join(f'{key}={value!r:.60}' for key, value in given.items())})")
            outcome = told(lambda: _consumed(methods[name](**given)))
            if any(isinstance(given.get(key), bool) for key in IDS):
                assert isinstance(outcome, MlrecError), "a truth value is taken for a number"

        fuzz.run(1500, attack, seconds=10)


def _parameters(method: Callable[..., Any]) -> Iterator[tuple[str, bool]]:
    """The names of a method's parameters, and whether each must be given. Filters are parameters, too."""
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            yield from ((name, False) for name in NamedFilters.__annotations__)
        else:
            yield parameter.name, parameter.default is inspect.Parameter.empty


def _consumed(outcome: Any) -> Any:
    return list(outcome) if inspect.isgenerator(outcome) else outcome


@pytest.fixture(scope="module")
def client(small, tmp_path_factory):
    store = str(tmp_path_factory.mktemp("service") / "users.db")
    app = create_app(ServiceSettings(data_dir=str(small.root), store=store), b"s" * 32)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=True) as client:
        yield client


WORDS = (
    "like",
    "superlike",
    "skip",
    "x",
    "",
    "é",
    "\x00",
    "nan",
    "1",
    "-1",
    "0",
    "1e999",
    "true",
    "Drama",
    "a" * 3000,
    "\u202e",
    "2.5",
)
REQUESTS = (
    ("GET", "/v1/users/{id}/recommendations"), ("POST", "/v1/users/{id}/swipes"), ("GET", "/v1/users/{id}/deck"),
    ("DELETE", "/v1/users/{id}/swipes/latest"),
    ("GET", "/v1/users/{id}/why/{movie}"), ("GET", "/v1/movies/{movie}/similar"), ("GET", "/v1/movies"),
    ("POST", "/v1/visitors/recommendations"),
)  # fmt: skip


def body(case: Case, path: str) -> bytes:
    """A body of the right form with odd values in it, or something else altogether."""
    chance = case.chance
    document: Any = (
        {
            "movie_id": chance.choice((1, 5, *VALUES)),
            "swipe": chance.choice(WORDS),
            chance.choice(("idempotency_key", "event_id")): chance.choice((None, *WORDS)),
        }
        if "swipes" in path
        else {
            name: chance.choice(([], [1], [1, 2], [1] * 5000, list(range(20000)), *VALUES))
            for name in ("likes", "dislikes")
        }
    )
    text = json.dumps(chance.choice((document, document, document, chance.choice(VALUES))))
    return chance.choice((text.encode(),) * 8 + (b"", b"{", b"\xff", text.encode()[:-3], b"[" * 5000))


def test_requests_of_any_kind_are_answered_or_refused(fuzz: Fuzz, client):
    def attack(case: Case) -> None:
        chance = case.chance
        method, path = chance.choice(REQUESTS)
        numbers = (
            "1",
            "900",
            "0",
            "-1",
            "9223372036854775807",
            "9223372036854775808",
            "1" * 5000,
            "x",
            "1.5",
            "true",
            "%00",
            "é",
        )
        url = path.format(id=chance.choice(numbers), movie=chance.choice(numbers))
        names = ("n", "genre", "first_year", "last_year", "diversity", "title", "idempotency_key", "event_id")
        query = {name: chance.choice((*numbers, *WORDS)) for name in chance.sample(names, chance.randrange(4))}
        content = body(case, path) if method == "POST" else None
        case.note(f"{method} {url[:200]} {str(query)[:300]} {(content or b'')[:300]!r}")
        answer = client.request(
            method, url, params=query, content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code < 500, answer.text[:500]
        answer.json()

    fuzz.run(400, attack, seconds=10)
