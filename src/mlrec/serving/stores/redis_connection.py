"""A Redis server as a store of swipes needs it: in our words when it fails, and looked at for whether it keeps what it
acknowledges.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from mlrec.errors import IncompatibleFormatError, MissingExtraError, StoreUnavailableError
from mlrec.serving.stores.names import redis_address

FORMAT_VERSION = 1
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

    Raises
    ------
    MissingExtraError
        If the client library is not installed.
    SettingsError
        If the URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._address = redis_address(url)
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise MissingExtraError("redis", "A Redis store") from error
        self._errors = redis.exceptions
        settings: dict[str, Any] = {"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS}
        settings |= self._address.settings
        if "path" in settings:
            settings["connection_class"] = redis.UnixDomainSocketConnection
        elif self._address.is_encrypted:
            settings["connection_class"] = redis.SSLConnection
        # No automatic retries: an append whose answer was lost may have been done, and would be done twice. The caller
        # retries with an idempotency key.
        pool = redis.ConnectionPool(retry=Retry(NoBackoff(), 0), **settings)
        self.client: Any = redis.Redis.from_pool(pool)
        self._is_ours = False
        self._next_look = -_LOOK_SECONDS

    @property
    def place(self) -> str:
        """The server and the number of its database, for people."""
        return self._address.place

    @contextmanager
    def lent(self) -> Iterator[Any]:
        """Lend the client, once it is clear that the database is ours to read and write."""
        with self._telling():
            if not self._is_ours:
                self.client.set(_FORMAT_KEY, FORMAT_VERSION, nx=True)
                found = text(self.client.get(_FORMAT_KEY))
                if found != str(FORMAT_VERSION):
                    raise IncompatibleFormatError(
                        f"The Redis store at {self.place} has format version {found};"
                        f" this mlrec reads version {FORMAT_VERSION}.",
                        "Upgrade mlrec.",
                    )
                self._is_ours = True
            yield self.client

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell in our words what the server or the network says."""
        try:
            yield
        except self._errors.AuthenticationError as error:
            self._fail(error, "Check user and password in the store's URL.")
        except (self._errors.ConnectionError, self._errors.TimeoutError) as error:
            self._fail(error, "See that the server runs and can be reached, then try again.")
        except self._errors.ReadOnlyError as error:
            self._fail(error, "Name the primary server in the store's URL, not a replica.")
        except self._errors.ResponseError as error:
            if "WRONGTYPE" in str(error):
                raise self.not_ours() from error
            self._fail(error, "See the server's log and 'mlrec doctor'.")
        except self._errors.RedisError as error:
            self._fail(error, "Check the store's URL.")

    def _fail(self, error: Exception, hint: str) -> NoReturn:
        said = self._address.masked(str(error))
        # What repeats the password must not come to light in a traceback either.
        cause = error if said == str(error) else None
        raise StoreUnavailableError(f"The Redis store at {self.place} cannot be used: {said}", hint) from cause

    def not_ours(self) -> IncompatibleFormatError:
        """For keys that have our names and not our form."""
        return IncompatibleFormatError(
            f"The Redis database at {self.place} has keys named mlrec:… that are not mlrec's.",
            "Give mlrec a database of its own, such as redis://host:6379/1.",
        )

    def close(self) -> None:
        """Close all connections."""
        self.client.close()

    # -- whether the server keeps what it acknowledges ---------------------------------------------------------------

    def refuse_if_evicting(self) -> None:
        """Refuse to store swipes where the server is free to delete them, and the URL does not allow it."""
        if policy := self.evicts():
            raise StoreUnavailableError(
                f"The Redis server at {self.place} may delete swipes when its memory is full (maxmemory-policy"
                f" {policy}), so none are stored there.",
                "Set maxmemory-policy noeviction. To store swipes all the same, add ?allow_eviction=yes to the URL.",
            )

    def evicts(self) -> str | None:
        """The server's policy if it is free to delete swipes and the URL does not allow it; looked at once a minute."""
        if self._address.allow_eviction or time.monotonic() < self._next_look:
            return None
        policy = self._evicting_policy()
        if policy is None:
            self._next_look = time.monotonic() + _LOOK_SECONDS
        return policy

    def _evicting_policy(self) -> str | None:
        """The server's policy if it deletes keys when its memory is full. INFO tells it where CONFIG is forbidden."""
        with self.lent() as server:
            try:
                policy = server.info("memory").get("maxmemory_policy", "noeviction")
            except self._errors.ResponseError:
                return None  # it does not tell
        return None if policy == "noeviction" else text(policy)

    def risks(self) -> list[str]:
        """What in the server's version or configuration may cost swipes, in words."""
        with self.lent() as server:
            version = text(server.info("server").get("redis_version", ""))
        warnings = []
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers and tuple(map(int, numbers.groups())) < _OLDEST:
            warnings.append(f"Redis {version} is too old; mlrec needs 6.2 or newer.")
        if policy := self._evicting_policy():
            refused = "" if self._address.allow_eviction else " Until then no swipe is stored."
            warnings.append(
                f"The server may delete swipes when its memory is full (maxmemory-policy {policy}): set"
                f" maxmemory-policy noeviction.{refused}"
            )
        configuration = self._configuration()
        if configuration is None:
            warnings.append("The server does not tell its configuration (CONFIG is forbidden): ask who runs it.")
        elif configuration["appendonly"] != "yes":
            warnings.append("Swipes since the last snapshot are lost if the server dies: set appendonly yes.")
        elif configuration["appendfsync"] != "always":
            warnings.append(
                "Swipes of the last second or more are lost if the machine dies: set appendfsync always to lose none."
            )
        return warnings

    def kept(self) -> str:
        """What an acknowledged swipe survives, in words."""
        configuration = self._configuration()
        if configuration is None:
            return "what an acknowledged swipe survives is up to the server"
        if configuration["appendonly"] != "yes":
            return "an acknowledged swipe survives once the next snapshot is written (appendonly no)"
        if configuration["appendfsync"] == "always":
            return "an acknowledged swipe survives a loss of power (appendfsync always)"
        return f"an acknowledged swipe survives the server's death (appendfsync {configuration['appendfsync']})"

    def _configuration(self) -> dict[str, str] | None:
        """Settings that durability hangs on; None where the server does not tell them."""
        names = ("appendonly", "appendfsync")
        with self.lent() as server:
            try:
                found = server.config_get(*names)
            except self._errors.ResponseError:
                return None
        texts = {text(name): text(value) for name, value in found.items()}
        return texts if set(names) <= set(texts) else None


def text(value: object) -> str:
    """What the server says, as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
