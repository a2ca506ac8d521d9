"""Decides how long a project rests between two flushes: not at all, unless it sends more than it may beside others.

Every commit makes those of others wait for the disk, and whatever is done in one go makes them wait for the process.
Whoever floods has what is taken of it gathered into few commits, and is answered little by little.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final
from uuid import UUID

REST_SECONDS: Final = 1.0
"""What is written in a few milliseconds then meets fewer than one in a hundred of the others' requests."""

APART_SECONDS: Final = 0.003
"""Between two answers of a flush of who rests, at most: to finish a request takes a tenth of that."""

LATELY: Final = 2.0
"""Seconds for which a project counts as flooding after a request of it was turned away, and others as present after a
flush of theirs: longer than a rest, so that it is known at its end, too."""


class Rests:
    """What has lately been heard of the projects. Times: seconds of one clock."""

    def __init__(self) -> None:
        self._flooding: dict[UUID, float] = {}
        self._flushed: OrderedDict[UUID, float] = OrderedDict()

    def turned_away(self, project_id: UUID, now: float) -> None:
        """A request of the project was more than it may send."""
        self._flooding[project_id] = now

    def flushed(self, project_id: UUID, now: float) -> None:
        """A flush of the project has ended."""
        self._flushed[project_id] = now
        self._flushed.move_to_end(project_id)
        # Two are enough to know whether there is another than the one that is asked for.
        if len(self._flushed) > 2:
            self._flushed.popitem(last=False)

    def rest_of(self, project_id: UUID, now: float) -> float:
        """Seconds for which the project's next flush is to gather; 0.0 where nobody would gain by it."""
        flooded = self._flooding.get(project_id)
        if flooded is None:
            return 0.0
        if now - flooded > LATELY:
            del self._flooding[project_id]
            return 0.0
        others = (at for other, at in self._flushed.items() if other != project_id)
        return REST_SECONDS if any(now - at <= LATELY for at in others) else 0.0


def answered_over(count: int) -> float:
    """Seconds between one and the next of so many answers: all of them are out before the next flush."""
    return min(APART_SECONDS, REST_SECONDS / 2 / count)
