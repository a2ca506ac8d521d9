"""Keeps live values of a project's visitors in memory, bounded: the least recently used and the long idle go first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from uuid import UUID

from msgspec import Struct

V = TypeVar("V")

_SWEPT_A_PUT = 2
"""Idle entries dropped with each put: more than come in, so that they never pile up, and never a long pause."""


class _Entry(Struct, gc=False):
    """A value in a ring from the least to the most recently used."""

    key: bytes
    value: Any
    touched: float
    older: Any = None
    newer: Any = None


class MemoryStore(Generic[V]):
    """Values by (project, visitor). Not for threads: one event loop owns it.

    Holds at most ``capacity`` values. One that nobody asked for during ``idle_seconds`` counts as gone. Values must be
    structs without a garbage collector's header and never refer back to the store: then nothing here is visible to
    the collector, and 100,000 visitors cost it no pause. ``clear`` a store that is given up.
    """

    def __init__(self, *, capacity: int, idle_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        if capacity < 1:
            raise ValueError("capacity must be 1 or more")
        self._capacity = capacity
        self._idle = idle_seconds
        self._clock = clock
        # Not an OrderedDict: the collector would walk all of it, 30 ms at 100,000. A dict of bytes and such structs
        # it leaves out.
        self._entries: dict[bytes, _Entry] = {}
        # The ring's fixed point: the oldest comes after it, the newest before.
        self._root = root = _Entry(b"", None, 0.0)
        root.older = root.newer = root

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, project_id: UUID, visitor_id: UUID) -> V | None:
        """The value, now the most recently used; None when there is none or it was idle too long."""
        entry = self._entries.get(_key(project_id, visitor_id))
        if entry is None:
            return None
        now = self._clock()
        if now - entry.touched > self._idle:
            self._drop(entry)
            return None
        entry.touched = now
        _unlink(entry)
        self._append(entry)
        value: V = entry.value
        return value

    def holds(self, project_id: UUID, visitor_id: UUID, value: V) -> bool:
        """Whether ``value`` itself is the visitor's; that it was asked for does not count as use."""
        entry = self._entries.get(_key(project_id, visitor_id))
        return entry is not None and entry.value is value

    def put(self, project_id: UUID, visitor_id: UUID, value: V) -> None:
        """Keeps ``value``, in place of an older one; may drop the least recently used."""
        key = _key(project_id, visitor_id)
        now = self._clock()
        replaced = self._entries.get(key)
        if replaced is not None:
            self._drop(replaced)
        self._entries[key] = entry = _Entry(key, value, now)
        self._append(entry)
        for _ in range(_SWEPT_A_PUT):
            # Order of use is order of time: when the oldest is not idle, none is. The new one itself never is.
            if now - self._root.newer.touched > self._idle:
                self._drop(self._root.newer)
        if len(self._entries) > self._capacity:
            self._drop(self._root.newer)

    def forget(self, project_id: UUID, visitor_id: UUID) -> None:
        """Drops the value, if there is one."""
        entry = self._entries.get(_key(project_id, visitor_id))
        if entry is not None:
            self._drop(entry)

    def clear(self) -> None:
        """Drops everything."""
        while self._entries:
            self._drop(self._root.newer)

    def _append(self, entry: _Entry) -> None:
        root = self._root
        newest = root.older
        entry.older, entry.newer = newest, root
        newest.newer = root.older = entry

    def _drop(self, entry: _Entry) -> None:
        _unlink(entry)
        # Without the collector's help nothing else would ever free a pair that refers to each other.
        entry.older = entry.newer = None
        del self._entries[entry.key]


def _key(project_id: UUID, visitor_id: UUID) -> bytes:
    # Bytes, and not the number that they are: whoever makes up visitors could choose numbers of one hash.
    return (project_id.int << 128 | visitor_id.int).to_bytes(32, "big")


def _unlink(entry: _Entry) -> None:
    entry.older.newer = entry.newer
    entry.newer.older = entry.older
