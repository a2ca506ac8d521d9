"""Cuts a stream of happenings into visits: a silence longer than the gap ends one.

Only visits that may still go on are in memory. That takes an export that is roughly in the order of time; any other
is sorted first, in pieces on the disk.
"""

from __future__ import annotations

import heapq
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec

from insights.audit.exports import Happening

GAP_MS: Final = 30 * 60_000
LONGEST: Final = 3_000
"""Happenings of one visit that are kept: more are a machine's."""
PIECE: Final = 200_000
"""Happenings that are sorted in memory at a time."""

_TIME: Final = attrgetter("at_ms")


class OutOfOrder(Exception):
    """Something happened before visits that are closed already: the export is not in the order of time."""


@dataclass(slots=True)
class Visit:
    """What one visitor did without a long silence, in order. ``left_out``: happenings beyond the ``LONGEST`` first."""

    visitor: str
    first_ms: int
    last_ms: int
    happenings: list[Happening] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    left_out: int = 0

    def add(self, happening: Happening) -> bool:
        """False for what is in it already."""
        if happening.key in self.keys:
            return False
        self.last_ms = max(self.last_ms, happening.at_ms)
        self.first_ms = min(self.first_ms, happening.at_ms)
        if len(self.happenings) >= LONGEST:
            self.left_out += 1
            return True
        self.keys.add(happening.key)
        self.happenings.append(happening)
        return True


@dataclass(slots=True)
class Cutter:
    """Cuts; ``open_most`` is how many visits were open at once, ``duplicates`` how often something was told again."""

    gap_ms: int = GAP_MS
    open_most: int = 0
    duplicates: int = 0

    def visits(self, happenings: Iterable[Happening]) -> Iterator[Visit]:
        """Each visit once nothing more can belong to it. Raises OutOfOrder."""
        # Ordered by when each was last added to: the oldest end first.
        open_visits: OrderedDict[tuple[str, str], Visit] = OrderedDict()
        now = 0
        # Twice the gap: what comes late by up to a gap still finds its visit.
        patience = 2 * self.gap_ms
        for happening in happenings:
            at = happening.at_ms
            if at < now - self.gap_ms:
                raise OutOfOrder
            now = max(now, at)
            key = (happening.visitor, happening.session)
            visit = open_visits.get(key)
            if visit is not None and at - visit.last_ms > self.gap_ms:
                del open_visits[key]
                yield _closed(visit)
                visit = None
            if visit is None:
                visit = open_visits[key] = Visit(happening.visitor, at, at)
                self.open_most = max(self.open_most, len(open_visits))
            if not visit.add(happening):
                self.duplicates += 1
            open_visits.move_to_end(key)
            while open_visits:
                oldest = next(iter(open_visits.values()))
                if oldest.last_ms >= now - patience:
                    break
                open_visits.popitem(last=False)
                yield _closed(oldest)
        while open_visits:
            yield _closed(open_visits.popitem(last=False)[1])


def _closed(visit: Visit) -> Visit:
    visit.happenings.sort(key=_TIME)
    visit.keys.clear()
    return visit


def in_order(happenings: Iterable[Happening], told: Callable[[], None] = lambda: None) -> Iterator[Happening]:
    """``happenings`` by time, sorted on the disk in pieces of ``PIECE``; equal times keep their order."""
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Happening)
    with tempfile.TemporaryDirectory(prefix="whyleft-audit-") as folder:
        pieces: list[Path] = []
        piece: list[Happening] = []

        def put() -> None:
            piece.sort(key=_TIME)
            path = Path(folder) / str(len(pieces))
            with path.open("wb") as file:
                for one in piece:
                    data = encoder.encode(one)
                    file.write(len(data).to_bytes(4, "little") + data)
            pieces.append(path)
            piece.clear()

        def taken(path: Path) -> Iterator[Happening]:
            with path.open("rb") as file:
                while head := file.read(4):
                    yield decoder.decode(file.read(int.from_bytes(head, "little")))

        for happening in happenings:
            piece.append(happening)
            if len(piece) >= PIECE:
                put()
        put()
        told()
        yield from heapq.merge(*(taken(path) for path in pieces), key=_TIME)
