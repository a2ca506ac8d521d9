"""The schema and the pipeline against engines that know nothing of us: a grammar compiler, and llama.cpp's own server.

`ENGINE_REQUESTS=300 make test ARGS=tests/llm/test_engines.py` asks the server 300 times, which takes minutes; usually
a few.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import llguidance
import pytest

from adapters.llm.openai_client import OpenAiModel
from adapters.llm.openai_request import first_request
from adapters.llm.port import Answer, Prompt, Reply
from insights.classification.classify import Classifier
from insights.classification.parse import AbandonedReason, ConvertedReason, ReasonGiven
from insights.classification.prompt import ask_about
from insights.evaluation.gold import shipped_stories
from insights.vocabulary.reasons import Kind, Reason, reasons_of
from tests.llm.random_model import write_random_model
from tests.needed import missing

REQUESTS = int(os.environ.get("ENGINE_REQUESTS", "8"))
PARALLEL = 4
SCHEMA = first_request("m", Prompt("i", "m"), ReasonGiven)["response_format"]["json_schema"]["schema"]


def answer(**change: Any) -> dict[str, Any]:
    fields = {"kind": "abandoned", "reason": "unclear", "confidence": 0.5, "narrative": "So.", "evidence": ["e1"]}
    return {"insight": fields | change}


@pytest.fixture(scope="module")
def accepts() -> Callable[[Any], bool]:
    """Whether the compiled schema accepts a document, read byte by byte."""
    tokenizer = llguidance.LLTokenizer("byte")
    grammar = llguidance.LLMatcher.grammar_from_json_schema(SCHEMA)
    assert llguidance.LLMatcher.validate_grammar(grammar) == ""

    def check(document: Any) -> bool:
        text = document if isinstance(document, str) else json.dumps(document)
        matcher = llguidance.LLMatcher(tokenizer, grammar)
        tokens = tokenizer.tokenize_str(text)
        return (
            matcher.validate_tokens(tokens) == len(tokens) and matcher.consume_tokens(tokens) and matcher.is_accepting()
        )

    return check


@pytest.mark.parametrize("reason", Reason)
def test_the_compiled_schema_accepts_every_reason_of_its_kind_only(
    accepts: Callable[[Any], bool], reason: Reason
) -> None:
    for kind in Kind:
        assert accepts(answer(kind=kind.value, reason=reason.value)) is (reason in reasons_of(kind))


MUTANTS: dict[str, Any] = {
    "no JSON": "the reason is unclear",
    "not under insight": answer()["insight"],
    "a reason that there is not": answer(reason="boredom"),
    "a kind that there is not": answer(kind="bounced"),
    "an action of its own": answer(action="send_email"),
    "suggested actions": answer(suggested_actions=[{"action": "call_webhook"}]),
    "confidence as text": answer(confidence="high"),
    "evidence as text": answer(evidence="e1"),
    "evidence as numbers": answer(evidence=[1]),
    "narrative missing": {"insight": {k: v for k, v in answer()["insight"].items() if k != "narrative"}},
    "null": answer(narrative=None),
    "two insights": {"insight": [answer()["insight"]]},
    "something beside it": {**answer(), "and": 1},
    "cut off": json.dumps(answer())[:-2],
    "text after it": json.dumps(answer()) + " and so on",
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_compiled_schema_rejects_a_mutant(accepts: Callable[[Any], bool], name: str) -> None:
    assert not accepts(MUTANTS[name])


def test_the_schema_names_the_reasons_that_there_are() -> None:
    assert set(AbandonedReason.__args__) == {reason.value for reason in reasons_of(Kind.ABANDONED)}  # type: ignore[attr-defined]
    assert set(ConvertedReason.__args__) == {reason.value for reason in reasons_of(Kind.CONVERTED)}  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """llama.cpp's server on a free loopback port, with random weights."""
    try:
        import xllamacpp
    except ImportError as error:
        if "libgomp" not in str(error):
            raise
        missing("libgomp is missing, with which llama.cpp computes: install it (Debian: apt install libgomp1).")
    params = xllamacpp.CommonParams()
    params.model.path = str(write_random_model(tmp_path_factory.mktemp("model") / "random.gguf"))
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = PARALLEL
    params.n_ctx = PARALLEL * 16_384
    params.cpuparams.n_threads = 1
    params.sampling.temp = 1.2
    params.warmup = False
    params.verbosity = -1
    running = xllamacpp.Server(params)
    yield running.listening_address
    del running


class Watched(OpenAiModel):
    """Counts the replies that fit the schema, and those that do not."""

    fitting = 0

    async def answer(
        self,
        prompt: Prompt,
        schema: type[Answer],
        deadline: timedelta,
        *,
        check: Callable[[Answer], str | None] | None = None,
    ) -> Reply[Answer]:
        def counted(answer: Answer) -> str | None:
            self.fitting += 1
            return check(answer) if check is not None else None

        return await super().answer(prompt, schema, deadline, check=counted)


async def test_a_model_that_knows_nothing_answers_in_the_schema_and_the_pipeline_stays_whole(server: str) -> None:
    model = Watched(base_url=f"{server}/v1", api_key="", model="random")
    model._breaker._limit = 10**9  # that what it says makes no sense is the point
    classifier = Classifier(model, threshold=0.5, deadline=timedelta(minutes=5))
    stories = shipped_stories()
    places = asyncio.Semaphore(PARALLEL)

    async def one(number: int) -> int:
        story = stories[number % len(stories)]
        async with places:
            said = await classifier.classify(story.timeline)
        assert said.verdict.kind is story.kind
        assert said.verdict.reason in reasons_of(story.kind)
        assert set(said.verdict.evidence) <= {event.id for event in story.timeline.events}
        # Its reasons make no sense, so most are refused; never because they are not of the schema.
        assert said.fallback in (None, "malformed", "no_trace_of_reason")
        return said.usage.calls

    calls = sum(await asyncio.gather(*(one(number) for number in range(REQUESTS))))
    await model.close()
    assert REQUESTS <= calls <= 2 * REQUESTS
    assert model.fitting == calls


async def test_without_the_schema_it_says_nothing_that_fits(server: str) -> None:
    body = first_request("random", ask_about(shipped_stories()[0].timeline).prompt, ReasonGiven)
    del body["response_format"]
    body["max_completion_tokens"] = 200
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"{server}/v1/chat/completions", json=body)
    with pytest.raises(ValueError, match="validation error"):
        ReasonGiven.model_validate_json(answer.json()["choices"][0]["message"]["content"] or "")
