"""What somebody wants to get: per channel on or off, by the signed link of a message and nothing else.

A choice is a line of the suppression list. Only what they themselves turned off can be turned on here: an address that
bounced stays off. Addresses are shown in part: a forwarded message must not tell them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.mail import MailInvalid, address
from adapters.channels.phone import PhoneInvalid, e164
from flows.models import Delivery, DeliveryEvent, Suppression
from insights.conditions.consent import consents
from insights.identity.contact import read_contact
from insights.identity.together import person_of
from insights.models import Project, PushSubscription
from insights.profiles.language import language
from insights.recovery.plain import one_line
from insights.recovery.unsubscribe import Claim

OWN_WISH: Final = "unsubscribed"
"""The reason of a line that the recipient may take back."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One channel. ``shown``: whom it reaches, in part. ``dead``: off for another reason than their own wish."""

    channel: str
    recipients: tuple[str, ...]
    shown: str
    on: bool
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Preferences:
    """What they may choose. ``language``: what their browser said last, if it did."""

    shop: str
    language: str | None
    choices: tuple[Choice, ...]


async def read(tx: AsyncSession, claim: Claim) -> Preferences:
    """The choices of whoever holds the link: its own channel, and those that they agreed to be reached by."""
    project = await tx.get(Project, claim.project_id)
    choices = []
    for channel, recipients in (await _reachable(tx, claim)).items():
        reasons = list(
            await tx.scalars(
                select(Suppression.reason).where(
                    Suppression.project_id == claim.project_id,
                    Suppression.channel == channel,
                    Suppression.recipient.in_(list(recipients)),
                )
            )
        )
        on = len(reasons) < len(recipients)
        dead = not on and any(reason != OWN_WISH for reason in reasons)
        choices.append(Choice(channel, recipients, _in_part(channel, recipients), on, dead))
    return Preferences(
        shop=one_line(project.name, 60) if project is not None else "",
        language=await language(tx, claim.project_id, claim.visitor_id),
        choices=tuple(choices),
    )


async def choose(tx: AsyncSession, claim: Claim, wanted: Collection[str], now: datetime) -> Preferences:
    """Turns each channel they may choose on or off: on where ``wanted`` names it. Returns what holds now."""
    for choice in (await read(tx, claim)).choices:
        if choice.dead or (choice.channel in wanted) == choice.on:
            continue
        for recipient in choice.recipients:
            if choice.channel in wanted:
                await _turn_on(tx, claim, choice.channel, recipient, now)
            else:
                await turn_off(tx, claim, choice.channel, recipient, now)
    return await read(tx, claim)


async def turn_off(tx: AsyncSession, claim: Claim, channel: str, recipient: str, now: datetime) -> None:
    """Puts a recipient on the channel's suppression list; doing it again changes nothing."""
    added = await tx.scalar(
        upsert(Suppression)
        .values(project_id=claim.project_id, channel=channel, recipient=recipient, reason=OWN_WISH, at=now)
        .on_conflict_do_nothing()
        .returning(Suppression.at)
    )
    if added is not None:
        await _note(tx, claim, channel, recipient, "unsubscribed", now)


async def _turn_on(tx: AsyncSession, claim: Claim, channel: str, recipient: str, now: datetime) -> None:
    await tx.execute(
        delete(Suppression).where(
            Suppression.project_id == claim.project_id,
            Suppression.channel == channel,
            Suppression.recipient == recipient,
            Suppression.reason == OWN_WISH,
        )
    )
    await _note(tx, claim, channel, recipient, "resubscribed", now)


async def _note(tx: AsyncSession, claim: Claim, channel: str, recipient: str, kind: str, now: datetime) -> None:
    """Counts it for the message that they got last: it is what made them choose."""
    last = (
        await tx.execute(
            select(Delivery.id, Delivery.visitor_id)
            .where(
                Delivery.project_id == claim.project_id,
                Delivery.channel == channel,
                Delivery.recipient == recipient,
                Delivery.created_at <= now,
            )
            .order_by(Delivery.created_at.desc())
            .limit(1)
        )
    ).one_or_none()
    if last is not None:
        await tx.execute(
            upsert(DeliveryEvent)
            .values(
                project_id=claim.project_id,
                delivery_id=last.id,
                kind=kind,
                at=now,
                visitor_id=last.visitor_id,
                received_at=now,
            )
            .on_conflict_do_nothing()
        )


async def _reachable(tx: AsyncSession, claim: Claim) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {claim.channel: (claim.recipient,)}
    person = await person_of(tx, claim.project_id, claim.visitor_id)
    contact = await read_contact(tx, claim.project_id, claim.visitor_id, person)
    if contact is None:
        return found
    for channel, said in (("email", contact.email), ("sms", contact.phone)):
        if said and channel not in found and consents(contact.consent, channel):
            recipient = _spelled(channel, said)
            if recipient is not None:
                found[channel] = (recipient,)
    if "push" not in found and consents(contact.consent, "push"):
        of_theirs = (PushSubscription.project_id == claim.project_id, PushSubscription.visitor_id.in_(person))
        ids = sorted(str(id_) for id_ in await tx.scalars(select(PushSubscription.id).where(*of_theirs)))
        if ids:
            found["push"] = tuple(ids)
    return found


def _spelled(channel: str, said: str) -> str | None:
    """As deliveries and the suppression list spell it; None for what is no address."""
    try:
        return address(said).lower() if channel == "email" else e164(said)
    except (MailInvalid, PhoneInvalid):
        return None


def _in_part(channel: str, recipients: tuple[str, ...]) -> str:
    if channel == "email":
        local, _, domain = recipients[0].partition("@")
        return f"{local[:1]}•••@{domain}"
    return f"•••{recipients[0][-3:]}" if channel == "sms" else ""
