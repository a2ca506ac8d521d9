"""What conditions read from a moment."""

from __future__ import annotations

import pytest

from flows.conditions import ConditionInvalid, Truth, Type, of_type
from insights.conditions.fields import FIELDS
from insights.conditions.places import Place
from insights.conditions.profile_fields import profile_reader
from insights.decisions.moment import Moment, moment_of
from insights.decisions.reading import _OF_MOMENT, MOMENTS, compiled
from insights.intents.stage import stage_of
from tests.profiles.visit import Visit


def moment(visit: Visit, path: str = "/cart") -> Moment:
    stage = stage_of(visit.profile, visit.intent)
    return moment_of(visit.profile, visit.intent, stage, now_ms=visit.at_ms, event_type=visit.told[-1].type, path=path)


VISITS = {
    "new": Visit().page("/"),
    "with a cart": Visit().page("/").product("a").product("b").add(),
    "leaving": Visit().page("/").product("a").add().event("exit_intent", kind="pointer"),
}


VISITS["marked"] = Visit().page("/")
VISITS["marked"].profile.tags, VISITS["marked"].profile.segments = ("b2b", "vip"), ("a",)


@pytest.mark.parametrize("name", VISITS)
def test_every_field_of_a_live_action_is_read_and_is_of_its_type(name: str) -> None:
    for field in FIELDS:
        if field.places and Place.LIVE not in field.places:
            continue
        args = tuple("shoes" for _ in field.params)
        assert field.name in _OF_MOMENT or profile_reader(field.name, args) is not None, field.name
        value = MOMENTS.reader(field.name, args)(moment(VISITS[name]))
        assert value is None or of_type(value, field.type) is not None, (field.name, value)
        if field.type is Type.CHOICE and value is not None:
            assert value in field.choices, (field.name, value)


@pytest.mark.parametrize(
    ("written", "name", "truth"),
    [
        ("cart.items > 0 and session.leaving = true", "leaving", True),
        ("cart.items > 0 and session.leaving = true", "with a cart", False),
        ("session.products_seen >= 2 and visitor.sessions = 1", "with a cart", True),
        ('visitor.stage = "anonymous"', "new", True),
        ("consent.marketing = true", "new", None),
        ("cart.value > 0.01 EUR", "with a cart", True),
        ("cart.value > 0.01 EUR", "new", None),
        ('page.kind = "cart"', "new", True),
        ('intent.affinity("nothing") < 0.1', "new", True),
        ("intent.top_affinity > 0.1", "new", None),
        ('visitor.tags has "vip" or visitor.segments has any ("a")', "new", False),
        ('visitor.tags has "VIP" and visitor.segments has all ("a")', "marked", True),
    ],
)
def test_a_moment_answers_a_condition(written: str, name: str, truth: Truth) -> None:
    assert compiled(written).truth(moment(VISITS[name])) is truth


def test_what_only_the_database_knows_is_refused_with_where_it_is_known() -> None:
    with pytest.raises(ConditionInvalid, match="not known in a live action: it is known in: a flow, a segment"):
        compiled("events.purchased.count(7d) > 0")
