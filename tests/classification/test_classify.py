"""The classifier of a process: the model where it has something to say, the evidence where it has not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from adapters.llm.port import Answer, FailureKind, LanguageModel, ModelFailed, Prompt, Reply
from adapters.llm.scripted import ScriptedModel
from insights.classification.classify import Classifier
from insights.classification.evidence import NAME, classify_by_evidence
from insights.vocabulary.reasons import Kind, Reason
from tests.classification.hostile import strings
from tests.classification.visits import does, failed, leaves, page, told

TIMELINE = told(page("/"), *(failed("/api/cart") for _ in range(3)), leaves())
BY_EVIDENCE = classify_by_evidence(TIMELINE, threshold=0.5)
GOOD = {
    "insight": {
        "kind": "abandoned",
        "reason": "technical_error",
        "confidence": 0.83,
        "narrative": "The cart failed three times.",
        "evidence": ["e2"],
    }
}


def classifier(model: LanguageModel | None, deadline: float = 5) -> Classifier:
    return Classifier(model, threshold=0.5, deadline=timedelta(seconds=deadline))


async def test_without_a_model_the_evidence_speaks_and_nothing_is_excused() -> None:
    classified = await classifier(None).classify(TIMELINE)
    assert (classified.verdict, classified.classifier, classified.fallback) == (BY_EVIDENCE, NAME, None)


async def test_a_model_that_answers_is_named_with_the_version_of_the_prompt() -> None:
    classified = await classifier(ScriptedModel([GOOD], name="m-1")).classify(TIMELINE)
    assert classified.verdict.confidence == 0.83
    assert classified.classifier.startswith("llm:m-1:v")
    assert classified.fallback is None


@pytest.mark.parametrize("kind", ["refused", "timeout", "malformed", "unreachable", "resting"])
async def test_every_failure_falls_back_to_the_evidence_and_says_why(kind: FailureKind) -> None:
    classified = await classifier(ScriptedModel([ModelFailed(kind)])).classify(TIMELINE)
    assert (classified.verdict, classified.classifier, classified.fallback) == (BY_EVIDENCE, NAME, kind)


class Broken:
    """A model that breaks its own contract."""

    name = "broken"

    def __init__(self, behave: Callable[[], Any]) -> None:
        self._behave = behave

    async def answer(
        self,
        prompt: Prompt,
        schema: type[Answer],
        deadline: timedelta,
        *,
        check: Callable[[Answer], str | None] | None = None,
    ) -> Reply[Answer]:
        result = self._behave()
        if asyncio.iscoroutine(result):
            await result
        raise result

    async def close(self) -> None: ...


async def test_an_error_that_nobody_thought_of_falls_back_too() -> None:
    classified = await classifier(Broken(lambda: AttributeError("'str' has no attribute 'choices'"))).classify(TIMELINE)
    assert (classified.verdict, classified.fallback) == (BY_EVIDENCE, "failed")


async def test_a_model_that_forgets_its_deadline_is_not_waited_for() -> None:
    classified = await classifier(Broken(lambda: asyncio.sleep(60)), deadline=0.05).classify(TIMELINE)
    assert (classified.verdict, classified.fallback) == (BY_EVIDENCE, "timeout")


async def test_being_cancelled_is_not_a_failure_of_the_model() -> None:
    task = asyncio.create_task(classifier(Broken(lambda: asyncio.sleep(60))).classify(TIMELINE))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("text", strings(40))
async def test_a_prompt_hidden_in_a_product_name_changes_nothing(text: str) -> None:
    timeline = told(
        page("/"),
        does("product_viewed", 1, product_id="p", name=text, category=text),
        does("searched", 1, query=text, results=3),
        *(failed("/api/cart") for _ in range(3)),
    )
    # A model that obeyed: it says the visitor bought, because the product's name told it to.
    obeyed = {"insight": {**GOOD["insight"], "kind": "converted", "reason": "urgency"}}
    classified = await classifier(ScriptedModel([obeyed])).classify(timeline)
    assert classified.verdict.kind is Kind.ABANDONED
    assert classified.verdict.reason is Reason.TECHNICAL_ERROR
    assert classified.verdict.suggested_actions == BY_EVIDENCE.suggested_actions
    assert classified.fallback == "malformed"
