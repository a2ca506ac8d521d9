"""Forks `whyleft` processes out of one that has read their code already: each is up sooner, and dies like any other.

A thousand workers that are killed are started a thousand times; reading the code anew would take most of the machine.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time

from bench.processes import Process

READ = ("insights.cli", "insights.cli.worker", "uvicorn", "uvicorn.protocols.http.h11_impl")


class Mother:
    """Starts processes by forking; stopped, it takes those that are left along."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.chaos.mother"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def fork(self, environment: dict[str, str], command: list[str]) -> int:
        """The process id of a new process that runs ``command``."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a mother is spoken to through pipes")
        self._process.stdin.write(json.dumps([environment, command]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def stop(self) -> None:
        """Ends it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)


class Forked(Process):
    """A process of the command that a mother forks."""

    def __init__(self, mother: Mother, environment: dict[str, str], command: str) -> None:
        super().__init__(environment, command)
        self._mother = mother
        self._pid = 0

    @property
    def pid(self) -> int:
        return self._pid

    def start(self) -> None:
        self._pid = self._mother.fork(self._environment, self._command)

    def is_alive(self) -> bool:
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        self._end(signal.SIGKILL, 10)

    def stop(self) -> None:
        if self._pid and not self._end(signal.SIGTERM, 60):
            self.kill()

    def _end(self, by: signal.Signals, within: float) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, by)
        until = time.monotonic() + within
        while self.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        return not self.is_alive()


def main() -> None:
    """Reads the code, then forks what each line on its input asks for, until that ends."""
    for module in READ:
        importlib.import_module(module)
    # Nobody waits for the children here: the system forgets them as they end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    children: list[int] = []
    for line in sys.stdin:
        environment, command = json.loads(line)
        if not (child := os.fork()):
            _become(environment, command)
        children.append(child)
        print(child, flush=True)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _become(environment: dict[str, str], command: list[str]) -> None:
    from insights.cli import main as whyleft

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    try:
        whyleft()
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
