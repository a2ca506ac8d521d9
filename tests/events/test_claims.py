from __future__ import annotations

from uuid import UUID, uuid4

from insights.events.claims import Claim, claims_of, settle
from insights.events.entry import Entry

ADA, BOB = uuid4(), uuid4()


def entry(visitor: UUID, before: int | None, fresh: int, decides: bool = False) -> Entry:
    decision = {"id": uuid4()} if decides else None
    return Entry(uuid4(), visitor, uuid4(), "t", None, 0, [], decision=decision, before=before, fresh=fresh)


def test_what_one_visitor_sends_in_one_flush_adds_up() -> None:
    entries = [entry(ADA, 4, 3, True), entry(BOB, 0, 2), entry(ADA, 8, 2, True), entry(ADA, 11, 0)]
    claims = claims_of(entries)
    assert claims.by_visitor == {ADA.int: Claim(ADA, 9, 5, 2), BOB.int: Claim(BOB, 2, 2, 0)}
    assert not claims.broken
    assert [claim.id for claim in claims.of_decisions] == [ADA]


def test_entries_that_do_not_build_on_each_other_are_all_wrong() -> None:
    entries = [entry(ADA, 4, 3, True), entry(ADA, 4, 2, True), entry(BOB, 1, 1, True)]
    claims = claims_of(entries)
    assert claims.broken == {ADA.int}
    assert settle(entries, claims, {BOB.int: 2}, ()) == (2, 2)
    assert [item.undecided for item in entries] == [True, True, False]


def test_who_claims_nothing_is_never_wrong_and_nothing_new_is_not_compared() -> None:
    entries = [entry(ADA, None, 0), entry(BOB, 7, 0)]
    claims = claims_of(entries)
    assert claims.of_events == []
    assert settle(entries, claims, {ADA.int: 9}, ()) == (0, 0)


def test_an_event_from_another_door_in_between_is_counted_against_the_page() -> None:
    # The server's own event comes first in the flush; the page, which did not know it, claims as if it were not there.
    claims = claims_of([entry(ADA, None, 0), entry(ADA, 4, 1, True)])
    assert claims.by_visitor[ADA.int] == Claim(ADA, 5, 1, 1)


def test_the_entry_is_told_by_name() -> None:
    first, second = entry(ADA, 0, 1, True), entry(BOB, 0, 1, True)
    claims = claims_of([first, second])
    assert second.decision is not None
    settle([first, second], claims, {ADA.int: 2, BOB.int: 1}, {str(second.decision["id"])})
    assert (first.stale, first.undecided, second.stale, second.undecided) == (True, False, False, True)
