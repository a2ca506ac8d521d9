from __future__ import annotations

from uuid import uuid4

import pytest

from adapters.live.memory import MemoryStore


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_least_recently_used_goes_first() -> None:
    store: MemoryStore[str] = MemoryStore(capacity=2, idle_seconds=60)
    project, first, second, third = uuid4(), uuid4(), uuid4(), uuid4()
    store.put(project, first, "first")
    store.put(project, second, "second")
    assert store.get(project, first) == "first"
    store.put(project, third, "third")
    assert store.get(project, second) is None
    assert store.get(project, first) == "first"
    assert len(store) == 2


def test_a_visitor_of_one_project_is_nobody_in_another() -> None:
    store: MemoryStore[str] = MemoryStore(capacity=2, idle_seconds=60)
    visitor = uuid4()
    store.put(uuid4(), visitor, "theirs")
    assert store.get(uuid4(), visitor) is None


def test_the_idle_count_as_gone_and_the_busy_stay() -> None:
    clock = Clock()
    store: MemoryStore[str] = MemoryStore(capacity=10, idle_seconds=60, clock=clock)
    project, busy, idle = uuid4(), uuid4(), uuid4()
    store.put(project, busy, "busy")
    store.put(project, idle, "idle")
    for _ in range(4):
        clock.now += 20
        assert store.get(project, busy) == "busy"
    assert store.get(project, idle) is None


def test_the_idle_make_room_as_others_come_in() -> None:
    clock = Clock()
    store: MemoryStore[int] = MemoryStore(capacity=1000, idle_seconds=60, clock=clock)
    project = uuid4()
    for number in range(100):
        store.put(project, uuid4(), number)
    clock.now = 61
    for number in range(100):
        store.put(project, uuid4(), number)
    assert len(store) == 100


def test_a_second_put_replaces_the_first() -> None:
    store: MemoryStore[str] = MemoryStore(capacity=1, idle_seconds=60)
    project, visitor = uuid4(), uuid4()
    store.put(project, visitor, "old")
    store.put(project, visitor, "new")
    assert store.get(project, visitor) == "new"
    store.forget(project, visitor)
    store.forget(project, visitor)
    assert store.get(project, visitor) is None


def test_a_store_for_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        MemoryStore[str](capacity=0, idle_seconds=60)
