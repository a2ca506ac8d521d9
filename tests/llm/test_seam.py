"""What the model seam promises beyond an answer: few calls, no leaks, texts unchanged, the same contract for all."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from adapters.llm.openai_client import OpenAiModel
from adapters.llm.port import LanguageModel, ModelFailed, Prompt
from adapters.llm.scripted import ScriptedModel
from insights.classification.parse import ReasonGiven
from tests.classification.hostile import strings
from tests.llm.endpoint import Endpoint, listening

GOOD = {"kind": "abandoned", "reason": "unclear", "confidence": 0.5, "narrative": "No sign.", "evidence": []}
SOON = timedelta(seconds=5)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with listening() as endpoint:
        yield endpoint


@pytest.fixture
async def model(endpoint: Endpoint) -> AsyncIterator[OpenAiModel]:
    model = OpenAiModel(base_url=endpoint.url, api_key="", model="m")
    yield model
    await model.close()


async def test_instructions_and_material_arrive_byte_by_byte(endpoint: Endpoint, model: OpenAiModel) -> None:
    endpoint.replies = [GOOD]
    material = "\n".join(strings(500))
    await model.answer(Prompt("Rules: {{ nothing }} {% here %}", material), ReasonGiven, SOON)
    system, user = endpoint.requests[0]["messages"]
    assert system["content"] == "Rules: {{ nothing }} {% here %}"
    assert user["content"] == material


async def test_no_reply_costs_more_than_three_calls(endpoint: Endpoint, model: OpenAiModel) -> None:
    for reply in ("never json", b"<html>bad gateway</html>", {**GOOD, "reason": "boredom"}):
        endpoint.requests.clear()
        endpoint.replies = [reply]
        with pytest.raises(ModelFailed):
            await model.answer(Prompt("i", "m"), ReasonGiven, SOON)
        assert 1 <= len(endpoint.requests) <= 3, reply


async def test_a_complaint_is_sent_back_and_the_second_answer_taken(endpoint: Endpoint, model: OpenAiModel) -> None:
    endpoint.replies = [{**GOOD, "evidence": ["ghost"]}, GOOD]

    def check(answer: ReasonGiven) -> str | None:
        return "evidence names ids that are not there" if answer.insight.evidence else None

    reply = await model.answer(Prompt("i", "m"), ReasonGiven, SOON, check=check)
    assert reply.answer.insight.evidence == []
    assert "evidence names ids that are not there" in json.dumps(endpoint.requests[1]["messages"])


async def test_what_is_sent_back_is_no_template_either(endpoint: Endpoint, model: OpenAiModel) -> None:
    endpoint.replies = ["{{ 7*7 }} {% for i in range(9) %}x{% endfor %}", GOOD]
    await model.answer(Prompt("i", "m"), ReasonGiven, SOON)
    again = json.dumps(endpoint.requests[1]["messages"])
    assert "{{ 7*7 }}" in again and "49" not in again


async def test_the_schema_is_strict_and_without_words_that_cost_tokens(endpoint: Endpoint, model: OpenAiModel) -> None:
    endpoint.replies = [GOOD]
    await model.answer(Prompt("i", "m"), ReasonGiven, SOON)
    sent = endpoint.requests[0]["response_format"]["json_schema"]
    assert sent["strict"] is True
    for word in ("oneOf", '"title"', '"description"', '"default"', '"minimum"', '"maxLength"'):
        assert word not in json.dumps(sent["schema"])
    assert "anyOf" in json.dumps(sent["schema"])


async def test_a_failure_leaves_nothing_of_prompt_or_reply_in_any_log(
    endpoint: Endpoint, model: OpenAiModel, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    for reply in ("CANARY-REPLY", {**GOOD, "reason": "CANARY-REPLY"}, {"refusal": "CANARY-REPLY"}, b"CANARY-REPLY"):
        endpoint.replies = [reply]
        with pytest.raises(ModelFailed) as failure:
            await model.answer(Prompt("i", "CANARY-PROMPT"), ReasonGiven, SOON)
        assert "CANARY" not in f"{failure.value} {failure.value.__cause__}"
    printed = capfd.readouterr()
    assert "CANARY" not in caplog.text + printed.out + printed.err


async def test_the_shells_own_settings_for_openai_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/elsewhere")
    model = OpenAiModel(base_url="", api_key="k", model="m")
    assert {str(client.base_url) for client in model._clients} == {"https://api.openai.com/v1/"}
    await model.close()


async def test_being_cancelled_stays_a_cancellation(endpoint: Endpoint, model: OpenAiModel) -> None:
    endpoint.replies = ["silence"]
    task = asyncio.create_task(model.answer(Prompt("i", "m"), ReasonGiven, timedelta(seconds=20)))
    while not endpoint.requests:  # noqa: ASYNC110  # the request is what is waited for
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Word(BaseModel):
    word: str


async def contract(model: LanguageModel, want: Any) -> Any:
    try:
        return (await model.answer(Prompt("i", "m"), Word, SOON, check=want)).answer.word
    except ModelFailed as failure:
        return failure.kind


@pytest.mark.parametrize(
    ("reply", "check", "expected"),
    [
        ({"word": "tea"}, None, "tea"),
        ({"word": "tea"}, lambda answer: None, "tea"),
        ({"word": "tea"}, lambda answer: "say coffee", "malformed"),
        ({"wort": "Tee"}, None, "malformed"),
    ],
)
async def test_the_script_and_the_client_keep_one_contract(
    endpoint: Endpoint, model: OpenAiModel, reply: dict[str, Any], check: Any, expected: str
) -> None:
    endpoint.replies = [json.dumps(reply)]
    assert await contract(model, check) == expected
    assert await contract(ScriptedModel([reply]), check) == expected
