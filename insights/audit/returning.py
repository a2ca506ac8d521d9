"""How many of those who leave a cart come back and order by themselves: what no message can take credit for.

Everybody cannot be remembered, so a sample of visitors is: those whose name's hash is small. When there are too many
of them, half of the sample is let go (adaptive sampling; Flajolet, "On adaptive sampling", 1990).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from insights.audit.finding import Finding
from insights.evaluation.scores import wilson

WITHIN_MS: Final = 7 * 86_400_000
MOST: Final = 20_000
FEWEST: Final = 50
"""Carts that must have been watched for a whole week before a share is told."""


@dataclass(slots=True)
class _Watched:
    left_at: int
    came_back: bool = False


@dataclass(slots=True)
class Returning:
    """Findings go in as visits end. ``share`` is told of carts that were left a week before the export ends."""

    _level: int = 0
    _last_ms: int = 0
    _visitors: dict[str, list[_Watched]] = field(default_factory=dict)

    def see(self, finding: Finding) -> None:
        """One visit, about in the order of time."""
        self._last_ms = max(self._last_ms, finding.last_ms)
        if finding.bought:
            for watched in self._visitors.get(finding.visitor, ()):
                if 0 < finding.last_ms - watched.left_at <= WITHIN_MS:
                    watched.came_back = True
        elif finding.cart and self._sampled(finding.visitor):
            self._visitors.setdefault(finding.visitor, []).append(_Watched(finding.last_ms))
            if len(self._visitors) > MOST:
                self._level += 1
                self._visitors = {name: carts for name, carts in self._visitors.items() if self._sampled(name)}

    def share(self) -> tuple[int, int, float, float] | None:
        """(carts whose visitor ordered within a week, carts watched that long, 95 % from, to); None for too few."""
        told = [w for carts in self._visitors.values() for w in carts if self._last_ms - w.left_at >= WITHIN_MS]
        if len(told) < FEWEST:
            return None
        back = sum(w.came_back for w in told)
        low, high = wilson(back, len(told))
        return back, len(told), low, high

    def _sampled(self, visitor: str) -> bool:
        digest = int.from_bytes(blake2b(visitor.encode(), digest_size=8).digest(), "big")
        return digest >> (64 - self._level) == 0 if self._level else True
