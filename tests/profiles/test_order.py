"""Batches that come late, twice or in another order leave the profile that they leave in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from insights.events.wire import WireEvent
from insights.profiles.fold import fold
from insights.profiles.order import fold_in_place, may_fold, put_in_order
from insights.profiles.pages import event_path
from insights.profiles.profile import REMEMBERED_EVENTS, Profile
from insights.vocabulary.ids import uuid7
from tests.profiles.happenings import HAPPENINGS, SHOP
from tests.profiles.visit import START

Key = tuple[UUID, UUID]


@dataclass
class Batch:
    session: UUID
    tab: str
    events: list[WireEvent]


@dataclass
class Store:
    """The rows of one visitor, as PostgreSQL keeps them: each event once, whoever brought it first."""

    rows: dict[Key, tuple[str, WireEvent]] = field(default_factory=dict)

    def add(self, batch: Batch) -> int:
        before = len(self.rows)
        for event in batch.events:
            self.rows.setdefault((batch.session, event.id), (batch.tab, event))
        return len(self.rows) - before

    def rebuilt(self) -> Profile:
        profile = Profile()
        for (session, _), (_, event) in sorted(
            self.rows.items(), key=lambda row: (row[0][0], row[1][1].t, row[1][0], row[1][1].seq, row[0][1])
        ):
            fold(
                profile,
                event_id=event.id,
                session_id=session,
                at_ms=int(event.t),
                type=event.type,
                path=event_path(event.type, event.url, event.props.get("path")),
                props=event.props,
            )
        return profile


def received(batches: Sequence[Batch]) -> tuple[Profile, Profile, int]:
    """The live profile and the rebuilt one after ``batches``; how often a profile was built again."""
    store = Store()
    live: Profile | None = None
    rebuilds = 0
    for batch in batches:
        if live is None:
            live = store.rebuilt()
            rebuilds += 1
        put_in_order(batch.events)
        folded = fold_in_place(live, batch.session, batch.events, None)
        if store.add(batch) != folded:
            live = None
    stored = store.rebuilt()
    return live if live is not None else stored, stored, rebuilds


@st.composite
def visits(draw: st.DrawFn) -> list[Batch]:
    """Up to three visits with two tabs, in batches of one tab each, in the order in which they happened."""
    batches: list[Batch] = []
    at, seq = START, 0
    for _ in range(draw(st.integers(1, 3))):
        at += 3_600_000
        session = uuid7(at)
        for _ in range(draw(st.integers(1, 4))):
            tab = draw(st.sampled_from("ab"))
            events = []
            for kind, props in draw(st.lists(st.sampled_from(HAPPENINGS), min_size=1, max_size=4)):
                # Some things happen in the same millisecond, in one tab or in two.
                at += draw(st.sampled_from([0, 1, 4_000]))
                seq += 1
                events.append(WireEvent(id=uuid7(START + seq), t=at, type=kind, seq=seq, props=props, url=f"{SHOP}/p"))
            batches.append(Batch(session, tab, events))
    return batches


@settings(max_examples=600, deadline=None)
@given(visits(), st.data())
def test_any_order_and_any_copies_leave_the_profile_of_the_right_order(
    batches: list[Batch], data: st.DataObject
) -> None:
    copies = data.draw(st.lists(st.sampled_from(batches), max_size=4))
    shuffled = data.draw(st.permutations([*batches, *copies]))
    live, stored, _ = received(shuffled)
    assert msgspec.structs.asdict(live) == msgspec.structs.asdict(stored)
    _, in_order, _ = received(batches)
    assert msgspec.structs.asdict(stored) == msgspec.structs.asdict(in_order)


@settings(max_examples=300, deadline=None)
@given(visits(), st.data())
def test_events_dealt_into_any_batches_leave_the_same_profile(batches: list[Batch], data: st.DataObject) -> None:
    single = [Batch(batch.session, batch.tab, [event]) for batch in batches for event in batch.events]
    live, _, _ = received(data.draw(st.permutations(single)))
    _, in_order, _ = received(batches)
    assert msgspec.structs.asdict(live) == msgspec.structs.asdict(in_order)


def clicks(session: UUID, first: int, count: int) -> Batch:
    return Batch(
        session,
        "a",
        [
            WireEvent(id=uuid7(START + number), t=START + number, type="clicked", seq=number)
            for number in range(first, first + count)
        ],
    )


def test_batches_that_come_in_order_never_build_a_profile_again() -> None:
    session = uuid7(START)
    live, _, rebuilds = received([clicks(session, number * 5, 5) for number in range(50)])
    assert (live.clicks, rebuilds) == (250, 1)


def test_a_batch_that_is_sent_again_at_once_builds_nothing_again() -> None:
    batch = clicks(uuid7(START), 0, 3)
    live, _, rebuilds = received([batch, batch, clicks(batch.session, 3, 1), batch])
    assert (live.clicks, rebuilds) == (4, 1)


def test_a_copy_that_is_older_than_what_is_remembered_is_not_counted_twice() -> None:
    session = uuid7(START)
    first = clicks(session, 0, 1)
    many = clicks(session, 1, REMEMBERED_EVENTS + 5)
    live, _, _ = received([first, many, first])
    assert live.clicks == REMEMBERED_EVENTS + 6
    # Its time was corrected by another clock than the first copy's: it looks like news.
    later = Batch(session, "a", [WireEvent(id=first.events[0].id, t=START + 10**6, type="clicked")])
    live, _, _ = received([first, many, later])
    assert live.clicks == REMEMBERED_EVENTS + 6


def test_the_events_of_a_batch_are_folded_by_time_then_number() -> None:
    session, at = uuid7(START), START + 5
    removed = WireEvent(id=uuid7(at), t=at, seq=2, type="cart_removed", props={"quantity": 1})
    added = WireEvent(id=uuid7(at + 9), t=at, seq=1, type="cart_added", props={"quantity": 1})
    events = [removed, added]
    put_in_order(events)
    profile = Profile()
    assert fold_in_place(profile, session, events, f"{SHOP}/cart") == 2
    assert (profile.cart_items, profile.cart_removes) == (0, 1)


def test_a_late_event_is_not_folded_and_the_profile_is_left_alone() -> None:
    session = uuid7(START)
    profile = Profile()
    assert fold_in_place(profile, session, clicks(session, 10, 2).events, None) == 2
    for late in (clicks(session, 5, 1), clicks(session, 11, 1), clicks(uuid7(START - 10**7), 90, 1)):
        late.events[0].id = uuid7(START + 10**6)
        assert not may_fold(profile, late.session, late.events)
        assert fold_in_place(profile, late.session, late.events, None) is None
    assert profile.clicks == 2
    assert may_fold(profile, session, clicks(session, 12, 1).events)
    assert may_fold(profile, uuid7(START + 10**7), clicks(session, 0, 1).events)


def test_a_visit_by_a_clock_that_was_put_back_goes_on_in_order() -> None:
    profile = Profile()
    assert fold_in_place(profile, uuid7(START), clicks(uuid7(START), 1000, 2).events, None) == 2
    session = uuid7(START + 10**7)
    for number in range(3):
        # Each comes after the last by its own clock, and before all of the visit before.
        assert fold_in_place(profile, session, clicks(session, number, 1).events, None) == 1
    assert (profile.clicks, profile.event_at, profile.last_at) == (3, START + 2, START + 1001)
