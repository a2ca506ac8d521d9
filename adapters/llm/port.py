"""The port of a language model: messages in, one object of a schema out, or a typed failure within the deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

Answer = TypeVar("Answer", bound=BaseModel)
FailureKind = Literal["refused", "timeout", "malformed", "unreachable", "resting"]

MOST_CALLS: Final = 3
"""Requests that one answer may take: one that no answer came to is repeated, and one reply is sent back."""
MOST_TOKENS: Final = 2_000
"""An answer takes 300. A reasoning model thinks before it; more than this is a model that does not stop."""
FEWEST_BYTES_A_TOKEN: Final = 2
"""Tokens are three to four bytes of such text; two is on the safe side."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer took: requests made, tokens as the provider counts them (``cached`` are part of ``tokens_in``)."""

    calls: int = 0
    tokens_in: int = 0
    cached: int = 0
    tokens_out: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.cached + other.cached,
            self.tokens_out + other.tokens_out,
        )


NOTHING_USED = Usage()


class ModelFailed(Exception):
    """No usable answer. ``kind`` says why; the text of a provider's error is never kept: it may quote the prompt.

    ``usage`` is what the attempts took: failures cost money too.
    """

    def __init__(self, kind: FailureKind, usage: Usage = NOTHING_USED) -> None:
        super().__init__(kind)
        self.kind: FailureKind = kind
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Prompt:
    """``instructions`` are ours and static (a provider can cache them); ``material`` is data and never a template."""

    instructions: str
    material: str

    def most(self, calls: int = MOST_CALLS) -> Usage:
        """What its answer may take at most: every call that is allowed, in full."""
        tokens_in = len(self.instructions.encode()) + len(self.material.encode())
        return Usage(calls, calls * tokens_in // FEWEST_BYTES_A_TOKEN, 0, calls * MOST_TOKENS)


@dataclass(frozen=True, slots=True)
class Reply(Generic[Answer]):
    """An answer and what it took."""

    answer: Answer
    usage: Usage


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
    ) -> Reply[Answer]:
        """One answer. Raises ModelFailed, within ``deadline`` whatever the provider does.

        ``check`` says what is wrong with an answer that fits the schema, in words the model may read, or None. The
        model may be asked again; an answer that never passes is "malformed".
        """

    async def close(self) -> None: ...
