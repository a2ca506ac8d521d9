"""Decides when an answer's bytes leave: its head waits for the first of its body, so that both are one packet.

The server writes the two apart, and each write is a system call and a packet of its own: for an answer as short as
those of the events endpoint, that is most of what sending it costs.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

_HEAD: Final = b"HTTP/1.1 "


class Joined:
    """A transport that holds back an answer's head until the next write, or the event loop's next turn at the latest.

    Everything else is the transport's own.
    """

    __slots__ = ("_held", "_loop", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Sends ``data``, and before it what was held back."""
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(_HEAD):
            self._held = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def write_whole(self, data: bytes) -> None:
        """Sends a whole answer at once: there is nothing that its head could wait for."""
        self._flush()
        self._transport.write(data)

    def close(self) -> None:
        """Closes the connection once everything is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            if not self._transport.is_closing():
                self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
