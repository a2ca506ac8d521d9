"""One connection of a listener: it tells when its request drips or its answer is not taken, and whom not to begin.

A server that begins each request only to refuse it is kept busy by whoever is refused: what the application would turn
away is held, and answered, right here.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from insights.api.answers import WHOLE
from insights.api.safe_headers import SAFE, Header
from insights.serving.crowd import Crowd
from insights.serving.joined import Joined
from insights.traffic.holds import Heed
from insights.traffic.limits import TIMED, ConnectionLimits
from insights.traffic.refusal import Guarded, Refusal

MAX_HEAD = 65_536
"""Bytes of a request line and its headers."""

LEAST_TAKEN = 16_384
"""Bytes of an answer that must be taken in the time that a request may take to arrive, or all that is left of it."""


def _last_words(status: HTTPStatus, body: bytes, *more: Header) -> bytes:
    """The answer of a connection that ends, with what keeps browsers from making more of it than it is."""
    headers = (*more, (b"connection", b"close"), (b"content-length", str(len(body)).encode()), *SAFE)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode(), *(b": ".join(header) for header in headers)]
    return b"\r\n".join([*lines, b"", body])


_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_LATE: Final = _last_words(
    HTTPStatus.REQUEST_TIMEOUT,
    b'{"type":"about:blank","title":"The request took too long to arrive","status":408,'
    b'"detail":"Nothing was stored; send the same request."}\n',
    (b"content-type", b"application/problem+json"),
)
_CROWDED: Final = _last_words(HTTPStatus.SERVICE_UNAVAILABLE, b"Too many connections.\n", _TEXT, (b"retry-after", b"2"))
_HEAD_TOO_LARGE: Final = _last_words(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"The headers are too large.\n", _TEXT)


_NOT_TAKEN_SECONDS: Final = 1.0
"""After which it is looked again whether who is turned away has taken their earlier answers."""


@dataclass(slots=True)
class _Held:
    """A request that is refused, and waits to be told so."""

    cycle: RequestResponseCycle
    refusal: Refusal
    timer: asyncio.TimerHandle


class Connection(HttpToolsProtocol):
    """uvicorn's connection, which knows since when it has waited for the rest of a request, and whom not to begin."""

    crowd: Crowd
    guarded: Guarded | None

    since: float | None = None
    _begun: RequestResponseCycle
    _held: _Held | None = None
    _heed: Heed | None = None
    _head = 0
    _unsent: tuple[float, int] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self.crowd.enter(self):
            transport.write(_CROWDED)
            transport.close()
            return
        self.since = self.loop.time()
        self.transport = cast(asyncio.Transport, Joined(transport, self.loop))

    def connection_lost(self, exc: Exception | None) -> None:
        self.since = None
        self.crowd.leave(self)
        self._let_go()
        super().connection_lost(exc)

    def eof_received(self) -> Any:
        # Nothing more can come. It is closed when its turn has come, not by the event loop right now.
        self.crowd.hung_up(self)
        return True

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.since is None:
            self.since = self.loop.time()
        if self._head >= 0:
            self._head += len(data)
        super().data_received(data)
        # Still within the headers after so much of them.
        if self._head > MAX_HEAD and not self.transport.is_closing():
            self.since = None
            self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._head = -1
        self.scope["extensions"] = {TIMED: {}} if self.crowd.seconds else {}
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.since, self._head = None, 0

    def on_body(self, body: bytes) -> None:
        # Nobody will read it: what is held costs no more memory for being long.
        if self._held is None or self._held.cycle is not self.cycle:
            super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        # uvicorn's own has no headers but its server's.
        self.transport.write(_last_words(HTTPStatus.BAD_REQUEST, msg.encode(), _TEXT))
        self.transport.close()

    def shutdown(self) -> None:
        """Called when the server ends: who is held is told at once."""
        super().shutdown()
        if self._held is not None:
            self._tell()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # Where uvicorn begins a request: those before it over this connection are answered.
        scope: Any = cycle.scope
        refusal = None if self.guarded is None else self.guarded.refusal_of(scope)
        if refusal is None:
            # One at a time: the next is begun when this one is answered. The request itself must not refer to its
            # cycle, which refers to it: only the garbage collector would ever free the two.
            self._begun = cycle
            scope["extensions"][WHOLE] = self._send_whole
            super()._start_asgi_task(cycle, app)
            return
        early = 0
        if refusal.alone:
            self._heed = self._heed or Heed()
            early = self._heed.came(self.loop.time())
        self._held = _Held(cycle, refusal, self.loop.call_later(self.crowd.holds.begin(early), self._tell))

    def _send_whole(self, head: bytes, body: bytes) -> bool:
        """See ``WHOLE``. What is not the usual case is left to uvicorn: to wait, or to say that the connection ends."""
        cycle = self._begun
        if cycle.response_started or cycle.disconnected or self.flow.write_paused or not cycle.keep_alive:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        own = b"".join([b"%b: %b\r\n" % header for header in self.server_state.default_headers])
        transport: Any = self.transport
        transport.write_whole(b"%b%b\r\n%b" % (head, own, body))
        cycle.message_event.set()
        self.on_response_complete()
        return True

    def _tell(self) -> None:
        """Answers whoever is held, and goes on to what they sent next."""
        held = self._held
        if held is None:
            return
        if self.flow.write_paused and not self.transport.is_closing():
            held.timer = self.loop.call_later(_NOT_TAKEN_SECONDS, self._tell)
            return
        self._let_go()
        cycle, refusal = held.cycle, held.refusal
        cycle.response_started = cycle.response_complete = True
        self.transport.write(_written(refusal, cycle, self.server_state.default_headers))
        if self._heed is not None:
            self._heed.told(self.loop.time(), refusal.retry_after)
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.timer.cancel()
            self._held = None
            self.crowd.holds.end()

    def is_stuck(self, now: float, seconds: float) -> bool:
        """Whether its other end has taken next to nothing of an answer for so long."""
        left = self._left()
        if not left:
            self._unsent = None
            return False
        # It grows only after some of it was taken: whoever writes waits while there is much of it.
        if self._unsent is None or not self._unsent[1] - LEAST_TAKEN < left <= self._unsent[1]:
            self._unsent = (now, left)
        return now - self._unsent[0] > seconds

    def _left(self) -> int:
        # What the system took off our hands counts until the other end has it: it takes megabytes at a time.
        ours = self.transport.get_write_buffer_size()
        if not ours:
            return 0
        try:
            queued = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0  # a system that does not say, or a connection that is gone
        return int(ours + struct.unpack("i", queued)[0])

    def cut(self) -> None:
        """Ends a connection whose request does not."""
        self.since = None
        waiting = self.cycle is None or self.cycle.response_complete or not self.cycle.response_started
        if waiting and not self.transport.is_closing() and self._head != 0:
            self.transport.write(_LATE)
        self.transport.close()


def _written(refusal: Refusal, cycle: RequestResponseCycle, more: Iterable[tuple[bytes, bytes]]) -> bytes:
    parts = [STATUS_LINE[429]]
    for name, value in (*more, *refusal.headers):
        parts += (name, b": ", value, b"\r\n")
    if not cycle.keep_alive:
        parts.append(b"connection: close\r\n")
    parts.append(b"\r\n")
    if cycle.scope["method"] != "HEAD":
        parts.append(refusal.body)
    return b"".join(parts)


def connection_class(limits: ConnectionLimits, guarded: Guarded | None = None) -> type[Connection]:
    """uvicorn's ``http`` for one listener. ``guarded``: its application, where that refuses requests beforehand."""
    return type("Connection", (Connection,), {"crowd": Crowd(limits), "guarded": guarded})
