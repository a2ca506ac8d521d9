"""Opens the channels that a project set up, beside the server's own, and keeps how each fares."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Accepted, Channel, Result, Suppress
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.kinds import open_channel
from adapters.channels.line import Line
from adapters.channels.unopened import Unopened
from insights.channels.form_words import in_words
from insights.channels.store import listed, opened
from insights.models import ChannelSetup
from insights.sealing import CannotOpen, Sealer

log = structlog.get_logger()

MOST_OPEN: Final = 10_000
SAY_AGAIN: Final = timedelta(seconds=10)

# Whoever cannot have the row at once leaves it: of many sends a second, one telling how the channel fares is enough.
_WELL = text("""
UPDATE channel SET last_ok_at = :now, failures = 0 WHERE project_id = :project AND id = (
    SELECT id FROM channel WHERE project_id = :project AND id = :id
    AND (failures > 0 OR last_ok_at IS NULL OR last_ok_at < :stale) FOR UPDATE SKIP LOCKED)
""")
_ILL = text("""
UPDATE channel SET last_error_at = :now, last_error = :why, failures = failures + 1
WHERE project_id = :project AND id = (
    SELECT id FROM channel WHERE project_id = :project AND id = :id FOR UPDATE SKIP LOCKED)
""")


class ProjectChannels:
    """``servers``: the channels of the server's environment, by their word; a project's own come before them."""

    def __init__(self, servers: Mapping[str, Channel], sealer: Sealer, line: Line) -> None:
        self.servers = servers
        self._sealer = sealer
        self._line = line
        self._open: dict[UUID, tuple[bytes, Channel]] = {}

    async def of(self, tx: AsyncSession, project_id: UUID) -> Mapping[str, Channel]:
        """By word the one that carries it, by name each of the project's; the server's also as "server email"."""
        found: dict[str, Channel] = {f"server {word}": channel for word, channel in self.servers.items()}
        for row in await listed(tx, project_id):
            if row.enabled:
                channel = self.opened(row)
                found.setdefault(row.word, channel)
                found[row.name] = channel
        return {**self.servers, **found}

    def opened(self, row: ChannelSetup) -> Channel:
        """The channel of a row, as of its last change; one that cannot be opened keeps what it is handed waiting."""
        # Sealed anew with every change: the same bytes are the same settings and credentials.
        known = self._open.get(row.id)
        if known is not None and known[0] == row.credentials:
            return known[1]
        channel: Channel
        try:
            credentials = opened(self._sealer, row)
            channel = open_channel(row.kind, row.settings, credentials, self._line, id=row.id)
        except (CannotOpen, ChannelMisconfigured) as error:
            log.warning("channel_not_opened", channel=str(row.id), kind=row.kind, error=type(error).__name__)
            # Not kept: it may be mended without a change of the row.
            return Unopened(row.word, row.id, in_words(error))
        if len(self._open) >= MOST_OPEN:
            self._open.clear()
        self._open[row.id] = (row.credentials, channel)
        return channel

    async def heard(self, tx: AsyncSession, project_id: UUID, channel: Channel, answer: Result, now: datetime) -> None:
        """Keeps what an answer says of a channel's health. Waits for nobody."""
        given = {"project": project_id, "id": channel.id, "now": now}
        if isinstance(answer, Accepted | Suppress):
            await tx.execute(_WELL, {**given, "stale": now - SAY_AGAIN})
        else:
            await tx.execute(_ILL, {**given, "why": answer.why[:500]})
