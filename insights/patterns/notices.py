"""Tells subscribers: each thing once to each, by e-mail or signed webhook, and again only where a repeat is harmless.

A notice is claimed and committed before it is sent. One that was being sent when its process died may have arrived:
an e-mail is not repeated then, a webhook is, because its receiver drops repeats by their id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Accepted, Channel, Rejected, Result, Retry, SendIntent, Suppress
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.webhook import WebhookChannel
from adapters.postgres.engine import Database
from insights.channels.ways import ProjectChannels
from insights.models import Notice, Project, Subscription
from insights.patterns.letters import Letters
from insights.patterns.subscribers import next_report
from insights.sealing import CannotOpen, Purpose, Sealer

log = structlog.get_logger()

BATCH: Final = 20
LEASE: Final = timedelta(minutes=5)
FIRST_RETRY: Final = timedelta(minutes=2)
MOST_TRIES: Final = 8


async def announce(tx: AsyncSession, project_id: UUID, pattern_id: UUID, due_at: datetime) -> None:
    """Everybody who wants to hear of patterns is told of this one, from ``due_at`` on."""
    await tx.execute(
        insert(Notice)
        .from_select(
            ["project_id", "id", "subscription_id", "about", "status", "attempts", "due_at", "created_at"],
            select(
                Subscription.project_id,
                func.gen_random_uuid(),
                Subscription.id,
                literal(f"pattern:{pattern_id}"),
                literal("due"),
                literal(0),
                literal(due_at),
                func.now(),
            ).where(Subscription.project_id == project_id, Subscription.patterns),
        )
        .on_conflict_do_nothing()
    )


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: UUID
    about: str
    attempts: int
    channel: str
    address: str
    secret: bytes | None
    subscription_id: UUID


class Messenger:
    """Sends what is due, of every project."""

    def __init__(
        self,
        database: Database,
        channels: ProjectChannels,
        letters: Letters,
        sealer: Sealer,
        clock: Callable[[], datetime],
        *,
        allow_private: bool,
    ) -> None:
        self._database = database
        self._channels = channels
        self._letters = letters
        self._sealer = sealer
        self._clock = clock
        self._allow_private = allow_private

    async def send_everywhere(self) -> None:
        """One round over all projects."""
        async with self._database.transaction(None) as tx:
            projects = list(await tx.scalars(select(Project.id)))
        for project_id in projects:
            try:
                await self.order_reports(project_id)
                while await self.send(project_id):
                    pass
            except (DBAPIError, OSError, TimeoutError):
                raise
            except Exception:
                log.exception("notices_failed", project=str(project_id))

    async def order_reports(self, project_id: UUID) -> None:
        """Makes a notice of each report that is due, and says when the next one is."""
        now = self._clock()
        async with self._database.transaction(project_id) as tx:
            due = await tx.scalars(
                select(Subscription)
                .where(Subscription.project_id == project_id, Subscription.report_at <= now)
                .with_for_update(skip_locked=True)
            )
            for row in due:
                if row.report is None or row.report_at is None:
                    continue
                await tx.execute(
                    insert(Notice)
                    .values(
                        project_id=project_id,
                        id=func.gen_random_uuid(),
                        subscription_id=row.id,
                        about=f"{row.report}:{row.report_at:%Y-%m-%d}",
                        status="due",
                        attempts=0,
                        due_at=now,
                        created_at=now,
                    )
                    .on_conflict_do_nothing()
                )
                row.report_at = next_report(row.report, now)

    async def send(self, project_id: UUID) -> int:
        """Sends up to a batch of what is due; how many were claimed."""
        async with self._database.transaction(project_id) as tx:
            claimed = await self._claim(tx, project_id)
            channels = await self._channels.of(tx, project_id) if claimed else {}
        for one in claimed:
            result, letter_gone = await self._attempt(project_id, one, channels)
            async with self._database.transaction(project_id) as tx:
                await tx.execute(
                    update(Notice)
                    .where(Notice.project_id == project_id, Notice.id == one.id, Notice.status == "sending")
                    .values(**_after(result, one, self._clock()))
                )
            log.info(
                "notice_sent", about=one.about, channel=one.channel, result=type(result).__name__, gone=letter_gone
            )
        return len(claimed)

    async def _claim(self, tx: AsyncSession, project_id: UUID) -> list[_Claimed]:
        now = self._clock()
        rows = (
            await tx.execute(
                select(Notice, Subscription)
                .join(
                    Subscription,
                    (Subscription.project_id == Notice.project_id) & (Subscription.id == Notice.subscription_id),
                )
                .where(Notice.project_id == project_id, Notice.due_at <= now)
                .order_by(Notice.due_at)
                .limit(BATCH)
                .with_for_update(of=Notice, skip_locked=True)
            )
        ).all()
        claimed = []
        for notice, subscription in rows:
            if notice.status == "sending" and subscription.channel == "email":
                notice.status, notice.due_at, notice.decided_at = "unknown", None, now
                notice.error = "The process died while it was sent; it may have arrived."
                continue
            notice.status, notice.due_at, notice.attempts = "sending", now + LEASE, notice.attempts + 1
            claimed.append(
                _Claimed(
                    notice.id,
                    notice.about,
                    notice.attempts,
                    subscription.channel,
                    subscription.address,
                    subscription.secret,
                    subscription.id,
                )
            )
        return claimed

    async def _attempt(self, project_id: UUID, one: _Claimed, channels: Mapping[str, Channel]) -> tuple[Result, bool]:
        letter = await self._letters.about(project_id, one.about, one.subscription_id, one.channel, one.address)
        if letter is None:
            return Rejected("What it was about is gone, or they want no more of it."), True
        content: Mapping[str, Any] = letter
        if one.channel == "email":
            channel = channels.get("email")
            if channel is None:
                return Retry("There is no way to send e-mail: set WHYLEFT_SMTP_URL or add a channel."), False
            return await channel.send(SendIntent(f"notice:{one.id}", one.address, content)), False
        try:
            secret = self._sealer.open(one.secret or b"", Purpose.SUBSCRIPTION, project_id, one.subscription_id)
            webhook = WebhookChannel(one.address, secret=secret, allow_private=self._allow_private)
        except (CannotOpen, ChannelMisconfigured) as error:
            return Retry(str(error)), False
        return await webhook.send(SendIntent(f"notice:{one.id}", None, content)), False


def _after(result: Result, one: _Claimed, now: datetime) -> dict[str, Any]:
    if isinstance(result, Accepted):
        return {"status": "accepted", "due_at": None, "decided_at": now, "error": None}
    over = isinstance(result, Rejected | Suppress) or one.attempts >= MOST_TRIES
    if over:
        return {"status": "rejected", "due_at": None, "decided_at": now, "error": result.why[:500]}
    if isinstance(result, Retry) or one.channel == "webhook":
        wait = FIRST_RETRY * 2 ** (one.attempts - 1)
        after = result.after if isinstance(result, Retry) and result.after is not None else wait
        return {"status": "due", "due_at": now + max(after, wait), "error": result.why[:500]}
    return {"status": "unknown", "due_at": None, "decided_at": now, "error": result.why[:500]}
