"""What flows need from whoever uses them: facts about a visitor, and the words of a message."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Channel, Result
from flows import conditions
from flows.conditions import Condition, Fields


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A send step that is due: which action with which parameters, for whom, and what started the run.

    ``trigger`` is the facts stored with the run when it started.
    """

    project_id: UUID
    visitor_id: UUID
    run_id: UUID
    step_id: str
    action: str
    params: Mapping[str, Any]
    trigger: Mapping[str, Any]
    now: datetime


@dataclass(frozen=True, slots=True)
class Composed:
    """A message ready for a channel.

    ``dedupe_key``: deliveries of a project with the same channel and key happen once (None: once per run and step).
    ``needs_consent``: marketing; the gate asks for the visitor's consent to this channel. ``via``: the name of the one
    channel of the project that it fits, where the step names none.
    """

    channel: str
    recipient: str | None
    content: Mapping[str, Any]
    dedupe_key: str | None = None
    needs_consent: bool = False
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is sent, and why: a stable word (no_address, no_consent, …) and a sentence."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Done:
    """What the step asks for was done in the gate's transaction; nothing is left to send. ``detail``: a sentence."""

    detail: str


class Channels(Protocol):
    """Which ways out a project has."""

    async def of(self, tx: AsyncSession, project_id: UUID) -> Mapping[str, Channel]:
        """By its word (email, ticket, …) the one that carries it, and each by the name that the project gave it."""
        ...

    async def heard(self, tx: AsyncSession, project_id: UUID, channel: Channel, answer: Result, now: datetime) -> None:
        """Keeps what a channel's answer says of its health. Waits for nobody."""
        ...


class SameForAll:
    """The server's own channels, for every project."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels

    async def of(self, tx: AsyncSession, project_id: UUID) -> Mapping[str, Channel]:
        return self._channels

    async def heard(self, tx: AsyncSession, project_id: UUID, channel: Channel, answer: Result, now: datetime) -> None:
        return None


class Composer(Protocol):
    """Turns a due send step into a message. Called inside the send gate's transaction, so it must not wait on I/O
    other than that transaction; what takes a processor long is done beside the event loop."""

    async def compose(self, tx: AsyncSession, request: SendRequest) -> Composed | Done | Skip: ...

    def only_reads(self, action: str) -> bool:
        """Whether composing for this action writes nothing and takes no locks, so that a no has nothing to take
        back."""
        ...


class Holdout(Protocol):
    """Whose sends are held back, so that it can be measured what the others get out of them."""

    async def holds_back(self, tx: AsyncSession, project_id: UUID, visitor_id: UUID, action: str) -> bool:
        """Whether nothing of ``action`` may reach this visitor, on whichever device."""
        ...

    def is_of(self, action: str) -> bool:
        """Whether ``action`` is one that holdouts hold back, a flow's own among them: it reaches visitors."""
        ...


class NobodyHeldOut:
    """No holdout."""

    async def holds_back(self, tx: AsyncSession, project_id: UUID, visitor_id: UUID, action: str) -> bool:
        return False

    def is_of(self, action: str) -> bool:
        return False


NOBODY_HELD_OUT: Final = NobodyHeldOut()


class Facts(Protocol):
    """What the send gate may look at: the visitor as they are now."""

    async def facts(self, tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> Mapping[str, Any]:
        """Nested mapping, e.g. {"visitor": {"email": true, "time_zone": "Europe/Berlin"},
        "consent": {"email": true}}."""


class People(Protocol):
    """Who is the same person, and who is in a segment."""

    async def hold(
        self, tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]
    ) -> Mapping[UUID, Sequence[UUID]]:
        """Each visitor → all visitors of their person, themselves among them. Until the transaction ends nobody else
        starts or cancels runs of any of them."""
        ...

    async def in_segment(
        self, tx: AsyncSession, project_id: UUID, segment: str, after: UUID | None, most: int
    ) -> Sequence[UUID]:
        """Up to ``most`` visitors of a segment in the order of their ids, those behind ``after``."""
        ...


class Scene(Protocol):
    """What was going on when a trigger came about."""

    async def told(self, tx: AsyncSession, project_id: UUID, trigger: Trigger) -> Trigger:
        """The same trigger, its facts completed by what a message may say: the visit, the cart, what was looked at."""
        ...


class Knowledge(Protocol):
    """What conditions may ask about, and what is known of it for one visitor."""

    @property
    def fields(self) -> Fields:
        """The registry of fields."""
        ...

    async def known(
        self,
        tx: AsyncSession,
        project_id: UUID,
        visitor_id: UUID,
        wanted: Iterable[Condition],
        trigger: Mapping[str, object],
        now: datetime,
    ) -> conditions.Facts:
        """The facts for evaluating ``wanted`` now; ``trigger`` is the facts stored with the run."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run's turn asks of the product around the engine."""

    channels: Channels
    composer: Composer
    facts: Facts
    knowledge: Knowledge
    holdout: Holdout = NOBODY_HELD_OUT


NOBODY: Final = UUID(int=0)
"""The visitor of a run for the shop itself: no message reaches them, a ticket or a webhook does without."""


ORDER_GROUP: Final = "order:"
"""Begins the group of all that is told of one order, with its number behind it. Numbers can be guessed: what other
people tell of it is no part of a person's group."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Something that may start runs.

    ``kind`` is the word of the rules that ask for it, and of the facts that they look at: a pattern has {"pattern":
    {"reason", "page", "direction", "sessions", …}, …}. What concerns the shop and no visitor has ``NOBODY`` for one.
    ``key`` makes it idempotent: a flow starts at most one run per key. ``group`` ties together triggers that replace
    one another (a session's successive insights): in one group a flow reaches somebody at most once. ``facts`` are what
    conditions and templates see, stored with the run.
    """

    kind: str
    key: str
    group: str
    visitor_id: UUID
    occurred_at: datetime
    facts: Mapping[str, Any]
