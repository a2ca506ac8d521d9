"""The registry of fields, and the fields over events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.conditions import Asked, Money, Type, of_type
from flows.conditions.document import is_field_name
from insights.conditions.event_fields import EVENT_FIELDS, HappenedEvent, answer, question_of
from insights.conditions.fields import FIELDS
from insights.conditions.places import Place
from insights.vocabulary.events import PROPS

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_every_field_has_a_name_the_language_can_read_a_sentence_and_the_words_it_needs() -> None:
    for field in FIELDS:
        assert is_field_name(field.name), field.name
        assert field.says.endswith("."), field.name
        assert (field.type is Type.CHOICE) == bool(field.choices), field.name
        assert field.places <= {place.value for place in Place}, field.name


def test_every_event_type_can_be_counted_and_its_props_asked_for() -> None:
    for kind in PROPS:
        assert FIELDS.get(f"events.{kind}.count") is not None
        assert FIELDS.get(f"session.events.{kind}.happened") is not None
    types = {
        "events.purchased.last.value": Type.MONEY,
        "events.product_viewed.last.category": Type.TEXT,
        "events.tab_returned.last.away": Type.DURATION,
        "events.engaged.last.lasted": Type.DURATION,
        "events.scrolled.last.depth": Type.NUMBER,
        "events.searched.last.results": Type.INTEGER,
        "events.coupon_tried.last.accepted": Type.BOOLEAN,
        "events.checkout_step.last.step": Type.CHOICE,
        "events.purchased.last_at": Type.TIME,
    }
    for name, expected in types.items():
        field = FIELDS.get(name)
        assert field is not None, name
        assert field.type is expected, name
    assert FIELDS.get("events.purchased.last.currency") is None


def happened(hours: float, **props: Any) -> HappenedEvent:
    return HappenedEvent(NOW - timedelta(hours=hours), timedelta(hours=hours), props)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("events.purchased.count", ()), 2),
        (("events.purchased.count", (timedelta(hours=3),)), 1),
        (("events.purchased.happened", (timedelta(hours=1),)), False),
        (("events.purchased.last_at", ()), NOW - timedelta(hours=2)),
        (("events.purchased.last_at", (timedelta(hours=1),)), None),
        (("events.purchased.last.value", ()), Money(900, "EUR")),
        (("events.purchased.last.margin", ()), None),
        (("events.custom.count", ("Newsletter",)), 1),
        (("events.custom.count", ("newsletter", timedelta(hours=1))), 0),
        (("events.tab_returned.last.away", ()), timedelta(seconds=1)),
    ],
)
def test_a_question_about_events_is_answered_by_those_in_its_time(asked: Asked, expected: Any) -> None:
    events = {
        "purchased": [happened(2, value_minor=900, currency="EUR", margin_minor="x"), happened(5, value_minor=1)],
        "custom": [happened(2, name="newsletter"), happened(3, name="other"), happened(4)],
        "tab_returned": [happened(1, away_ms=1000)],
    }
    name, args = asked
    question = question_of(name)
    assert question is not None
    assert answer(question, args, events[question.type]) == expected


def test_props_that_are_not_what_the_catalogue_says_are_unknown() -> None:
    odd: list[Any] = [None, True, -5, 1e300, float("nan"), "x", [], {}, 2**70]
    for field in EVENT_FIELDS:
        question = question_of(field.name)
        assert question is not None
        for value in odd:
            props = {question.prop.wire if question.prop else "name": value, "currency": "EUR"}
            found = answer(question, ("n",) if question.type == "custom" else (), [happened(1, **props)])
            of_type(found, field.type)
