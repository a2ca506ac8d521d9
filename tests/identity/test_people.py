"""Dividing links into people: the same for every order, no two customers in one, no end of a link lost."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from insights.identity.links import Kind, Link, link_of_visitors, links_said, said_together
from insights.identity.people import MOST_SAID, MOST_SAID_BY, Division, Why, divide

START = datetime(2026, 11, 1, tzinfo=UTC)
DEVICES = [UUID(int=n) for n in range(1, 7)]


def identified(device: UUID, minute: int, **props: str) -> list[Link]:
    """What an identification on a device says. Its event's id stands for the minute, too."""
    return links_said(
        device,
        props,
        at=START + timedelta(minutes=minute),
        event_id=UUID(int=minute * 1000 + device.int),
        session_id=None,
    )


def divided(links: Iterable[Link]) -> Division:
    return divide(list(said_together(links).values()))


def people(division: Division) -> set[tuple[UUID, ...]]:
    return {person.visitors for person in division.people}


def test_two_devices_of_one_customer_are_one_person() -> None:
    laptop, phone = DEVICES[:2]
    division = divided([*identified(phone, 1, user_id="ada"), *identified(laptop, 2, user_id="ada")])
    assert people(division) == {(laptop, phone)}
    assert division.people[0].id == phone
    assert division.refused == {}


def test_an_address_joins_where_it_does_not_bring_two_customers_together() -> None:
    one, two, three = DEVICES[:3]
    division = divided(
        [
            *identified(one, 1, user_id="ada", email="us@example.org"),
            *identified(two, 2, user_id="bob", email="us@example.org"),
            *identified(three, 3, email="us@example.org"),
        ]
    )
    assert people(division) == {(one, three), (two,)}
    ((key, refusal),) = division.refused.items()
    assert (key.subject.value, key.name.value) == ("bob", "us@example.org")
    assert refusal.why is Why.TWO_USERS
    assert refusal.users == ("bob", "ada")


def test_a_second_customer_at_the_same_browser_is_refused_and_keeps_their_own_devices() -> None:
    shared, theirs = DEVICES[:2]
    division = divided(
        [
            *identified(shared, 1, user_id="ada"),
            *identified(shared, 2, user_id="bob", email="bob@example.org"),
            *identified(theirs, 3, email="bob@example.org"),
        ]
    )
    assert people(division) == {(shared,), (theirs,)}
    assert [refusal.users for refusal in division.refused.values()] == [("ada", "bob")]


def test_a_late_login_from_before_takes_its_place_in_time() -> None:
    device = DEVICES[0]
    first, second = identified(device, 1, user_id="ada"), identified(device, 2, user_id="bob")
    for order in ([*first, *second], [*second, *first]):
        ((key, _),) = divided(order).refused.items()
        assert key.name.value == "bob"


def test_two_visitors_said_to_be_the_same_are_joined_unless_they_are_two_customers() -> None:
    one, two, three = DEVICES[:3]
    same = [
        link_of_visitors(two, one, at=START, event_id=UUID(int=1)),
        link_of_visitors(two, three, at=START, event_id=UUID(int=2)),
    ]
    assert people(divided(same)) == {(one, two, three)}
    known = divided([*same, *identified(one, 1, user_id="ada"), *identified(three, 2, user_id="bob")])
    assert people(known) == {(one, two), (three,)}


def test_an_alias_of_a_customer_is_refused_and_one_of_somebody_anonymous_is_not() -> None:
    one, two = DEVICES[:2]
    alias = identified(two, 3, user_id="bob", previous_id="ada")
    assert divided(alias).refused == {}
    assert people(divided(alias)) == {(two,)}
    known = divided([*alias, *identified(one, 9, user_id="ada")])
    assert people(known) == {(one,), (two,)}
    assert [refusal.users for refusal in known.refused.values()] == [("bob", "ada")]


def test_an_address_of_too_many_is_nobodys() -> None:
    devices = [UUID(int=n) for n in range(1, MOST_SAID_BY + 2)]
    links = [link for device in devices for link in identified(device, device.int, email="info@example.org")]
    assert len(divided(links[:-1]).people) == 1
    division = divided(links)
    assert len(division.people) == len(devices)
    assert {refusal.why for refusal in division.refused.values()} == {Why.SHARED}


def test_a_browser_where_everybody_logs_in_is_nobodys() -> None:
    till, phone = DEVICES[:2]
    links = [link for n in range(MOST_SAID + 1) for link in identified(till, n, email=f"c{n}@example.org")]
    division = divided([*links, *identified(phone, 99, email="c0@example.org")])
    assert people(division) == {(till,), (phone,)}


names = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.sampled_from(["ada", "bob", "cy"]),
        "previous_id": st.sampled_from(["ada", "dan"]),
        "email": st.sampled_from(["a@example.org", "b@example.org"]),
        "phone": st.sampled_from(["+4915112345", "+4915154321"]),
    },
)
sayings = st.lists(st.tuples(st.sampled_from(DEVICES), st.integers(0, 5), names), max_size=12)


@settings(max_examples=300, deadline=None)
@given(sayings, st.randoms(use_true_random=False))
def test_every_order_and_every_repetition_gives_the_same_people(
    said: list[tuple[UUID, int, dict[str, str]]], chance: random.Random
) -> None:
    batches = [identified(device, minute, **props) for device, minute, props in said]
    once = divided(link for batch in batches for link in batch)
    mixed = batches + chance.choices(batches, k=len(batches)) if batches else []
    chance.shuffle(mixed)
    again = divided(link for batch in mixed for link in batch)
    assert people(again) == people(once)
    assert {person.id for person in again.people} == {person.id for person in once.people}
    assert again.refused == once.refused


@settings(max_examples=300, deadline=None)
@given(sayings)
def test_nobody_is_two_customers_nobody_is_twice_and_nobody_is_lost(
    said: list[tuple[UUID, int, dict[str, str]]],
) -> None:
    links = said_together(
        link for device, minute, props in said for link in identified(device, minute, **props)
    ).values()
    division = divide(list(links))
    everybody = [visitor for person in division.people for visitor in person.visitors]
    assert len(everybody) == len(set(everybody))
    assert set(everybody) == {UUID(link.subject.value) for link in links if link.subject.kind is Kind.VISITOR}
    of = {visitor: person.id for person in division.people for visitor in person.visitors}
    customers: dict[UUID, set[str]] = {}
    for link in links:
        if link.subject.kind is Kind.VISITOR and link.name.kind is Kind.USER_ID and link.key not in division.refused:
            customers.setdefault(of[UUID(link.subject.value)], set()).add(link.name.value)
    assert all(len(users) == 1 for users in customers.values())
