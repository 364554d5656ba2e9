"""API keys, and the sessions of people on the page."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mlrec.errors import InputError, MlrecError, SettingsError, shown
from mlrec.ids import IdKind, PublicId

SHORTEST_KEY = 16
COOKIE = "mlrec_session"
SESSION_SECONDS = 365 * 86_400
_SECRET_BYTES = 32
_LINE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,49})\s*=\s*(?P<key>\S+)")
_TOKEN = re.compile(r"[0-9a-f]{32}\.[0-9a-f]{32}")
# Above every id of the public data sets, and small enough for JavaScript, which has no larger whole numbers.
_FIRST_VISITOR, _VISITORS = 2**52, 2**52

_log = logging.getLogger(__name__)


class Keys:
    """The keys of a file, with lines like `my-app = KEY`; empty lines and lines that begin with # do not count.

    Parameters
    ----------
    file
        The file. None: no key is needed.

    Raises
    ------
    InputError
        If the file cannot be read.
    SettingsError
        If a line is not a name and a key, a key is shorter than 16 characters, or a name or a key is there twice.
    """

    def __init__(self, file: str | None) -> None:
        self.path = None if file is None else Path(file)
        self._digests: Mapping[str, bytes] = {} if self.path is None else _read(self.path)

    @property
    def are_needed(self) -> bool:
        """Whether a request needs a key."""
        return self.path is not None

    def reload(self) -> None:
        """Read the file again. If it has a fault, the keys stay as they are, and the log says why."""
        if self.path is None:
            return
        try:
            self._digests = _read(self.path)
            _log.info("API keys read again: %d", len(self._digests))
        except MlrecError as error:
            _log.error("The API keys stay as they are: %s", error.message)

    def name_of(self, key: str) -> str | None:
        """The name of a key; None if it is none of the keys. Takes the same time whichever key it is, or none."""
        digest, found = _digest(key), None
        for name, known in self._digests.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


def _read(path: Path) -> Mapping[str, bytes]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            _log.warning("Others can read the API keys in %s. Make it private: chmod 600 %s", path, path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InputError(
            f"The API keys in {path} cannot be read: {reason}.", "Check the path that --api-key-file names."
        ) from error
    found: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        matched = _LINE.fullmatch(line.strip())
        place = f"{path}, line {number}"
        if matched is None:
            raise SettingsError(f"{place}: not a name and a key.", "A line looks like this: my-app = KEY")
        name, key = matched["name"], matched["key"]
        if len(key) < SHORTEST_KEY:
            raise SettingsError(
                f"{place}: the key {shown(name)} is shorter than {SHORTEST_KEY} characters.",
                "Make a key: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
        if name in found or _digest(key) in found.values():
            raise SettingsError(f"{place}: the name or the key is there twice.", "Give each key a name of its own.")
        found[name] = _digest(key)
    if not found:
        raise SettingsError(f"{path} has no keys.", "A line looks like this: my-app = KEY")
    return found


class Sessions:
    """People on the page, each with a user id of their own, which a signed cookie proves.

    Parameters
    ----------
    secret
        What cookies are signed with.
    user_id_kind
        What the user ids of the model are.
    """

    def __init__(self, secret: bytes, user_id_kind: IdKind) -> None:
        self._secret = secret
        self._kind = user_id_kind

    def new(self) -> str:
        """The cookie of somebody new."""
        who = secrets.token_hex(16)
        return f"{who}.{self._signature(who)}"

    def user_of(self, cookie: str | None) -> PublicId | None:
        """The user whose cookie it is; None if it is not one of ours."""
        if cookie is None or not _TOKEN.fullmatch(cookie):
            return None
        who, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature, self._signature(who)):
            return None
        return f"visitor-{who}" if self._kind == "text" else _FIRST_VISITOR + int(who, 16) % _VISITORS

    def _signature(self, who: str) -> str:
        return hmac.new(self._secret, who.encode(), hashlib.sha256).hexdigest()[:32]


def session_secret(path: Path) -> bytes:
    """The secret in a file, which is made if it is missing. Where it cannot be kept, sessions end with the service."""
    try:
        if not path.exists():
            temporary = path.with_name(f"{path.name}.{os.getpid()}")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_SECRET_BYTES))
            try:
                with suppress(FileExistsError):  # another process was faster
                    os.link(temporary, path)
            finally:
                temporary.unlink()
        secret = path.read_bytes()
    except OSError as error:
        _log.warning("Sessions on the page end with the service: %s cannot be kept (%s).", path, error.strerror)
        return secrets.token_bytes(_SECRET_BYTES)
    if len(secret) < _SECRET_BYTES:
        raise InputError(f"{path} is damaged: it is too short.", "Delete it. People on the page then begin anew.")
    return secret
