"""What may arrive: the shape of an event batch, its bounds, and what is said of events that are refused."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field

EARLIEST_MS = 946_684_800_000  # 2000-01-01: before it no shop had a browser to report from
LEAD_MS = 86_400_000
MAX_SEQ = 2**53
MAX_URL = 4096
MAX_TAB = 100
SERVERS_ONLY = "type: only a server may say this; send it with the project's secret key"


class Page(Struct, gc=False):
    """The page that a batch was sent from."""

    url: str | None = None
    referrer: str | None = None
    title: str | None = None


class WireEvent(Struct, gc=False):
    """One event as it arrives. ``t`` is the client's clock in epoch milliseconds."""

    id: UUID
    t: int | float
    type: str
    seq: int = 0
    props: dict[str, Any] = field(default_factory=dict)
    url: str | None = None


class UsualEvent(WireEvent, gc=False):
    """An event whose ``seq`` and ``url`` the decoder itself finds to be in order."""

    seq: Annotated[int, Meta(ge=0, le=MAX_SEQ)] = 0
    url: Annotated[str, Meta(max_length=MAX_URL)] | None = None


class Batch(Struct, gc=False):
    """A batch as it arrives. ``sent_at`` is the client's clock when this attempt left, in epoch milliseconds."""

    visitor: UUID
    session: UUID
    events: list[WireEvent]
    tab: str = ""
    sent_at: int | float | None = None
    page: Page | None = None


class UsualBatch(Batch, gc=False):
    """The usual batch, as it is decoded in one go."""

    events: list[UsualEvent]  # type: ignore[assignment]  # nobody puts others into it


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one batch may hold."""

    events: int = 500
    event_bytes: int = 32_768
    clock_skew_ms: float = 600_000


@dataclass(frozen=True, slots=True)
class Rejection:
    """One event that cannot be accepted: its id where it has one, the reason, and its JSON to keep."""

    id: str | None
    error: str
    raw: bytes


class Reading(Struct, frozen=True):
    """What came of a body: ``batch.events`` are the good ones, with corrected times in ``t`` (whole milliseconds).

    ``skew_ms`` was added to each client time. ``behind_ms``: how far the client's clock is still behind ours when the
    batch left (ahead: below 0), its way to us included; 0 where it did not say.
    """

    batch: Batch
    rejected: list[Rejection]
    skew_ms: int
    behind_ms: int


def refuse_types(reading: Reading, types: AbstractSet[str], error: str) -> Reading:
    """The same reading with the events of these types among the rejected."""
    refused = [event for event in reading.batch.events if event.type in types]
    reading.batch.events = [event for event in reading.batch.events if event.type not in types]
    rejected = [Rejection(str(event.id), error, msgspec.json.encode(event)) for event in refused]
    return Reading(reading.batch, [*reading.rejected, *rejected], reading.skew_ms, reading.behind_ms)
