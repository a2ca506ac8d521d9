"""Definitions: every trigger and step there is, read and written, and everything wrong with them at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from flows.definition import FlowDefinition, Vocabulary, validate
from insights.conditions.fields import FIELDS
from insights.recovery.publish import ACTIONS, WORDS
from insights.recovery.starter import starter_flows

EXIT = {"a": {"do": "exit"}}


def flow(steps: dict[str, Any] | None = None, trigger: dict[str, Any] | None = None, **settings: Any) -> FlowDefinition:
    return FlowDefinition.model_validate(
        {
            "name": "f",
            "trigger": trigger or {"on": "insight"},
            "start": "a",
            "steps": steps or EXIT,
            "settings": settings,
        }
    )


def faults(made: FlowDefinition, words: Vocabulary = WORDS) -> dict[str, str]:
    found = validate(made, ACTIONS, FIELDS, words)
    assert all(fault.problem and fault.fix for fault in found)
    return {fault.pointer: fault.problem for fault in found}


EVERYTHING: dict[str, Any] = {
    "name": "everything",
    "trigger": {"on": "event", "event": "checkout_started", "props": {"currency": "EUR"}, "pages": ["/checkout*"]},
    "start": "nine",
    "steps": {
        "nine": {"do": "wait", "for": "PT1H", "at": {"time": "09:00", "weekdays": ["mon", "fri"]}, "next": "back"},
        "back": {
            "do": "wait",
            "for": "P1D",
            "event": {"type": "product_viewed", "props": {"product_id": "p1"}},
            "next": "odds",
            "otherwise": "odds",
        },
        "odds": {"do": "split", "ways": [{"weight": 1, "next": "mail"}, {"weight": 3, "next": "end"}]},
        "mail": {"do": "send", "action": "send_email", "params": {"message": "cart_reminder"}, "next": "end"},
        "end": {"do": "exit", "reason": "tried"},
    },
    "settings": {
        "goals": [{"event": "custom", "name": "subscribed"}, {"event": "identified"}],
        "reenter": "once",
        "priority": 80,
        "caps": [{"channel": "email", "most": 2}, {"most": 5, "within": "P7D"}],
        "quiet_hours": {"from": "21:00", "to": "08:00", "unknown_zone": "Europe/Berlin"},
        "holdout": 0.1,
        "success": {"goal": {"event": "purchased"}, "within": "P3D"},
        "max_lateness": "PT6H",
    },
}


def test_every_kind_of_step_and_bound_is_read_and_written_back_alike() -> None:
    made = FlowDefinition.model_validate(EVERYTHING)
    assert faults(made) == {}
    written = made.model_dump(mode="json", by_alias=True)
    assert FlowDefinition.model_validate(written) == made
    assert FlowDefinition.model_validate_json(made.model_dump_json(by_alias=True)) == made
    assert written["steps"]["nine"]["at"]["time"] == "09:00"
    assert written["settings"]["quiet_hours"]["from"] == "21:00"


@pytest.mark.parametrize(
    "trigger",
    [
        {
            "on": "insight",
            "kind": "abandoned",
            "pages": ["/cart"],
            "segments": ["vip"],
            "cart": {"currency": "EUR", "min_minor": 1},
        },
        {"on": "segment", "segment": "vip", "change": "left"},
        {"on": "pattern", "reasons": ["technical_error"], "direction": "up", "min_sessions": 20},
        {"on": "schedule", "segment": "vip", "cron": "0 9 * * mon-fri", "zone": "Europe/Berlin"},
        {"on": "schedule", "segment": "vip", "every": "P7D"},
        {"on": "api", "when": "visitor.identified = true"},
    ],
)
def test_every_trigger_is_read_and_makes_sense(trigger: dict[str, Any]) -> None:
    made = flow(trigger=trigger)
    assert faults(made) == {}
    assert FlowDefinition.model_validate(made.model_dump(mode="json", by_alias=True)) == made


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"trigger": {"on": "schedule", "segment": "s"}}, "either cron"),
        ({"trigger": {"on": "schedule", "segment": "s", "cron": "0 9 * *"}}, "five fields"),
        ({"trigger": {"on": "schedule", "segment": "s", "cron": "0 25 * * *"}}, "is no hour"),
        ({"trigger": {"on": "schedule", "segment": "s", "cron": "0 9 31 2 *"}}, "no day ever fits"),
        ({"trigger": {"on": "schedule", "segment": "s", "cron": "0 9 * * *", "zone": "Mars"}}, "IANA time zone"),
        ({"trigger": {"on": "insight", "cart": {"currency": "EUR"}}}, "min_minor, max_minor"),
        ({"steps": {"a": {"do": "wait"}}}, "say how long"),
        ({"steps": {"a": {"do": "wait", "event": {"type": "purchased"}}}}, "the longest it may take"),
        ({"steps": {"a": {"do": "wait", "for": "P1D", "at": {"time": "9:00:30"}}}}, "time"),
        ({"steps": {"a": {"do": "branch", "when": "cart.items > 0", "then": "a"}}}, "otherwise"),
        ({"steps": {"a": {"do": "split", "ways": [{"weight": 1, "next": "a"}]}}}, "at least 2"),
        ({"settings": {"quiet_hours": {"from": "08:00", "to": "08:00"}}}, "always or never"),
        ({"settings": {"goals": [{"event": "purchased", "segment": "vip"}]}}, "either an event or a segment"),
        ({"settings": {"holdout": 1}}, "less than or equal to 0.9"),
    ],
)
def test_what_cannot_mean_anything_is_refused_with_what_to_write(part: dict[str, Any], says: str) -> None:
    whole = {"name": "f", "trigger": {"on": "insight"}, "start": "a", "steps": EXIT} | part
    with pytest.raises(ValidationError, match=says):
        FlowDefinition.model_validate(whole)


@pytest.mark.parametrize("value", [True, False, "5", "0.5", ""])
@pytest.mark.parametrize(
    "place",
    [
        "settings.priority",
        "settings.holdout",
        "settings.caps.0.most",
        "trigger.min_confidence",
        "trigger.cart.min_minor",
        "trigger.cart.max_minor",
        "steps.toss.ways.0.weight",
    ],
)
def test_a_flows_numbers_are_written_as_numbers(place: str, value: Any) -> None:
    assert said_of(place, 1 if place.endswith(("minor", "most", "weight", "priority")) else 0.5) == ""
    assert "without quotes" in said_of(place, value)


@pytest.mark.parametrize("value", [True, 4, 0.5])
@pytest.mark.parametrize(
    "place",
    [
        "steps.rest.for",
        "steps.mail.max_lateness",
        "settings.reentry",
        "settings.max_lateness",
        "settings.max_trigger_age",
        "settings.caps.0.within",
        "settings.success.within",
    ],
)
def test_a_time_that_names_no_unit_is_no_time(place: str, value: Any) -> None:
    assert said_of(place, "PT4H") == ""
    assert '"PT1H" (an hour)' in said_of(place, value)


@pytest.mark.parametrize("value", [0, 1, "no", "true"])
def test_a_flows_flag_is_true_or_false(value: Any) -> None:
    assert said_of("settings.exit_on_conversion", False) == ""
    assert "valid boolean" in said_of("settings.exit_on_conversion", value)


def said_of(place: str, value: Any) -> str:
    """What is wrong with a flow that has this value in this place."""
    whole: dict[str, Any] = {
        "name": "f",
        "trigger": {"on": "insight", "cart": {"currency": "EUR", "min_minor": 0}},
        "start": "toss",
        "steps": {
            "toss": {"do": "split", "ways": [{"weight": 1, "next": "rest"}, {"weight": 1, "next": "mail"}]},
            "rest": {"do": "wait", "for": "P1D", "next": "mail"},
            "mail": {"do": "send", "action": "send_email"},
        },
        "settings": {"caps": [{"most": 2}], "success": {}},
    }
    *path, last = place.split(".")
    part: Any = whole
    for name in path:
        part = part[int(name)] if isinstance(part, list) else part[name]
    part[last] = value
    try:
        FlowDefinition.model_validate(whole)
    except ValidationError as error:
        return str(error)
    return ""


def test_words_that_nobody_knows_are_named_with_those_that_are_known() -> None:
    made = flow(
        {
            "a": {"do": "send", "action": "send_emial", "next": "b"},
            "b": {"do": "wait", "for": "P1D", "event": {"type": "bought"}, "next": "c"},
            "c": {"do": "branch", "when": 'delivery.status("mail") = accepted', "then": "d", "otherwise": "d"},
            "d": {"do": "exit"},
        },
        {"on": "insight", "kind": "left", "reasons": ["price"]},
        goals=[{"event": "buy"}],
    )
    known = Vocabulary(WORDS.to_visitors, WORDS.events, {"email"}, WORDS.kinds, WORDS.reasons)
    found = faults(made, known)
    assert set(found) >= {
        "/steps/a/action",
        "/steps/b/event/type",
        "/trigger/kind",
        "/trigger/reasons/0",
        "/settings/goals/0/event",
    }
    fixes = {fault.pointer: fault.fix for fault in validate(made, ACTIONS, FIELDS, known)}
    assert fixes["/steps/a/action"] == "did you mean send_email?"


def test_a_wait_past_what_is_kept_of_the_visit_is_refused_where_the_way_gets_too_long() -> None:
    made = flow(
        {
            "a": {"do": "wait", "for": "P20D", "next": "b"},
            "b": {"do": "wait", "for": "P20D", "next": "c"},
            "c": {"do": "exit"},
        }
    )
    assert faults(made) == {}
    kept = Vocabulary(retention=timedelta(days=30))
    assert set(faults(made, kept)) == {"/steps/b"}
    assert "40 days" in faults(made, kept)["/steps/b"]


def test_a_flow_that_runs_for_the_shop_reaches_no_visitor() -> None:
    steps = {"a": {"do": "send", "action": "send_email", "next": "b"}, "b": {"do": "send", "action": "create_ticket"}}
    assert set(faults(flow(steps, {"on": "pattern"}))) == {"/steps/a/action"}
    assert faults(flow(steps, {"on": "pattern", "each": "visitor"})) == {}


def test_bounds_that_stored_definitions_may_have_are_told_and_not_refused_in_reading() -> None:
    late = {"a": {"do": "send", "action": "send_email", "max_lateness": "PT0S", "next": "b"}}
    wait = {"b": {"do": "wait", "for": "P1D", "otherwise": "c"}, "c": {"do": "exit"}}
    assert set(faults(flow(late | wait, max_trigger_age="P400D"))) == {
        "/steps/a/max_lateness",
        "/steps/b/otherwise",
        "/settings/max_trigger_age",
    }


def test_flows_that_were_published_before_there_was_more_are_read_as_they_were() -> None:
    old = {
        "name": "f",
        "description": "",
        "trigger": {"on": "insight", "kind": "abandoned", "reasons": ["x"], "min_confidence": 0.0, "when": None},
        "start": "a",
        "steps": {
            "a": {"do": "wait", "for": "PT1H", "until": None, "next": "b", "otherwise": None},
            "b": {"do": "send", "action": "send_email", "params": {}, "max_lateness": "P2D", "next": None},
        },
        "settings": {"exit_on_conversion": True, "max_trigger_age": "P3D", "reentry": "P1D"},
    }
    made = FlowDefinition.model_validate(old)
    assert made.settings.reenter == "after_pause"
    assert made.settings.holdout == 0


def test_the_starter_flows_have_no_fault() -> None:
    for made in starter_flows():
        assert validate(made, ACTIONS, FIELDS, WORDS) == []
