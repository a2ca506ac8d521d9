"""Takes down who else is to forget somebody, in the transaction that erases them here.

Each of the project's channels is a row, whatever came of it, and so is every other place that their data was handed to,
so that the report of an erasure names them all. Who calls them is ``insights.channels.erasing``; until then a row holds
the names, sealed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.erasing import NOTHING_TO_GO_BY
from adapters.channels.kinds import KINDS
from flows.models import Delivery
from insights.errors import NotFound, Refused
from insights.identity.names import user_id
from insights.models import ChannelSetup, IdentityLink, PrivacyRequest, ProviderErasure, Visitor
from insights.privacy.handed_over import besides_channels
from insights.privacy.person import Asked
from insights.vocabulary.ids import uuid7

KEPT: Final = "This channel is set to leave people there (settings.erase)."
ASKED_ITSELF: Final = "The request came from there."
EVERYBODY: Final = "Everybody of this shop was erased here: erase what is kept of its customers there by hand."
NAMES_KEPT: Final = timedelta(days=30)
"""How long the names of a failed erasure stay for a person to try it again."""

Names = Mapping[str, Sequence[str]]
"""emails, phones, user_ids, visitors."""


async def hand_on(
    tx: AsyncSession, request: PrivacyRequest, visitors: Collection[UUID], asked: Asked, now: datetime
) -> None:
    """Takes down a row for each place that may know them. Must come before the rows that name them are erased."""
    names = await _names(tx, request.project_id, visitors, asked)
    for channel in await _channels(tx, request.project_id):
        status, said = _of_channel(channel, request, names)
        tx.add(_row(request, channel.id, channel.name, channel.kind, status, said, names, now))
    for place in await besides_channels(tx, request.project_id, visitors):
        status, said = place.status, place.said
        if status == "waiting" and not any(names.values()):
            status, said = "done", NOTHING_TO_GO_BY
        tx.add(_row(request, place.channel_id, place.name, place.kind, status, said, names, now))


async def hand_on_everybody(tx: AsyncSession, request: PrivacyRequest, now: datetime) -> None:
    """Takes down a row for each place that may know anybody of a shop that goes. Must come before the rows that say
    so are erased."""
    for channel in await _channels(tx, request.project_id):
        status, said = _of_channel(channel, request, {})
        if said == NOTHING_TO_GO_BY:
            status, said = "by_hand", EVERYBODY
        tx.add(_row(request, channel.id, channel.name, channel.kind, status, said, {}, now))
    for place in await besides_channels(tx, request.project_id, None):
        status, said = ("by_hand", EVERYBODY) if place.status == "waiting" else (place.status, place.said)
        tx.add(_row(request, place.channel_id, place.name, place.kind, status, said, {}, now))


async def reports_of(
    tx: AsyncSession, project_id: UUID, requests: Collection[UUID]
) -> Mapping[UUID, list[ProviderErasure]]:
    """What the providers were asked and said, by request, in the order of the channels."""
    rows = await tx.scalars(
        select(ProviderErasure)
        .where(ProviderErasure.project_id == project_id, ProviderErasure.request_id.in_(list(requests)))
        .order_by(ProviderErasure.id)
    )
    found: dict[UUID, list[ProviderErasure]] = defaultdict(list)
    for row in rows:
        found[row.request_id].append(row)
    return found


async def resolve(
    tx: AsyncSession, project_id: UUID, erasure_id: UUID, do: str, by: str, now: datetime
) -> ProviderErasure:
    """What a person decides of an erasure that failed or has no call: "retry" it, or say that it is "done" by hand.
    Raises NotFound, Refused."""
    row = await tx.get(ProviderErasure, (project_id, erasure_id), with_for_update=True)
    if row is None:
        raise NotFound(f"There is no erasure {erasure_id} at a provider in this project.")
    if row.status not in ("failed", "by_hand"):
        raise Refused(
            f"do: this erasure is {row.status}; only what failed or is done by hand waits for you.", field="do"
        )
    if do == "retry":
        if not row.who:
            raise Refused("do: the names are not kept any more: erase them there by hand, then say done.", field="do")
        row.status, row.attempts, row.due_at, row.said = "waiting", 0, now, ""
    else:
        row.status, row.who, row.told_at, row.said = "done", {}, now, f"Done by hand, says {by}."
    return row


async def forget_names(tx: AsyncSession, project_id: UUID, now: datetime) -> None:
    """Forgets whom an erasure was of that failed long ago and that nobody tried again."""
    await tx.execute(
        update(ProviderErasure)
        .where(
            ProviderErasure.project_id == project_id,
            ProviderErasure.status == "failed",
            ProviderErasure.asked_at < now - NAMES_KEPT,
        )
        .values(who={})
    )


async def _channels(tx: AsyncSession, project_id: UUID) -> list[ChannelSetup]:
    found = await tx.scalars(
        select(ChannelSetup)
        .where(ChannelSetup.project_id == project_id)
        .order_by(ChannelSetup.created_at, ChannelSetup.id)
    )
    return list(found)


def _of_channel(channel: ChannelSetup, request: PrivacyRequest, names: Names) -> tuple[str, str]:
    """Status and sentence of a channel before anybody is asked."""
    if not channel.settings.get("erase", True):
        return "kept", KEPT
    if request.asked_by.partition(" ")[0] == channel.kind:
        return "done", ASKED_ITSELF
    known = {"emails", "phones", "user_ids"} | ({"visitors"} if KINDS[channel.kind].knows_visitors else set())
    return ("waiting", "") if any(names.get(kind) for kind in known) else ("done", NOTHING_TO_GO_BY)


def _row(
    request: PrivacyRequest,
    channel_id: UUID | None,
    name: str,
    kind: str,
    status: str,
    said: str,
    names: Names,
    now: datetime,
) -> ProviderErasure:
    waits = status == "waiting"
    return ProviderErasure(
        project_id=request.project_id,
        id=uuid7(),
        request_id=request.id,
        channel_id=channel_id,
        name=name,
        kind=kind,
        who=dict(names) if waits else {},
        status=status,
        said=said,
        attempts=0,
        asked_at=now,
        due_at=now if waits else None,
    )


async def _names(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID], asked: Asked) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {"email": set(), "phone": set(), "user_id": set()}
    for kind, name in (("email", asked.email), ("phone", asked.phone), ("user_id", asked.user_id)):
        found[kind] |= {name} if name else set()
    said = await tx.execute(
        select(Visitor.email, Visitor.phone, Visitor.user_id).where(
            Visitor.project_id == project_id, Visitor.id.in_(list(visitors))
        )
    )
    for row in said.mappings():
        for kind, name in row.items():
            found[kind] |= {name} if name else set()
    subjects = [str(visitor) for visitor in visitors]
    # Twice: an address may be known as the customer's alone, and the customer by a device.
    for _ in range(2):
        links = await tx.execute(
            select(IdentityLink.name_kind, IdentityLink.name).where(
                IdentityLink.project_id == project_id,
                IdentityLink.subject.in_([*subjects, *found["user_id"]]),
                IdentityLink.refused.is_(None),
            )
        )
        for kind, name in links:
            if kind in found:
                found[kind].add(name)
    sent = await tx.scalars(
        select(Delivery.recipient)
        .where(Delivery.project_id == project_id, Delivery.visitor_id.in_(list(visitors)))
        .distinct()
    )
    for recipient in sent:
        if recipient:
            found["email" if "@" in recipient else "phone"].add(recipient)
    # "guest" is what many scripts call everybody: at a provider it may be anybody.
    found["user_id"] = {name for name in found["user_id"] if user_id(name) is not None}
    return {**{f"{kind}s": sorted(names) for kind, names in found.items()}, "visitors": sorted(map(str, visitors))}


def plain(row: ProviderErasure) -> dict[str, Any]:
    """A row of the report, without the names."""
    fields = ("id", "channel_id", "name", "kind", "status", "said", "attempts", "asked_at", "told_at", "due_at")
    return {name: getattr(row, name) for name in fields}
