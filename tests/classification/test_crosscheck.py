"""A model's answer against the rules: strong disagreement lowers confidence, agreement and silence do not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.llm.scripted import ScriptedModel
from insights.classification.classify import Classified, Classifier
from insights.classification.crosscheck import doubted
from insights.vocabulary.reasons import Reason
from tests.classification.visits import add, does, failed, leaves, product, told

BROKEN = told(*product("p", "k", 900), add("p", 900), *[failed("/api/cart")] * 3, does("tab_hidden"), leaves(600))


async def asked(reason: str, confidence: float) -> Classified:
    answer = {"kind": "abandoned", "reason": reason, "confidence": confidence, "narrative": "So.", "evidence": ["e1"]}
    model = ScriptedModel([{"insight": answer}])
    return await Classifier(model, threshold=0.5, deadline=timedelta(seconds=5)).classify(BROKEN)


async def test_agreement_leaves_the_models_confidence_as_it_is() -> None:
    said = await asked("technical_error", 0.8)
    assert (said.verdict.reason, said.verdict.confidence) == (Reason.TECHNICAL_ERROR, 0.8)


async def test_a_model_that_contradicts_strong_evidence_is_not_believed_however_sure_it_is() -> None:
    said = await asked("distraction", 0.95)
    assert said.verdict.reason is Reason.UNCLEAR
    assert "distraction" in said.verdict.narrative


async def test_a_model_that_calls_strong_evidence_unclear_becomes_less_sure() -> None:
    said = await asked("unclear", 0.9)
    assert said.verdict.reason is Reason.UNCLEAR
    assert said.verdict.confidence < 0.5


@pytest.mark.parametrize(("by_rules", "sure"), [(Reason.UNCLEAR, 0.99), (Reason.UX_FRICTION, 0.69)])
def test_rules_that_see_nothing_or_are_not_sure_do_not_contradict(by_rules: Reason, sure: float) -> None:
    assert doubted(0.8, Reason.TRUST_CONCERN, by_rules, sure) == 0.8
