"""An address that a customer typed in leads to the public internet or nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from adapters.channels.public_only import PublicOnly
from adapters.llm.openai_batch import BatchFailed, OpenAiBatches
from adapters.llm.openai_client import OpenAiModel
from adapters.llm.port import ModelFailed, Prompt
from insights.classification.parse import ReasonGiven
from tests.llm.endpoint import Endpoint, listening

GOOD = {"kind": "abandoned", "reason": "unclear", "confidence": 0.5, "narrative": "No sign.", "evidence": []}


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with listening() as endpoint:
        endpoint.replies = [GOOD]
        yield endpoint


async def test_a_server_inside_is_not_reached_by_address_or_by_name(endpoint: Endpoint) -> None:
    for url in (endpoint.url, endpoint.url.replace("127.0.0.1", "localhost"), "http://169.254.169.254/v1"):
        model = OpenAiModel(base_url=url, api_key="k", model="m", public_only=True)
        with pytest.raises(ModelFailed, match="unreachable"):
            await model.answer(Prompt("i", "m"), ReasonGiven, timedelta(seconds=5))
        await model.close()
        batches = OpenAiBatches(base_url=url, api_key="k", model="m", public_only=True)
        with pytest.raises(BatchFailed):
            await batches.state("b")
        await batches.close()
    assert endpoint.requests == []


async def test_the_address_that_was_judged_is_the_one_connected_to(endpoint: Endpoint) -> None:
    judged: list[str] = []
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def resolve(host: str, port: int) -> list[str]:
        assert host == "llm.example"
        return next(answers)

    def public(address: str) -> bool:
        judged.append(address)
        return address == "127.0.0.1"

    port = endpoint.url.split(":")[2].partition("/")[0]
    transport = PublicOnly(resolve=resolve, public=public)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        url = f"http://llm.example:{port}/v1/chat/completions"
        assert (await client.post(url, json={"a": 1})).status_code == 200
        # The name has changed its mind.
        with pytest.raises(httpx.ConnectError):
            await client.post(url, json={"a": 2})
    assert judged == ["127.0.0.1", "10.0.0.1"]
    assert endpoint.requests == [{"a": 1}]


async def test_one_inner_address_among_public_ones_is_refused() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["1.1.1.1", "192.168.0.1"]

    async with httpx.AsyncClient(transport=PublicOnly(resolve=resolve), trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://llm.example/")
