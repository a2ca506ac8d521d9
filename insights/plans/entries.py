"""The shop's own live actions as they are stored: create, change, delete, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.documents import same
from flows.conditions import Condition, understand
from flows.errors import Fault
from insights.decisions.entries import Entry, faults_of
from insights.errors import Changed, InUse, NotFound, Refused
from insights.models import LiveActionEntry, LiveSpend, Shop
from insights.plans.shop import facts_of, shop_of
from insights.segments.store import conditions_of_segments, segments_named, unknown_segments
from insights.vocabulary.ids import uuid7

MOST_ENTRIES: Final = 100
"""In a project: all of them are looked at in each decision."""


class EntryInvalid(Refused):
    """The entry cannot be kept. ``faults``: all that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        super().__init__(
            "; ".join(f"{fault.pointer}: {fault.problem}; {fault.fix}" for fault in faults),
            field=first.pointer.lstrip("/").replace("/", "."),
        )
        self.faults = tuple(faults)


def entry_of(row: LiveActionEntry) -> Entry:
    """The entry of a stored row."""
    return replace(msgspec.convert(row.definition, Entry), id=row.id)


async def list_entries(tx: AsyncSession, project_id: UUID) -> list[LiveActionEntry]:
    """All of them, the highest priority first."""
    found = await tx.scalars(
        select(LiveActionEntry)
        .where(LiveActionEntry.project_id == project_id)
        .order_by(LiveActionEntry.priority.desc(), LiveActionEntry.id)
    )
    return list(found)


async def conditions_of_entries(tx: AsyncSession, project_id: UUID) -> dict[str, list[Condition]]:
    """The condition of each live action that has one, by its name."""
    found = [entry_of(row) for row in await list_entries(tx, project_id)]
    return {entry.name: [understand(entry.when)] for entry in found if entry.when is not None}


async def get_entry(tx: AsyncSession, project_id: UUID, entry_id: UUID, *, lock: bool = False) -> LiveActionEntry:
    """One of them. Raises NotFound."""
    query = select(LiveActionEntry).where(LiveActionEntry.project_id == project_id, LiveActionEntry.id == entry_id)
    found = await tx.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound(f"There is no live action {entry_id} in this project. Somebody may have deleted it.")
    return found


async def create_entry(tx: AsyncSession, project_id: UUID, entry: Entry, now: datetime) -> LiveActionEntry:
    """Stores a new entry. Raises EntryInvalid with all faults, InUse when the name is taken."""
    shop = await shop_of(tx, project_id)
    _check(entry, shop, now)
    await _check_segments(tx, project_id, entry)
    count = await tx.scalar(
        select(func.count()).select_from(LiveActionEntry).where(LiveActionEntry.project_id == project_id)
    )
    if (count or 0) >= MOST_ENTRIES:
        raise Refused(f"There are {MOST_ENTRIES} live actions already, the most there may be; delete one first.")
    made = LiveActionEntry(project_id=project_id, id=uuid7(), version=1, created_at=now, updated_at=now, **_row(entry))
    tx.add(made)
    await _flush(tx, entry.name)
    return made


async def change_entry(
    tx: AsyncSession, project_id: UUID, entry_id: UUID, entry: Entry, now: datetime, version: int | None
) -> LiveActionEntry:
    """Replaces an entry. ``version``: only if it is still that one, else Changed. Raises EntryInvalid, InUse."""
    row = await get_entry(tx, project_id, entry_id, lock=True)
    _hold_to_version(row, version)
    _check(entry, await shop_of(tx, project_id), now)
    await _check_segments(tx, project_id, entry)
    new = _row(entry)
    if not same({name: getattr(row, name) for name in new}, new):
        for name, value in new.items():
            setattr(row, name, value)
        row.version += 1
        row.updated_at = now
        await _flush(tx, entry.name)
    return row


async def delete_entry(tx: AsyncSession, project_id: UUID, entry_id: UUID, version: int | None = None) -> None:
    """Deletes an entry; what it gave away stays counted. Raises NotFound, Changed."""
    _hold_to_version(await get_entry(tx, project_id, entry_id, lock=True), version)
    await tx.execute(
        delete(LiveActionEntry).where(LiveActionEntry.project_id == project_id, LiveActionEntry.id == entry_id)
    )
    # A running process sees by the shop's version that there is something new to read.
    await tx.execute(update(Shop).where(Shop.project_id == project_id).values(version=Shop.version + 1))


def _hold_to_version(row: LiveActionEntry, version: int | None) -> None:
    if version is not None and row.version != version:
        raise Changed(f"The live action is at version {row.version}. Read it again and repeat your change.")


async def spent_on(tx: AsyncSession, project_id: UUID, day: datetime) -> dict[UUID, tuple[int, int]]:
    """Entry → (minor units given away, how often) on the day (UTC) of ``day``."""
    rows = await tx.execute(
        select(LiveSpend.action_id, LiveSpend.spent_minor, LiveSpend.given).where(
            LiveSpend.project_id == project_id, LiveSpend.day == day.date()
        )
    )
    return {row.action_id: (row.spent_minor, row.given) for row in rows}


async def _check_segments(tx: AsyncSession, project_id: UUID, entry: Entry) -> None:
    """Raises EntryInvalid where the condition names a segment that the project has not."""
    condition = understand(entry.when) if entry.when is not None else None
    if condition is None or not segments_named(condition):
        return
    if faults := unknown_segments(condition, await conditions_of_segments(tx, project_id)):
        raise EntryInvalid([replace(fault, pointer=f"/when{fault.pointer}") for fault in faults])


def _check(entry: Entry, shop: Shop, now: datetime) -> None:
    if faults := faults_of(entry, facts_of(shop), now):
        raise EntryInvalid(faults)


def _row(entry: Entry) -> Mapping[str, Any]:
    definition = msgspec.to_builtins(entry)
    definition.pop("id")
    return {
        "name": entry.name,
        "action": entry.action.value,
        "stages": [stage.value for stage in entry.stages],
        "definition": definition,
        "priority": entry.priority,
        "enabled": entry.enabled,
    }


async def _flush(tx: AsyncSession, name: str) -> None:
    try:
        await tx.flush()
    except IntegrityError:
        raise InUse(f"There is a live action called {name!r} already; choose another name.", field="name") from None
