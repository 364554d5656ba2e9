"""Valid names of stores, and that no message repeats a password, however the name is written."""

from __future__ import annotations

import socket
import threading
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlrec.errors import MlrecError, SettingsError, StoreUnavailableError
from mlrec.serving.stores import open_store
from mlrec.serving.stores.memory import MemoryStore
from mlrec.serving.stores.names import redis_address
from mlrec.serving.stores.redis import RedisStore
from mlrec.serving.stores.sqlite import SqliteStore
from mlrec.workspace import Workspace
from tests.stores import redis_server


def connection_of(url: str) -> dict[str, object]:
    return dict(redis_address(url).settings)


@pytest.mark.parametrize(
    ("url", "place", "settings"),
    [
        ("redis://h:1/3", "redis://h:1/3", {"host": "h", "port": 1, "db": 3}),
        ("REDIS://h", "redis://h:6379/0", {"host": "h", "port": 6379}),
        ("Rediss://h/2", "rediss://h:6379/2", {"host": "h", "port": 6379, "db": 2}),
        ("valkey://h", "valkey://h:6379/0", {"host": "h", "port": 6379}),
        ("valkeys://h/", "valkeys://h:6379/0", {"host": "h", "port": 6379}),
        ("redis://", "redis://localhost:6379/0", {"host": "localhost", "port": 6379}),
        ("redis://[::1]:7/0", "redis://[::1]:7/0", {"host": "::1", "port": 7, "db": 0}),
        ("redis://h?db=4", "redis://h:6379/4", {"host": "h", "port": 6379, "db": 4}),
        ("redis://me:a%2Fb%40c@h", "redis://h:6379/0",
         {"host": "h", "port": 6379, "username": "me", "password": "a/b@c"}),
        ("redis://:a@b@h", "redis://h:6379/0", {"host": "h", "port": 6379, "password": "a@b"}),
        ("redis://h?username=me&password=a@b", "redis://h:6379/0",
         {"host": "h", "port": 6379, "username": "me", "password": "a@b"}),
        ("unix:///run/r.sock", "unix:///run/r.sock", {"path": "/run/r.sock"}),
        ("unix://:pass@/run/a%20b.sock?db=2", "unix:///run/a%20b.sock?db=2",
         {"path": "/run/a b.sock", "password": "pass", "db": 2}),
        ("unix:///run/redis@1/r.sock", "unix:///run/redis@1/r.sock", {"path": "/run/redis@1/r.sock"}),
        ("redis://h?socket_timeout=1.5&socket_keepalive=yes&health_check_interval=0&max_connections=9&client_name=x",
         "redis://h:6379/0",
         {"host": "h", "port": 6379, "socket_timeout": 1.5, "socket_keepalive": True, "health_check_interval": 0,
          "max_connections": 9, "client_name": "x"}),
        ("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=no&ssl_ca_certs=/ca.pem", "rediss://h:6379/0",
         {"host": "h", "port": 6379, "ssl_cert_reqs": "none", "ssl_check_hostname": False, "ssl_ca_certs": "/ca.pem"}),
    ],
)  # fmt: skip
def test_a_redis_url_is_taken_apart(url, place, settings):
    assert redis_address(url).place == place
    assert connection_of(url) == settings
    assert open_store(url, None).place == place


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://h/abc", "not the number of a database"),
        ("redis://h/1/2", "not the number of a database"),
        ("redis://h/-1", "not the number of a database"),
        ("redis://h/1?db=2", "two databases"),
        ("redis://[::1/0", "cannot be parsed"),
        ("redis://h:port/0", "port"),
        ("redis://h:0", "port"),
        ("redis://h:65536", "port"),
        ("redis://h?zzz=1", "parameter 'zzz'"),
        ("redis://h?decode_responses=True", "parameter 'decode_responses'"),
        ("redis://h?retry_on_timeout=yes", "parameter 'retry_on_timeout'"),
        ("redis://h?protocol=3", "parameter 'protocol'"),
        ("redis://h?db=", "'db' with an unusable"),
        ("redis://h?db=1&db=2", "'db' twice"),
        ("redis://h?socket_timeout=nan", "'socket_timeout' with an unusable"),
        ("redis://h?socket_timeout=0", "'socket_timeout' with an unusable"),
        ("redis://h?max_connections=0", "'max_connections' with an unusable"),
        ("redis://h?allow_eviction=perhaps", "write yes or no"),
        ("redis://h?ssl_ca_certs=/ca.pem", "requires rediss"),
        ("rediss://h?ssl_cert_reqs=maybe", "none, optional or required"),
        ("redis://h/0#x", "unescaped #"),
        ("redis://h/0\n", "white space"),
        ("redis://h/\x1b[2J", "control character"),
        ("redis://h\udcff", "cannot be parsed"),
        ("unix://", "no path of a socket"),
        ("unix://run/r.sock", "a host, but unix:// needs a socket"),
    ],
)  # fmt: skip
def test_a_redis_url_that_cannot_be_used_is_refused_in_words(url, words):
    with pytest.raises(SettingsError, match=words) as refused:
        open_store(url, None)
    assert refused.value.hint


@pytest.mark.parametrize(
    "name", ["redis:/h/0", "redis:h", "REDIS:h:6379", "redis//h", "valkey:h", "rediss:/h", "unix:/s"]
)
def test_a_mistyped_redis_url_is_not_taken_for_a_file(name, tmp_path):
    with pytest.raises(SettingsError, match="looks like a Redis URL") as refused:
        open_store(name, Workspace(tmp_path))
    assert "redis://" in refused.value.hint


@pytest.mark.parametrize(
    "name", ["redis.db", "redis/users.db", "me@home.db", "./redis:x", "/data/12:00/me@home.db", "12:00.db", "valkeys"]
)
def test_files_may_be_called_almost_anything(name, tmp_path):
    store = open_store(name, Workspace(tmp_path))
    assert isinstance(store, SqliteStore)
    assert store.path == tmp_path / name


def test_memory_is_memory():
    assert isinstance(open_store("memory", None), MemoryStore)


# -- passwords ---------------------------------------------------------------------------------------------------------

# Of these letters no message of ours has four in a row; and whatever means something in a URL.
LETTERS = "QXJZqxjz%/#?@:;[]&=+ \\'\"é~$!"
PASSWORDS = st.text(LETTERS, min_size=4, max_size=12).filter(lambda text: sum(map(str.isalpha, text)) >= 3)
SHAPES = st.sampled_from(
    [
        "redis://me:{}@127.0.0.1:1/0", "redis://:{}@127.0.0.1:1", "REDIS://me:{}@127.0.0.1:1", "valkey://:{}@127.0.0.1:1",
        "rediss://me:{}@127.0.0.1:1/0", "unix://:{}@/nowhere/r.sock", "unix://me:{}@/nowhere/r.sock?db=1",
        "redis://127.0.0.1:1?password={}", "redis://127.0.0.1:1/0?db=1&password={}&zzz=1", "redis://127.0.0.1:1?{}",
        "redis://me:{}@127.0.0.1:port/0", "redis://me:{}@127.0.0.1:1/abc", "redis://me:{}@[::1/0",
        "redis://:{}", "redis://me:{}", "redis://:{}@127.0.0.1:1?zzz=1", "redis://:{}@127.0.0.1:1?db=x",
        "redis:/me:{}@127.0.0.1:1", "redis:me:{}@127.0.0.1", "redis:{}@127.0.0.1", "redis//:{}@127.0.0.1",
        "redis/:{}@h",
        " redis://:{}@127.0.0.1:1", "redis://:{}@127.0.0.1:1\n", "redis ://:{}@127.0.0.1", "redis;//:{}@127.0.0.1",
        "postgres://me:{}@127.0.0.1/db", "http://me:{}@h", "x://:{}@h", "//me:{}@h", "redis.//:{}@h", "me:{}@h:6379",
        "unix:/:{}@/r.sock", "unix:///:{}@/r.sock", "redi:/:{}@h",
    ]
)  # fmt: skip


def said_of(name: str, folder) -> list[str]:
    """What anybody is told of a store of this name."""
    texts = []
    for use in (
        lambda: [store := open_store(name, Workspace(folder)), store.place, repr(store), repr(vars(store))],
        lambda: open_store(name, Workspace(folder)).describe(),
        lambda: open_store(name, Workspace(folder)).head(1),
        lambda: repr(redis_address(name)),
    ):
        try:
            texts.append(str(use()))
        except MlrecError as error:
            cause = error.__cause__
            texts += [error.message, error.hint, repr(error), str(cause), repr(cause)]
    return texts


@given(shape=SHAPES, password=PASSWORDS, is_escaped=st.booleans())
@example(shape="redis://me:{}@127.0.0.1:1/0", password="QX/JZqx", is_escaped=False)
@example(shape="redis://me:{}@127.0.0.1:1/0", password="QX#JZqx", is_escaped=False)
@example(shape="redis:/me:{}@127.0.0.1:1", password="QXJZqx", is_escaped=False)
@settings(max_examples=300, deadline=None)
def test_no_message_repeats_a_password(shape, password, is_escaped, tmp_path_factory):
    written = quote(password, safe="") if is_escaped else password
    folder = tmp_path_factory.getbasetemp() / "nothing-here"
    for text in said_of(shape.format(written), folder):
        assert password not in text
        assert written not in text
    assert not folder.exists()  # nor has a file been named after it


@pytest.mark.parametrize("password", ["QXJZ", "QX/JZ é", "Q'X\"J\\Z", "Q" * 300])
def test_a_server_that_repeats_a_password_is_not_quoted(tmp_path, password):
    """As Redis does with the arguments of a command that it does not know."""
    with redis_server(tmp_path / "redis", "--rename-command", "AUTH", "", "--rename-command", "HELLO", "") as server:
        store = RedisStore(server.url.replace("unix://", f"unix://:{quote(password, safe='')}@"))
        with pytest.raises(StoreUnavailableError, match="unknown command") as refused:
            store.head(1)
    assert password[:100] not in refused.value.message
    cause = refused.value.__cause__
    assert cause is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("password", ["QXJZ", "QX/é JZ", "Q'X\"J\\Z"])
def test_an_answer_that_is_not_redis_is_told_without_the_password(password):
    """Somebody who sends back what was sent: the client library shows it as it came."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def echo() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(b"?" + peer.recv(10_000).replace(b"\r\n", b" ") + b"\r\n")

        thread = threading.Thread(target=echo, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        with pytest.raises(StoreUnavailableError) as refused:
            RedisStore(f"redis://:{quote(password, safe='')}@127.0.0.1:{port}/0").head(1)
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(120)
    assert password not in refused.value.message
    assert repr(password.encode())[2:-1] not in refused.value.message


def test_the_right_password_is_sent(tmp_path):
    with redis_server(tmp_path / "redis", "--requirepass", "a/b#c?d@e:f%41") as server:
        url = server.url.replace("unix://", f"unix://:{quote('a/b#c?d@e:f%41', safe='')}@")
        store = RedisStore(url)
        assert store.user_ids() == []
        assert store.place == server.url
        store.close()
        with pytest.raises(StoreUnavailableError, match="cannot be used") as refused:
            RedisStore(server.url.replace("unix://", "unix://:QXJZ@")).head(1)
        assert "password" in refused.value.hint
        assert "QXJZ" not in refused.value.message
