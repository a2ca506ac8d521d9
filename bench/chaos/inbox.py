"""A mail provider that takes its time, so that a kill finds messages between the gate and the inbox."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Inbox:
    """Counts what reached each recipient; ``dropped``: those of mails on whose senders it hung up after that."""

    def __init__(self, seconds: float, drops: float, chance: random.Random) -> None:
        self.received: Counter[str] = Counter()
        self.dropped: set[str] = set()
        self.url = ""
        self._seconds = seconds
        self.drops = drops
        self._chance = chance

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Half of its time before the mail is in, half after: either may be when the sender dies."""
        await asyncio.sleep(self._seconds / 2)
        self.received.update(envelope.rcpt_tos)
        await asyncio.sleep(self._seconds / 2)
        if self._chance.random() < self.drops:
            self.dropped.update(envelope.rcpt_tos)
            server.transport.abort()
        return "250 OK"


@asynccontextmanager
async def inbox(seconds: float, *, drops: float = 0.0, chance: random.Random | None = None) -> AsyncIterator[Inbox]:
    """A provider on a free port that answers a message after ``seconds``, and a share ``drops`` of senders never."""
    state = Inbox(seconds, drops, chance or random.Random(0))  # noqa: S311  no secret: whom to hang up on
    loop = asyncio.get_running_loop()

    def factory() -> asyncio.BaseProtocol:
        protocol: Any = SMTP(state, loop=loop, hostname="localhost")
        return protocol  # type: ignore[no-any-return]

    server = await loop.create_server(factory, "127.0.0.1", 0)
    state.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.close()
