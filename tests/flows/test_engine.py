"""The pure engine: definitions, conditions, and what a run does next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.conditions import Asked, Facts, Known, Money, explain
from flows.definition import Branch, FlowDefinition, validate
from flows.engine import Finish, Judge, Position, SendNow, WaitUntil, advance
from insights.conditions.fields import FIELDS

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACTIONS = {"send_email", "create_ticket"}


def flow(steps: dict[str, Any], start: str = "a", **settings: Any) -> FlowDefinition:
    return FlowDefinition.model_validate(
        {"name": "f", "trigger": {"on": "insight"}, "start": start, "steps": steps, "settings": settings}
    )


def knowing(values: dict[Asked, Known]) -> Judge:
    return lambda condition: explain(condition, FIELDS, Facts(values, NOW))


def test_a_wait_rests_and_then_goes_on() -> None:
    plan = flow({"a": {"do": "wait", "for": "PT1H", "next": "b"}, "b": {"do": "send", "action": "send_email"}})
    first = advance(plan, Position("a"), "due", {}, NOW)
    assert first.effect == WaitUntil(NOW + timedelta(hours=1))
    second = advance(plan, first.position, "due", {}, NOW + timedelta(hours=1))
    assert isinstance(second.effect, SendNow)
    assert second.effect.step_id == "b"
    assert advance(plan, second.position, "sent", {}, NOW).effect == Finish("finished")


def test_a_signal_and_its_timeout_take_different_ways() -> None:
    plan = flow(
        {
            "a": {
                "do": "wait",
                "for": "P14D",
                "until": {"name": "ticket_fixed", "key": "error.fingerprint"},
                "next": "b",
                "otherwise": "c",
            },
            "b": {"do": "exit", "reason": "fixed"},
            "c": {"do": "exit", "reason": "never fixed"},
        }
    )
    facts = {"error": {"fingerprint": "e1"}}
    resting = advance(plan, Position("a"), "due", facts, NOW)
    assert resting.effect == WaitUntil(NOW + timedelta(days=14), "ticket_fixed", "e1")
    assert advance(plan, resting.position, "signalled", facts, NOW).effect == Finish("fixed")
    assert advance(plan, resting.position, "due", facts, NOW).effect == Finish("never fixed")


def test_a_branch_looks_at_the_facts() -> None:
    plan = flow(
        {
            "a": {
                "do": "branch",
                "when": {"field": "cart.value", "op": "ge", "value": {"minor": 5000, "currency": "EUR"}},
                "then": "b",
                "otherwise": "c",
            },
            "b": {"do": "send", "action": "send_email"},
            "c": {"do": "exit", "reason": "small cart"},
        }
    )
    rich = advance(plan, Position("a"), "due", {}, NOW, knowing({("cart.value", ()): Money(9000, "EUR")}))
    assert isinstance(rich.effect, SendNow)
    assert rich.passed == (("a", "then", "cart.value is 90.00 EUR"),)
    small = advance(plan, Position("a"), "due", {}, NOW, knowing({("cart.value", ()): Money(900, "EUR")}))
    assert small.effect == Finish("small cart")


def test_a_branch_goes_otherwise_where_its_condition_is_unknown_and_says_so() -> None:
    for when in ("cart.items > 0", "not cart.items > 0"):
        plan = flow(
            {
                "a": {"do": "branch", "when": when, "then": "b", "otherwise": "c"},
                "b": {"do": "exit", "reason": "then"},
                "c": {"do": "exit", "reason": "otherwise"},
            }
        )
        ahead = advance(plan, Position("a"), "due", {}, NOW, knowing({}))
        assert ahead.effect == Finish("otherwise")
        assert ahead.passed == (("a", "otherwise", "cart.items is not known"),)


def test_a_send_is_not_repeated_once_it_is_over() -> None:
    plan = flow(
        {
            "a": {"do": "send", "action": "send_email", "next": "b"},
            "b": {"do": "send", "action": "create_ticket"},
        }
    )
    after = advance(plan, Position("a"), "sent", {}, NOW)
    assert isinstance(after.effect, SendNow)
    assert after.effect.step_id == "b"


def test_everything_wrong_with_a_definition_is_found_at_once() -> None:
    plan = flow(
        {
            "a": {"do": "send", "action": "send_pigeon", "next": "b"},
            "b": {"do": "branch", "when": {"field": "cart.items", "op": "known"}, "then": "a", "otherwise": "nowhere"},
            "island": {"do": "exit"},
        }
    )
    pointers = {fault.pointer for fault in validate(plan, ACTIONS, FIELDS)}
    assert pointers == {"/steps/a/action", "/steps/b", "/steps/b/otherwise", "/steps/island", "/steps/a"}


def test_a_loop_with_a_wait_is_allowed() -> None:
    plan = flow(
        {
            "a": {"do": "send", "action": "send_email", "next": "b"},
            "b": {"do": "wait", "for": "P1D", "next": "a"},
        }
    )
    assert validate(plan, ACTIONS, FIELDS) == []


def test_a_loop_that_only_a_signal_interrupts_is_refused() -> None:
    """Given once, the signal would end every later wait at once: a storm of messages."""
    plan = flow(
        {
            "a": {"do": "wait", "for": "P14D", "until": {"name": "fixed", "key": "e.f"}, "next": "b", "otherwise": "c"},
            "b": {"do": "send", "action": "send_email", "next": "a"},
            "c": {"do": "exit"},
        }
    )
    assert {fault.pointer for fault in validate(plan, ACTIONS, FIELDS)} == {"/steps/a", "/steps/b"}


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("cart.itms > 0", "did you mean cart.items"),
        ("cart.items > ", "ends too early"),
        ({"fact": "cart.count", "op": "exists"}, "exactly one of: all, any, not, field"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(when: Any, said: str) -> None:
    branch = {"do": "branch", "when": when, "then": "a", "otherwise": "a"}
    try:
        faults = validate(flow({"a": branch}), ACTIONS, FIELDS)
    except ValidationError as invalid:
        assert said in str(invalid)
    else:
        assert "/steps/a/when/field" in [fault.pointer for fault in faults]
        assert any(said in fault.fix for fault in faults)


def test_every_fault_of_every_condition_has_its_pointer_in_the_flow() -> None:
    plan = FlowDefinition.model_validate(
        {
            "name": "f",
            "trigger": {"on": "insight", "when": "cart.items > 1.5 and nothing.here = 1"},
            "start": "a",
            "steps": {
                "a": {"do": "branch", "when": "session.leaving = true", "then": "b", "otherwise": "b"},
                "b": {"do": "exit"},
            },
        }
    )
    assert [fault.pointer for fault in validate(plan, ACTIONS, FIELDS)] == [
        "/trigger/when/all/0/value",
        "/trigger/when/all/1/field",
        "/steps/a/when/field",
    ]


def test_a_condition_is_given_as_text_or_json_and_written_as_json() -> None:
    document = {"field": "cart.items", "op": "gt", "value": 0}
    for when in ("cart.items > 0", document):
        branch = Branch.model_validate({"do": "branch", "when": when, "then": "a", "otherwise": "b"})
        assert branch.model_dump(mode="json")["when"] == document
        assert Branch.model_validate_json(branch.model_dump_json()) == branch
    assert Branch.model_json_schema()["properties"]["when"]["title"] == "Condition"


_names = st.sampled_from(["a", "b", "c", "d"])
_steps = st.one_of(
    st.builds(lambda n: {"do": "send", "action": "send_email", "next": n}, st.none() | _names),
    st.builds(lambda n: {"do": "wait", "for": "PT1H", "next": n}, st.none() | _names),
    st.builds(
        lambda t, o: {"do": "branch", "when": {"field": "cart.items", "op": "known"}, "then": t, "otherwise": o},
        _names,
        _names,
    ),
    st.just({"do": "exit"}),
)


@given(st.fixed_dictionaries(dict.fromkeys("abcd", _steps)), st.sampled_from(["due", "signalled", "sent"]))
def test_any_definition_comes_to_an_effect_and_a_valid_one_never_loops(steps: dict[str, Any], occurrence: Any) -> None:
    plan = flow(steps)
    looping = any("loop" in fault.problem for fault in validate(plan, ACTIONS, FIELDS))
    position = Position("a")
    for _ in range(20):
        ahead = advance(plan, position, occurrence, {}, NOW)
        if isinstance(ahead.effect, Finish):
            assert looping or ahead.effect.reason != "loop"
            return
        occurrence = "sent" if isinstance(ahead.effect, SendNow) else "due"
        position = ahead.position
