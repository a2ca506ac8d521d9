"""What a rehearsal goes by, the case and what is known, and what it finds: lines, messages, how it ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Literal, Protocol
from uuid import UUID

from flows.definition import Send
from flows.engine import Judge
from flows.policy import ProjectPolicy, Sent
from flows.ports import Composed, Done, Skip, Trigger

Status = Literal["done", "waiting", "cancelled", "not_started"]


@dataclass(frozen=True, slots=True)
class Case:
    """A trigger, when the engine would have heard of it, and all visitors of the person."""

    trigger: Trigger
    starts_at: datetime
    person: tuple[UUID, ...]
    session_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that would have happened to the run, in the words of a run's history."""

    at: datetime
    step: str | None
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WouldSend:
    """A message that would have gone out."""

    step: str
    action: str
    channel: str
    at: datetime
    content: Mapping[str, Any]
    marketing: bool


@dataclass(slots=True)
class Rehearsed:
    """What would have become of a case. ``step`` is where it ended or waits, ``reason`` why it ended."""

    case: Case
    status: Status = "done"
    reason: str = ""
    step: str = ""
    ends_at: datetime | None = None
    lines: list[Line] = field(default_factory=list)
    sends: list[WouldSend] = field(default_factory=list)

    def skips(self) -> list[tuple[str, str]]:
        """Each send step that was left out, with its stable word."""
        return [(line.step or "", line.detail.partition(":")[0]) for line in self.lines if line.what == "skipped"]


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to know of a person for the time after a case began: orders, events told as {"type", "props"}, the
    segments they came into, and the messages that other flows sent them. ``met_first``: the device of theirs that this
    flow has met, if it has; ``salt``: what its draw of whom it holds back is keyed with."""

    zone: tzinfo | None = None
    bought: Sequence[datetime] = ()
    events: Sequence[tuple[datetime, Mapping[str, Any]]] = ()
    entered: Sequence[tuple[datetime, str]] = ()
    sent: Sequence[Sent] = ()
    held_out: bool = False
    met_first: UUID | None = None
    salt: UUID | None = None


class World(Protocol):
    """What the rehearsal asks of the outside."""

    policy: ProjectPolicy

    async def judge(self, case: Case, now: datetime) -> Judge:
        """Who decides branches at that moment."""

    async def signal_at(self, name: str, key: str) -> datetime | None:
        """When a signal of the outside was given last."""

    async def compose(self, case: Case, step_id: str, step: Send, now: datetime) -> Composed | Done | Skip:
        """What the step would say. Leaves nothing behind."""

    def carries(self, composed: Composed, step: Send) -> bool:
        """Whether there is a way out for it."""

    async def suppressed(self, channel: str, recipient: str | None, now: datetime) -> bool:
        """Whether the recipient had said no by then."""
