"""The connection to a Redis server: explains its failures, and checks whether it keeps the swipes it acknowledges."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from mlrec.errors import IncompatibleFormatError, MissingExtraError, StoreUnavailableError
from mlrec.serving.stores.names import redis_address

FORMAT_VERSION = 2
_INTEGER_IDS = 1
"""Format version of a store with integer ids only, which earlier versions of mlrec use too; the next holds texts."""
_FORMAT_KEY = "mlrec:format"
_TIMEOUT_SECONDS = 5.0
_LOOK_SECONDS = 60.0
_OLDEST = (6, 2)


class RedisConnection:
    """Connections to one server, shared by threads. Nothing is sent before the first call that needs it.

    Parameters
    ----------
    url
        See `redis_address`.
    wait_seconds
        Most seconds to wait for an answer, unless the URL says otherwise. None: 5.

    Raises
    ------
    MissingExtraError
        If the client library is not installed.
    SettingsError
        If the URL cannot be used.
    """

    def __init__(self, url: str, wait_seconds: float | None = None) -> None:
        self._address = redis_address(url)
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise MissingExtraError("redis", "A Redis store") from error
        self._errors = redis.exceptions
        seconds = _TIMEOUT_SECONDS if wait_seconds is None else wait_seconds
        settings: dict[str, Any] = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        settings |= self._address.settings
        if "path" in settings:
            settings["connection_class"] = redis.UnixDomainSocketConnection
        elif self._address.is_encrypted:
            settings["connection_class"] = redis.SSLConnection
        # No automatic retries: an append whose response was lost may have been done, and a retry would do it twice.
        # The caller retries with an idempotency key.
        pool = redis.ConnectionPool(retry=Retry(NoBackoff(), 0), **settings)
        self.client: Any = redis.Redis.from_pool(pool)
        self._is_ours = False
        self._has_admitted_texts = False
        self._next_look = -_LOOK_SECONDS

    @property
    def place(self) -> str:
        """The server and its database number, for messages."""
        return self._address.place

    @contextmanager
    def lent(self) -> Iterator[Any]:
        """Lend the client, after checking that the database belongs to mlrec and has the right format."""
        with self.translating_errors():
            if not self._is_ours:
                self.client.set(_FORMAT_KEY, _INTEGER_IDS, nx=True)
                found = text(self.client.get(_FORMAT_KEY))
                if found not in (str(_INTEGER_IDS), str(FORMAT_VERSION)):
                    raise IncompatibleFormatError(
                        f"The Redis store at {self.place} has format version {found};"
                        f" this version of mlrec reads only {_INTEGER_IDS} and {FORMAT_VERSION}.",
                        "Upgrade mlrec: pip install -U mlrec",
                    )
                self._is_ours = True
            yield self.client

    def admit_texts(self) -> None:
        """Raise the format version before the first text id is stored: an earlier version would call it damage."""
        if not self._has_admitted_texts:
            with self.lent() as server:
                server.set(_FORMAT_KEY, FORMAT_VERSION)
            self._has_admitted_texts = True

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Turn errors of the server and the network into errors of mlrec."""
        try:
            yield
        except self._errors.AuthenticationError as error:
            self._fail(error, "Check the user and the password in the store's URL.")
        except (self._errors.ConnectionError, self._errors.TimeoutError) as error:
            self._fail(error, "Check that the server runs and can be reached, then try again.")
        except self._errors.ReadOnlyError as error:
            self._fail(error, "Use the URL of the primary server, not of a replica.")
        except self._errors.ResponseError as error:
            if "WRONGTYPE" in str(error):
                raise self.not_ours() from error
            self._fail(error, "Run 'mlrec doctor', and look at the server's log.")
        except self._errors.RedisError as error:
            self._fail(error, "Check the store's URL.")

    def _fail(self, error: Exception, hint: str) -> NoReturn:
        said = self._address.masked(str(error))
        # An error that quotes the password must not appear in a traceback either.
        cause = error if said == str(error) else None
        raise StoreUnavailableError(f"The Redis store at {self.place} cannot be used: {said}", hint) from cause

    def not_ours(self) -> IncompatibleFormatError:
        """The error for keys that have mlrec's names but another type."""
        return IncompatibleFormatError(
            f"The Redis database at {self.place} has keys named mlrec:… that mlrec did not write.",
            "Use a separate database for mlrec, such as redis://HOST:6379/1.",
        )

    def close(self) -> None:
        """Close all connections."""
        self.client.close()

    # -- whether the server keeps what it acknowledges ---------------------------------------------------------------

    def refuse_if_evicting(self) -> None:
        """Refuse to store swipes if the server may delete them and the URL does not allow that."""
        if policy := self.evicts():
            raise StoreUnavailableError(
                f"The Redis server at {self.place} may delete swipes when its memory is full (maxmemory-policy"
                f" {policy}), so no swipes are stored there.",
                "Set maxmemory-policy noeviction. To store swipes anyway, add ?allow_eviction=yes to the URL.",
            )

    def evicts(self) -> str | None:
        """The server's policy if it may delete swipes and the URL does not allow that; checked once per minute."""
        if self._address.allow_eviction or time.monotonic() < self._next_look:
            return None
        policy = self._evicting_policy()
        if policy is None:
            self._next_look = time.monotonic() + _LOOK_SECONDS
        return policy

    def _evicting_policy(self) -> str | None:
        """The server's policy if it deletes keys when its memory is full. INFO works even if CONFIG is forbidden."""
        with self.lent() as server:
            try:
                policy = server.info("memory").get("maxmemory_policy", "noeviction")
            except self._errors.ResponseError:
                return None  # unknown
        return None if policy == "noeviction" else text(policy)

    def risks(self) -> list[str]:
        """Warnings about the server's version and configuration if they can lose swipes."""
        with self.lent() as server:
            version = text(server.info("server").get("redis_version", ""))
        warnings = []
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers and tuple(map(int, numbers.groups())) < _OLDEST:
            warnings.append(f"Redis {version} is too old; mlrec needs 6.2 or newer.")
        if policy := self._evicting_policy():
            refused = "" if self._address.allow_eviction else " Until then, no swipes are stored."
            warnings.append(
                f"The server may delete swipes when its memory is full (maxmemory-policy {policy}). Set"
                f" maxmemory-policy noeviction.{refused}"
            )
        configuration = self._configuration()
        if configuration is None:
            warnings.append(
                "The configuration of the server cannot be read because CONFIG is forbidden. Ask its administrator"
                " whether swipes are durable."
            )
        elif configuration["appendonly"] != "yes":
            warnings.append("If the server crashes, swipes since the last snapshot are lost. Set appendonly yes.")
        elif configuration["appendfsync"] != "always":
            warnings.append(
                "If the machine crashes, swipes of the last second or more are lost. To lose none, set appendfsync"
                " always."
            )
        return warnings

    def kept(self) -> str:
        """How durable an acknowledged swipe is, in words."""
        configuration = self._configuration()
        if configuration is None:
            return "how durable an acknowledged swipe is depends on the server"
        if configuration["appendonly"] != "yes":
            return "an acknowledged swipe is durable once the next snapshot is written (appendonly no)"
        if configuration["appendfsync"] == "always":
            return "an acknowledged swipe survives a power failure (appendfsync always)"
        return f"an acknowledged swipe survives a crash of the server (appendfsync {configuration['appendfsync']})"

    def _configuration(self) -> dict[str, str] | None:
        """Settings that durability depends on; None if the server does not reveal them."""
        names = ("appendonly", "appendfsync")
        with self.lent() as server:
            try:
                found = server.config_get(*names)
            except self._errors.ResponseError:
                return None
        texts = {text(name): text(value) for name, value in found.items()}
        return texts if set(names) <= set(texts) else None


def text(value: object) -> str:
    """A value from the server as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
