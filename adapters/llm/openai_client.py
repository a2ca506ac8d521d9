"""A model behind any OpenAI-compatible endpoint (OpenAI, vLLM, Ollama, llama.cpp), asked through instructor.

The portable route: chat.completions with a strict json_schema. instructor re-asks on replies that do not parse; this
module adds what it leaves out: the strict flag, the refusal check, one deadline around everything, the breaker.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import instructor
import openai
import structlog
from openai.lib._pydantic import to_strict_json_schema

from adapters.llm.breaker import Breaker
from adapters.llm.port import Answer, FailureKind, ModelFailed, Prompt

log = structlog.get_logger()

MAX_ATTEMPTS = 3
MAX_TOKENS = 700


class _Refused(Exception):
    """The model declined, or the provider's filter did."""


class OpenAiModel:
    """One model of one endpoint. ``base_url`` empty is OpenAI's own; a local server needs no key."""

    def __init__(self, *, base_url: str, api_key: str, model: str, breaker: Breaker | None = None) -> None:
        self._model = model
        self._breaker = breaker or Breaker()
        # httpx given explicitly: the library's own default client is another package, with other timeouts.
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(30.0, connect=5.0))
        self._client = openai.AsyncOpenAI(
            base_url=base_url or None,
            api_key=api_key or "none",
            http_client=self._http,  # type: ignore[arg-type]  # its types name httpx2 only; both work
            max_retries=1,
        )

    @property
    def name(self) -> str:
        return self._model

    async def close(self) -> None:
        await self._http.aclose()

    async def answer(self, prompt: Prompt, schema: type[Answer], deadline: timedelta) -> Answer:
        if not self._breaker.allows():
            raise ModelFailed("resting")
        try:
            # Per-read timeouts do not bound a reply that drips in; this does.
            async with asyncio.timeout(deadline.total_seconds()):
                answer = await self._ask(prompt, schema)
        except Exception as error:
            failure = ModelFailed(_kind_of(error))
            if failure.kind != "refused":
                self._breaker.failed()
            # Only the kind: the text of these errors holds completions and the prompt.
            log.warning("model_failed", model=self._model, kind=failure.kind, error=type(error).__name__)
            raise failure from None
        self._breaker.succeeded()
        return answer

    async def _ask(self, prompt: Prompt, schema: type[Answer]) -> Answer:
        response_format = {
            "type": "json_schema",
            "json_schema": {"name": schema.__name__, "strict": True, "schema": to_strict_json_schema(schema)},
        }

        async def create(*args: Any, **kwargs: Any) -> Any:
            kwargs["response_format"] = response_format
            completion = await self._client.chat.completions.create(*args, **kwargs)
            choice = completion.choices[0]
            if choice.message.refusal or choice.finish_reason == "content_filter":
                raise _Refused
            return completion

        patched: Any = instructor.patch(create=create, mode=instructor.Mode.JSON_SCHEMA)
        answer = await patched(
            model=self._model,
            response_model=schema,
            max_retries=MAX_ATTEMPTS,
            max_completion_tokens=MAX_TOKENS,
            messages=[
                {"role": "system", "content": prompt.instructions},
                {"role": "user", "content": prompt.material},
            ],
        )
        if not isinstance(answer, schema):
            raise TypeError
        return answer


def _kind_of(error: BaseException) -> FailureKind:
    """What a failure was. instructor wraps what its call raised: the cause tells."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    if any(isinstance(link, _Refused) for link in chain):
        return "refused"
    if any(isinstance(link, TimeoutError | openai.APITimeoutError | httpx.TimeoutException) for link in chain):
        return "timeout"
    if any(
        isinstance(link, openai.APIConnectionError | openai.APIStatusError | httpx.TransportError) for link in chain
    ):
        return "unreachable"
    return "malformed"
