"""Lines: whose events are written next, and who still finds room."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from insights.events.waiting import FLUSH_EVENTS, FLUSH_SHARED, Lines
from insights.events.ways import Line


@dataclass(frozen=True)
class Item:
    project_id: UUID
    size: int
    number: int = 0
    long: bool = False

    @property
    def line(self) -> Line:
        return Line(self.project_id, self.long)


def test_beside_a_project_that_floods_another_is_written_at_once_and_the_floods_flushes_get_small() -> None:
    flood, other = uuid4(), uuid4()
    lines: Lines[Item] = Lines(1_000_000)
    for _ in range(5_000):
        lines.add(Item(flood, 11))
    assert sum(item.size for item in lines.next()) >= FLUSH_EVENTS
    assert not lines
    assert lines.next() == []
    lines.add(Item(other, 11))
    assert lines
    assert [item.project_id for item in lines.next()] == [other]
    lines.written(Line(flood))
    small = lines.next()
    assert {item.project_id for item in small} == {flood}
    assert sum(item.size for item in small) < FLUSH_SHARED + 11


def test_a_project_that_floods_takes_its_turn_behind_those_that_wait() -> None:
    flood, others = uuid4(), [uuid4() for _ in range(3)]
    lines: Lines[Item] = Lines(1_000_000)
    for _ in range(1_000):
        lines.add(Item(flood, 11))
    for project_id in others:
        lines.add(Item(project_id, 11))
    order = []
    for _ in range(5):
        order.append(lines.next()[0].project_id)
        lines.written(Line(order[-1]))
    assert order == [flood, *others, flood]


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


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 900), st.booleans()), max_size=60),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_everything_comes_out_once_and_in_its_lines_order(
    given_items: list[tuple[int, int, bool]], at_once: int, chance: Random
) -> None:
    projects = [uuid4() for _ in range(4)]
    lines: Lines[Item] = Lines(10**9)
    items = [Item(projects[whose], size, number, long) for number, (whose, size, long) in enumerate(given_items)]
    for item in items:
        lines.add(item)
    out: list[Item] = []
    under_way: list[list[Item]] = []
    while lines or under_way:
        if lines and len(under_way) < at_once:
            flush = lines.next()
            assert len({item.line for item in flush}) == 1
            under_way.append(flush)
            # One flush a line: the second could be committed before the first.
            assert len({flush[0].line for flush in under_way}) == len(under_way)
        else:
            flush = under_way.pop(chance.randrange(len(under_way)))
            out += flush
            lines.written(flush[0].line)
    for line in {item.line for item in items}:
        assert [item.number for item in out if item.line == line] == [
            item.number for item in items if item.line == line
        ]
    for item in out:
        lines.done(item)
    assert lines.held == 0
