"""Decides for how many connections a process has file descriptors: one that finds none is cut off without a word."""

from __future__ import annotations

import resource
from typing import Final

import structlog

log = structlog.get_logger()

RESERVE: Final = 128
"""Descriptors for what else a process opens: its listeners, the database, Redis, models and providers, files."""


def connections_within(wanted: int) -> int:
    """How many connections may be open at a time where ``wanted`` should (0: as many as there is room for).

    Takes as many descriptors as that needs, up to what the system allows; where that is too few, the log says so.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else max(soft, wanted + RESERVE)
    taken = min(wanted + RESERVE, most) if wanted else most
    if taken > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken, hard))
    room = max(most - RESERVE, most // 2)
    if room < wanted:
        log.warning("few_file_descriptors", allowed=most, connections=room, wanted=wanted)
    return min(wanted or room, room)
