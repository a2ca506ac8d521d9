"""Keeps the garbage collector from stopping a serving process in the middle of somebody's request."""

from __future__ import annotations

import gc
from typing import Final

from sqlalchemy.orm import configure_mappers

YOUNG: Final = 10_000
"""Objects made and not yet gone before the collector looks at them. A few hundred requests that wait for their commit
hold as many: by the default of 700 it looked at each of them, over and over, and found nothing."""


def freeze_what_stays() -> None:
    """Takes what a process loads once, and keeps to its end, out of the garbage collector's sight.

    A full collection walks all of that otherwise, in the middle of somebody's request. What the tables' classes are to
    each other is worked out first, which the first request would wait 50 ms for.
    """
    configure_mappers()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)
