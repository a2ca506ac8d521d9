"""Keeps live values of a project's visitors in memory, bounded: the least recently used and the long idle go first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from uuid import UUID

from msgspec import Struct

V = TypeVar("V")

_SWEPT_A_PUT = 2
"""Idle entries dropped with each put: more than come in, so that they never pile up, and never a long pause."""


class _Entry(Struct, gc=False):
    value: Any
    touched: float


class MemoryStore(Generic[V]):
    """Values by (project, visitor). Not for threads: one event loop owns it.

    Holds at most ``capacity`` values. One that nobody asked for during ``idle_seconds`` counts as gone. Values must
    not refer back to the store: entries are hidden from the garbage collector, so that 100,000 of them cost no pause.
    """

    def __init__(self, *, capacity: int, idle_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        if capacity < 1:
            raise ValueError("capacity must be 1 or more")
        self._capacity = capacity
        self._idle = idle_seconds
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, project_id: UUID, visitor_id: UUID) -> V | None:
        """The value, now the most recently used; None when there is none or it was idle too long."""
        # One flat bytes object a key: a tuple of UUIDs would be three objects for the garbage collector to visit.
        key = project_id.bytes + visitor_id.bytes
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock()
        if now - entry.touched > self._idle:
            del self._entries[key]
            return None
        entry.touched = now
        self._entries.move_to_end(key)
        value: V = entry.value
        return value

    def put(self, project_id: UUID, visitor_id: UUID, value: V) -> None:
        """Keeps ``value``, in place of an older one; may drop the least recently used."""
        key = project_id.bytes + visitor_id.bytes
        now = self._clock()
        self._entries[key] = _Entry(value, now)
        self._entries.move_to_end(key)
        self._sweep(now, _SWEPT_A_PUT)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def forget(self, project_id: UUID, visitor_id: UUID) -> None:
        """Drops the value, if there is one."""
        self._entries.pop(project_id.bytes + visitor_id.bytes, None)

    def _sweep(self, now: float, most: int) -> None:
        # Order of use is order of time: the first that is not idle ends the search.
        for _ in range(most):
            if not self._entries:
                return
            oldest = next(iter(self._entries))
            if now - self._entries[oldest].touched <= self._idle:
                return
            del self._entries[oldest]
