"""Who is told: e-mail addresses and signed webhooks of a project, and when each gets its next report."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels import mail
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.webhook import WebhookChannel
from flows.models import Suppression
from insights.errors import InUse, NotFound, Refused
from insights.models import Notice, Subscription
from insights.sealing import Purpose, Sealer
from insights.vocabulary.ids import uuid7

UNSUBSCRIBED: Final = "reports"
"""The word under which an address that wants no more of them stands in the suppression list."""
MOST: Final = 50
AT: Final = time(7, 0)
"""When reports go out, UTC."""

How = Literal["email", "webhook"]
Rhythm = Literal["daily", "weekly"]


def next_report(rhythm: str, now: datetime) -> datetime:
    """The next morning (UTC), or the next Monday's."""
    day = now.date() + timedelta(days=1 if rhythm == "daily" else 7 - now.weekday())
    return datetime.combine(day, AT, now.tzinfo)


async def subscriptions(tx: AsyncSession, project_id: UUID) -> Sequence[Subscription]:
    """All of a project, the oldest first."""
    rows = await tx.scalars(
        select(Subscription).where(Subscription.project_id == project_id).order_by(Subscription.created_at)
    )
    return rows.all()


async def subscribe(
    tx: AsyncSession,
    project_id: UUID,
    channel: How,
    address: str,
    *,
    patterns: bool,
    report: Rhythm | None,
    sealer: Sealer,
    allow_private: bool,
    now: datetime,
) -> tuple[Subscription, str | None]:
    """The new subscription, and a webhook's signing secret, which is shown this once. Raises Refused, InUse."""
    if not patterns and report is None:
        raise Refused("patterns: ask for patterns, for a report, or for both.", field="patterns")
    identifier, secret, sealed = uuid7(), None, None
    if channel == "email":
        try:
            address = mail.address(address)
        except mail.MailInvalid as error:
            raise Refused(f"address: {error}", field="address") from None
    else:
        secret = f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"
        try:
            WebhookChannel(address, secret=secret, allow_private=allow_private)
        except ChannelMisconfigured:
            raise Refused(
                "address: write https://host/path; other addresses only where the server allows private ones.",
                field="address",
            ) from None
        sealed = sealer.seal(secret, Purpose.SUBSCRIPTION, project_id, identifier)
    row = await _add(tx, project_id, channel, address, sealed, identifier, patterns=patterns, report=report, now=now)
    return row, secret


async def _add(
    tx: AsyncSession,
    project_id: UUID,
    channel: How,
    address: str,
    sealed: bytes | None,
    identifier: UUID,
    *,
    patterns: bool,
    report: str | None,
    now: datetime,
) -> Subscription:
    count = await tx.scalar(select(func.count()).where(Subscription.project_id == project_id))
    if (count or 0) >= MOST:
        raise Refused(f"address: there are {MOST} subscriptions already; delete one first.", field="address")
    row = Subscription(
        project_id=project_id,
        id=identifier,
        channel=channel,
        address=address,
        secret=sealed,
        patterns=patterns,
        report=report,
        report_at=None if report is None else next_report(report, now),
        created_at=now,
    )
    tx.add(row)
    try:
        await tx.flush()
    except IntegrityError:
        raise InUse("This address is subscribed already; delete that subscription first to change it.") from None
    # Whoever subscribes an address again wants it told again.
    await tx.execute(
        delete(Suppression).where(
            Suppression.project_id == project_id,
            Suppression.channel == UNSUBSCRIBED,
            Suppression.recipient == address,
        )
    )
    return row


async def subscribe_mail(
    tx: AsyncSession, project_id: UUID, address: str, *, report: str | None, now: datetime
) -> Subscription:
    """An e-mail address for patterns, and for a report where one is asked for. Raises Refused, InUse."""
    try:
        plain = mail.address(address)
    except mail.MailInvalid as error:
        raise Refused(f"address: {error}", field="address") from None
    return await _add(tx, project_id, "email", plain, None, uuid7(), patterns=True, report=report, now=now)


async def unsubscribe(tx: AsyncSession, project_id: UUID, subscription_id: UUID) -> None:
    """Ends a subscription and forgets what it was sent. Raises NotFound."""
    row = await tx.get(Subscription, (project_id, subscription_id))
    if row is None:
        raise NotFound(f"There is no subscription {subscription_id}.")
    await tx.delete(row)
    await tx.execute(delete(Notice).where(Notice.project_id == project_id, Notice.subscription_id == subscription_id))
