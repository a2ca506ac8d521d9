"""The flows a new project starts with."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flows.definition import FlowDefinition, Send, Wait, validate
from flows.matching import matches
from insights.classification.suggestions import suggestions_for
from insights.conditions.fields import FIELDS
from insights.recovery.starter import FIX_DEADLINE, starter_flows
from insights.recovery.templates import Messages
from insights.recovery.trigger import insight_trigger
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.reasons import ABANDONED_REASONS, CONVERTED_REASONS, Reason
from tests.recovery.sessions import INSIGHT, MUG, session

FAILED = ("request_failed", {"method": "POST", "path": "/api/cart", "status": 500})


def started_by(reason: Reason, *, kind: str = "abandoned", confidence: float = 0.9) -> list[FlowDefinition]:
    trigger = insight_trigger(
        session(("cart_added", MUG), FAILED),
        insight_id=INSIGHT,
        kind=kind,
        reason=reason.value,
        confidence=confidence,
        narrative="",
    )
    return [flow for flow in starter_flows() if matches(flow.trigger, trigger)]


def sends(flow: FlowDefinition) -> list[Send]:
    return [step for step in flow.steps.values() if isinstance(step, Send)]


@pytest.mark.parametrize("scale", [1.0, 0.5, 1e-9])
def test_every_flow_is_valid_at_every_scale(scale: float) -> None:
    for flow in starter_flows(wait_scale=scale):
        assert validate(flow, [action.value for action in RecoveryAction], FIELDS) == []


@pytest.mark.parametrize("reason", ABANDONED_REASONS)
def test_every_abandoned_reason_starts_its_own_flow_and_no_others(reason: Reason) -> None:
    names = [flow.name for flow in started_by(reason)]
    extra = ["technical_error_fixed"] if reason is Reason.TECHNICAL_ERROR else []
    assert names == [reason.value, *extra]


@pytest.mark.parametrize("reason", CONVERTED_REASONS)
def test_nobody_who_bought_is_recovered(reason: Reason) -> None:
    assert started_by(reason, kind="converted") == []


@pytest.mark.parametrize("reason", ABANDONED_REASONS)
def test_the_flows_do_what_the_insight_suggested(reason: Reason) -> None:
    visit = session(("cart_added", MUG), FAILED)
    suggested = [(step.action.value, step.params.get("message")) for step in suggestions_for(reason, visit)]
    done = [(step.action, step.params.get("message")) for flow in started_by(reason) for step in sends(flow)]
    assert set(done) <= set(suggested)
    assert done[:1] == [pair for pair in suggested if pair[0] != "do_nothing"][:1]


def test_only_a_price_is_answered_with_a_discount() -> None:
    with_code = [flow.name for flow in starter_flows() for step in sends(flow) if "discount_percent" in step.params]
    assert with_code == ["price_hesitation"]
    assert started_by(Reason.PRICE_HESITATION, confidence=0.4) == []


def test_unclear_does_nothing_and_says_so() -> None:
    (flow,) = started_by(Reason.UNCLEAR)
    assert sends(flow) == []
    assert flow.steps[flow.start].model_dump()["reason"] == "do_nothing"


def test_every_send_is_bounded_and_every_mail_ends_with_a_purchase() -> None:
    for flow in starter_flows():
        for step in sends(flow):
            assert step.max_lateness <= timedelta(days=3)
            if step.action == "send_email":
                assert flow.settings.exit_on_conversion
                assert step.params["message"] in Messages().names


def test_a_ticket_is_written_whether_or_not_they_buy_and_however_often_they_meet_errors() -> None:
    (ticket,) = [flow for flow in starter_flows() if flow.name == "technical_error"]
    assert not ticket.settings.exit_on_conversion
    assert ticket.settings.reentry == timedelta(0)


def test_the_scale_shortens_the_pauses_and_nothing_else() -> None:
    waits = {
        scale: [
            (flow.name, step.for_)
            for flow in starter_flows(wait_scale=scale)
            for step in flow.steps.values()
            if isinstance(step, Wait)
        ]
        for scale in (1.0, 0.001)
    }
    for (name, full), (_, short) in zip(waits[1.0], waits[0.001], strict=True):
        assert short == (full if name == "technical_error_fixed" else full * 0.001)
    assert dict(waits[0.001])["technical_error_fixed"] == FIX_DEADLINE


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5, float("nan")])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="wait_scale"):
        starter_flows(wait_scale=scale)
