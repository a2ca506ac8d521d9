"""People with devices: each device sends events to a recorder, as its browser would."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from insights.events.entry import Entry
from insights.events.record import Recorder
from insights.events.wire import WireEvent
from insights.vocabulary.ids import uuid7

START = 1_795_000_000_000
"""Epoch milliseconds: a day in November 2026."""


class Device:
    """One visitor of a shop, and the session they are in."""

    def __init__(self, recorder: Recorder, project_id: UUID, *, at_ms: int = START) -> None:
        self.recorder = recorder
        self.project_id = project_id
        self.id = uuid4()
        self.at_ms = at_ms
        self.session = uuid7(at_ms)
        self.sessions = [self.session]
        self.seq = 0
        self.last: Entry | None = None

    def come_back(self, at_ms: int) -> None:
        self.at_ms = at_ms
        self.session = uuid7(at_ms)
        self.sessions.append(self.session)

    async def send(self, *events: tuple[str, dict[str, Any]]) -> int:
        """One batch. Returns how many of its events are new."""
        batch = []
        for kind, props in events:
            self.at_ms += 1_000
            self.seq += 1
            batch.append(WireEvent(uuid7(self.at_ms), self.at_ms, kind, self.seq, props))
        self.last = Entry(self.project_id, self.id, self.session, "t", "https://shop.example/", self.at_ms, batch)
        return await self.recorder.record(self.last)

    async def again(self) -> int:
        """The last batch once more."""
        assert self.last is not None
        return await self.recorder.record(self.last)

    async def view(self, path: str = "/") -> int:
        return await self.send(("page_viewed", {"path": path}))

    async def identify(self, **props: str) -> int:
        return await self.send(("identified", dict(props)))

    async def buy(self, order: str, value_minor: int = 4_900) -> int:
        return await self.send(("purchased", {"order_id": order, "value_minor": value_minor, "currency": "EUR"}))
