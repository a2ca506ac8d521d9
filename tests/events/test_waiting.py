"""Lines: whose events are written next, and who still finds room."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from insights.events.waiting import FLUSH_EVENTS, FLUSH_SHARED, Lines


@dataclass(frozen=True)
class Item:
    project_id: UUID
    size: int
    number: int = 0


def test_a_project_that_floods_lets_another_wait_for_one_small_flush() -> None:
    flood, other = uuid4(), uuid4()
    lines: Lines[Item] = Lines(1_000_000)
    for _ in range(5_000):
        lines.add(Item(flood, 11))
    assert sum(item.size for item in lines.next()) >= FLUSH_EVENTS
    lines.add(Item(other, 11))
    first, second = lines.next(), lines.next()
    assert {item.project_id for item in first} == {flood}
    assert sum(item.size for item in first) < FLUSH_SHARED + 11
    assert [item.project_id for item in second] == [other]


def test_alone_a_project_has_all_the_room_and_with_others_they_find_theirs() -> None:
    flood, other = uuid4(), uuid4()
    lines: Lines[Item] = Lines(1000)
    held = []
    while lines.has_room(flood, 10):
        held.append(Item(flood, 10))
        lines.add(held[-1])
    assert lines.held == 1000
    for item in held[:10]:
        lines.done(item)
    assert lines.has_room(other, 10)
    lines.add(Item(other, 10))
    assert not lines.has_room(flood, 10)
    assert lines.has_room(other, 10)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 900)), max_size=60))
def test_everything_comes_out_once_and_in_its_projects_order(given_items: list[tuple[int, int]]) -> None:
    projects = [uuid4() for _ in range(4)]
    lines: Lines[Item] = Lines(10**9)
    items = [Item(projects[whose], size, number) for number, (whose, size) in enumerate(given_items)]
    for item in items:
        lines.add(item)
    out: list[Item] = []
    while lines:
        flush = lines.next()
        assert flush
        assert len({item.project_id for item in flush}) == 1
        out += flush
    for project in projects:
        assert [item.number for item in out if item.project_id == project] == [
            item.number for item in items if item.project_id == project
        ]
    for item in out:
        lines.done(item)
    assert lines.held == 0
