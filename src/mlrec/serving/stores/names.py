"""Interpreting the name of a store. Only this module parses Redis URLs.

The password of a URL goes into the settings of the connection and never into a message. An unusable URL is therefore
not quoted at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from mlrec.errors import SettingsError

_PLAIN = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
"""Schemes of a server on the network, and whether the connection is encrypted."""
_SOCKET = "unix"
_NAMES = "Use a file path, redis://HOST:6379/0, unix:///path/to/socket or memory."
_SHAPE = (
    "Write redis://user:password@host:6379/0 or unix:///path/to/socket; in a user name or password, write % as %25,"
    " / as %2F, # as %23, ? as %3F, @ as %40, [ as %5B and ] as %5D."
)

_REDIS_URL = re.compile(rf"({'|'.join([*_PLAIN, _SOCKET])})://", re.IGNORECASE)
# redis:host, redis:/host, redis//host, and anything with a password before an @. A name that begins like a path is one.
_MISTYPED = re.compile(rf"\W*({'|'.join([*_PLAIN, _SOCKET])})\s*(?::|;|//)|.*:.*@", re.IGNORECASE | re.DOTALL)
_PATH = re.compile(r"\.{0,2}/(?!/)")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_MOST_DATABASES = 10**6


@dataclass(frozen=True)
class RedisAddress:
    """A Redis server, and how to connect to it.

    Attributes
    ----------
    place
        Scheme, host, port and database, for messages.
    is_encrypted
        Whether the connection uses TLS.
    settings
        Connection settings, under the names of the client library, including user and password.
    allow_eviction
        Whether to store swipes even if the server may delete them.
    """

    place: str
    is_encrypted: bool
    settings: Mapping[str, Any] = field(repr=False)
    allow_eviction: bool

    def masked(self, text: str) -> str:
        """A text from the server or a library, with the password removed if it occurs."""
        # A server that does not know a command quotes the beginning of its arguments, so part of a password of AUTH.
        text = text.partition(", with args beginning with")[0]
        for secret in filter(None, (self.settings.get(name) for name in ("password", "ssl_password"))):
            for form in (secret, quote(secret, safe=""), ascii(secret)[1:-1], repr(secret.encode())[2:-1]):
                text = text.replace(form, "…")
        return text


def is_redis_url(name: str) -> bool:
    """Whether the name of a store is the URL of a Redis server."""
    return _REDIS_URL.match(name) is not None


def file_name(name: str) -> str:
    """Check the name of a store that is a file.

    Raises
    ------
    SettingsError
        If it looks like a URL. The message does not quote it, because it may contain a password.
    """
    if scheme := _SCHEME.match(name):
        raise SettingsError(f"A name that begins with '{scheme[1]}://' is not a valid store.", _NAMES)
    if not name or "://" in name or "\0" in name:
        raise SettingsError("The given name is not a valid store.", _NAMES)
    if _MISTYPED.match(name) and not _PATH.match(name):
        raise SettingsError(
            "The name of the store looks like a Redis URL but is not one. It has not been used as a file name.",
            "Write redis://HOST:6379/0 with two slashes. If it really is a file name, write ./NAME.",
        )
    return name


def redis_address(url: str) -> RedisAddress:
    """Parse a Redis URL.

    Parameters
    ----------
    url
        `redis://[user:password@]host:port/db`, `rediss://…` for an encrypted connection, or `unix:///socket?db=0`;
        `valkey://` and `valkeys://` mean the same as the first two.

    Raises
    ------
    SettingsError
        If the URL cannot be used. The message quotes nothing of it except the name of a parameter.
    """
    parts, host, port = _parts(url)
    is_socket = parts.scheme == _SOCKET
    _refuse_loose_characters(parts, is_socket)
    given = _parameters(parts.query)
    settings, allow_eviction = _settings(given, _PLAIN.get(parts.scheme, False))
    for name, value in (("username", parts.username), ("password", parts.password)):
        if value:
            settings[name] = unquote(value)
    if is_socket:
        if host or port is not None:
            raise _unusable("has a host, but unix:// needs a socket")
        if not parts.path:
            raise _unusable("has no path of a socket")
        settings["path"] = unquote(parts.path)
        place = f"unix://{parts.path}" + (f"?db={settings['db']}" if settings.get("db") else "")
    else:
        path = unquote(parts.path).strip("/")
        if path and "db" in settings:
            raise _unusable("has two databases, one after the host and one as a parameter")
        if path:
            settings["db"] = _whole(path, "has something after the host that is not the number of a database")
        settings |= {"host": unquote(host or "localhost"), "port": port or 6379}
        shown = f"[{host}]" if host and ":" in host else host or "localhost"
        place = f"{parts.scheme}://{shown}:{settings['port']}/{settings.get('db', 0)}"
    return RedisAddress(place, _PLAIN.get(parts.scheme, False), settings, allow_eviction)


def _unusable(what: str, hint: str = _SHAPE) -> SettingsError:
    return SettingsError(f"The store's Redis URL cannot be used: it {what}.", hint)


def _parts(url: str) -> tuple[SplitResult, str | None, int | None]:
    if url != url.strip() or any(ord(letter) < 32 or ord(letter) == 127 for letter in url):
        raise _unusable("has white space around it or a control character in it")
    try:
        url.encode()
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:  # includes UnicodeEncodeError, and an unmatched bracket
        raise _unusable("cannot be parsed") from None
    try:
        port = parts.port
    except ValueError:
        raise _unusable("has a port that is not a number from 1 to 65535") from None
    if port == 0:
        raise _unusable("has a port that is not a number from 1 to 65535")
    return parts, host, port


def _refuse_loose_characters(parts: SplitResult, is_socket: bool) -> None:
    """Refuse a URL whose password has an unescaped /, ? or #: part of it would be taken for something else."""
    if parts.fragment:
        raise _unusable("has an unescaped #")
    has_user = "@" in parts.netloc
    after_host = parts.path + (parts.query if has_user else "")
    if "@" in after_host and (parts.netloc or not is_socket or ":" in after_host):
        raise _unusable("has an @ after the host")


# -- parameters --------------------------------------------------------------------------------------------------------


def _parameters(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _KNOWN:
            # A name that is not a word may be part of a password.
            word = f" '{name}'" if re.fullmatch("[a-z][a-z_]{0,30}", name) and "@" not in query else ""
            raise _unusable(f"has an unknown parameter{word}", f"Valid parameters: {', '.join(_KNOWN)}.")
        if name in given:
            raise _unusable(f"has the parameter '{name}' twice")
        given[name] = value
    return given


def _settings(given: Mapping[str, str], is_encrypted: bool) -> tuple[dict[str, Any], bool]:
    settings = {}
    for name, value in given.items():
        if name.startswith("ssl_") and not is_encrypted:
            raise _unusable(f"has the parameter '{name}', which requires rediss:// or valkeys://")
        settings[name] = _KNOWN[name](value, f"has the parameter '{name}' with an unusable value")
    return settings, settings.pop("allow_eviction", False)


def _text(value: str, what: str) -> str:
    if not value:
        raise _unusable(what)
    return value


def _whole(value: str, what: str) -> int:
    if not (re.fullmatch("[0-9]{1,9}", value) and int(value) < _MOST_DATABASES):
        raise _unusable(what)
    return int(value)


def _positive(value: str, what: str) -> int:
    if not (number := _whole(value, what)):
        raise _unusable(what)
    return number


def _seconds(value: str, what: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        raise _unusable(what) from None
    if not 0 < seconds < math.inf:
        raise _unusable(what)
    return seconds


def _yes_or_no(value: str, what: str) -> bool:
    meanings = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if value.lower() not in meanings:
        raise _unusable(f"{what}; write yes or no")
    return meanings[value.lower()]


def _requirement(value: str, what: str) -> str:
    if value not in ("none", "optional", "required"):
        raise _unusable(f"{what}; write none, optional or required")
    return value


# Parameters that would change how responses are read (decode_responses) or could send an append twice
# (retry_on_timeout) are left out.
_KNOWN: dict[str, Callable[[str, str], Any]] = {
    "db": _whole,
    "username": _text,
    "password": _text,
    "client_name": _text,
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    "socket_keepalive": _yes_or_no,
    "health_check_interval": _whole,
    "max_connections": _positive,
    "ssl_ca_certs": _text,
    "ssl_ca_path": _text,
    "ssl_certfile": _text,
    "ssl_keyfile": _text,
    "ssl_password": _text,
    "ssl_cert_reqs": _requirement,
    "ssl_check_hostname": _yes_or_no,
    "allow_eviction": _yes_or_no,
}
