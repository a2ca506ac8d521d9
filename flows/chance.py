"""Chance that is the same whenever it is asked: who goes which way of a split, who is in a flow's holdout. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import accumulate
from typing import Final
from uuid import UUID

_RANGE: Final = 1 << 64


def share(key: str, subject: UUID) -> float:
    """A number in [0, 1), as good as drawn at random for each key and subject, and always the same for both."""
    digest = hashlib.sha256(key.encode() + b"\0" + subject.bytes).digest()
    return int.from_bytes(digest[:8], "big") / _RANGE


def choose(weights: Sequence[float], key: str, subject: UUID) -> int:
    """Which of several ways this subject goes: its index. ``weights`` are above 0, of any sum."""
    drawn = share(key, subject) * sum(weights)
    for index, reaches in enumerate(accumulate(weights)):
        if drawn < reaches:
            return index
    return len(weights) - 1


def held_out(flow: str, salt: UUID | None, part: float, subject: UUID) -> bool:
    """Whether this subject is among the ``part`` (0..1) from whom the flow of this name holds everything back.

    ``salt``: the flow's own, which is told to nobody: visitors choose their ids, and must not choose the arm with them.
    """
    key = f"holdout/{flow}" if salt is None else f"holdout/{salt.hex}/{flow}"
    return part > 0 and share(key, subject) < part
