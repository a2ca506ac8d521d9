"""The people that lift is measured by: their first moment for acting, what was known before, what they did after."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from insights.lift.sample import Bools, Floats, Sample

DEVICES: Final = ("phone", "tablet", "desktop")
SOURCES: Final = ("paid", "campaign", "email", "search", "referral", "direct")
"""The last one of each list is what the others are compared with."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was known of a person before the visit of their first moment: visits and orders until then, what they had
    spent (minor units), the device and where this visit came from."""

    visits: int = 0
    orders: int = 0
    spent_minor: float = 0.0
    device: str | None = None
    source: str = "direct"

    def numbers(self) -> list[float]:
        """As numbers for the adjustment. Counts on a log scale: the tenth visit says less than the second."""
        return [
            math.log1p(self.visits),
            math.log1p(self.orders),
            math.log1p(max(0.0, self.spent_minor)),
            *(float(self.device == device) for device in DEVICES[:-1]),
            *(float(self.source == source) for source in SOURCES[:-1]),
        ]

    def segments(self) -> tuple[str, ...]:
        """The segments that they were in before anything was done."""
        return (
            "first visit" if self.visits == 0 else "returning",
            "never bought before" if self.orders == 0 else "bought before",
            f"device: {self.device or 'unknown'}",
            f"came by: {self.source}",
        )


@dataclass(frozen=True, slots=True)
class Person:
    """One person and their first moment: ``at`` it, ``action`` would be or was done, in ``stage``.

    ``orders`` and ``margin``: what followed within the horizon and was not given back; margin in minor units.
    """

    at: datetime
    held_out: bool
    action: str
    stage: str | None
    known: Known
    orders: float
    margin: float

    @property
    def bought(self) -> float:
        """1.0 when at least one order stayed with the shop."""
        return 1.0 if self.orders > 0 else 0.0


def _at(person: Person) -> datetime:
    return person.at


class Crowd(Sequence[Person]):
    """People in the order of their moments, as arrays."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._people = sorted(people, key=_at)
        count = len(self._people)
        self.treated: Bools = np.array([not person.held_out for person in self._people], dtype=bool)
        self._known: Floats = np.array([person.known.numbers() for person in self._people]).reshape(
            count, len(Known().numbers())
        )
        self._bought: Floats = np.array([person.bought for person in self._people], dtype=float)
        self._margin: Floats = np.array([person.margin for person in self._people], dtype=float)

    def __len__(self) -> int:
        return len(self._people)

    def __iter__(self) -> Iterator[Person]:
        return iter(self._people)

    def __getitem__(self, index: int) -> Person:  # type: ignore[override]
        return self._people[index]

    def conversion(self) -> Sample:
        """Whether each of them bought."""
        return Sample(self.treated, self._bought, self._known)

    def margin(self) -> Sample:
        """What each of them left the shop, in minor units."""
        return Sample(self.treated, self._margin, self._known)

    def first(self, count: int) -> Crowd:
        """The first ``count`` of them."""
        part = copy(self)
        part._people = self._people[:count]
        part.treated = self.treated[:count]
        part._known, part._bought, part._margin = self._known[:count], self._bought[:count], self._margin[:count]
        return part

    def until(self, at: datetime) -> int:
        """How many had their moment up to then."""
        return bisect_right(self._people, at, key=_at)

    def groups(self, by: str) -> dict[str, Bools]:
        """Who is in which group: by "action", "stage" or "segment". A person is in one group, but in many segments."""
        members: dict[str, list[int]] = {}
        for index, person in enumerate(self._people):
            names = {
                "action": (person.action,),
                "stage": (person.stage or "unknown",),
                "segment": person.known.segments(),
            }[by]
            for name in names:
                members.setdefault(name, []).append(index)
        found = {}
        for name in sorted(members):
            which = np.zeros(len(self._people), dtype=bool)
            which[members[name]] = True
            found[name] = which
        return found
