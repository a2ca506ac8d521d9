"""Speaks to one Redis or Valkey: what is asked in one turn of the event loop leaves in one write, and one read may
answer all of it.

A general client costs more processor time a command than everything else that an event's request does; this one does
what the live store needs and nothing else. Which address, user and database a URL names is for redis-py to read.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

from redis.asyncio.connection import parse_url

Reply = bytes | int | None

_OPTIONS: Final = frozenset({"host", "port", "path", "db", "username", "password", "connection_class", "ssl_ca_certs"})


class RedisLost(Exception):
    """There is no connection, or it does not answer in time."""


class RedisRefused(Exception):
    """Redis answered with an error."""


class RedisUrlInvalid(ValueError):
    """The text is not a URL of a Redis or Valkey."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is and how to get in. ``path``: of its socket, else ``host`` and ``port``."""

    host: str
    port: int
    path: str | None
    database: int
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str) -> RedisAddress:
        """Reads redis://, rediss:// (TLS; ``?ssl_ca_certs=`` names an authority's file) or unix://.

        Raises RedisUrlInvalid.
        """
        try:
            read: dict[str, Any] = dict(parse_url(url))
        except ValueError as error:
            raise RedisUrlInvalid(
                "WHYLEFT_REDIS_URL is not a Redis URL: write redis://user:password@host:6379/0, rediss://… or unix://…."
            ) from error
        if unknown := sorted(set(read) - _OPTIONS):
            raise RedisUrlInvalid(f"WHYLEFT_REDIS_URL has ?{unknown[0]}=, which is not known here: leave it out.")
        tls = None
        if urlsplit(url).scheme == "rediss":
            try:
                tls = ssl.create_default_context(cafile=read.get("ssl_ca_certs"))
            except OSError as error:
                raise RedisUrlInvalid("WHYLEFT_REDIS_URL: ?ssl_ca_certs= names no file of certificates.") from error
        return cls(
            host=str(read.get("host") or "localhost"),
            port=int(read.get("port") or 6379),
            path=read.get("path"),
            database=int(read.get("db") or 0),
            username=read.get("username"),
            password=read.get("password"),
            tls=tls,
        )


class RedisLink(asyncio.Protocol):
    """One connection. ``lost`` is called once, with the reason, when it ends; then it is of no more use.

    An answer that takes longer than ``timeout`` seconds (half as long again, so that a pause of this process is not
    taken for one of Redis) ends it.
    """

    def __init__(self, timeout: float, lost: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._lost = lost
        self._transport: asyncio.WriteTransport | None = None
        self._going_out: list[bytes] = []
        self._waiting: deque[tuple[float, asyncio.Future[Reply] | None]] = deque()
        self._rest = b""
        self._now = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._struck: object = None

    @classmethod
    async def open(cls, address: RedisAddress, *, within: float, lost: Callable[[str], None]) -> RedisLink:
        """A connection that has signed in; ``within`` is its ``timeout``. Raises RedisLost, RedisRefused."""
        loop = asyncio.get_running_loop()

        def make() -> RedisLink:
            return cls(within, lost)

        try:
            async with asyncio.timeout(max(1.0, within)):
                if address.path is not None:
                    _, link = await loop.create_unix_connection(make, address.path)
                else:
                    _, link = await loop.create_connection(make, address.host, address.port, ssl=address.tls)
        except (OSError, TimeoutError) as error:
            raise RedisLost(type(error).__name__) from error
        try:
            if address.password is not None:
                user = [] if address.username is None else [address.username.encode()]
                await link.ask(b"AUTH", *user, address.password.encode())
            if address.database:
                await link.ask(b"SELECT", b"%d" % address.database)
            await link.ask(b"PING")
        except BaseException:
            link.end("refused")
            raise
        return link

    def ask(self, *parts: bytes) -> asyncio.Future[Reply]:
        """Sends a command. The future raises RedisLost, RedisRefused."""
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._send(parts, answer)
        return answer

    def tell(self, *parts: bytes) -> None:
        """Sends a command whose answer nobody waits for; an error ends the connection."""
        self._send(parts, None)

    def end(self, reason: str) -> None:
        """Closes; whoever waits hears RedisLost."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.abort()
        if self._watch is not None:
            self._watch.cancel()
        waiting, self._waiting = self._waiting, deque()
        for _, answer in waiting:
            if answer is not None and not answer.done():
                answer.set_exception(RedisLost(reason))
                answer.exception()  # Heard here too, for the case that whoever waited has hung up.
        self._lost(reason)

    async def close(self) -> None:
        """Waits for what was asked, then closes without a word to ``lost``."""
        if self._transport is not None:
            self._lost = lambda reason: None
            with contextlib.suppress(RedisLost, RedisRefused):
                await self.ask(b"PING")
            self.end("closed")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.end("the connection was lost")

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        data = self._rest + data if self._rest else data
        at, waiting = 0, self._waiting
        while (line := data.find(b"\r\n", at)) >= 0:
            kind, head = data[at], data[at + 1 : line]
            reply: Reply | RedisRefused
            after = line + 2
            if kind == 0x24:  # $ a string
                if (length := int(head)) < 0:
                    reply = None
                else:
                    if len(data) < after + length + 2:
                        break
                    reply = data[after : after + length]
                    after += length + 2
            elif kind == 0x3A:  # : a number
                reply = int(head)
            elif kind == 0x2D:  # - an error
                reply = RedisRefused(head.decode("utf-8", "replace"))
            elif kind == 0x2B:  # + a word
                reply = head
            else:
                self.end("it does not speak as Redis does")
                return
            at = after
            if not waiting:
                self.end("it answers what nobody asked")
                return
            _, answer = waiting.popleft()
            if answer is None:
                if isinstance(reply, RedisRefused):
                    self.end(str(reply))
                    return
            elif not answer.done():
                if isinstance(reply, RedisRefused):
                    answer.set_exception(reply)
                else:
                    answer.set_result(reply)
        self._rest = data[at:]

    def _send(self, parts: tuple[bytes, ...], answer: asyncio.Future[Reply] | None) -> None:
        if self._transport is None:
            if answer is not None:
                answer.set_exception(RedisLost("closed"))
            return
        if not self._going_out:
            self._now = self._loop.time()
            self._loop.call_soon(self._write)
        self._going_out.append(b"*%d\r\n" % len(parts))
        self._going_out.extend([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts])
        self._waiting.append((self._now, answer))
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout, self._look)

    def _write(self) -> None:
        going_out, self._going_out = self._going_out, []
        if self._transport is not None:
            self._transport.write(b"".join(going_out))

    def _look(self) -> None:
        """Ends the connection when the oldest answer is overdue twice: the first time it may stand unread."""
        self._watch = None
        if not self._waiting:
            return
        oldest = self._waiting[0]
        left = oldest[0] + self._timeout - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
        elif self._struck is oldest:
            self.end("it does not answer in time")
        else:
            self._struck = oldest
            self._watch = self._loop.call_later(self._timeout / 2, self._look)
