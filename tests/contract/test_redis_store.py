"""The Redis server: what it must guarantee, and how it can fail."""

from __future__ import annotations

import re
import sys

import pytest

from mlrec.errors import IncompatibleFormatError, MissingExtraError, StoreUnavailableError
from mlrec.serving.stores import open_store, redis_connection
from mlrec.serving.stores.interface import Appended, Draft, Entry, StoredVector
from mlrec.serving.stores.redis import RedisStore
from tests.stores import NASTY, redis_server


def test_a_server_that_is_not_there_is_told(tmp_path):
    store = RedisStore(f"unix://{tmp_path / 'nothing.sock'}")
    with pytest.raises(StoreUnavailableError, match=r"nothing\.sock") as error:
        store.head(1)
    assert "server runs" in error.value.hint


def test_another_format_or_another_applications_keys_are_told(redis_url):
    import redis

    client = redis.Redis.from_url(redis_url)
    client.set("mlrec:{1}:user", "a string")
    with pytest.raises(IncompatibleFormatError, match="mlrec did not write"):
        RedisStore(redis_url).head(1)
    client.set("mlrec:format", redis_connection.FORMAT_VERSION + 1)
    with pytest.raises(IncompatibleFormatError, match="format version 3"):
        RedisStore(redis_url).head(1)
    client.close()


@pytest.mark.parametrize(
    ("options", "warning", "kept"),
    [
        (("--appendonly", "no"), "appendonly yes", "next snapshot"),
        (("--appendfsync", "everysec"), "appendfsync always", "crash of the server"),
        (("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"), "noeviction", "power failure"),
    ],
)
def test_risky_configuration_is_told(tmp_path, options, warning, kept):
    with redis_server(tmp_path / "redis", *options) as server:
        store = RedisStore(server.url)
        assert any(warning in text for text in store.check())
        assert kept in store.describe()


def test_where_the_server_may_delete_swipes_none_are_stored(tmp_path, monkeypatch):
    import redis

    with redis_server(tmp_path / "redis") as server, redis.Redis.from_url(server.url) as client:
        store = RedisStore(server.url)
        store.append(1, Draft(10, 1, 100))
        client.config_set("maxmemory-policy", "allkeys-lru")
        monkeypatch.setattr(redis_connection, "_LOOK_SECONDS", 0.0)
        fresh = RedisStore(server.url)
        for write in (lambda: fresh.append(1, Draft(11, 1, 100)), lambda: fresh.extend([(1, Draft(11, 1, 100))])):
            with pytest.raises(StoreUnavailableError, match="maxmemory-policy allkeys-lru") as refused:
                write()
            assert "noeviction" in refused.value.hint
            assert "?allow_eviction=yes" in refused.value.hint
        # Reading goes on, and so does what a person may ask for; vectors would take room from swipes.
        fresh.save_vector(1, StoredVector("m", b"v"))
        assert fresh.vector(1) is None
        assert [event.movie_id for event in fresh.events(1)] == [10]
        assert fresh.forget(7, 5) == 0
        assert any("no swipes are stored" in warning for warning in fresh.check())
        allowed = RedisStore(f"{server.url}?allow_eviction=yes")
        allowed.append(1, Draft(12, 1, 100))
        (warning,) = allowed.check()
        assert "maxmemory-policy" in warning
        assert "no swipes are stored" not in warning
        client.config_set("maxmemory-policy", "noeviction")
        fresh.append(1, Draft(13, 1, 100))  # at once
        assert [event.movie_id for event in store.events(1)] == [10, 12, 13]
        client.config_set("maxmemory-policy", "volatile-ttl")
        with pytest.raises(StoreUnavailableError, match="volatile-ttl"):
            fresh.append(1, Draft(14, 1, 100))


def test_the_policy_is_seen_where_the_configuration_is_forbidden(tmp_path):
    options = ("--maxmemory-policy", "allkeys-random", "--rename-command", "CONFIG", "")
    with redis_server(tmp_path / "redis", *options) as server:
        store = RedisStore(server.url)
        with pytest.raises(StoreUnavailableError, match="allkeys-random"):
            store.append(1, Draft(10, 1, 100))
        assert [warning for warning in store.check() if "CONFIG is forbidden" in warning]


def test_a_server_that_comes_back_is_used_again(tmp_path):
    with redis_server(tmp_path / "redis") as server:
        store = RedisStore(server.url)
        store.append(1, Draft(10, 1, 100))
        server.kill()
        with pytest.raises(StoreUnavailableError):
            store.append(1, Draft(11, 1, 100))
        server.start()
        store.append(1, Draft(12, 1, 100))
        assert [event.movie_id for event in store.events(1)] == [10, 12]


def test_a_server_that_refuses_writes_is_told(tmp_path):
    with redis_server(tmp_path / "redis", "--replicaof", "127.0.0.1 1") as server:
        with pytest.raises(StoreUnavailableError) as error:
            RedisStore(server.url).append(1, Draft(10, 1, 100))
        assert error.value.hint


def test_without_the_client_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtraError, match="redis"):
        open_store("redis://localhost/0", None)


# -- text ids ----------------------------------------------------------------------------------------------------------


def test_a_text_has_a_key_without_anything_that_a_pattern_or_a_hash_tag_means(redis_url):
    import redis

    store = RedisStore(redis_url)
    for text in NASTY:
        store.append(text, Draft(text, 1, 100))
    store.append("a b", Draft("tt01", 1, 100))
    store.append(42, Draft(42, 1, 100))
    with redis.Redis.from_url(redis_url) as client:
        keys = [key.decode() for key in client.keys("mlrec:{*")]
        assert all(re.fullmatch(r"mlrec:\{(=[A-Za-z0-9%_.~-]+|42)\}:(log|user)", key) for key in keys)
        assert len(keys) == 2 * (len(NASTY) + 1)
        (_, fields) = client.xrange("mlrec:{=a%20b}:log")[-1]
        assert fields[b"movie_id"] == b"=tt01"
        (_, fields) = client.xrange("mlrec:{42}:log")[-1]
        assert fields[b"movie_id"] == b"42"


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.append("a", Draft(1, 1, 100)),
        lambda store: store.append(1, Draft("b", 1, 100)),
        lambda store: store.extend([(1, Draft(1, 1, 100)), (2, Draft("b", 1, 100))]),
        lambda store: store.forget("a", 100),
    ],
)
def test_the_first_text_raises_the_format_version(redis_url, write):
    """An earlier version would call a text damage, and advise to forget the user."""
    import redis

    with redis.Redis.from_url(redis_url) as client:
        store = RedisStore(redis_url)
        store.append(1, Draft(10, 1, 100))
        store.extend([(2, Draft(10, 1, 100))])
        store.save_vector(1, StoredVector("m", b"v"))
        store.forget(3, 100)
        store.allow("a")
        assert store.head("a").last_event_id == 0
        assert client.get("mlrec:format") == b"1"
        write(store)
        assert client.get("mlrec:format") == b"2"
    for opened in (store, RedisStore(redis_url)):
        opened.append(1, Draft(11, 1, 100))
        opened.append("a b", Draft("c", 1, 100))
        assert opened.check() == []


ODD_IDS = (
    "=", "=%41", "=a b", "=%ff", "=%zz", "=%", "=a%00", "=%2a%", "=%2a", "=" + "x" * 201, "=é", "a", "", "042", "-0",
    "+4", "4_2", " 42", "4.0", "99999999999999999999",
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD_IDS)
def test_an_id_that_is_spelt_in_another_way_is_damage(redis_url, odd):
    import redis

    with redis.Redis.from_url(redis_url) as client:
        store = RedisStore(redis_url)
        store.append("a", Draft("b", 1, 100))
        fields = {"movie_id": odd, "preference": 1, "at": 100, "undoes": 0, "client_id": "", "token": 7}
        client.xadd("mlrec:{=a}:log", fields, id="0-2")
        client.hset("mlrec:{=a}:user", mapping={"last": 2, "token": 7})
        with pytest.raises(IncompatibleFormatError, match=r"User a in .*an event is not as mlrec writes it"):
            store.events("a")
        client.delete("mlrec:{=a}:log", "mlrec:{=a}:user")
        client.xadd(f"mlrec:{{{odd}}}:log", fields, id="0-1")
        for call in (store.user_ids, store.counts, store.check):
            with pytest.raises(IncompatibleFormatError, match="mlrec did not write"):
                call()


def test_keys_of_another_application_at_one_user_do_not_stop_the_others_of_a_batch(redis_url):
    import redis

    with redis.Redis.from_url(redis_url) as client:
        client.set("mlrec:{1}:log", "a string")
        client.hset("mlrec:{1}:user", mapping={"last": 1, "token": 1})
        store = RedisStore(redis_url)
        odd, fine = store.append_each([Entry(user, Draft(10, 1, 100), in_order=True) for user in (1, 2)])
        assert isinstance(odd, IncompatibleFormatError)
        assert isinstance(fine, Appended)
        assert [event.movie_id for event in store.events(2)] == [10]
