"""Who may be reached."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.postgres.engine import Database
from insights.conditions.consent import consents
from insights.recovery.audience import VisitorFacts
from tests.recovery.visitors import visitor


@pytest.mark.parametrize(
    ("consent", "allowed"),
    [
        ({}, False),
        ({"marketing": None}, False),
        ({"marketing": False, "channels": ["email"]}, False),
        ({"marketing": "yes"}, False),
        ({"analytics": True}, False),
        ({"marketing": True}, True),
        ({"marketing": True, "channels": None}, True),
        ({"marketing": True, "channels": ["email", "sms"]}, True),
        ({"marketing": True, "channels": ["sms"]}, False),
        ({"marketing": True, "channels": []}, False),
        ({"marketing": True, "channels": "email"}, False),
    ],
)
def test_silence_is_a_no_and_a_named_channel_is_only_that(consent: dict[str, Any], allowed: bool) -> None:
    assert consents(consent, "email") is allowed


async def test_the_facts_say_what_can_be_reached_and_when(database: Database, project_id: UUID) -> None:
    consent = {"marketing": True, "channels": ["email"]}
    identifier = await visitor(database, project_id, consent=consent, time_zone="Europe/Berlin")
    async with database.transaction(project_id) as tx:
        facts = await VisitorFacts().facts(tx, project_id, identifier)
    assert facts == {
        "visitor": {"email": True, "phone": False, "known": True, "time_zone": "Europe/Berlin"},
        "person": {"id": identifier, "devices": [identifier]},
        "consent": {"email": True, "sms": False, "push": False, "onsite": False, "ads": False},
    }


async def test_a_stranger_allows_nothing(database: Database, project_id: UUID) -> None:
    async with database.transaction(project_id) as tx:
        facts = await VisitorFacts().facts(tx, project_id, uuid4())
    assert not any(facts["consent"].values())
    assert not any(facts["visitor"].values())


async def test_a_time_zone_goes_by_the_name_it_has_today(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id, time_zone="Asia/Calcutta")
    async with database.transaction(project_id) as tx:
        facts = await VisitorFacts().facts(tx, project_id, identifier)
    assert facts["visitor"]["time_zone"] == "Asia/Kolkata"


@pytest.mark.parametrize("name", ["Mars/Base", "../../etc/passwd", "/etc/passwd", "", "x" * 5000, 7, ["a"], "Europe"])
async def test_a_time_zone_that_is_none_is_ignored(database: Database, project_id: UUID, name: Any) -> None:
    identifier = await visitor(database, project_id, time_zone=name)
    async with database.transaction(project_id) as tx:
        facts = await VisitorFacts().facts(tx, project_id, identifier)
    assert facts["visitor"]["time_zone"] is None
