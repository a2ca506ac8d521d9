"""Reads the lines of exported files one after the other, packed or not, and knows how far it has come."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from insights.errors import Refused

LONGEST_LINE: Final = 4_000_000
"""Bytes; what is behind them on a line is passed over."""


class Lines:
    """The lines of files, one after the other, gzip or not; knows how much of them has been read.

    ``read`` and ``size`` are in bytes as they lie on the disk. Raises Refused when a file cannot be read.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = list(paths)
        self.size = 0
        self._before = 0
        self._now: IO[bytes] | None = None
        for path in self.paths:
            try:
                self.size += path.stat().st_size
            except OSError as error:
                raise _unopened(path, error) from None

    @property
    def read(self) -> int:
        """Bytes read so far."""
        return self._before + (self._now.tell() if self._now is not None else 0)

    def of(self, path: Path) -> Iterator[tuple[int, bytes]]:
        """(line number from 1, line) of one file."""
        try:
            with path.open("rb") as raw:
                magic = raw.read(4)
                raw.seek(0)
                if magic.startswith(b"PK"):
                    raise Refused(f"{path} is a ZIP archive: unpack it and pass what is in it.")
                if magic == b"PAR1":
                    raise Refused(f"{path} is a Parquet file: export the table as newline-delimited JSON instead.")
                self._now = raw
                lines = gzip.GzipFile(fileobj=raw) if magic.startswith(b"\x1f\x8b") else raw
                number = 0
                while line := lines.readline(LONGEST_LINE):
                    number += 1
                    yield number, line
                    while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                        line = lines.readline(LONGEST_LINE)
                self._before += raw.tell()
                self._now = None
        except (OSError, EOFError) as error:
            raise _unopened(path, error) from None


def _unopened(path: Path, error: Exception) -> Refused:
    why = getattr(error, "strerror", None) or str(error)
    return Refused(f"{path} cannot be read ({why}): pass the path of an export.")
