"""Kills a process and all that it started with signal 9: `python -m bench.chaos.felling PID`.

Prints when it began to, as `time.perf_counter` tells it: the machine's clock, that of every process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

import psutil


def main() -> None:
    parent = psutil.Process(int(sys.argv[1]))
    # The parent first, so that it starts no others.
    pids = [parent.pid, *(child.pid for child in parent.children(recursive=True))]
    print(time.perf_counter())
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
