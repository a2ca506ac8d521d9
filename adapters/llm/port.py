"""The port of a language model: messages in, one object of a schema out, or a typed failure within the deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel

Answer = TypeVar("Answer", bound=BaseModel)
FailureKind = Literal["refused", "timeout", "malformed", "unreachable", "resting"]


class ModelFailed(Exception):
    """No usable answer. ``kind`` says why; the text of a provider's error is never kept: it may quote the prompt."""

    def __init__(self, kind: FailureKind) -> None:
        super().__init__(kind)
        self.kind: FailureKind = kind


@dataclass(frozen=True, slots=True)
class Prompt:
    """``instructions`` are ours and static (a provider can cache them); ``material`` is data and never a template."""

    instructions: str
    material: str


class LanguageModel(Protocol):
    """A model. ``name`` is stored with every insight it gave."""

    @property
    def name(self) -> str: ...

    async def answer(
        self,
        prompt: Prompt,
        schema: type[Answer],
        deadline: timedelta,
        *,
        check: Callable[[Answer], str | None] | None = None,
    ) -> Answer:
        """One answer. Raises ModelFailed, within ``deadline`` whatever the provider does.

        ``check`` says what is wrong with an answer that fits the schema, in words the model may read, or None. The
        model may be asked again; an answer that never passes is "malformed".
        """

    async def close(self) -> None: ...
