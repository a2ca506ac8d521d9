"""Remembers how far a replay came, so that a killed one goes on where it stopped.

The position is the first batch that is not yet done: everything before it was acknowledged. Some after it may be too;
they are sent again and the API counts them as duplicates.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from insights.replay.formats import Format


@dataclass(frozen=True, slots=True)
class Tally:
    """What the API answered so far, in events; ``closed`` in sessions."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    closed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.accepted + other.accepted,
            self.duplicates + other.duplicates,
            self.rejected + other.rejected,
            self.closed + other.closed,
        )

    @property
    def events(self) -> int:
        """All events that were answered."""
        return self.accepted + self.duplicates + self.rejected


@dataclass(frozen=True, slots=True)
class Position:
    """``done`` batches from the start are acknowledged; ``tally`` is what they came to."""

    done: int = 0
    tally: Tally = Tally()


@dataclass(slots=True)
class Watermark:
    """Batches finish in any order; the position moves over the ones that are done without a gap."""

    position: Position = Position()
    _ahead: dict[int, Tally] = field(default_factory=dict)

    def finish(self, index: int, tally: Tally) -> None:
        """Batch number ``index`` is acknowledged and, where it was its session's last, the session closed."""
        self._ahead[index] = tally
        while (following := self._ahead.pop(self.position.done, None)) is not None:
            self.position = Position(self.position.done + 1, self.position.tally + following)

    @property
    def tally(self) -> Tally:
        """Everything answered, gaps or not."""
        return sum(self._ahead.values(), self.position.tally)


class _Saved(msgspec.Struct):
    replay: str
    done: int
    tally: Tally


class StateFile:
    """The position on disk. A position of another file, server, key or limit is not taken up."""

    def __init__(self, path: Path, replay: str) -> None:
        self.path = path
        self._replay = replay

    def load(self) -> Position:
        """The saved position; the start when there is none for this replay. Raises OSError."""
        try:
            saved = msgspec.json.decode(self.path.read_bytes(), type=_Saved)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return Position()
        return Position(saved.done, saved.tally) if saved.replay == self._replay and saved.done >= 0 else Position()

    def save(self, position: Position) -> None:
        """Replaces the file in one step: a kill leaves the old or the new one. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        fresh.write_bytes(msgspec.json.encode(_Saved(self._replay, position.done, position.tally)))
        fresh.replace(self.path)

    def forget(self) -> None:
        """The replay is over: the next one starts at the beginning. Raises OSError."""
        self.path.unlink(missing_ok=True)


def default_state_path(file: Path, format: Format) -> Path:
    """Where the position of a file is kept when nothing else is asked for. Raises OSError when there is no file."""
    return Path(".whyleft") / "replay" / f"{_digest(str(file.resolve()), str(file.stat().st_size), format)}.json"


def replay_name(file: Path, format: Format, url: str, write_key: str, limit: int | None) -> str:
    """What must be the same for a position to mean the same. Raises OSError when there is no file."""
    stat = file.stat()
    # The server is part of it: half a replay into one database is no start for another one.
    return _digest(str(file.resolve()), str(stat.st_size), str(stat.st_mtime_ns), format, url, write_key, str(limit))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
