"""Draws by a keyed hash: the same decision always draws the same arm, and nobody without the key can foretell it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def uniform(key: bytes, *parts: str) -> float:
    """A number in [0, 1) that belongs to ``parts``: 53 bits of BLAKE2b under ``key`` (at most 64 bytes)."""
    digest = hashlib.blake2b("\x1f".join(parts).encode(), key=key[:64], digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def draw(probabilities: Sequence[float], at: float) -> int:
    """The arm whose stretch of [0, 1) ``at`` falls in; the last that has any chance when rounding leaves a gap."""
    passed = 0.0
    last = 0
    for arm, probability in enumerate(probabilities):
        if probability > 0.0:
            passed += probability
            last = arm
            if at < passed:
                return arm
    return last
