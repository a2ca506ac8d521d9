"""What time it is: the clock that all work of a process goes by, and this machine's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

log = structlog.get_logger()


def now() -> datetime:
    """The time by this machine, in UTC."""
    return datetime.now(UTC)


class SharedClock:
    """The time in UTC that everybody who works on one database goes by: this machine's, less what it is ahead of the
    database's. Leases and due times of different machines are compared with each other."""

    def __init__(self, machine: Callable[[], datetime] = now) -> None:
        self.machine = machine
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return self.machine() - self._ahead

    def follow(self, ahead: timedelta) -> None:
        """This machine is ``ahead`` of the database, or behind it where that is less than nothing."""
        if bool(ahead) != bool(self._ahead):
            log.warning("work_goes_by_the_databases_clock" if ahead else "work_goes_by_this_machines_clock")
        self._ahead = ahead
