"""A model behind any OpenAI-compatible endpoint (OpenAI, vLLM, Ollama, llama.cpp), asked through instructor.

The portable route: chat.completions with a strict json_schema. instructor re-asks on replies that do not parse; this
module adds what it leaves out: the strict flag, the refusal check, one deadline around everything, the breaker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import ContextVar
from copy import deepcopy
from datetime import timedelta
from functools import cache
from typing import Any, Final

import httpx
import instructor
import openai
import structlog
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, ValidationError, create_model, model_validator

from adapters.channels.public_only import client_for
from adapters.llm.breaker import Breaker
from adapters.llm.openai_request import OPENAI_URL, first_request, response_format
from adapters.llm.port import Answer, FailureKind, ModelFailed, Prompt, Reply, Usage

log = structlog.get_logger()

ASKED_AGAIN: Final = 1
"""Replies that do not parse are sent back once. With one retry of the first request, a session costs three at most."""

_check: ContextVar[Callable[[Any], str | None] | None] = ContextVar("check", default=None)
"""The caller's check of the answer under way."""


class _Refused(Exception):
    """The model declined, or the provider's filter did."""


class OpenAiModel:
    """One model of one endpoint. ``base_url`` empty is OpenAI's own; a local server needs no key.

    ``public_only``: the address is a customer's, and must be on the public internet.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        model: str,
        breaker: Breaker | None = None,
        public_only: bool = False,
    ) -> None:
        self._model = model
        self._breaker = breaker or Breaker()
        self._http = client_for(httpx.Timeout(30.0, connect=5.0), public_only=public_only)
        first = openai.AsyncOpenAI(
            base_url=base_url or OPENAI_URL,  # given always: an OPENAI_BASE_URL of the shell is not our setting
            api_key=api_key or "none",
            http_client=self._http,  # type: ignore[arg-type]  # its types name httpx2 only; both work
            max_retries=1,
        )
        self._clients = (first, first.with_options(max_retries=0))
        _silence_instructor()

    @property
    def name(self) -> str:
        return self._model

    async def close(self) -> None:
        await self._http.aclose()

    async def answer(
        self,
        prompt: Prompt,
        schema: type[Answer],
        deadline: timedelta,
        *,
        check: Callable[[Answer], str | None] | None = None,
    ) -> Reply[Answer]:
        if not self._breaker.allows():
            raise ModelFailed("resting")
        spent: list[Usage] = []
        try:
            # Per-read timeouts do not bound a reply that drips in; this does.
            async with asyncio.timeout(deadline.total_seconds()):
                answer = await self._ask(prompt, schema, check, spent)
        except Exception as error:
            failure = ModelFailed(_kind_of(error), sum(spent, Usage()))
            if failure.kind != "refused":
                self._breaker.failed()
            # Only the kind: the text of these errors holds completions and the prompt.
            log.warning("model_failed", model=self._model, kind=failure.kind, error=type(error).__name__)
            raise failure from None
        self._breaker.succeeded()
        return Reply(answer, sum(spent, Usage()))

    async def _ask(
        self,
        prompt: Prompt,
        schema: type[Answer],
        check: Callable[[Answer], str | None] | None,
        spent: list[Usage],
    ) -> Answer:
        request = first_request(self._model, prompt, schema)
        first = await self._completion(self._clients[0], request, spent)
        answer, complaint = _taken(first, schema, check)
        if answer is not None and complaint is None:
            return answer
        # The usual reply is taken without instructor, whose machinery takes longer than all the rest. What is wrong
        # with the others it tells the model, and asks again.
        return await self._asked_again(
            request, schema, first, lambda given: _complaint(given, answer, complaint, check), spent
        )

    async def _asked_again(
        self,
        request: dict[str, Any],
        schema: type[Answer],
        first: ChatCompletion,
        check: Callable[[Any], str | None],
        spent: list[Usage],
    ) -> Answer:
        replies = [first]

        async def create(**kwargs: Any) -> Any:
            if replies:
                return replies.pop()
            # instructor's own format is not strict.
            body = kwargs | {"response_format": response_format(schema)}
            return await self._completion(self._clients[1], body, spent)

        patched: Any = instructor.patch(create=create, mode=instructor.Mode.JSON_SCHEMA)
        held = _check.set(check)
        try:
            # Never a context: with one, instructor reads every message as a Jinja template, and strangers wrote them.
            answer = await patched(response_model=_checked(schema), max_retries=ASKED_AGAIN, **request)
        finally:
            _check.reset(held)
        if not isinstance(answer, schema):
            raise TypeError
        return answer

    async def _completion(self, client: openai.AsyncOpenAI, body: dict[str, Any], spent: list[Usage]) -> ChatCompletion:
        spent.append(Usage(calls=1))
        # Sent as it is: the client's own method would look every part through for things to rename.
        completion = await client.post("/chat/completions", cast_to=ChatCompletion, body=body)
        spent.append(_tokens(completion))
        choice = completion.choices[0]
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise _Refused
        return completion


def _taken(
    completion: ChatCompletion, schema: type[Answer], check: Callable[[Answer], str | None] | None
) -> tuple[Answer | None, str | None]:
    """The answer in a completion (None when it does not fit the schema), and what is wrong with it."""
    try:
        answer = schema.model_validate_json(completion.choices[0].message.content or "")
    except ValidationError:
        return None, None
    return answer, check(answer) if check is not None else None


def _complaint(
    given: Any, known: BaseModel | None, complaint: str | None, check: Callable[[Any], str | None] | None
) -> str | None:
    """What is wrong with an answer; asked of the caller only where it is not the one that was asked about before."""
    if known is not None and given.model_dump() == known.model_dump():
        return complaint
    return check(given) if check is not None else None


def _tokens(completion: object) -> Usage:
    """What the server says it took. One that says nothing, or nonsense, is believed to have taken nothing."""
    usage = getattr(completion, "usage", None)

    def count(name: str, of: object = usage) -> int:
        value = getattr(of, name, None)
        return value if isinstance(value, int) and 0 <= value < 10**9 else 0

    return Usage(
        tokens_in=count("prompt_tokens"),
        cached=count("cached_tokens", getattr(usage, "prompt_tokens_details", None)),
        tokens_out=count("completion_tokens"),
    )


@cache
def _checked(schema: type[BaseModel]) -> type[BaseModel]:
    """``schema`` that also asks the caller's check, so that instructor sends a complaint back to the model."""

    def ask_check(self: BaseModel) -> BaseModel:
        check = _check.get()
        complaint = check(self) if check is not None else None
        if complaint is not None:
            raise ValueError(complaint)
        return self

    validators: dict[str, Any] = {"ask_check": model_validator(mode="after")(ask_check)}
    # instructor makes a model of its own out of any that is not one of these, on every call.
    made: Any = create_model(schema.__name__, __base__=(schema, instructor.OpenAISchema), __validators__=validators)
    # instructor asks for it on every call, and it is the same every time.
    described = made.model_json_schema()
    made.model_json_schema = classmethod(lambda cls, *a, **k: deepcopy(described))  # type: ignore[method-assign, assignment]
    checked: type[BaseModel] = made
    return checked


def _silence_instructor() -> None:
    # It logs failures with their text, and that text holds the prompt and the model's reply. Its other loggers take
    # their level from this one, so nothing is even formatted.
    logging.getLogger("instructor").setLevel(logging.CRITICAL + 1)


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
