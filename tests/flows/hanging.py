"""A provider that answers nobody of some flows, and the flows that it does not answer."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Accepted, Result, SendIntent
from flows.ports import Composed, SendRequest, Skip
from tests.flows.world import Provider, World


class Hanging(Provider):
    """Answers nobody of one flow until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.hanging = 0

    async def send(self, intent: SendIntent) -> Result:
        if intent.content.get("hangs"):
            self.hanging += 1
            await self.go_on.wait()
            return Accepted()
        return await super().send(intent)


class ByFlow:
    """Messages say of which flow they are by their action."""

    def only_reads(self, action: str) -> bool:
        return False

    async def compose(self, tx: AsyncSession, request: SendRequest) -> Composed | Skip:
        if request.params.get("fails"):
            raise ZeroDivisionError
        return Composed("email", "ada@example.org", {"hangs": bool(request.params.get("hangs"))})


async def hanging_once_reached(world: World, provider: Hanging, reached: int) -> int:
    """Serves until so many messages have reached the provider; how many sends hung by then. All go on after that."""
    stop = asyncio.Event()
    serving = asyncio.create_task(world.runner().serve(stop))
    try:
        async with asyncio.timeout(30):
            while len(provider.reached) < reached:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return provider.hanging
    finally:
        stop.set()
        provider.go_on.set()
        async with asyncio.timeout(30):
            await serving
