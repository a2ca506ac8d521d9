"""Ways: what has an aftermath goes beside the rest, and nobody overtakes themselves."""

from __future__ import annotations

from uuid import uuid4

from insights.events.ways import Line, Ways


def test_what_has_an_aftermath_stands_in_a_line_of_its_own() -> None:
    project, buyer, looker = uuid4(), uuid4(), uuid4()
    ways = Ways()
    assert ways.enter(project, buyer, long=True) == Line(project, long=True)
    assert ways.enter(project, looker, long=False) == Line(project, long=False)


def test_a_visitor_stays_in_one_line_until_all_of_theirs_is_written() -> None:
    project, visitor = uuid4(), uuid4()
    ways = Ways()
    assert ways.enter(project, visitor, long=True).long
    assert ways.enter(project, visitor, long=False).long
    ways.leave(visitor)
    assert ways.enter(project, visitor, long=False).long
    ways.leave(visitor)
    ways.leave(visitor)
    assert not ways.enter(project, visitor, long=False).long
    assert not ways.enter(project, visitor, long=True).long


def test_two_projects_may_know_a_visitor_by_the_same_id() -> None:
    one, other, visitor = uuid4(), uuid4(), uuid4()
    ways = Ways()
    assert ways.enter(one, visitor, long=True) == Line(one, long=True)
    assert ways.enter(other, visitor, long=False).project_id == other
    ways.leave(visitor)
    ways.leave(visitor)
    assert ways.enter(other, visitor, long=False) == Line(other, long=False)
