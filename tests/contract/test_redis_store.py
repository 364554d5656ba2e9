"""The Redis server: what it must guarantee, and how it can fail."""

from __future__ import annotations

import sys

import pytest

from mlrec.errors import IncompatibleFormatError, MissingExtraError, StoreUnavailableError
from mlrec.serving.stores import open_store, redis_connection
from mlrec.serving.stores.interface import Draft, StoredVector
from mlrec.serving.stores.redis import RedisStore
from tests.stores import redis_server


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
    client.set("mlrec:format", 2)
    with pytest.raises(IncompatibleFormatError, match="format version 2"):
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
