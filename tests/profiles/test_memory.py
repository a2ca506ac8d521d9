from __future__ import annotations

import gc
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.live.memory import MemoryStore
from insights.profiles.profile import Profile


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


def test_a_replaced_value_leaves_no_trace_in_the_order() -> None:
    store: MemoryStore[str] = MemoryStore(capacity=2, idle_seconds=60)
    project, replaced, *others = (uuid4() for _ in range(6))
    store.put(project, replaced, "old")
    store.put(project, replaced, "new")
    for other in others:
        store.put(project, other, "other")
    assert [store.get(project, other) for other in others] == [None, None, "other", "other"]
    assert len(store) == 2


def test_a_store_for_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        MemoryStore[str](capacity=0, idle_seconds=60)


def test_the_garbage_collector_has_nothing_to_look_at_but_what_python_has_it_look_at() -> None:
    """Up to 3.13 a dictionary of texts and numbers is none of its business; from 3.14 on each one is."""
    for_each = int(gc.is_tracked({"beans": 1.0}))
    store: MemoryStore[Profile] = MemoryStore(capacity=100, idle_seconds=60)
    project = uuid4()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(100):
        profile = Profile()
        profile.affinity["beans"] = 1.0
        profile.products += b"product!"
        store.put(project, uuid4(), profile)
    gc.collect()
    assert len(gc.get_objects()) - before < 20 + 100 * for_each
    store.clear()
    assert len(store) == 0


class Model:
    """The same promises, kept slowly: (key, value) from the least to the most recently used."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.items: list[tuple[int, int]] = []

    def get(self, key: int) -> int | None:
        found = next((item for item in self.items if item[0] == key), None)
        if found is None:
            return None
        self.items.remove(found)
        self.items.append(found)
        return found[1]

    def put(self, key: int, value: int) -> None:
        self.forget(key)
        self.items = [*self.items, (key, value)][-self.capacity :]

    def forget(self, key: int) -> None:
        self.items = [item for item in self.items if item[0] != key]


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["get", "put", "forget", "clear"]), st.integers(0, 6)), max_size=60),
)
def test_it_keeps_what_a_slow_and_simple_store_would_keep(capacity: int, steps: list[tuple[str, int]]) -> None:
    store: MemoryStore[int] = MemoryStore(capacity=capacity, idle_seconds=60, clock=Clock())
    model = Model(capacity)
    project = UUID(int=1)
    for number, (step, key) in enumerate(steps):
        visitor = UUID(int=key)
        if step == "get":
            assert store.get(project, visitor) == model.get(key)
        elif step == "put":
            store.put(project, visitor, number)
            model.put(key, number)
        elif step == "forget":
            store.forget(project, visitor)
            model.forget(key)
        else:
            store.clear()
            model.items.clear()
        assert len(store) == len(model.items)
