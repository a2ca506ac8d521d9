"""A shop's visitors: they send, resend what was not acknowledged, and remember what was."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx

from bench.visits import BUYS, FAILS, HESITATES, LEAVES, Step, visit
from insights.events.entry import Entry

BATCH = 4
"""Events of one request."""
AGAIN_AFTER = 0.1
TIMEOUT = 10.0


@dataclass(slots=True)
class Ledger:
    """What the visitors were told. ``acknowledged``: event id to session id."""

    acknowledged: dict[UUID, UUID] = field(default_factory=dict)
    sent: set[UUID] = field(default_factory=set)
    ended: set[UUID] = field(default_factory=set)
    mails_wanted: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    refusals: list[tuple[float, float]] = field(default_factory=list)
    """When each request was sent that was told 503, and when it was told: `time.perf_counter`."""
    last_acknowledged: float = 0.0
    odd: str = ""


class Crowd:
    """``size`` visitors at a time, each on the server that its id picks while that one answers."""

    def __init__(self, servers: Sequence[str], key: str, project_id: UUID, *, size: int, seed: int) -> None:
        self.ledger = Ledger()
        self._servers = [f"{server}/v1/events?key={key}" for server in servers]
        self._project_id = project_id
        self._size = size
        self._random = random.Random(seed)  # noqa: S311  no secret: which visit comes next
        self._leaving = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Lets the visitors in (again)."""
        self._leaving.clear()
        self._tasks = [asyncio.create_task(self._visitors()) for _ in range(self._size)]

    async def leave(self) -> None:
        """No new visits; returns once those under way have ended and are acknowledged."""
        self._leaving.set()
        await asyncio.gather(*self._tasks)

    async def _visitors(self) -> None:
        async with httpx.AsyncClient(timeout=TIMEOUT) as client:
            while not self._leaving.is_set():
                await self._visit(client)

    async def _visit(self, client: httpx.AsyncClient) -> None:
        story: tuple[Step, ...] = self._random.choice((HESITATES, HESITATES, FAILS, BUYS, LEAVES))
        entry = visit(self._project_id, story, datetime.now(UTC))
        server = entry.visitor_id.int % len(self._servers)
        for first in range(0, len(entry.events), BATCH):
            body = _body(entry, first)
            self.ledger.sent.update(event.id for event in entry.events[first : first + BATCH])
            server = await self._until_acknowledged(client, body, server)
            self.ledger.acknowledged.update(
                (event.id, entry.session_id) for event in entry.events[first : first + BATCH]
            )
            if self._random.random() < 0.1:  # an answer that got lost on its way: the same once more
                server = await self._until_acknowledged(client, body, server)
            await asyncio.sleep(self._random.uniform(0, 0.02))
        self.ledger.ended.add(entry.session_id)
        for event in entry.events:
            if event.type == "identified":
                self.ledger.mails_wanted.add(event.props["email"])

    async def _until_acknowledged(self, client: httpx.AsyncClient, body: dict[str, Any], server: int) -> int:
        """Returns the server that took it in the end."""
        while True:
            began = time.perf_counter()
            try:
                answer = await client.post(self._servers[server], json=body)
            except httpx.TransportError as error:
                self.ledger.answers[type(error).__name__] += 1
                server = (server + 1) % len(self._servers)
            else:
                self.ledger.answers[str(answer.status_code)] += 1
                if answer.status_code == 200:
                    self.ledger.last_acknowledged = time.perf_counter()
                    return server
                if answer.status_code == 503:
                    self.ledger.refusals.append((began, time.perf_counter()))
                elif not self.ledger.odd:
                    self.ledger.odd = f"{answer.status_code} {answer.text[:300]}"
            await asyncio.sleep(AGAIN_AFTER)


def _body(entry: Entry, first: int) -> dict[str, Any]:
    return {
        "visitor": str(entry.visitor_id),
        "session": str(entry.session_id),
        "tab": entry.tab,
        "sent_at": int(time.time() * 1000),
        "events": [
            {"id": str(e.id), "seq": e.seq, "t": e.t, "type": e.type, "url": e.url, "props": e.props}
            for e in entry.events[first : first + BATCH]
        ],
    }
