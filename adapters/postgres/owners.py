"""Who holds a data directory: one process, by a file lock it keeps for life.

The lock decides; the text in the file only says whom to name. So a stale text hurts nobody, and a holder in another
container, whose pid means nothing here, still keeps others out.
"""

import fcntl
import json
import os
import shlex
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import psutil

from adapters.postgres.embedded_errors import DataDirInUse

OWNER_LOCK = "owner.lock"
_NEW_HOLDER_WRITES_ITS_NAME = 1.0  # seconds


@dataclass(frozen=True)
class Owner:
    """The process that holds a data directory: its pid, its birth (see `birth_of`), its command line, since when."""

    pid: int
    birth: str
    command: str
    since: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs; False when another one got its pid."""
        return birth_of(self.pid) == self.birth


class OwnerLock:
    """A held data directory; `release` or the end of the process lets it go."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, data_dir: Path) -> Self:
        """Hold `data_dir` for this process.

        Raises DataDirInUse naming the holder, and OSError if the lock file cannot be opened.
        """
        path = data_dir / OWNER_LOCK
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise DataDirInUse(_who_holds(data_dir, path)) from None
        me = Owner(
            pid=os.getpid(),
            birth=birth_of(os.getpid()) or "",
            command=shlex.join(sys.orig_argv),
            since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(me)).encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let the directory go. A second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def birth_of(pid: int) -> str | None:
    """What tells a process from a later one with the same pid, or None if there is no such process.

    On Linux the boot and the clock tick of its start: psutil derives its time from the wall clock, which steps.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The name in the second field may hold spaces and brackets; the start is the 20th field after it.
        return f"{boot}/{Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except OSError:
        pass
    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def _who_holds(data_dir: Path, path: Path) -> str:
    owner = _read(path)
    deadline = time.monotonic() + _NEW_HOLDER_WRITES_ITS_NAME
    while (owner is None or not owner.alive) and time.monotonic() < deadline:
        time.sleep(0.02)
        owner = _read(path)
    if owner is None or not owner.alive:
        return (
            f"{data_dir} is in use by a process this one cannot see (another container or user?): "
            "stop it, or choose another data directory."
        )
    return (
        f"{data_dir} is in use by process {owner.pid} ({owner.command}) since {owner.since}: "
        "stop it, or choose another data directory."
    )


def _read(path: Path) -> Owner | None:
    try:
        return Owner(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
