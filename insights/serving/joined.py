"""Decides when an answer's bytes leave: its head waits for the first of its body, so that both are one packet.

The server writes the two apart, and each write is a system call and a packet of its own: for an answer as short as
those of the events endpoint, that is most of what sending it costs.
"""

from __future__ import annotations

import asyncio
from typing import Final

_HEAD: Final = b"HTTP/1.1 "
_ITS_OWN: Final = ("abort", "get_extra_info", "get_write_buffer_size", "is_closing")


class Joined:
    """A transport that holds back an answer's head until the next write, or the event loop's next turn at the latest.

    What else a connection asks of it is the transport's own.
    """

    __slots__ = ("_held", "_loop", "_transport", *_ITS_OWN)

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        # Bound once: a ``__getattr__`` would make whatever is asked of it slow, ``write`` too.
        for name in _ITS_OWN:
            setattr(self, name, getattr(transport, name))

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
