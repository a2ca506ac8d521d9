"""Which session a message without one belongs to: visits by their silences, the same place for every copy."""

from __future__ import annotations

import asyncio
import itertools
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from adapters.postgres.engine import Database
from insights.events.attach import Loose, Span, attach, event_id, own_session, visitor_id
from insights.events.dialects.translation import Who
from insights.events.places import place
from insights.models import DialectMessage
from insights.vocabulary.ids import is_uuid7, uuid7, uuid7_ms

GAP = 1_800_000
T0 = 1_795_000_000_000
VISITORS = [UUID(int=1), UUID(int=2)]

messages = st.lists(
    st.builds(
        Loose,
        id=st.uuids(version=4),
        visitor_id=st.sampled_from(VISITORS),
        at_ms=st.integers(T0, T0 + 10 * GAP),
        session=st.sampled_from([None, None, None, "named"]),
    ),
    max_size=12,
    unique_by=lambda message: message.id,
)


@given(messages)
def test_visits_are_what_silences_leave_and_the_order_in_a_request_decides_nothing(loose: list[Loose]) -> None:
    places = attach(loose, [], GAP)
    assert attach(list(reversed(loose)), [], GAP) == places
    assert all(is_uuid7(session) for session in places.values())
    for visitor in VISITORS:
        theirs = sorted((m for m in loose if m.visitor_id == visitor and m.session is None), key=lambda m: m.at_ms)
        named = {places[m.id] for m in loose if m.visitor_id == visitor and m.session is not None}
        assert len(named) <= 1
        if named:
            continue
        for one, other in itertools.pairwise(theirs):
            assert (places[one.id] == places[other.id]) == (other.at_ms - one.at_ms <= GAP)
    by_visitor = [{places[m.id] for m in loose if m.visitor_id == visitor} for visitor in VISITORS]
    assert not by_visitor[0] & by_visitor[1]


@given(messages, st.integers(0, 12))
def test_what_comes_in_two_requests_lies_where_it_would_in_one_if_told_in_time(loose: list[Loose], cut: int) -> None:
    loose = sorted((m for m in loose if m.session is None), key=lambda m: (m.at_ms, m.id))
    first = attach(loose[:cut], [], GAP)
    spans: dict[UUID, Span] = {}
    for message in loose[:cut]:
        session = first[message.id]
        span = spans.setdefault(session, Span(message.visitor_id, session, message.at_ms, message.at_ms))
        span.last_ms = message.at_ms
    assert first | attach(loose[cut:], list(spans.values()), GAP) == attach(loose, [], GAP)


def test_a_new_session_carries_the_time_of_its_first_message() -> None:
    message = Loose(uuid4(), VISITORS[0], T0)
    [session] = attach([message], [], GAP).values()
    assert uuid7_ms(session) == T0
    assert attach([message], [], GAP) == {message.id: session}


def test_a_session_of_ours_is_itself_and_any_other_name_is_a_name() -> None:
    ours = uuid7(T0)
    assert own_session(str(ours)) == ours
    for name in (None, "", "abc", str(uuid4()), str(uuid7(0))):
        assert own_session(name) is None


def test_visitors_of_different_kinds_of_ids_never_meet_by_accident() -> None:
    project = uuid4()
    who = [Who(anonymous_id="x"), Who(user_id="x"), Who(email="x"), Who(phone="x")]
    assert len({visitor_id(project, one) for one in who}) == 4
    assert visitor_id(uuid4(), who[0]) != visitor_id(project, who[0])
    own = uuid4()
    assert visitor_id(project, Who(anonymous_id=str(own))) == own
    assert visitor_id(project, Who(anonymous_id=str(UUID(int=0)))).int
    assert event_id(project, "a", "1") != event_id(project, "b", "1")


async def test_requests_that_meet_open_one_session_and_copies_share_their_place(
    database: Database, project_id: UUID
) -> None:
    visitor = uuid4()
    loose = [Loose(uuid4(), visitor, T0 + number * 1000) for number in range(20)]

    async def bring(message: Loose) -> tuple[UUID, UUID]:
        async with database.transaction(project_id) as tx:
            return (await place(tx, project_id, [message], gap_ms=GAP, received_ms=T0))[message.id]

    places = await asyncio.gather(*(bring(message) for message in [*loose, *loose]))
    assert len(set(places)) == 1
    async with database.transaction(project_id) as tx:
        assert len(list(await tx.scalars(select(DialectMessage.id)))) == 20
    # Brought again with another time, much later: still where it was.
    assert await bring(Loose(loose[0].id, visitor, T0 + 100 * GAP)) == places[0]
