"""Swipes in Redis whose keys are evicted, changed or of another kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis

from mlrec.serving.stores.redis import RedisStore
from tests.fuzz.attack import Case, Fuzz
from tests.fuzz.swiping import FORGOTTEN, KNOWN, STRANGER, Acknowledged, ask, ask_commands, fill, is_told_or_there

ODD_VALUES = (b"", b"-1", b"0", b"7", b"x", b"\xff\xfe", b"1.5", b"9223372036854775808", b"inf", b"1e3", b" 5")


@pytest.fixture
def filled(redis_url) -> Iterator[tuple[Any, dict[bytes, bytes], list[Acknowledged]]]:
    """A client, and every key of a store with swipes in the server's own serialisation."""
    with closing(RedisStore(redis_url)) as store:
        acknowledged = fill(store)
        store.head(KNOWN)
    client = redis.Redis.from_url(redis_url)
    keys: Any = {key: client.dump(key) for key in client.keys("*")}
    yield client, keys, acknowledged
    client.close()


def lay(client: redis.Redis, keys: dict[bytes, bytes]) -> None:
    client.flushall()
    for key, value in keys.items():
        client.restore(key, 0, value)


def harm_a_key(case: Case, client: Any) -> str:
    """Change one key, as an eviction, another program or an older version may; returns what was done."""
    chance = case.chance
    key = chance.choice(sorted(client.keys("*")))
    kind = client.type(key)
    ways = ["delete", "text", "list", "number", "set"]
    if kind == b"hash":
        ways += ["drop field", "odd field", "odd field", "no field"]
    if kind == b"stream":
        ways += ["drop entry", "drop entry", "odd entry", "odd entry", "trim", "entry of another kind"]
    if kind == b"string":
        ways += ["odd text", "odd text"]
    way = chance.choice(ways)
    if way in ("text", "list", "number", "set", "no field", "delete"):
        client.delete(key)
    match way:
        case "text" | "odd text":
            client.set(key, chance.choice(ODD_VALUES))
        case "number":
            client.set(key, 5)
        case "list":
            client.rpush(key, "x")
        case "set":
            client.sadd(key, "x", b"\xff")
        case "drop field":
            client.hdel(key, chance.choice(sorted(client.hkeys(key))))
        case "odd field":
            client.hset(key, chance.choice(sorted(client.hkeys(key))), chance.choice(ODD_VALUES))
        case "no field":
            client.hset(key, "other", "x")
        case "trim":
            client.xtrim(key, maxlen=chance.choice((0, 1, 5)))
        case "drop entry" | "odd entry":
            entry, fields = chance.choice(client.xrange(key))
            client.xdel(key, entry)
            if way == "odd entry" and entry == client.xinfo_stream(key)["last-generated-id"]:
                number = int(entry.split(b"-")[1]) + 1
                name = chance.choice(sorted(fields))
                fields |= {name: chance.choice(ODD_VALUES)}
                client.xadd(key, fields, id=f"0-{number}")
        case "entry of another kind":
            client.xadd(key, {"x": "y"}, id=chance.choice(("0-99", "5-0", "*")))
    return f"{key!r}: {way}"


def test_keys_that_are_gone_or_changed_are_told(fuzz: Fuzz, copied, filled, redis_url, tmp_path):
    workspace = copied(tmp_path)
    client, keys, _ = filled

    def attack(case: Case) -> None:
        lay(client, keys)
        for _ in range(case.chance.choice((1, 1, 2))):
            case.note(harm_a_key(case, client))
        ask(case, workspace, redis_url)
        if case.chance.random() < 0.3:
            ask_commands(case, workspace, redis_url)

    fuzz.run(60, attack)


@pytest.mark.parametrize("user", [KNOWN, STRANGER])
def test_an_evicted_key_is_told_and_nothing_hangs(fuzz: Fuzz, copied, filled, redis_url, tmp_path, user):
    """Whichever key of a user is evicted: nobody is called forgotten who is not, and no acknowledged swipe is missing
    without a word.
    """
    workspace = copied(tmp_path)
    client, keys, acknowledged = filled
    own = sorted(key for key in keys if b"{%d}" % user in key)
    assert len(own) >= 2

    def attack(case: Case) -> None:
        lay(client, keys)
        key = own[int(case.chance.random() * len(own))]
        case.note(f"{key!r} is evicted")
        client.delete(key)
        with closing(RedisStore(redis_url)) as store:
            assert is_told_or_there(store, acknowledged), "swipes are missing without a word"
        ask(case, workspace, redis_url, forgotten_is_known=True)
        ask_commands(case, workspace, redis_url)

    fuzz.run(5, attack, seconds=15)


def test_a_forgotten_user_is_not_taken_back_when_a_key_of_the_log_is_evicted(
    fuzz: Fuzz, copied, filled, redis_url, tmp_path
):
    workspace = copied(tmp_path)
    client, keys, _ = filled
    parts = (b"user", b"log", b"clients", b"vector")
    own = sorted(key for key in keys if b"{%d}" % FORGOTTEN in key and key.rpartition(b":")[2] in parts)

    def attack(case: Case) -> None:
        lay(client, keys)
        for key in own:
            client.delete(key)
        with closing(RedisStore(redis_url)) as store:
            assert FORGOTTEN in store.forgotten()
        ask(case, workspace, redis_url, forgotten_is_known=True)

    fuzz.run(5, attack)
