"""Decides whose events are written next, and who may still queue: a project's two lines (``events/ways``), all in turn.

One project that sends without end waits behind itself: of each line one flush is under way, so that its order stays,
and those of the others go on beside it.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from insights.events.ways import Line
from insights.vocabulary.ids import IdNumber

FLUSH_EVENTS = 2_000
"""Most events in one transaction, so that no request waits behind an endless one."""

FLUSH_SHARED = 500
"""The same while others wait or are being written: what one project sends must not take the database, nor the time of
this process, from them for long."""

OPEN_TO_ALL = 0.8
"""Past this share of the room only those who have less than their part of it get more."""


class Waits(Protocol):
    """What stands in a line: something so many events long."""

    @property
    def line(self) -> Line: ...
    @property
    def size(self) -> int: ...


T = TypeVar("T", bound=Waits)


class Lines(Generic[T]):
    """Items by line, first come first served within each. ``room``: events that may be under way in all."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lines: dict[Line, deque[T]] = {}
        self._held: dict[IdNumber, int] = {}
        self._writing: set[Line] = set()
        self.held = 0

    def has_room(self, project_id: UUID, size: int) -> bool:
        """Whether a project may have ``size`` more under way."""
        total = self.held + size
        if total > self._room:
            return False
        if total <= self._room * OPEN_TO_ALL:
            return True
        others = len(self._held) - (project_id.int in self._held)
        # Alone, a project has all of it: there is nobody to keep room for.
        return not others or self._held.get(project_id.int, 0) + size <= self._room / (others + 1)

    def add(self, item: T) -> None:
        """Puts an item at the end of its line."""
        self._lines.setdefault(item.line, deque()).append(item)
        project = item.line.project_id.int
        self._held[project] = self._held.get(project, 0) + item.size
        self.held += item.size

    def done(self, item: T) -> None:
        """The item is not under way any more."""
        project = item.line.project_id.int
        left = self._held[project] - item.size
        if left:
            self._held[project] = left
        else:
            del self._held[project]
        self.held -= item.size

    def next(self) -> list[T]:
        """The next items of the line whose turn it is, in order, up to a flush's size: they are being written until
        ``written`` is told. Empty when nothing waits but what waits for its own line's flush."""
        line = next((waiting for waiting in self._lines if waiting not in self._writing), None)
        if line is None:
            return []
        items = self._lines.pop(line)
        most = FLUSH_SHARED if self._lines or self._writing else FLUSH_EVENTS
        self._writing.add(line)
        taken: list[T] = []
        size = 0
        while items and size < most:
            item = items.popleft()
            taken.append(item)
            size += item.size
        if items:
            self._lines[line] = items
        return taken

    def has_others(self, project_id: UUID) -> bool:
        """Whether something of other projects is under way."""
        return self.held > self._held.get(project_id.int, 0)

    def fills_a_flush(self, project_id: UUID) -> bool:
        """Whether as much of the project is under way as is written at a time beside others."""
        return self._held.get(project_id.int, 0) >= FLUSH_SHARED

    def written(self, line: Line) -> None:
        """The line's flush has ended: its next may begin."""
        self._writing.remove(line)

    def __bool__(self) -> bool:
        """Whether ``next`` would give something."""
        return not self._writing.issuperset(self._lines)
