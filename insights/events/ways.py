"""Decides which of its project's two lines an entry stands in: what takes many round trips must not hold up the rest.

A page view is one round trip; an order is a dozen, with locks that others hold. What one visitor sends keeps its order
all the same: while any of it is under way, the next goes the same way.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from insights.vocabulary.ids import IdNumber


class Line(NamedTuple):
    """Of a project's two lines one. ``long``: the one of what has an aftermath."""

    project_id: UUID
    long: bool = False


class Ways:
    """Which kind of line each visitor is in now. By their id alone: that of another project's visitor does no harm."""

    def __init__(self) -> None:
        self._of: dict[IdNumber, tuple[bool, int]] = {}

    def enter(self, project_id: UUID, visitor_id: UUID, *, long: bool) -> Line:
        """The line for an entry of a visitor; ``long``: it has an aftermath. Each is followed by a ``leave``."""
        visitor = visitor_id.int
        long, others = self._of.get(visitor, (long, 0))
        self._of[visitor] = long, others + 1
        return Line(project_id, long)

    def leave(self, visitor_id: UUID) -> None:
        """An entry of the visitor is not under way any more."""
        visitor = visitor_id.int
        long, left = self._of.pop(visitor)
        if left > 1:
            self._of[visitor] = long, left - 1
