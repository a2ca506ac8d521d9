"""What visitors say of themselves: the last word counts, whatever order it arrives in."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.postgres.engine import Database
from insights.events.people import Said
from insights.events.visitors import write_said
from insights.events.wire import WireEvent
from insights.models import Visitor
from insights.vocabulary.ids import ms_to_datetime

T0 = 1_795_000_000_000
RECEIVED = ms_to_datetime(T0 + 60_000)

SAID: list[tuple[int, str, dict[str, Any]]] = [
    (1, "identified", {"user_id": "u1", "email": "first@shop.example"}),
    (2, "identified", {"email": "second@shop.example", "traits": {"plan": "gold"}}),
    (3, "identified", {"user_id": "u3"}),
    (3, "identified", {"user_id": "u2", "phone": "+491701234567"}),
]
CONSENT: list[tuple[int, str, dict[str, Any]]] = [
    (1, "consent_changed", {"marketing": True, "channels": ["email"]}),
    (5, "consent_changed", {"marketing": False}),
]


def said(visitor: UUID, at: int, type: str, props: dict[str, Any]) -> Said:
    return Said(visitor, uuid4(), WireEvent(uuid4(), T0 + at, type, 0, props), RECEIVED)


async def outcome(database: Database, project_id: UUID, flushes: list[list[Any]]) -> tuple[Any, ...]:
    visitor = uuid4()
    async with database.transaction(project_id) as tx:
        tx.add(Visitor(project_id=project_id, id=visitor, first_seen_at=RECEIVED))
    for flush in flushes:
        async with database.transaction(project_id) as tx:
            await write_said(tx, project_id, [said(visitor, *one) for one in flush])
    async with database.transaction(project_id) as tx:
        row = await tx.get(Visitor, (project_id, visitor))
        assert row is not None
        return row.user_id, row.email, row.phone, row.traits, row.consent, row.identified_at


@pytest.mark.parametrize("together", [1, 2, 4])
async def test_any_order_in_any_flushes_leaves_the_same_visitor(
    database: Database, project_id: UUID, together: int
) -> None:
    found = set()
    for order in itertools.permutations(SAID):
        flushes = [list(order[start : start + together]) for start in range(0, len(order), together)]
        found.add(str(await outcome(database, project_id, flushes)))
    traits = {"plan": "gold"}
    expected = ("u3", "second@shop.example", "+491701234567", traits, {}, ms_to_datetime(T0 + 3))
    assert found == {str(expected)}


async def test_the_last_word_on_consent_counts(database: Database, project_id: UUID) -> None:
    for order in itertools.permutations(CONSENT):
        assert (await outcome(database, project_id, [[one] for one in order]))[4] == {"marketing": False}
        assert (await outcome(database, project_id, [list(order)]))[4] == {"marketing": False}
