"""A project with channels at a made-up provider, and people of it who are erased."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text

from adapters.postgres.engine import Database
from adapters.postgres.personal import NO_KEYS, put_ring
from insights.channels.erasing import erase_elsewhere
from insights.channels.store import Wanted, create
from insights.channels.ways import ProjectChannels
from insights.models import ProviderErasure, Visitor
from insights.privacy.requests import ask, carry_out
from insights.sealing import Sealer
from tests.channels.contract.far_side import Provider, Reply, line_to, provider

EMAIL, PHONE = "canary.zyxomma@hidden.example", "+4915112377701"
SEALER = Sealer([b"k" * 32])
KEY = {"private_key": "pk_canary_12345678"}
JOB = "POST /api/data-privacy-deletion-jobs"


@dataclass
class World:
    database: Database
    project_id: UUID
    far: Provider
    ways: ProjectChannels
    now: datetime
    channels: dict[str, UUID]

    async def connect(self, kind: str, settings: dict[str, Any], credentials: dict[str, Any], **options: Any) -> None:
        async with self.database.transaction(self.project_id) as tx:
            row = await create(
                tx, SEALER, self.project_id, kind, f"our-{kind}", Wanted(settings, credentials, **options), self.now
            )
            self.channels[kind] = row.id

    async def erase(self, asked_by: str = "the shop", **who: Any) -> UUID:
        """Erases somebody who said an address and a number on one device and logged in on another."""
        visitor, other = uuid4(), uuid4()
        async with self.database.transaction(self.project_id) as tx:
            for id, email, user_id in ((visitor, EMAIL, None), (other, None, "1815")):
                said = {"email": email, "phone": PHONE, "user_id": user_id}
                row = {"project_id": self.project_id, "id": id, "first_seen_at": self.now, **said}
                await tx.execute(insert(Visitor).values(row))
            request = await ask(
                tx,
                self.project_id,
                "erase_person",
                who or {"visitors": [str(visitor), str(other)]},
                asked_by,
                self.now,
            )
        assert await carry_out(self.database, lambda _project, _visitor: None) >= 1
        self.now = max(self.now, datetime.now(UTC))
        return request

    async def report(self) -> dict[str, ProviderErasure]:
        async with self.database.transaction(self.project_id) as tx:
            rows = await tx.scalars(select(ProviderErasure).where(ProviderErasure.project_id == self.project_id))
            return {row.kind: row for row in rows}

    async def turn(self, after: timedelta = timedelta(0)) -> int:
        self.now += after
        return await erase_elsewhere(self.database, self.ways, self.now)


@asynccontextmanager
async def made(database: Database, project_id: UUID) -> AsyncIterator[World]:
    async with provider() as far:
        far.replies = {JOB: Reply(202, b""), "GET /api/profiles": Reply(200, {"data": [{"id": "01P"}]})}
        ways = ProjectChannels({}, SEALER, line_to(far.port, timeout=2))
        yield World(database, project_id, far, ways, datetime.now(UTC), {})
    put_ring(database.engine.dialect, NO_KEYS)
    async with database.transaction(project_id) as tx:
        await tx.execute(text("DELETE FROM provider_erasure"))
