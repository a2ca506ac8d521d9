"""A channel spoken over HTTP, told as two things: the request that an intent becomes, and how its answer reads.

Everything else is here: the call and its bounds, what a broken connection means, what a status means, that no secret
gets into a result. A channel of more than one call overrides ``send`` and uses ``call``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.channels.contract import (
    Accepted,
    Callback,
    Idempotency,
    NotFound,
    ProviderEvent,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Unsupported,
    no_callbacks,
)
from adapters.channels.erasing import NOBODY, NOTHING_TO_GO_BY, CannotErase, Erased, Named, settled
from adapters.channels.line import Answer, Broken, Line, Request
from adapters.channels.verdict import judge_answer


class ChannelSettings(BaseModel):
    """What a channel of this kind is told in the open. Its JSON Schema is the form that people fill in.

    ``leads_to``: the field that says whose server the credentials are sent to, where that is not always the same.
    """

    leads_to: ClassVar[str | None] = None

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)

    per_second: float | None = Field(
        None, description="How much may go out a second, where your plan allows another rate.", gt=0, le=10_000
    )
    erase: bool = Field(True, description="Whether people who are erased here are erased there, too.")


class ChannelCredentials(BaseModel):
    """What a channel of this kind is told in secret: every field a SecretStr, stored sealed, never read back."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)


class ContentInvalid(ValueError):
    """Nothing can be sent of this; the message names the part and says what it takes."""


S = TypeVar("S", bound=ChannelSettings)
C = TypeVar("C", bound=ChannelCredentials)


class ProviderChannel(ABC, Generic[S, C]):
    """A channel that a project can set up. An instance is bound to its settings and credentials."""

    kind: ClassVar[str]
    """The provider's word: sendgrid, twilio, … Its page is docs/channels/<kind>.md."""
    title: ClassVar[str]
    word: ClassVar[str]
    """The channel's word: email, sms, push, ads, crm, ticket, esp, shop, webhook."""
    settings_model: ClassVar[type[ChannelSettings]]
    credentials_model: ClassVar[type[ChannelCredentials]]
    sample: ClassVar[Mapping[str, Any]] = {}
    """The content that a test sends; {} where a test can only be sent with content of one's own."""

    idempotency: ClassVar[Idempotency] = "none"
    key_ttl: ClassVar[timedelta | None] = None
    rate: ClassVar[Rate]

    by_hand: ClassVar[str] = ""
    """Where somebody erases a person at a provider that has no call for it; "" where ``erase`` calls it."""
    knows_visitors: ClassVar[bool] = False
    """Whether what it is sent names the visitor's id, so that somebody without any other name is known there, too."""
    when_erased: ClassVar[str] = "It was asked to erase them."
    """What the provider's yes to an erasure means."""

    def __init__(self, settings: S, credentials: C, line: Line, *, id: UUID | None = None) -> None:
        self.settings = settings
        self.credentials = credentials
        self.line = line
        self.id = id
        if settings.per_second is not None:
            # The class says what is usual; this one's owner knows better.
            vars(self)["rate"] = Rate(settings.per_second, max(1, round(settings.per_second)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    @property
    def name(self) -> str:
        return self.word

    @abstractmethod
    async def send(self, intent: SendIntent) -> Result: ...

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        return Unsupported()

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        return await no_callbacks(call)

    async def erase(self, person: Named) -> Erased:
        """Makes the provider forget somebody; a repeat does nothing more."""
        return CannotErase(self.by_hand)

    def without_secrets(self, text: str) -> str:
        """``text`` with every credential blotted out: some providers repeat what they were given."""
        for secret in secrets_of(self.credentials):
            text = text.replace(secret, "<secret>")
        return text

    def _clean(self, result: Result) -> Result:
        if isinstance(result, Accepted):
            return replace(result, detail=result.detail and self.without_secrets(result.detail))
        return replace(result, why=self.without_secrets(result.why))


class HttpChannel(ProviderChannel[S, C]):
    """A channel over HTTP: ``request`` and ``read`` are all that most need."""

    speaks_json: ClassVar[bool] = True

    @abstractmethod
    def request(self, intent: SendIntent) -> Request:
        """The call that sends ``intent``. Raises ContentInvalid."""

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        """What the provider's own words mean; None: what its status means."""
        return None

    async def send(self, intent: SendIntent) -> Result:
        try:
            request = self.request(intent)
        except (ContentInvalid, TypeError, ValueError) as error:
            sentence = str(error) if isinstance(error, ContentInvalid) else "The content cannot be written as JSON."
            return Rejected(self.without_secrets(sentence))
        return self.judged(await self.call(request), intent)

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        """The calls that make the provider forget ``person``, one after the other; [] where nothing names them there.
        What must be asked for before, and fails, is the answer."""
        raise NotImplementedError(f"{type(self).__name__} says neither how it erases nor who does it by hand.")

    def read_erased(self, answer: Answer) -> Result | None:
        """What the provider's own words about an erasure mean; None: what its status means."""
        return None

    async def erase(self, person: Named) -> Erased:
        if self.by_hand:
            return CannotErase(self.by_hand)
        try:
            requests = await self.erasing(person)
        except (ContentInvalid, TypeError, ValueError):
            return Rejected("A name of theirs cannot be written as the provider wants it.")
        if isinstance(requests, Retry | Rejected):
            return requests
        known = False
        for request in requests:
            answer = await self.call(replace(request, harmless=True))
            if isinstance(answer, Answer) and answer.status == 404 and not answer.is_page:
                continue
            result = self.judged_erasure(answer)
            if not isinstance(result, Accepted):
                return result
            known = known or result.detail != NOBODY
        return Accepted(detail=self.when_erased if known else NOBODY if requests else NOTHING_TO_GO_BY)

    def judged_erasure(self, answer: Answer | Broken) -> Accepted | Retry | Rejected:
        """The result of an answer to one call of an erasure."""
        result: Result = (
            answer
            if not isinstance(answer, Answer)
            else (self.read_erased(answer) or judge_answer(answer, speaks_json=self.speaks_json))
        )
        return settled(self._clean(result))

    async def asked(self, request: Request) -> Answer | Retry | Rejected:
        """The answer to a question that an erasure begins with: a success that can be read, or why there is none."""
        answer = await self.call(replace(request, harmless=True))
        if isinstance(answer, Answer) and answer.status == 200 and answer.json is not None:
            return answer
        result = self.judged_erasure(answer)
        return (
            Retry("The provider's answer is unreadable, and nothing was erased yet.")
            if isinstance(result, Accepted)
            else result
        )

    async def call(self, request: Request) -> Answer | Broken:
        """One call by the policy of the line."""
        return await self.line.call(request)

    def judged(self, answer: Answer | Broken, intent: SendIntent) -> Result:
        """The result of an answer to a send, as ``read`` has it, then as its status has it."""
        if not isinstance(answer, Answer):
            return self._clean(answer)
        result = self.read(answer, intent) or judge_answer(answer, speaks_json=self.speaks_json)
        return self._clean(result)


def secrets_of(credentials: ChannelCredentials) -> Iterator[str]:
    """The secret texts of ``credentials``, longest first."""
    values = (getattr(credentials, name) for name in type(credentials).model_fields)
    found = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
    return iter(sorted((text for text in found if len(text) > 3), key=len, reverse=True))


def tag_of(key: str) -> str:
    """``key`` in the letters that providers' tags take. Ours are, so the same key is always the same tag."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "_" for letter in key)[:256]


def text_of(content: Any, name: str, most: int, *, required: bool = True) -> str:
    """``content[name]``, a text of at most ``most`` characters. Raises ContentInvalid."""
    value = content.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value.strip()):
        raise ContentInvalid(f"The {name} is missing.")
    if len(value) > most:
        raise ContentInvalid(f"The {name} is longer than {most} characters.")
    try:
        value.encode()
    except UnicodeError:
        raise ContentInvalid(f"The {name} holds half of a character (a lone surrogate).") from None
    return value
