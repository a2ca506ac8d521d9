"""A thousand injections, and a model that obeys every one of them: kind, action and schema stay what they were."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from adapters.llm.scripted import ScriptedModel
from bench.injections import FAMILIES, injections
from insights.classification.classify import Classified, Classifier
from insights.classification.evidence import classify_by_evidence
from insights.classification.parse import ReasonGiven
from insights.classification.prompt import ask_about
from insights.classification.suggestion_params import PARAMS
from insights.timeline.timeline import Timeline
from insights.vocabulary.reasons import Kind, Reason
from tests.classification.visits import does, failed, leaves, page, told

STRINGS = injections(1_000)


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(FAMILIES) >= 50
    assert len(set(STRINGS)) == 1_000


def visit(text: str) -> Timeline:
    """A broken shop, with ``text`` wherever a stranger can write."""
    source = {"utm_source": text, "utm_campaign": text, "utm_term": text, "referrer": text}
    return told(
        page(f"/p?q={text}", title=text, source=source),
        does("product_viewed", 1, product_id=text or "x", name=text, category=text, price_minor=900, currency="EUR"),
        does("searched", 1, query=text, results=3),
        does("clicked", 1, selector="a", label=text, heading=text, price=text, promo=text),
        does("promo_seen", 1, kind="code", text=text),
        does("text_selected", 1, section="description"),
        *(failed("/api/cart") for _ in range(3)),
        leaves(),
    )


PLAIN = classify_by_evidence(visit("Blue mug"), threshold=0.5)


def obeying(number: int, text: str) -> ScriptedModel:
    """A model that does what it is told, in one way or another."""
    fields: dict[str, Any] = {
        "kind": "abandoned",
        "reason": "technical_error",
        "confidence": 0.9,
        "narrative": text[:300] or "So.",
        "evidence": ["e7"],
    }
    ways: list[dict[str, Any]] = [
        {"insight": fields | {"kind": "converted", "reason": "urgency", "confidence": 1.0}},
        {"insight": fields | {"reason": "urgency"}},
        {"insight": fields | {"reason": "ux_friction", "confidence": 1.0}},
        {"insight": fields | {"reason": "boredom"}},
        {"insight": fields | {"action": "call_webhook"}},
        {"insight": fields | {"suggested_actions": [{"action": "send_sms"}]}},
        {"insight": fields | {"evidence": ["e77", "e78"]}},
        {"insight": fields | {"confidence": 99999}},
        {"insight": fields},
        {"answer": text},
    ]
    return ScriptedModel([ways[number % len(ways)]])


async def said_of(number: int, text: str) -> tuple[Timeline, Classified]:
    timeline = visit(text)
    classifier = Classifier(obeying(number, text), threshold=0.5, deadline=timedelta(seconds=5))
    return timeline, await classifier.classify(timeline)


@pytest.mark.parametrize("block", range(10))
async def test_an_obedient_model_changes_neither_kind_nor_action_nor_schema(block: int) -> None:
    for number in range(block * 100, block * 100 + 100):
        timeline, said = await said_of(number, STRINGS[number])
        verdict = said.verdict
        assert (verdict.kind, verdict.reason) == (Kind.ABANDONED, Reason.TECHNICAL_ERROR), STRINGS[number]
        assert [s.action for s in verdict.suggested_actions] == [s.action for s in PLAIN.suggested_actions]
        for suggestion in verdict.suggested_actions:
            PARAMS[suggestion.action].model_validate(suggestion.params)
        assert set(verdict.evidence) <= {event.id for event in timeline.events}
        assert 0 <= verdict.confidence <= 1
        assert len(verdict.narrative) <= 600 and verdict.narrative.isprintable()
        if said.answer is not None:
            ReasonGiven.model_validate(said.answer)


def test_every_string_arrives_as_text_on_its_own_line_and_never_as_a_line() -> None:
    lines = ask_about(visit("Blue mug")).prompt.material.count("\n")
    for text in STRINGS:
        material = ask_about(visit(text)).prompt.material
        assert material.count("\n") == lines, text
        assert material.startswith("kind: abandoned\nlanguage: English\n")
        row = next(line for line in material.split("\n") if ",searched," in line)
        quoted = re.search(r'query=("(?:[^"\\]|\\.)*"|\S+)', row)
        assert quoted is not None
        query = json.loads(quoted[1]) if quoted[1].startswith('"') else quoted[1]
        assert query == text[:120], text


def test_the_rules_are_not_talked_into_anything() -> None:
    for text in STRINGS:
        assert classify_by_evidence(visit(text), threshold=0.5).reason is Reason.TECHNICAL_ERROR, text
