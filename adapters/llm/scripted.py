"""A model that answers from a script: for tests and demonstrations, under the same contract as a real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from adapters.llm.port import Answer, ModelFailed, Prompt, Reply, Usage


class ScriptedModel:
    """Gives the scripted replies in order, then the last one for ever; a ModelFailed in the script is raised."""

    def __init__(self, replies: Sequence[dict[str, Any] | ModelFailed], name: str = "scripted") -> None:
        self._replies = list(replies)
        self._name = name
        self.prompts: list[Prompt] = []

    @property
    def name(self) -> str:
        return self._name

    async def answer(
        self,
        prompt: Prompt,
        schema: type[Answer],
        deadline: timedelta,
        *,
        check: Callable[[Answer], str | None] | None = None,
    ) -> Reply[Answer]:
        self.prompts.append(prompt)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, ModelFailed):
            raise reply
        try:
            answer = schema.model_validate(reply)
        except ValidationError:
            raise ModelFailed("malformed", Usage(calls=1)) from None
        if check is not None and check(answer) is not None:
            raise ModelFailed("malformed", Usage(calls=1))
        return Reply(answer, Usage(calls=1))

    async def close(self) -> None:
        return None
