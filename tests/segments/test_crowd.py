"""What the database answers of a visitor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.conditions import Truth, of_type, understand
from flows.delivery_facts import known_of_deliveries
from insights.conditions.event_fields import question_of
from insights.conditions.fields import FIELDS
from insights.conditions.places import Place
from insights.conditions.profile_fields import profile_reader
from insights.conditions.trigger_facts import OF_A_TRIGGER, answered_by_trigger, known_of_trigger
from insights.intents.additive import Additive
from insights.intents.model import SCORES, IntentModel
from insights.models import IntentModelVersion
from insights.profiles.rebuild import rebuild
from insights.profiles.rebuild_many import rebuild_many
from insights.segments.crowd import Crowd
from insights.segments.knowledge import VisitorKnowledge
from insights.segments.preview import explain_visitor
from insights.segments.stored_fields import STORED_FIELDS
from tests.api.conftest import Api
from tests.segments.people import CART, close_visits, create, tag, visit


def test_every_field_of_a_flow_or_a_segment_is_answered_by_somebody() -> None:
    for field in FIELDS:
        args = tuple("x" for _ in field.params)
        stored = field.name in STORED_FIELDS or profile_reader(field.name, args) or question_of(field.name)
        if not field.places or Place.SEGMENT in field.places:
            assert stored or field.name == "visitor.segments", field.name
        elif Place.FLOW in field.places:
            assert field.name in OF_A_TRIGGER or known_of_deliveries([(field.name, args)], ()), field.name


async def test_every_answer_is_of_its_fields_type(api: Api) -> None:
    visitor = await told(api)
    wanted = [
        (field.name, ("plan",) if field.params and not field.params[0].optional else ())
        for field in FIELDS
        if not field.places or Place.SEGMENT in field.places
    ]
    async with api.services.database.transaction(api.project_id) as tx:
        values = await Crowd(tx, api.project_id, [visitor], datetime.now(UTC)).values(visitor, wanted)
    assert len(values) > 150
    for (name, _), value in values.items():
        field = FIELDS.get(name)
        assert field is not None
        assert of_type(value, field.type) is not None, (name, value)
        if field.choices:
            assert value in field.choices


async def told(api: Api) -> Any:
    """A visitor who came three times, of which the last visit just closed."""
    visitor = await visit(api, ("purchased", {"order_id": "1", "value_minor": 900, "currency": "EUR"}), hours_ago=60)
    await visit(api, ("searched", {"query": "boots", "results": 0}), visitor=visitor, hours_ago=30)
    await visit(
        api,
        ("product_viewed", {"product_id": "p", "category": "Shoes"}),
        ("custom", {"name": "newsletter", "props": {}}),
        ("cart_added", CART),
        (
            "identified",
            {"user_id": "u", "email": "ada@example.org", "traits": {"plan": "pro", "age": 41, "country": "AT"}},
        ),
        ("consent_changed", {"marketing": True, "channels": ["email"]}),
        ("session_ended", {"reason": "closed"}),
        visitor=visitor,
        hours_ago=1,
        source={"utm_source": "news", "utm_campaign": "spring"},
        client={"time_zone": "Europe/Vienna", "language": "de-AT", "viewport": "390x800"},
    )
    await close_visits(api)
    return visitor


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("events.purchased.count = 1 and events.purchased.count(2d) = 0", True),
        ("events.purchased.last.value = 9.00 EUR", True),
        ("events.purchased.last.value(2d) = 9.00 EUR", None),
        ("events.purchased.last_at older than 2d", True),
        ("session.events.purchased.happened = true", False),
        ("events.searched.happened(2d) = true and session.events.searched.happened(2d) = false", True),
        ('events.custom.count("Newsletter", 1d) = 1 and events.custom.count("other") = 0', True),
        ('events.product_viewed.last.category contains "shoe"', True),
        ("visitor.sessions = 3 and visitor.purchases = 1 and visitor.stage = customer", True),
        ("cart.value = 60 EUR and cart.items = 1", True),
        ('intent.affinity("shoes") > 0.5', True),
        ('visitor.trait("plan") = "PRO" and visitor.trait_number("age") > 40', True),
        ('visitor.trait("missing") = "x"', None),
        ('visitor.country = "at" and visitor.language = "de-AT"', True),
        ("visitor.identified = true and visitor.has_email = true and visitor.has_phone = false", True),
        ("consent.marketing = true and consent.email = true and consent.sms = false", True),
        ("consent.analytics is unknown", True),
        ("session.device = phone and session.utm_source = news and session.utm_medium is unknown", True),
        ('visitor.time_zone = "Europe/Vienna" and visitor.local_time is known', True),
        ('insight.kind = "abandoned" and insight.visit_ended_at within 2h and insight.confidence <= 1', True),
        ("visitor.first_seen_at older than 59h and visitor.last_seen_at within 2h", True),
        ('session.landing_path = "/" and session.started_at within 2h', True),
        ("visitor.tags is known and not visitor.tags has vip", True),
    ],
)
async def test_a_visitor_answers(api: Api, text: str, truth: Truth) -> None:
    visitor = await told(api)
    async with api.services.database.transaction(api.project_id) as tx:
        condition = understand(text, FIELDS, Place.SEGMENT)
        explained = await explain_visitor(tx, api.project_id, visitor, condition, datetime.now(UTC))
    assert explained.truth is truth, explained.why()


async def test_in_a_flow_the_visit_that_started_it_speaks_for_itself(api: Api) -> None:
    visitor = await told(api)
    ended = datetime(2026, 1, 1, tzinfo=UTC)
    trigger = {
        "insight": {"kind": "abandoned", "reason": "distraction", "confidence": 1},
        "session": {"ended_at": ended.isoformat()},
        "cart": {"count": 0, "value_minor": None, "currency": None},
        "error": None,
    }
    condition = understand(
        'cart.items = 0 and cart.value is unknown and insight.reason = "distraction" and error.status is unknown'
        " and insight.visit_ended_at older than 30d and visitor.sessions = 3",
        FIELDS,
        Place.FLOW,
    )
    async with api.services.database.transaction(api.project_id) as tx:
        facts = await VisitorKnowledge().known(
            tx, api.project_id, visitor, [condition], trigger, ended + timedelta(days=40)
        )
        later = await VisitorKnowledge().known(tx, api.project_id, visitor, [condition], {}, datetime.now(UTC))
    assert facts.values["cart.items", ()] == 0
    assert facts.values["insight.reason", ()] == "distraction"
    assert ("cart.value", ()) not in facts.values
    assert facts.values["visitor.sessions", ()] == 3
    assert later.values["cart.items", ()] == 1


@pytest.mark.parametrize("odd", [None, [], "x", {"insight": 1, "cart": [], "error": "x", "session": {"ended_at": 5}}])
def test_a_triggers_facts_may_be_anything(odd: Any) -> None:
    facts = odd if isinstance(odd, dict) else {"insight": odd, "cart": odd, "error": odd, "session": odd}
    assert known_of_trigger(facts) == {}
    assert answered_by_trigger(facts, "cart.items")
    assert not answered_by_trigger({}, "cart.items")
    assert not answered_by_trigger(facts, "visitor.sessions")


async def test_many_visitors_are_read_as_each_would_be_alone(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    who = ("identified", {"user_id": "u", "traits": {"plan": "free"}})
    crowd = [
        await told(api),
        await visit(api, who),
        await visit(api, ("cart_added", CART), hours_ago=2, client={"time_zone": "Europe/Paris"}),
        await visit(api),
    ]
    for hours in range(22):
        await visit(api, ("searched", {"query": "x"}), visitor=crowd[3], hours_ago=1 + hours)
    await tag(api, crowd[1], "vip")
    await create(api, "friends", None)
    await api.client.put(f"/v1/segments/friends/visitors/{crowd[2]}", headers=api.headers)
    await close_visits(api)
    wanted = [
        (field.name, ("plan",) if field.params and not field.params[0].optional else ())
        for field in FIELDS
        if not field.places or Place.SEGMENT in field.places
    ]
    wanted += [("events.searched.count", (timedelta(hours=hours),)) for hours in (1, 5)]
    now = datetime.now(UTC)
    async with api.services.database.transaction(api.project_id) as tx:
        alone = {one: await Crowd(tx, api.project_id, [one], now).values(one, wanted) for one in crowd}
        profiles = {one: await rebuild(tx, api.project_id, one) for one in crowd}
        for at_once in (20_000, 10, 1):
            monkeypatch.setattr("insights.segments.told.MOST_AT_ONCE", at_once)
            monkeypatch.setattr("insights.profiles.rebuild_many.MOST_AT_ONCE", at_once)
            together = Crowd(tx, api.project_id, crowd, now)
            assert {one: await together.values(one, wanted) for one in crowd} == alone
            people = {one: await together.person(one) for one in crowd}
            assert await rebuild_many(tx, api.project_id, people) == profiles
    assert len({frozenset(map(str, values.items())) for values in alone.values()}) == 4


async def test_a_wider_window_asked_for_later_is_read_again(api: Api) -> None:
    visitor = await told(api)
    async with api.services.database.transaction(api.project_id) as tx:
        crowd = Crowd(tx, api.project_id, [visitor], datetime.now(UTC))
        narrow, wide, all_ = (
            ("events.page_viewed.count", (timedelta(hours=2),)),
            ("events.page_viewed.count", (timedelta(hours=40),)),
            ("events.page_viewed.count", ()),
        )
        for asked, count in ((narrow, 1), (wide, 2), (all_, 3), (narrow, 1)):
            assert await crowd.values(visitor, [asked]) == {asked: count}


async def test_intent_is_foretold_by_the_model_in_use(api: Api) -> None:
    visitor = await told(api)
    now = datetime.now(UTC)
    certain = IntentModel("intent-1", {name: Additive(5.0, ()) for name in SCORES}, SCORES)
    row = {"version": 1, "role": "incumbent", "made_at": now, "trained_through": now, "report": {}}
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(IntentModelVersion(project_id=api.project_id, model=certain.as_dict(), **row))
        await tx.flush()
        values = await Crowd(tx, api.project_id, [visitor], now).values(visitor, [("intent.bounce_risk", ())])
        assert values["intent.bounce_risk", ()] == pytest.approx(0.9933, abs=1e-4)
