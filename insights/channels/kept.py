"""Keeps a project's channels for a moment, so that a worker that sends many messages reads them once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Channel, Result
from flows.ports import Channels

KEPT_S: Final = 1.0
"""A channel that was set up, changed or switched off is so for the flows this much later, at most."""
MOST_PROJECTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Kept:
    channels: Mapping[str, Channel]
    until: float


class KeptChannels:
    """The same channels, as they were at most a second ago."""

    def __init__(self, channels: Channels, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._channels = channels
        self._clock = clock
        self._kept: dict[UUID, _Kept] = {}

    async def of(self, tx: AsyncSession, project_id: UUID) -> Mapping[str, Channel]:
        kept = self._kept.get(project_id)
        if kept is not None and self._clock() < kept.until:
            return kept.channels
        channels = await self._channels.of(tx, project_id)
        if len(self._kept) >= MOST_PROJECTS:
            self._kept.clear()
        self._kept[project_id] = _Kept(channels, self._clock() + KEPT_S)
        return channels

    async def heard(self, tx: AsyncSession, project_id: UUID, channel: Channel, answer: Result, now: datetime) -> None:
        await self._channels.heard(tx, project_id, channel, answer, now)
