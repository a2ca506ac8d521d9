"""The graph that a flow's steps make: what can be reached, where it runs in circles, how long a way may take. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from flows.definition.steps import AnyStep, Wait, ways_of

Steps = Mapping[str, AnyStep]


def reached(steps: Steps, start: str) -> set[str]:
    """The steps that a run can come to."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in found or name not in steps:
            continue
        found.add(name)
        waiting.extend(ways_of(steps[name]).values())
    return found


def endless(steps: Steps) -> Iterator[str]:
    """The steps in a circle that no pause interrupts: it would send for ever at once.

    A wait for something outside is no pause: a signal, once given, ends every later wait for it at once.
    """
    for name in steps:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            step = steps.get(waiting.pop())
            if step is None or (isinstance(step, Wait) and not step.awaits):
                continue
            following = set(ways_of(step).values())
            if name in following:
                yield name
                break
            waiting += following - seen
            seen |= following


def lasts(step: Wait) -> timedelta:
    """The longest that a wait may take."""
    at = step.at
    return (step.for_ or timedelta(0)) + (timedelta(days=(7 if at.weekdays else 1)) if at is not None else timedelta(0))


def longest(steps: Steps, start: str) -> dict[str, timedelta]:
    """Each wait that can be reached → the most time that can have passed when it ends. What lies behind a circle of
    steps may take any time: a step in one counts as if each run came there first."""
    order = _order(steps, start)
    place = {name: n for n, name in enumerate(order)}
    before = dict.fromkeys(order, timedelta(0))
    ends: dict[str, timedelta] = {}
    for name in order:
        step, after = steps[name], before[name]
        if isinstance(step, Wait):
            after = ends[name] = after + lasts(step)
        for to in ways_of(step).values():
            if place.get(to, -1) > place[name]:
                before[to] = max(before[to], after)
    return ends


def _order(steps: Steps, start: str) -> list[str]:
    """The steps that can be reached, each before those it leads to, circles aside."""
    done: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in seen or name not in steps:
            return
        seen.add(name)
        for to in ways_of(steps[name]).values():
            visit(to)
        done.append(name)

    visit(start)
    return done[::-1]
