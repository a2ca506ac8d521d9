"""Decides whether a batch may be folded into a live profile where it is, and folds it.

A profile is the fold of a visitor's stored events in the order in which they happened: by session, then by time. What
comes after everything folded so far is folded in place. What comes late is not: the profile would no longer be the one
that the store rebuilds, so the caller stores the batch and forgets the profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter, lt
from uuid import UUID

from insights.events.wire import WireEvent
from insights.profiles.fold import fold_all, remembers
from insights.profiles.pages import event_path
from insights.profiles.profile import MOST_SESSIONS, Profile
from insights.vocabulary.events import AFTERWARDS

_AS_HAPPENED = attrgetter("t", "seq", "id")


def put_in_order(events: list[WireEvent]) -> None:
    """Sorts a batch's events (one session, one tab) in place, as the store's reader sorts them."""
    times = [event.t for event in events]
    # Most are in order as they come, each at a time of its own.
    if not all(map(lt, times, times[1:])):
        events.sort(key=_AS_HAPPENED)


def may_fold(profile: Profile, session_id: UUID, events: Sequence[WireEvent]) -> bool:
    """True when every one of ``events`` (in order, at least one) happened after all that ``profile`` was folded from.

    The same millisecond as the last one counts as late: it takes more than the time to tell which came first. So does
    a new visit of somebody with ``MOST_SESSIONS`` of them, for the oldest has to be left out, and of somebody with
    several devices, for their visits on the others come before it.
    """
    session = session_id.int
    if session == profile.session:
        return events[0].t > profile.event_at
    return session > profile.session and profile.sessions < MOST_SESSIONS and not profile.person


def fold_in_place(profile: Profile, session_id: UUID, events: Sequence[WireEvent], page_url: str | None) -> int | None:
    """Folds a batch in order and returns how many of its events were new to ``profile``; None, and nothing is folded,
    when one of them came late. A batch that is merely sent again is not late.
    """
    if not may_fold(profile, session_id, events):
        events = [event for event in events if event.type not in AFTERWARDS and not remembers(profile, event.id)]
        if events and not may_fold(profile, session_id, events):
            return None
    return fold_all(
        profile,
        session_id,
        events,
        lambda event: event_path(event.type, event.url or page_url, event.props.get("path")),
    )
