"""Decides which requests reach the application at all: the outermost door of every one.

Too many, too large and too slow ones are turned away here, so that no operation has to think of it; every answer
leaves with the headers that keep browsers from making more of it than it is. The events endpoint, which is the hot
path, counts and bounds its own requests by the same ``Traffic``; here only its address is looked at, and what it
turns away is answered. While requests are turned away, its listener asks before it begins one (``refusal_of``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from insights.api.body import ClientGone
from insights.api.cookies import plainly_said
from insights.api.ingest import PATH, Ingest
from insights.api.problem import MEDIA_TYPE, headers_of, problem
from insights.api.safe_headers import HSTS, NOT_KEPT, READABLE, SAFE, Header
from insights.errors import TooLarge, TooMany, TooSlow, WhyleftError
from insights.traffic.addresses import Client
from insights.traffic.limits import WEIGH, Traffic
from insights.traffic.refusal import Refusal

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
OPERATORS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Never turned away: what asks here decides whether this process lives."""


class Gate:
    """Wraps the whole application. ``https``: people come over https, and browsers are told to keep to it."""

    def __init__(self, app: Ingest, traffic: Traffic, *, max_body_bytes: int, https: bool) -> None:
        self._app = app
        self._traffic = traffic
        self._most = max_body_bytes
        self._seconds = traffic.connections.seconds
        self._safe = (*SAFE, HSTS) if https else SAFE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = self._traffic.clients.of(scope)
        path = scope["path"]
        try:
            if path not in OPERATORS:
                self._admit(client, scope)
            peer = scope.get("client")
            if client.told:
                scope["client"] = (client.address, 0)
            if path == PATH:
                await self._app(scope, receive, send)
                return
            scope["headers"] = plainly_said(scope["headers"])
            # For single sign-on: whether the connection's own other end is a proxy of the operator's.
            scope["whyleft.peer_trusted"] = self._traffic.clients.trusts(str((peer or ("",))[0]))
            await self._pass(scope, receive, send, client)
        except TooMany as error:
            await self._traffic.hold()
            await self._refuse(send, error)

    def refusal_of(self, scope: Scope) -> Refusal | None:
        """How a request is refused that has not been begun; None for one that has to be, to know what becomes of it."""
        if not self._traffic.turns_away or scope["path"] in OPERATORS:
            return None
        client = self._traffic.clients.of(scope)
        try:
            self._admit(client, scope, counts=False)
            if scope["path"] == PATH:
                self._app.check(scope)
            elif (key := _key_of(scope)) is not None:
                self._traffic.admit_operation(key, counts=False)
        except TooMany as error:
            headers, body = self._refusal(error)
            return Refusal(headers, body, error.retry_after, alone=not client.told)
        return None

    def _admit(self, client: Client, scope: Scope, *, counts: bool = True) -> None:
        try:
            self._traffic.admit(client, counts=counts)
        except TooMany:
            if not client.told and any(name == b"x-forwarded-for" for name, _ in scope["headers"]):
                self._traffic.not_believed(client)
            raise

    async def _pass(self, scope: Scope, receive: Receive, send: Send, client: Client) -> None:
        key = _key_of(scope)
        if key is None:
            await self._bounded(scope, receive, send, client)
            return
        self._traffic.admit_operation(key)
        async with self._traffic.seats.seat(key):
            await self._bounded(scope, receive, send, client)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send, client: Client) -> None:
        """Runs the application with a body that ends in time and within its size, whoever reads it."""
        weigh = partial(self._weigh, client, _key_of(scope))
        # For bodies that are unpacked further in.
        scope[WEIGH] = weigh
        body = _Body(receive, self._most, self._seconds, weigh)
        answer = self._with_safe_headers(send, *((NOT_KEPT,) if _key_of(scope) is not None else ()))
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                if body.fault is not None:
                    # What the application made of a body that was cut is not what was wrong with it.
                    return
                started = True
                if message["status"] == 401:
                    self._traffic.wrong_key(client)
            if body.fault is None or started:
                await answer(message)

        try:
            await self._app(scope, body.receive, watched)
        except ClientGone:
            return
        except Exception:
            # Whatever else an application makes of a body that was cut, that is what was wrong.
            if body.fault is None:
                raise
        if body.fault is not None and not started:
            await self._refuse(send, body.fault)

    def _weigh(self, client: Client, key: str | None, size: int) -> None:
        self._traffic.weigh(client, size)
        if key is not None:
            self._traffic.weigh_operation(key, size)

    def _with_safe_headers(self, send: Send, *more: Header) -> Send:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers") or ())
                said = {name.lower() for name, _ in headers}
                headers += [header for header in (*self._safe, *more) if header[0] not in said]
                message = {**message, "headers": headers}
            await send(message)

        return with_headers

    async def _refuse(self, send: Send, error: WhyleftError) -> None:
        headers, body = self._refusal(error)
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _refusal(self, error: WhyleftError) -> tuple[list[Header], bytes]:
        body = problem(error.status, error.title, error.detail, error.field)
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            *READABLE,
            *((name.encode(), value.encode()) for name, value in headers_of(error).items()),
            *self._safe,
        ]
        if not isinstance(error, TooMany):
            # The rest of the body is on its way still.
            headers.append((b"connection", b"close"))
        return headers, body


class _Body:
    """A request's body as it comes in. ``fault``: why it was cut, once it was. ``weigh``: is told its size."""

    def __init__(self, receive: Receive, most: int, seconds: float, weigh: Callable[[int], None]) -> None:
        self._receive = receive
        self._left = most
        self._most = most
        self._weigh = weigh
        self._until = asyncio.get_running_loop().time() + seconds if seconds else None
        self._whole = False
        self.fault: WhyleftError | None = None

    async def receive(self) -> Message:
        if self._whole:
            # Whoever still listens waits for the client to go away: that may take as long as it likes.
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            self.fault = TooSlow("The body did not arrive in time. Nothing was stored; send the same request again.")
            raise self.fault from None
        if message["type"] != "http.request":
            return message
        self._whole = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.fault = TooLarge(f"The body is larger than {self._most} bytes.")
            raise self.fault
        if self._whole:
            # Before anybody reads what is in it.
            self._weigh(self._most - self._left)
        return message


def _key_of(scope: Scope) -> str | None:
    """What a request's traffic is counted under: the credentials it sends, whether they are good or not."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return str(value[:200].decode("latin-1"))
    query = scope["query_string"]
    if b"key=" in query:
        return next((part[:200].decode("latin-1") for part in query.split(b"&") if part.startswith(b"key=")), None)
    return None
