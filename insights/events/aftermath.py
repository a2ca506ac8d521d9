"""What follows from a flush beyond the timeline: who people are, what they agreed to, what is set aside or refused.

Most flushes have nothing of it, and are one round trip; the others are a transaction of several.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from insights.events.claim_counts import count_claims
from insights.events.entry import Entry
from insights.events.flush import News
from insights.events.kept import kept_json
from insights.events.people import Said, write_people
from insights.events.reservations import reserve
from insights.events.subscriptions import write_subscriptions
from insights.events.visitors import write_said
from insights.models import Decision, RejectedEvent
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.ids import ms_to_datetime, uuid7
from insights.vocabulary.withheld import NO_ROOM

CONSEQUENTIAL: Final = frozenset({"identified", "consent_changed", "purchased"})
"""Types of events that mean something beyond the timeline."""


def is_followed(entry: Entry) -> bool:
    """Whether anything follows from this entry."""
    return bool(entry.rejected or entry.reservation) or not CONSEQUENTIAL.isdisjoint(entry.types)


def has_aftermath(entries: Iterable[Entry]) -> bool:
    """Whether anything follows from these entries."""
    return any(map(is_followed, entries))


async def write_aftermath(tx: AsyncSession, project_id: UUID, entries: Sequence[Entry], news: News) -> frozenset[UUID]:
    """Writes it in the transaction that wrote the entries; returns the visitors whose profiles lack something now."""
    await _write_rejected(tx, entries)
    said = _said(entries, news)
    await write_said(tx, project_id, said)
    await write_subscriptions(tx, project_id, said)
    affected = await write_people(tx, project_id, said)
    # Last: others may be waiting for these rows.
    await count_claims(tx, project_id, said)
    for entry in entries:
        await _set_aside(tx, entry)
    return affected


def _said(entries: Iterable[Entry], news: News) -> list[Said]:
    """What is new in these entries and says something of people."""
    return [
        Said(
            entry.visitor_id,
            entry.session_id,
            event,
            ms_to_datetime(entry.received_ms),
            entry.behind_ms,
            entry.by_server,
        )
        for entry in entries
        if not CONSEQUENTIAL.isdisjoint(entry.types)
        for event in entry.events
        if event.type in CONSEQUENTIAL and news.has(entry.session_id, event.id)
    ]


async def _set_aside(tx: AsyncSession, entry: Entry) -> None:
    """What the entry's decision needs; where there is no room, nothing is done, and what would have been is kept.

    Who is held out would have been counted for it too: without this the two could not be compared.
    """
    if entry.reservation is None or entry.decision is None or entry.undecided:
        return
    if not await reserve(tx, entry.project_id, entry.reservation):
        entry.undecided = entry.no_room = True
        await tx.execute(
            update(Decision)
            .where(Decision.project_id == entry.project_id, Decision.id == entry.decision["id"])
            .values(
                action=LiveAction.DO_NOTHING.value,
                policy=NO_ROOM,
                why=f"{entry.decision['action']} was chosen, and its budget or codes had just run out.",
                held_back=entry.decision["action"],
                entry_id=None,
                given_minor=None,
            )
        )


async def _write_rejected(tx: AsyncSession, entries: Iterable[Entry]) -> None:
    rows = [
        {
            "project_id": entry.project_id,
            "id": uuid7(entry.received_ms),
            "received_at": ms_to_datetime(entry.received_ms),
            "envelope": json.loads(kept_json(json.dumps(entry.envelope))),
            "raw": kept_json(rejection.raw.decode()).encode(),
            "error": rejection.error,
        }
        for entry in entries
        for rejection in entry.rejected
    ]
    if rows:
        await tx.execute(insert(RejectedEvent), rows)
