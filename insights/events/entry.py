"""An entry: what one request wants written down, and what becomes of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID

from msgspec import Struct, field

from insights.events.turns import Reservation
from insights.events.wire import Rejection, WireEvent, type_of


class Entry(Struct, gc=False):
    """What one request wants written: its good events (times corrected), its refused ones, its decision.

    ``before`` is the version of the visitor that its profile stood for, and ``fresh`` the events that were new to it
    (``events/claims``); without them nothing is claimed. Once recorded, ``stale`` says that somebody else had written
    of the visitor meanwhile, and ``undecided`` that therefore the decision was not written;
    ``no_room`` that it was not because what it needs could not be set aside. ``extra_fields``: what is kept of its
    events beyond the catalogue; the recorder fills it in. ``types``: which there are among its events, found out here.
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
    types: AbstractSet[str] = frozenset()

    def __post_init__(self) -> None:
        # Asked for all the way to the commit, and nearly always the answer is that there is nothing special.
        self.types = set(map(type_of, self.events))

    @property
    def surely_new(self) -> bool:
        """Whether none of its events can be stored yet, as far as is known here: the profile knew none of them."""
        return self.before is not None and self.fresh == len(self.events)
