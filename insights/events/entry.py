"""An entry: what one request wants written down, and what becomes of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID

from msgspec import Struct, field

from insights.events.turns import Reservation
from insights.events.wire import Rejection, WireEvent


class Columns(Struct, gc=False):
    """Events as ``flush.APPEND`` takes them: of each of its columns the elements (``adapters/postgres/arrays``).

    PostgreSQL spends a fifth less on each than on JSON of the same columns. ``props``: JSON objects, commas between.
    """

    sessions: bytes
    ids: bytes
    visitors: bytes
    tabs: bytes
    seqs: bytes
    times: bytes
    received: bytes
    types: bytes
    urls: bytes
    props: bytes


class Part(Struct, gc=False):
    """What an entry's events, so many, add to a flush (``events/rows``). ``columns``: they themselves.

    Of those that are part of the visit: ``count``, the times of the ``first`` and the ``last``, and when it ``ended``,
    if that is among them. Epoch milliseconds. ``aside``: none of them is of a visit (``events/aside``).
    """

    columns: Columns
    events: int
    count: int
    first: int
    last: int
    ended: int | None
    aside: bool


class Entry(Struct, gc=False):
    """What one request wants written: its good events (times corrected), its refused ones, its decision.

    ``before`` is the version of the visitor that its profile stood for, and ``fresh`` the events that were new to it
    (``events/claims``); without them nothing is claimed. Once recorded, ``stale`` says that somebody else had written
    of the visitor meanwhile, and ``undecided`` that therefore the decision was not written;
    ``no_room`` that it was not because what it needs could not be set aside. ``extra_fields``: what is kept of its
    events beyond the catalogue; ``part``: all of them made ready. The recorder fills both in. ``types``: those of its
    events, found out here. ``behind_ms``: how far the clock of their times is behind ours, as far as it was told.
    ``by_server``: it came with a secret key or a signature, and not with what stands in every page.
    """

    project_id: UUID
    visitor_id: UUID
    session_id: UUID
    tab: str
    page_url: str | None
    received_ms: int
    events: Sequence[WireEvent]
    rejected: Sequence[Rejection] = ()
    decision: dict[str, Any] | None = None
    reservation: Reservation | None = None
    envelope: dict[str, Any] = field(default_factory=dict)
    before: int | None = None
    fresh: int = 0
    stale: bool = False
    undecided: bool = False
    no_room: bool = False
    extra_fields: Collection[str] | None = None
    part: Part | None = None
    types: AbstractSet[str] = frozenset()
    behind_ms: int = 0
    by_server: bool = False

    def __post_init__(self) -> None:
        # Asked for all the way to the commit, and nearly always the answer is that there is nothing special.
        self.types = {event.type for event in self.events}

    @property
    def surely_new(self) -> bool:
        """Whether none of its events can be stored yet, as far as is known here: the profile knew none of them."""
        return self.before is not None and self.fresh == len(self.events)
