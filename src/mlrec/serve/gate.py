"""What every request passes before and after its route: identity, limits, headers, log and metrics."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlrec.serve.keys import COOKIE
from mlrec.serve.problems import Refusal, route_of

if TYPE_CHECKING:
    from mlrec.serve.service import Service

LARGEST_BODY = 256 * 1024  # bytes; the most likes that a visitor may send take about half of it
_SLOWEST_BODY = 10.0  # seconds
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OPEN_PATHS = ("/livez", "/readyz")
_PAGE_PATHS = ("/", "/docs", "/openapi.json", "/session")

access_log = logging.getLogger("mlrec.serve.access")


class Gate:
    """The outermost layer of the application.

    Parameters
    ----------
    app
        The application.
    service
        What the application serves with.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        passage = _Passage(self.service, scope, receive, send)
        try:
            try:
                passage.admit()
                await self.app(scope, passage.receive, passage.send)
            except Refusal as refusal:
                self.service.metrics.refused.labels(str(refusal.status_code)).inc()
                await refusal.response()(scope, receive, passage.send)
        finally:
            passage.note()


class _Passage:
    """One request on its way."""

    def __init__(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        self.service, self.scope = service, scope
        self._receive, self._send = receive, send
        self._headers = Headers(scope=scope)
        self._started = time.perf_counter()
        self._body_until = self._started + _SLOWEST_BODY
        self._read = 0
        self._status, self._sent = 0, 0
        self._client = ""
        given = self._headers.get("x-request-id", "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope["request_id"] = self.request_id

    # -- before the route --------------------------------------------------------------------------------------------

    def admit(self) -> None:
        """Refuse what must not reach a route."""
        _check_encoding(self.scope)
        path = self.scope["path"]
        self._check_host()
        length = self._headers.get("content-length", "0")
        _check_size(int(length[:20]) if length.isdigit() else 0)
        if self.scope["method"] == "OPTIONS" or path in _OPEN_PATHS:
            return
        self._identify(path)
        if (limit := self.service.rate_limit) is not None:
            seconds = limit.seconds_to_wait(self._client)
            if seconds > 0:
                whole = int(seconds) + 1
                wait = {"Retry-After": str(whole)}
                raise Refusal(429, "You have sent too many requests.", f"Wait {whole} s.", wait)

    def _check_host(self) -> None:
        # Without keys, a page of somebody else could reach this service through a name that it points here.
        if self.service.hosts is None:
            return
        host = self._headers.get("host", "")
        name = host[1:].partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host
        if name.lower() not in self.service.hosts:
            raise Refusal(
                421,
                "This service does not accept requests for this host name.",
                "Allow it with --allowed-host NAME, or use API keys.",
            )

    def _identify(self, path: str) -> None:
        """Find out who asks: a program with a key, or a person with a session."""
        service, scope = self.service, self.scope
        address = scope["client"][0] if scope.get("client") else "unknown"
        self._client = f"address {address}"
        cookie = cookie_parser(self._headers["cookie"]).get(COOKIE) if "cookie" in self._headers else None
        scope["session_user"] = service.sessions.user_of(cookie)
        scope["is_trusted"] = not service.keys.are_needed
        if not service.keys.are_needed:
            return
        scheme, _, key = self._headers.get("authorization", "").partition(" ")
        key = key.strip() if scheme.lower() == "bearer" else self._headers.get("x-api-key", "")
        if key:
            name = service.keys.name_of(key)
            if name is None:
                raise _unauthorized("The API key is not valid.")
            scope["is_trusted"], self._client = True, f"key {name}"
            return
        if service.settings.page and (path in _PAGE_PATHS or path.startswith("/page/")):
            return
        if service.settings.page and scope["session_user"] is not None:
            return  # a route decides what a session may do
        raise _unauthorized("This request needs an API key.")

    async def receive(self) -> Message:
        """Read a part of the body, unless it becomes too large or takes too long."""
        if self._status:
            return await self._receive()  # the answer has begun: this waits for the client to leave
        remaining = self._body_until - time.perf_counter()
        try:
            message = await asyncio.wait_for(self._receive(), max(remaining, 0.001))
        except TimeoutError as error:
            raise Refusal(408, f"The body did not arrive within {_SLOWEST_BODY:.0f} s.") from error
        self._read += len(message.get("body", b""))
        _check_size(self._read)
        return message

    # -- after the route ---------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Send a part of the answer, with the headers that all answers have."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            for name, value in self.service.security_headers.items():
                headers.setdefault(name, value)
        self._sent += len(message.get("body", b""))
        await self._send(message)

    def note(self) -> None:
        """Count the request and log it: which route, never which user."""
        seconds = time.perf_counter() - self._started
        template = route_of(self.scope)
        method = self.scope["method"] if self.scope["method"] in _METHODS else "(other)"
        metrics, status = self.service.metrics, self._status or 499
        metrics.requests.labels(method, template, str(status)).inc()
        metrics.seconds.labels(method, template).observe(seconds)
        if access_log.isEnabledFor(logging.INFO):
            access_log.info(
                "",
                {
                    "request_id": self.request_id,
                    "method": method,
                    "path": template,
                    "status": status,
                    "ms": round(seconds * 1000, 2),
                    "bytes": self._sent,
                    "key": self._client.removeprefix("key ") if self._client.startswith("key ") else None,
                },
            )


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _unauthorized(detail: str) -> Refusal:
    return Refusal(401, detail, "Send the header: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})


def _check_size(body_bytes: int) -> None:
    if body_bytes > LARGEST_BODY:
        raise Refusal(413, f"The body has more than {LARGEST_BODY:,} bytes.", "Send less at a time.")


def _check_encoding(scope: Scope) -> None:
    """Refuse a path or query whose percent-encoding is not UTF-8, which the framework would quietly replace."""
    for part in (scope.get("raw_path", b""), scope["query_string"]):
        if b"%" in part:
            try:
                unquote_to_bytes(part).decode()
            except UnicodeDecodeError as error:
                raise Refusal(400, "The address is not UTF-8.", "Percent-encode the bytes of UTF-8.") from error
