"""Decides which of many comparisons may be believed, when looking at many makes some stand out by chance alone.

Benjamini & Hochberg (1995): among those whose adjusted p-value is below a rate, no larger a share is false.
"""

from __future__ import annotations

from collections.abc import Sequence


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Each p-value as it counts among the others, 0..1: below a rate, it is a discovery at that rate."""
    count = len(p_values)
    by_size = sorted(range(count), key=lambda i: p_values[i], reverse=True)
    found = [1.0] * count
    least = 1.0
    for place, index in enumerate(by_size):
        least = min(least, p_values[index] * (count / (count - place)))
        found[index] = least
    return found
