"""The pure engine: definitions, conditions, and what a run does next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.conditions._old import Compare, explain, holds
from flows.definition import Branch, FlowDefinition, validate
from flows.engine import Finish, Position, SendNow, WaitUntil, advance

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACTIONS = {"send_email", "create_ticket"}


def flow(steps: dict[str, Any], start: str = "a", **settings: Any) -> FlowDefinition:
    return FlowDefinition.model_validate(
        {"name": "f", "trigger": {"on": "insight"}, "start": start, "steps": steps, "settings": settings}
    )


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
                "when": {"fact": "cart.value_minor", "op": "ge", "value": 5000},
                "then": "b",
                "otherwise": "c",
            },
            "b": {"do": "send", "action": "send_email"},
            "c": {"do": "exit", "reason": "small cart"},
        }
    )
    rich = advance(plan, Position("a"), "due", {"cart": {"value_minor": 9000}}, NOW)
    assert isinstance(rich.effect, SendNow)
    assert rich.passed == (("a", "then"),)
    assert advance(plan, Position("a"), "due", {}, NOW).effect == Finish("small cart")


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
            "b": {"do": "branch", "when": {"fact": "x", "op": "exists"}, "then": "a", "otherwise": "nowhere"},
            "island": {"do": "exit"},
        }
    )
    pointers = {fault.pointer for fault in validate(plan, ACTIONS)}
    assert pointers == {"/steps/a/action", "/steps/b", "/steps/b/otherwise", "/steps/island", "/steps/a"}


def test_a_loop_with_a_wait_is_allowed() -> None:
    plan = flow(
        {
            "a": {"do": "send", "action": "send_email", "next": "b"},
            "b": {"do": "wait", "for": "P1D", "next": "a"},
        }
    )
    assert validate(plan, ACTIONS) == []


def test_a_loop_that_only_a_signal_interrupts_is_refused() -> None:
    """Given once, the signal would end every later wait at once: a storm of messages."""
    plan = flow(
        {
            "a": {"do": "wait", "for": "P14D", "until": {"name": "fixed", "key": "e.f"}, "next": "b", "otherwise": "c"},
            "b": {"do": "send", "action": "send_email", "next": "a"},
            "c": {"do": "exit"},
        }
    )
    assert {fault.pointer for fault in validate(plan, ACTIONS)} == {"/steps/a", "/steps/b"}


@pytest.mark.parametrize(
    "condition",
    [
        {"fact": "a", "op": "in", "value": "xyz"},
        {"fact": "a", "op": "eq", "value": ["x"]},
        {"fact": "a", "op": "eq"},
        {"fact": "a", "op": "lt", "value": True},
        {"fact": "a", "op": "exists", "value": 1},
        {"fact": "a", "op": "like", "value": "x"},
    ],
)
def test_a_comparison_with_something_that_does_not_fit_is_refused(condition: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Compare.model_validate(condition)


@pytest.mark.parametrize(
    ("condition", "facts", "expected"),
    [
        ({"fact": "a.b", "op": "eq", "value": 1}, {"a": {"b": 1}}, True),
        ({"fact": "a.b", "op": "eq", "value": 1}, {"a": 3}, False),
        ({"fact": "a", "op": "gt", "value": 1}, {"a": "z"}, False),
        ({"fact": "a", "op": "gt", "value": 1}, {"a": True}, False),
        ({"fact": "a", "op": "eq", "value": 1}, {"a": True}, False),
        ({"fact": "a", "op": "eq", "value": 1}, {"a": 1.0}, True),
        ({"fact": "a", "op": "ne", "value": True}, {"a": 1}, True),
        ({"fact": "a", "op": "ne", "value": 1}, {}, False),
        ({"fact": "a", "op": "in", "value": [0, "y"]}, {"a": False}, False),
        ({"fact": "a", "op": "in", "value": ["x", "y"]}, {"a": "y"}, True),
        ({"not": {"fact": "a", "op": "exists"}}, {}, True),
        ({"all": [{"fact": "a", "op": "exists"}, {"fact": "b", "op": "exists"}]}, {"a": 1}, False),
        ({"any": [{"fact": "a", "op": "exists"}, {"fact": "b", "op": "exists"}]}, {"a": 1}, True),
    ],
)
def test_conditions_are_total(condition: dict[str, Any], facts: dict[str, Any], expected: bool) -> None:
    branch = Branch.model_validate({"do": "branch", "when": condition, "then": "a", "otherwise": "b"})
    assert holds(branch.when, facts) is expected


def test_a_false_condition_says_which_part_was_false() -> None:
    condition = Compare(fact="cart.value_minor", op="ge", value=5000)
    assert explain(condition, {"cart": {"value_minor": 100}}) == "cart.value_minor is 100"


_names = st.sampled_from(["a", "b", "c", "d"])
_steps = st.one_of(
    st.builds(lambda n: {"do": "send", "action": "send_email", "next": n}, st.none() | _names),
    st.builds(lambda n: {"do": "wait", "for": "PT1H", "next": n}, st.none() | _names),
    st.builds(
        lambda t, o: {"do": "branch", "when": {"fact": "x", "op": "exists"}, "then": t, "otherwise": o}, _names, _names
    ),
    st.just({"do": "exit"}),
)


@given(st.fixed_dictionaries(dict.fromkeys("abcd", _steps)), st.sampled_from(["due", "signalled", "sent"]))
def test_any_definition_comes_to_an_effect_and_a_valid_one_never_loops(steps: dict[str, Any], occurrence: Any) -> None:
    plan = flow(steps)
    looping = any("loop" in fault.problem for fault in validate(plan, ACTIONS))
    position = Position("a")
    for _ in range(20):
        ahead = advance(plan, position, occurrence, {}, NOW)
        if isinstance(ahead.effect, Finish):
            assert looping or ahead.effect.reason != "loop"
            return
        occurrence = "sent" if isinstance(ahead.effect, SendNow) else "due"
        position = ahead.position
