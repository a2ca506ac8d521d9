"""Asks connected providers to forget whoever was erased here: due rows, leased, called, recorded.

A provider that cannot be reached is asked again for three days; then, or when it says that it never will, the row is
``failed`` and waits for a person. A repeat does no harm, so what a worker left half-way is asked again whole.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Accepted, Channel, Rejected, Retry
from adapters.channels.erasing import CannotErase, Erased, Named
from adapters.channels.http_channel import ProviderChannel
from adapters.channels.unopened import Unopened
from adapters.channels.webhook import WebhookChannel
from adapters.postgres.buckets import take
from adapters.postgres.engine import Database
from adapters.postgres.leases import Lease, Leases
from insights.channels.ways import ProjectChannels
from insights.models import ChannelSetup, ProviderErasure

log = structlog.get_logger()

HELD: Final = timedelta(minutes=10)
LONGEST: Final = HELD - timedelta(minutes=1)
MOST_AT_ONCE: Final = 20
PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440, 1440))
"""After the first, second, … attempt that came to nothing; after the last one a person must look."""
REMOVED: Final = "The channel was removed before its provider was asked: erase them there by hand."


@dataclass(frozen=True, slots=True)
class _Turn:
    lease: Lease
    channel: ProviderChannel | Unopened | WebhookChannel  # type: ignore[type-arg]
    person: Named


async def erase_elsewhere(database: Database, ways: ProjectChannels, now: datetime) -> int:
    """Calls whatever is due, of every project; returns how many providers answered."""
    leases = await Leases(database, "provider_erasure").claim(now, now + HELD, MOST_AT_ONCE)
    told = await asyncio.gather(*(_take(database, ways, lease, now) for lease in leases), return_exceptions=True)
    for lease, result in zip(leases, told, strict=True):
        if isinstance(result, BaseException):
            # Its lease runs out by itself; it holds up no other.
            log.warning("provider_erasure_put_off", erasure=str(lease.id), error=type(result).__name__)
    return sum(result is True for result in told)


async def _take(database: Database, ways: ProjectChannels, lease: Lease, now: datetime) -> bool:
    turn = await _begin(database, ways, lease, now)
    if turn is None:
        return False
    answer: Erased
    try:
        async with asyncio.timeout(LONGEST.total_seconds()):
            answer = await turn.channel.erase(turn.person)
    except TimeoutError:
        answer = Retry("The provider took too long.")
    async with database.transaction(lease.project_id) as tx:
        row = await _held(tx, lease)
        if row is not None:
            _record(row, answer, now)
            if not isinstance(answer, CannotErase):
                await ways.heard(tx, lease.project_id, turn.channel, answer, now)
    return True


async def _begin(database: Database, ways: ProjectChannels, lease: Lease, now: datetime) -> _Turn | None:
    """Counts the attempt before it is made. None: there is nobody to ask, or not yet."""
    async with database.transaction(lease.project_id) as tx:
        row = await _held(tx, lease)
        if row is None:
            return None
        channel = await _channel(tx, ways, row)
        if channel is None:
            _record(row, CannotErase(REMOVED), now)
            return None
        if not isinstance(channel, ProviderChannel | Unopened | WebhookChannel):
            raise TypeError(f"a channel of kind {row.kind} cannot erase")
        rate = channel.rate
        bucket = f"channel:{row.channel_id or row.kind}"
        full = await take(tx, lease.project_id, bucket, per_second=rate.per_second, burst=rate.burst)
        if full is not None:
            row.due_at, row.lease_until = now + full, None
            return None
        row.attempts += 1
        who = row.who
        # Rows of before visitors were named have none.
        names = [who["emails"], who["phones"], who["user_ids"], who.get("visitors", [])]
        return _Turn(lease, channel, Named.of(str(row.id), *names))


async def _channel(tx: AsyncSession, ways: ProjectChannels, row: ProviderErasure) -> Channel | None:
    """Whoever is to be asked; None: it is not set up any more."""
    if row.channel_id is None:
        return ways.servers.get(row.kind)
    setup = await tx.get(ChannelSetup, (row.project_id, row.channel_id))
    return None if setup is None else ways.opened(setup)


async def _held(tx: AsyncSession, lease: Lease) -> ProviderErasure | None:
    row: ProviderErasure | None = await tx.scalar(
        select(ProviderErasure)
        .where(
            ProviderErasure.project_id == lease.project_id,
            ProviderErasure.id == lease.id,
            ProviderErasure.lease_token == lease.token,
            ProviderErasure.status == "waiting",
        )
        .with_for_update()
    )
    return row


def _record(row: ProviderErasure, answer: Erased, now: datetime) -> None:
    """What an answer makes of the row. The names go as soon as nobody needs them."""
    row.told_at, row.due_at, row.lease_until = now, None, None
    if isinstance(answer, Accepted):
        row.status, row.said, row.who = "done", answer.detail or "It was asked to erase them.", {}
    elif isinstance(answer, CannotErase):
        row.status, row.said, row.who = "by_hand", answer.where, {}
    elif isinstance(answer, Rejected) or row.attempts > len(PAUSES):
        row.status, row.said = "failed", answer.why
    else:
        pause = PAUSES[row.attempts - 1]
        row.said = answer.why
        row.due_at = now + max(pause, answer.after or pause)
    log.info("provider_asked_to_erase", erasure=str(row.id), kind=row.kind, status=row.status, attempt=row.attempts)
