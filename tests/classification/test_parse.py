"""What is taken from a model's answer, and what never is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insights.classification.parse import AnswerRefused, ReasonGiven, complaint_about, plain, read_answer
from insights.classification.prompt import ask_about
from insights.classification.suggestions import suggestions_for
from insights.classification.verdict import MOST_NARRATIVE, Verdict
from insights.timeline.timeline import Timeline
from insights.vocabulary.reasons import ABANDONED_REASONS, CONVERTED_REASONS, Kind, Reason
from tests.classification.visits import failed, leaves, order, page, told

BROKEN = told(page("/"), *(failed("/api/cart") for _ in range(3)), leaves())
BOUGHT = told(page("/"), order(100))


def answer(**changes: Any) -> ReasonGiven:
    fields = {
        "kind": "abandoned",
        "reason": "technical_error",
        "confidence": 0.8,
        "narrative": "The cart failed three times.",
        "evidence": ["e2", "e3"],
    }
    return ReasonGiven.model_validate({"insight": fields | changes})


def read(given_answer: ReasonGiven, timeline: Timeline = BROKEN, threshold: float = 0.5) -> Verdict:
    return read_answer(given_answer, ask_about(timeline), timeline, threshold=threshold)


def test_a_good_answer_becomes_a_verdict_with_actions_of_ours() -> None:
    verdict = read(answer())
    assert (verdict.kind, verdict.reason, verdict.confidence) == (Kind.ABANDONED, Reason.TECHNICAL_ERROR, 0.8)
    assert verdict.evidence == (BROKEN.events[1].id, BROKEN.events[2].id)
    assert verdict.suggested_actions == suggestions_for(Reason.TECHNICAL_ERROR, BROKEN)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "converted", "reason": "urgency"}, "wrong_kind"),
        ({"evidence": ["e2", "e999"]}, "unknown_evidence"),
        ({"evidence": []}, "no_evidence"),
        ({"evidence": ["e2"] * 51}, "out_of_bounds"),
        ({"confidence": 1.5}, "out_of_bounds"),
        ({"confidence": float("nan")}, "out_of_bounds"),
        ({"confidence": float("inf")}, "out_of_bounds"),
        ({"narrative": ""}, "out_of_bounds"),
        ({"narrative": "x" * 5000}, "out_of_bounds"),
        ({"narrative": "\u200b\u202e \n"}, "no_narrative"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused_and_the_model_is_told(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(AnswerRefused) as refusal:
        read(answer(**changes))
    assert refusal.value.why == why
    assert complaint_about(answer(**changes), ask_about(BROKEN), BROKEN)


def test_a_complaint_quotes_nothing() -> None:
    complaint = complaint_about(answer(evidence=["{{7*7}}"]), ask_about(BROKEN), BROKEN)
    assert complaint is not None and "7*7" not in complaint


@pytest.mark.parametrize("reason", [r for r in ABANDONED_REASONS if r not in (Reason.TECHNICAL_ERROR, Reason.UNCLEAR)])
def test_a_reason_that_nothing_shows_is_refused_where_the_rules_are_sure_of_another(reason: Reason) -> None:
    with pytest.raises(AnswerRefused, match="no_trace_of_reason"):
        read(answer(reason=reason.value))


def test_a_reason_that_nothing_shows_is_unclear_where_the_rules_know_none_either() -> None:
    quiet = told(page("/"), page("/c"), page("/d"), leaves())
    verdict = read(answer(reason="ux_friction", narrative="Trust me, I know."), quiet)
    assert verdict.reason is Reason.UNCLEAR
    assert "Trust me" not in verdict.narrative


def test_a_conversion_for_a_reason_that_nothing_shows_is_refused() -> None:
    with pytest.raises(AnswerRefused, match="no_trace_of_reason"):
        read(answer(kind="converted", reason="social_proof", evidence=["e2"]), BOUGHT)


def test_below_the_threshold_it_is_unclear_and_above_it_is_named() -> None:
    assert read(answer(confidence=0.4)).reason is Reason.UNCLEAR
    assert read(answer(confidence=0.4), threshold=0.3).reason is Reason.TECHNICAL_ERROR


def test_a_conversion_keeps_its_reason_however_uncertain() -> None:
    verdict = read(answer(kind="converted", reason="value_fit", confidence=0.1, evidence=["e2"]), BOUGHT)
    assert verdict.reason is Reason.VALUE_FIT
    assert 0 < verdict.confidence <= 0.1


def test_a_narrative_loses_addresses_numbers_and_what_cannot_be_seen() -> None:
    told_text = plain("Write to a@b.example\n or visit https://evil.example/x, call +49 170 1234567\u202e!")
    assert told_text == "Write to [email] or visit [address] call [number] !"
    assert len(plain("word " * 700)) <= MOST_NARRATIVE


@given(
    kind=st.sampled_from(["abandoned", "converted"]),
    reason=st.sampled_from([reason.value for reason in Reason]),
    confidence=st.floats(),
    narrative=st.text(max_size=50),
    evidence=st.lists(st.sampled_from(["e1", "e2", "e3", "e0", "x", ""]), max_size=4),
    timeline=st.sampled_from([BROKEN, BOUGHT]),
)
@settings(max_examples=300, deadline=None)
def test_whatever_is_answered_the_kind_is_the_purchases(
    kind: str, reason: str, confidence: float, narrative: str, evidence: list[str], timeline: Timeline
) -> None:
    fields = {"kind": kind, "reason": reason, "confidence": confidence, "narrative": narrative, "evidence": evidence}
    try:
        verdict = read(ReasonGiven.model_validate({"insight": fields}), timeline)
    except (AnswerRefused, ValueError):
        return
    assert verdict.kind is (Kind.CONVERTED if timeline is BOUGHT else Kind.ABANDONED)
    assert verdict.reason in (CONVERTED_REASONS if timeline is BOUGHT else ABANDONED_REASONS)
    assert set(verdict.evidence) <= {event.id for event in timeline.events}
    assert verdict.suggested_actions == suggestions_for(verdict.reason, timeline)


def test_the_schema_on_the_wire_is_one_that_strict_servers_accept() -> None:
    schema = ReasonGiven.model_json_schema()
    assert schema["type"] == "object" and "oneOf" not in str(schema)
    for part in (schema, *schema["$defs"].values()):
        assert part["additionalProperties"] is False
        assert sorted(part["required"]) == sorted(part["properties"])
        for keyword in ("minLength", "maxLength", "minimum", "maximum", "maxItems", "default"):
            assert keyword not in str(part)
    for name in ("AbandonedOnTheWire", "ConvertedOnTheWire"):
        assert next(iter(schema["$defs"][name]["properties"])) == "kind"
