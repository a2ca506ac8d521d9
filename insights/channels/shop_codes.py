"""Tells the shop's own system (Shopify) of every discount code as it is issued, so that its till takes it once.

Whether a code was used stays with our ledger and the shop's orders. A code that is there already is ours: a repeat does
no harm, and several workers may be at it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.channels.contract import Accepted, Channel, Rejected, SendIntent
from adapters.postgres.engine import Database
from flows.ports import Channels
from insights.models import ChannelSetup, DiscountCode, MirroredCode, Project

log = structlog.get_logger()

WORD: Final = "shop"
LOOKED_BACK: Final = timedelta(days=1)
LOOK_AGAIN: Final = timedelta(minutes=1)
MOST_AT_ONCE: Final = 50


class CodeMirror:
    """Goes through the projects that have connected a shop system; looks for new ones once in a while."""

    def __init__(self, database: Database, channels: Channels) -> None:
        self._database = database
        self._channels = channels
        self._projects: list[UUID] = []
        self._looked_at: datetime | None = None

    async def round(self, now: datetime) -> int:
        """Tells what is new; returns how many codes were taken."""
        if self._looked_at is None or now - self._looked_at >= LOOK_AGAIN:
            self._projects = await _with_shop_system(self._database)
            self._looked_at = now
        return sum([await mirror_codes(self._database, self._channels, project, now) for project in self._projects])


async def _with_shop_system(database: Database) -> list[UUID]:
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id)))
    found = []
    for project_id in projects:
        of = (ChannelSetup.project_id == project_id, ChannelSetup.word == WORD, ChannelSetup.enabled)
        async with database.transaction(project_id) as tx:
            if await tx.scalar(select(ChannelSetup.id).where(*of).limit(1)) is not None:
                found.append(project_id)
    return found


async def mirror_codes(database: Database, channels: Channels, project_id: UUID, now: datetime) -> int:
    """Tells a project's shop system of the codes that it does not know; returns how many it took."""
    of = (ChannelSetup.project_id == project_id, ChannelSetup.word == WORD, ChannelSetup.enabled)
    async with database.transaction(project_id) as tx:
        since = await tx.scalar(select(ChannelSetup.created_at).where(*of).order_by(ChannelSetup.created_at).limit(1))
        if since is None:
            return 0
        known = select(MirroredCode.code).where(
            MirroredCode.project_id == project_id, MirroredCode.code == DiscountCode.code
        )
        rows = await tx.execute(
            select(DiscountCode.code, DiscountCode.percent, DiscountCode.expires_at)
            .where(
                DiscountCode.project_id == project_id,
                DiscountCode.issued_at > max(since, now - LOOKED_BACK),
                DiscountCode.expires_at > now,
                ~known.exists(),
            )
            .order_by(DiscountCode.issued_at)
            .limit(MOST_AT_ONCE)
        )
        codes = rows.all()
        shop = (await channels.of(tx, project_id)).get(WORD) if codes else None
    taken = 0
    for row in codes if shop is not None else ():
        assert shop is not None  # noqa: S101  (the loop does not run otherwise)
        told = await _tell(shop, row.code, row.percent, row.expires_at)
        if told is None:
            # Away for now: the rest would fare no better.
            break
        taken += told == ""
        await _keep(database, project_id, row.code, shop, now, told or None)
    return taken


async def _tell(shop: Channel, code: str, percent: int, until: datetime) -> str | None:
    """ "" when the shop took it, the reason when it never will, None to try again later."""
    content = {"do": "code", "code": code, "percent": percent, "until": until.isoformat()}
    result = await shop.send(SendIntent(f"code/{code}", None, content))
    if isinstance(result, Accepted):
        return ""
    log.warning("code_not_mirrored", why=result.why)
    return result.why if isinstance(result, Rejected) else None


async def _keep(
    database: Database, project_id: UUID, code: str, shop: Channel, now: datetime, error: str | None
) -> None:
    row = {"project_id": project_id, "code": code, "channel_id": shop.id, "at": now, "error": error}
    async with database.transaction(project_id) as tx:
        await tx.execute(upsert(MirroredCode).values(**row).on_conflict_do_nothing())
