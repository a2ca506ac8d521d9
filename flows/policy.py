"""What bounds messages to one person: quiet hours, caps, and who comes first where a cap leaves little room. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import Field

from flows.definition import VISITOR_ZONE, Cap, FlowDefinition, QuietHours, Send
from flows.definition.part import Part
from flows.definition.shape import reached
from flows.local_time import quiet_until

_ROUNDS: Final = 20
"""Quiet hours that take turns end after so many looks, or leave no time at all."""


class ProjectPolicy(Part):
    """What holds for all flows of a project, beside what each says of itself: the narrower one decides."""

    caps: list[Cap] = Field(default_factory=list, max_length=20)
    quiet_hours: QuietHours | None = None


NO_POLICY: Final = ProjectPolicy()


@dataclass(frozen=True, slots=True)
class Sent:
    """A message to the person that went out, or may have."""

    channel: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Full:
    """A cap that leaves no room; ``outranked``: because what is left is for flows of a higher priority."""

    cap: Cap
    outranked: bool

    def words(self) -> str:
        """The cap, as a run's history names it."""
        on = f" by {self.cap.channel}" if self.cap.channel is not None else ""
        return f"at most {self.cap.most} message{'s' if self.cap.most > 1 else ''}{on} within {_span(self.cap.within)}"


def loud_at(
    now: datetime, channel: str, visitor_zone: tzinfo | None, rules: Sequence[QuietHours | None]
) -> datetime | None:
    """When a message on this channel may go out at last; None where it may now."""
    holding = [rule for rule in rules if rule is not None and channel in rule.channels]
    at = now
    for _ in range(_ROUNDS if holding else 0):
        ends = [quiet_until(at, rule.begin, rule.end, _zone(rule, visitor_zone)) for rule in holding]
        later = max((end for end in ends if end is not None), default=None)
        if later is None:
            return at if at > now else None
        at = later
    return at if at > now else None


def caps_for(channel: str, *lists: Sequence[Cap]) -> list[Cap]:
    """The caps that a message on this channel is held to."""
    return [cap for caps in lists for cap in caps if cap.channel in (None, channel)]


def full(
    caps: Sequence[Cap], sent: Sequence[Sent], before_us: Mapping[str, Sequence[datetime]], now: datetime
) -> Full | None:
    """The first cap that leaves no room for one more message.

    ``before_us``: when runs of a higher priority are due that are still to send, by channel; "" for any channel.
    """
    for cap in caps:
        used = sum(one.at > now - cap.within and (cap.channel is None or one.channel == cap.channel) for one in sent)
        if used >= cap.most:
            return Full(cap, outranked=False)
        coming = sum(at <= now + cap.within for at in before_us.get(cap.channel or "", ()))
        if used + coming >= cap.most:
            return Full(cap, outranked=True)
    return None


def still_sends(flow: FlowDefinition, step: str) -> set[str]:
    """The actions that a run which stands at a step may still carry out."""
    ahead = reached(flow.steps, step)
    return {one.action for name, one in flow.steps.items() if name in ahead and isinstance(one, Send)}


def before(
    runs: Iterable[tuple[FlowDefinition, str, datetime]], action: str, channel: str
) -> dict[str, list[datetime]]:
    """When the runs of others, each with its flow and step, are due that may still do the same: on our channel, and on
    any (""). What only another channel takes does not stand in our way."""
    due = [at for flow, step, at in runs if action in still_sends(flow, step)]
    return {channel: due, "": due}


def stored_policy(caps: object, quiet_hours: object) -> ProjectPolicy:
    """The policy of a project's row; without one there are no bounds."""
    return ProjectPolicy.model_validate({"caps": caps or [], "quiet_hours": quiet_hours})


def _zone(rule: QuietHours, visitor_zone: tzinfo | None) -> tzinfo:
    if rule.zone != VISITOR_ZONE:
        return ZoneInfo(rule.zone)
    return visitor_zone or ZoneInfo(rule.unknown_zone)


def _span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}{'s' if seconds // size > 1 else ''}"
    return f"{seconds} seconds"
