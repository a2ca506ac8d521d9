"""Tickets as lines of a file: one JSON object each, for a person to read or a script to carry into a tracker.

A line stands on the disk before it is acknowledged, a key has at most one line, and any number of processes may
write: they take turns by a lock on the file. A line that a killed writer left half-done is removed by the next one.

Content: any JSON object; it becomes the line, beside ``key`` and ``created_at``.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from adapters.channels.contract import (
    UNLIMITED,
    Accepted,
    Callback,
    NotFound,
    ProviderEvent,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Unknown,
    Unsupported,
    no_callbacks,
)

MOST_LINE: Final = 256 * 1024
LOCK_TRIES: Final = 100
LOCK_PAUSE: Final = 0.05


class TicketOutbox:
    """Appends to ``path``; the folder and the file are made on the first ticket."""

    name: Final = "ticket"
    id: Final = None
    rate: Final[Rate] = UNLIMITED
    idempotency: Final = "lookup"
    key_ttl: Final = None

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._clock = clock

    async def send(self, intent: SendIntent) -> Result:
        ticket = {**intent.content, "key": intent.key, "created_at": self._clock().isoformat()}
        try:
            line = json.dumps(ticket, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        except (TypeError, ValueError):
            return Rejected("The ticket cannot be written as JSON.")
        if len(line) > MOST_LINE:
            return Rejected(f"The ticket is larger than {MOST_LINE} bytes.")
        for _ in range(LOCK_TRIES):
            try:
                result = await asyncio.to_thread(self._append, intent.key, line)
            except OSError as error:
                return Retry(f"{self._path} cannot be written ({error.strerror}): check the folder's rights and space.")
            if result is not None:
                return result
            await asyncio.sleep(LOCK_PAUSE)
        return Retry(f"{self._path} stays locked by another process: see which one holds it.")

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        try:
            stored = await asyncio.to_thread(self._path.read_bytes)
        except FileNotFoundError:
            return NotFound()
        except OSError:
            return Unsupported()
        return Accepted() if _contains(stored, key) else NotFound()

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        return await no_callbacks(call)

    def _append(self, key: str, line: bytes) -> Result | None:
        """None: it is somebody else's turn. Raises OSError when it is certain that nothing was added."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_new = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            if not self._is_still(descriptor):
                return None
            if is_new:
                _sync_folder(self._path.parent)
            stored = _read(descriptor)
            if _contains(stored, key):
                # Whoever wrote it may have died before it was on the disk.
                return _synced(descriptor)
            end = _end_of_lines(stored)
            if _ticket(stored[end:]) is not None:
                # A whole ticket without a line end: an editor saved the file.
                return _write(descriptor, len(stored), b"\n" + line)
            return _write(descriptor, end, line)
        finally:
            os.close(descriptor)

    def _is_still(self, descriptor: int) -> bool:
        # Rotated away between opening and locking: a line there would be read by nobody.
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False


def _read(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()


def _write(descriptor: int, end: int, line: bytes) -> Result:
    """Puts ``line`` at byte ``end``, over whatever a killed writer left behind it."""
    try:
        os.ftruncate(descriptor, end)
        written = os.pwrite(descriptor, line, end)
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(descriptor, end)
        raise
    return _synced(descriptor)


def _synced(descriptor: int) -> Result:
    try:
        os.fsync(descriptor)
    except OSError as error:
        return Unknown(f"The ticket may not be on the disk ({error.strerror}).")
    return Accepted()


def _end_of_lines(stored: bytes) -> int:
    return stored.rfind(b"\n") + 1


def _contains(stored: bytes, key: str) -> bool:
    tickets = (_ticket(line) for line in stored.splitlines())
    return any(ticket is not None and ticket.get("key") == key for ticket in tickets)


def _ticket(line: bytes) -> dict[str, Any] | None:
    """The object on a line; None for half of one, which was never acknowledged."""
    try:
        ticket = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return ticket if isinstance(ticket, dict) else None


def _sync_folder(folder: Path) -> None:
    # A new file's name is the folder's content: without this it may be gone after a power cut, its line with it.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
