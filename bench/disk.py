"""What the disk alone would take: as many bytes as a POST adds to PostgreSQL's log, by the same timetable, made durable
before anybody is told, and gathered while the last are being written. Nobody who commits can be faster on this disk.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from bench.load import Run

BYTES: Final = 4_750
"""What `pg_current_wal_lsn` grew by for a POST of ten events, 3,300 of them a second."""
SEGMENT: Final = 16 * 2**20
"""PostgreSQL's log is written into files of this size that are there already."""


def commits(folder: Path, rate: float, seconds: float) -> Run:
    """``rate`` arrivals a second, each timed until the disk has said that it keeps it."""
    run, count = Run(), int(rate * seconds)
    piece = os.urandom(SEGMENT)
    file = os.open(folder / "commits", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(file, piece, 0)
        os.fsync(file)
        began = time.perf_counter()
        done, place = 0, 0
        while done < count:
            passed = time.perf_counter() - began
            arrived = min(int(passed * rate) + 1, count) - done
            if not arrived:
                time.sleep(max(0.0, done / rate - passed))
                continue
            size = min(arrived * BYTES, SEGMENT)
            place = 0 if place + size > SEGMENT else place
            os.pwrite(file, piece[:size], place)
            os.fdatasync(file)
            place += size
            durable = time.perf_counter() - began
            run.latencies += [durable - each / rate for each in range(done, done + arrived)]
            done += arrived
        run.seconds = time.perf_counter() - began
    finally:
        os.close(file)
        (folder / "commits").unlink()
    return run
