"""Visitors who start runs while processes die: who came, and the flows that write to them.

Each visitor starts a run of three flows: one writes through a mail provider that delivers every copy, one calls a
webhook whose receiver honours keys, one tells a data platform to which two events of one id are the same. Beside them
runs of a poison flow fail whatever is done.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text

from bench.chaos.inbox import Inbox
from bench.chaos.provider import Receiver
from bench.chaos.stand import Stand
from flows.definition import FlowDefinition
from insights.channels.store import Wanted, create
from insights.recovery.publish import publish_flow
from insights.settings import Settings
from insights.vocabulary.ids import uuid7
from insights.wiring.secrets import sealer

AT_A_TIME = 8
MOST_AHEAD = 150
"""Visitors whose webhook is not done yet; no more come until some are."""
POISONED = 5
PLATFORM = "platform"

_WAIT = {"do": "wait", "for": "PT0.05S"}


def _sends(first: str, action: str, params: dict[str, Any], pause: str = "PT0.05S") -> dict[str, Any]:
    return {
        first: {"do": "wait", "for": pause, "next": "send"},
        "send": {"do": "send", "action": action, "params": params, "next": "rest"},
        "rest": _WAIT,
    }


FLOWS: dict[str, dict[str, Any]] = {
    "mail": _sends("pause", "send_email", {"message": "saved_cart_help"}),
    "hook": _sends("pause", "call_webhook", {}),
    "told": _sends("pause", "call_webhook", {"channel": PLATFORM}),
    "poison": _sends("pause", "call_webhook", {}, "PT5S"),
}
STARTED = ("mail", "hook", "told")
"""The flows of which each visitor starts a run."""


class Crowd:
    """Visitors of one installation. ``visitors``: each one's address; ``wanted``: so many may have come by now."""

    def __init__(self, stand: Stand, mails: Inbox, hooks: Receiver, told: Receiver) -> None:
        self.stand = stand
        self.mails = mails
        self.hooks = hooks
        self.told = told
        self.visitors: dict[UUID, str] = {}
        self.wanted = 0
        self._client = httpx.AsyncClient(timeout=10)

    async def __aenter__(self) -> Crowd:
        return self

    async def __aexit__(self, *why: object) -> None:
        await self._client.aclose()

    def arrived(self) -> int:
        """How many messages got through so far."""
        return len(self.mails.received) + len(self.hooks.done) + len(self.told.done)

    async def publish(self, folder: Path) -> None:
        """The flows, and the channel of the data platform."""
        now = datetime.now(UTC)
        wanted = Wanted({"api": self.told.url.rstrip("/")}, {"write_key": "chaos-chaos"})
        async with self.stand.database.transaction(self.stand.project_id) as tx:
            sealing = sealer(Settings(data_dir=folder))
            await create(tx, sealing, self.stand.project_id, "segment", PLATFORM, wanted, now)
        for name, steps in FLOWS.items():
            trigger = {"on": "event", "event": "custom", "name": "poison" if name == "poison" else "go"}
            body = {"name": name, "trigger": trigger, "start": "pause", "steps": steps}
            async with self.stand.database.transaction(self.stand.project_id) as tx:
                await publish_flow(tx, self.stand.project_id, FlowDefinition.model_validate(body), now)

    async def keep_coming(self) -> None:
        """Visitors, a few at a time, as long as fewer came than are wanted and their messages keep up."""

        async def one() -> None:
            while True:
                behind = len(self.visitors) - len(self.hooks.done)
                if len(self.visitors) < self.wanted and behind < MOST_AHEAD:
                    await self._visit("go")
                else:
                    await asyncio.sleep(0.02)

        await asyncio.gather(*(one() for _ in range(AT_A_TIME)))

    async def poison(self) -> None:
        """Runs whose facts no message can be made of: each fails, whoever tries."""
        for _ in range(POISONED):
            await self._visit("poison")
        poison = text("UPDATE flow_run SET facts = '[]' FROM flow WHERE flow.id = flow_id AND flow.name = 'poison'")
        for _ in range(40):  # a worker starts the runs a moment later
            await asyncio.sleep(0.1)
            async with self.stand.database.transaction(self.stand.project_id) as tx:
                found = await tx.execute(poison)
            if getattr(found, "rowcount", 0) == POISONED:
                return

    async def _visit(self, name: str) -> None:
        """One visitor who may be written to, and the event that starts the flows; sent until it is acknowledged."""
        now, visitor = int(time.time() * 1000), uuid4()
        mail = f"{visitor.hex}@example.org"
        if name == "go":
            self.visitors[visitor] = mail
        events = [
            {"type": "identified", "props": {"email": mail}},
            {"type": "consent_changed", "props": {"marketing": True}},
            {"type": "custom", "props": {"name": name}},
        ]
        batch = {
            "visitor": str(visitor),
            "session": str(uuid7(now)),
            "tab": "t",
            "sent_at": now,
            "page": {"url": "https://shop.example/cart"},
            "events": [{"id": str(uuid7(now)), "seq": n, "t": now, **event} for n, event in enumerate(events)],
        }
        while True:
            try:
                url = f"{self.stand.apis[0].url}/v1/events?key={self.stand.key}"
                if (await self._client.post(url, json=batch)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
