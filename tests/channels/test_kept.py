"""A worker reads a project's channels once a second, however many messages it sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Channel
from flows.ports import SameForAll
from insights.channels.kept import KEPT_S, KeptChannels


class Counted(SameForAll):
    """Counts how often it was asked, by project."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked: list[UUID] = []

    async def of(self, tx: Any, project_id: UUID) -> Mapping[str, Channel]:
        self.asked.append(project_id)
        return await super().of(tx, project_id)


async def test_channels_are_read_again_after_a_second_and_for_each_project() -> None:
    now = 100.0
    counted, one, other = Counted(), uuid4(), uuid4()
    kept, tx = KeptChannels(counted, clock=lambda: now), cast(AsyncSession, None)
    for _ in range(3):
        await kept.of(tx, one)
    await kept.of(tx, other)
    assert counted.asked == [one, other]
    now += KEPT_S
    await kept.of(tx, one)
    assert counted.asked == [one, other, one]
