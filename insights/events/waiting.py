"""Decides whose events are written next, and who may still queue: one line a project, each in turn.

One project that sends without end waits behind itself: the others wait for one of its flushes at most, and find room.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar
from uuid import UUID

FLUSH_EVENTS = 2_000
"""Most events in one transaction, so that no request waits behind an endless one."""

FLUSH_SHARED = 500
"""The same while others wait: their wait is as long as one of these."""

OPEN_TO_ALL = 0.8
"""Past this share of the room only those who have less than their part of it get more."""


class Waits(Protocol):
    """What stands in line: something of a project, so many events long."""

    @property
    def project_id(self) -> UUID: ...
    @property
    def size(self) -> int: ...


T = TypeVar("T", bound=Waits)


class Lines(Generic[T]):
    """Items by project, first come first served within each. ``room``: events that may be under way in all."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lines: dict[UUID, deque[T]] = {}
        self._held: dict[UUID, int] = {}
        self.held = 0

    def has_room(self, project_id: UUID, size: int) -> bool:
        """Whether a project may have ``size`` more under way."""
        total = self.held + size
        if total > self._room:
            return False
        if total <= self._room * OPEN_TO_ALL:
            return True
        others = len(self._held) - (project_id in self._held)
        # Alone, a project has all of it: there is nobody to keep room for.
        return not others or self._held.get(project_id, 0) + size <= self._room / (others + 1)

    def add(self, item: T) -> None:
        """Puts an item at the end of its project's line."""
        self._lines.setdefault(item.project_id, deque()).append(item)
        self._held[item.project_id] = self._held.get(item.project_id, 0) + item.size
        self.held += item.size

    def done(self, item: T) -> None:
        """The item is not under way any more."""
        left = self._held[item.project_id] - item.size
        if left:
            self._held[item.project_id] = left
        else:
            del self._held[item.project_id]
        self.held -= item.size

    def next(self) -> list[T]:
        """The next items of the project whose turn it is, in order, up to a flush's size. There must be some."""
        project_id, line = next(iter(self._lines.items()))
        del self._lines[project_id]
        most = FLUSH_SHARED if self._lines else FLUSH_EVENTS
        taken: list[T] = []
        size = 0
        while line and size < most:
            item = line.popleft()
            taken.append(item)
            size += item.size
        if line:
            self._lines[project_id] = line
        return taken

    def __bool__(self) -> bool:
        return bool(self._lines)
