"""Many questions at once through a provider's batch API: cheaper, answered within a day, for what can wait.

The OpenAI form: a file of JSON lines is uploaded, a batch is made of it, and its output is a file again. The questions
are the very bodies that ``OpenAiModel`` would send; what comes back is checked by whoever asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import httpx
import openai
from pydantic import BaseModel, ValidationError

from adapters.channels.public_only import client_for
from adapters.llm.openai_request import OPENAI_URL, first_request
from adapters.llm.port import Prompt, Usage

MOST_QUESTIONS: Final = 10_000
"""In one batch; providers take more, but a batch that fails is asked again as a whole."""
Status = Literal["waiting", "done", "failed"]
_DONE: Final = frozenset({"completed", "expired", "cancelled"})


class BatchFailed(Exception):
    """The provider does not take or give the batch; ``why`` is its kind of refusal, never its text."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a batch is. ``output``: the file of its answers, once there is one."""

    status: Status
    answered: int
    failed: int
    total: int
    output: str | None


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """One line of a batch's output. ``answer`` is the JSON the model gave; None where it refused or gave none."""

    key: str
    answer: dict[str, Any] | None
    usage: Usage


class OpenAiBatches:
    """The batch API of one endpoint. ``close`` it."""

    def __init__(self, *, base_url: str, api_key: str, model: str, public_only: bool = False) -> None:
        self._model = model
        self._http = client_for(httpx.Timeout(120.0, connect=5.0), public_only=public_only)
        self._client = openai.AsyncOpenAI(
            base_url=base_url or OPENAI_URL,
            api_key=api_key or "none",
            http_client=self._http,  # type: ignore[arg-type]  # its types name httpx2 only; both work
            max_retries=2,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def submit(self, questions: Mapping[str, Prompt], schema: type[BaseModel]) -> str:
        """Hands in ``questions`` by key (at most 10,000 keys of 64 characters); returns the batch's id."""
        lines = [
            json.dumps(
                {
                    "custom_id": key,
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": first_request(self._model, prompt, schema),
                }
            )
            for key, prompt in questions.items()
        ]
        try:
            file = await self._client.files.create(
                file=("questions.jsonl", ("\n".join(lines) + "\n").encode()), purpose="batch"
            )
            batch = await self._client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
        except (openai.OpenAIError, httpx.HTTPError, ValueError) as error:
            raise BatchFailed(_why(error)) from None
        return batch.id

    async def state(self, batch_id: str) -> BatchState:
        """How far the batch is. Raises BatchFailed when the provider cannot say."""
        try:
            batch = await self._client.batches.retrieve(batch_id)
        except (openai.OpenAIError, httpx.HTTPError, ValueError) as error:
            raise BatchFailed(_why(error)) from None
        counts = batch.request_counts
        status: Status = "waiting"
        if batch.status in _DONE:
            status = "done"
        elif batch.status == "failed":
            status = "failed"
        return BatchState(
            status,
            counts.completed if counts else 0,
            counts.failed if counts else 0,
            counts.total if counts else 0,
            batch.output_file_id,
        )

    async def answers(self, output: str) -> Iterator[BatchAnswer]:
        """The answers in an output file, in any order; what cannot be read is left out."""
        try:
            content = await self._client.files.content(output)
        except (openai.OpenAIError, httpx.HTTPError, ValueError) as error:
            raise BatchFailed(_why(error)) from None
        return _read(content.content)


def _read(content: bytes) -> Iterator[BatchAnswer]:
    for line in content.splitlines():
        try:
            found = _Line.model_validate_json(line)
        except ValidationError:
            continue
        body = found.response.body if found.response is not None and found.response.status_code == 200 else None
        usage = Usage(calls=1)
        answer: dict[str, Any] | None = None
        if body is not None:
            if body.usage is not None:
                usage += Usage(tokens_in=body.usage.prompt_tokens, tokens_out=body.usage.completion_tokens)
            message = body.choices[0].message if body.choices else None
            answer = _object(message.content) if message is not None and not message.refusal else None
        yield BatchAnswer(found.custom_id, answer, usage)


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Body(BaseModel):
    choices: list[_Choice] = []
    usage: _Usage | None = None


class _Response(BaseModel):
    status_code: int
    body: _Body | None = None


class _Line(BaseModel):
    custom_id: str
    response: _Response | None = None


def _object(text: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _why(error: BaseException) -> str:
    if isinstance(error, openai.APIStatusError):
        return f"HTTP {error.status_code}"
    return type(error).__name__
