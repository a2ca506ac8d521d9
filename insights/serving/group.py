"""Runs several processes of one kind and replaces those that die.

The parent does no work of its own. It holds the listening sockets, so that a connection made while a process is being
replaced waits for the next one instead of being refused.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, Final

import structlog

log = structlog.get_logger()

HEALTHY_AFTER: Final = 30.0
DEATHS_IN_A_ROW: Final = 5
ENDS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LONGEST_PAUSE: Final = 5.0
EXIT_AFTER_DRAIN: Final = 10.0
"""How much longer than its drain a process may take before it is killed."""


@dataclass(slots=True)
class _Member:
    """One place in the group and the process that fills it now."""

    arguments: tuple[Any, ...]
    process: BaseProcess
    began: float
    deaths: int = 0
    again_at: float | None = None


@dataclass(slots=True)
class Group:
    """Processes that each run ``target(*arguments)``: importable, because each is a fresh interpreter.

    ``drain_seconds``: how long a process may take to end after SIGTERM.
    """

    target: Callable[..., None]
    drain_seconds: float
    _members: list[_Member] = field(default_factory=list)
    _told: int = 0

    def run(self, places: Sequence[tuple[Any, ...]]) -> int:
        """Runs one process for each of ``places`` until told to end; returns the exit code.

        Each of ``ENDS`` drains them all; a second one kills them. A process that dies is replaced, after a growing
        pause when it keeps dying; one that never lasts, or says that its settings are wrong (EX_CONFIG), ends the group
        with code 1.
        """
        # nohup has a hang-up ignored, and so it stays.
        told = [number for number in ENDS if signal.getsignal(number) is not signal.SIG_IGN]
        previous = {number: signal.signal(number, self._tell) for number in told}
        try:
            self._members = [_Member(place, self._start(place), time.monotonic()) for place in places]
            while not self._told:
                self._wait()
                if not self._told and not self._replace():
                    self._end(signal.SIGTERM)
                    self._drain()
                    return 1
            return self._drain()
        finally:
            for member in self._members:
                if member.process.is_alive():
                    member.process.kill()
                member.process.join()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _start(self, arguments: tuple[Any, ...]) -> BaseProcess:
        process = multiprocessing.get_context("spawn").Process(target=_child, args=(self.target, arguments))
        process.start()
        return process

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self._told += 1
        self._end(signal.SIGTERM if self._told == 1 else signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        for member in self._members:
            if member.process.pid is not None and member.process.is_alive():
                os.kill(member.process.pid, number)

    def _wait(self) -> None:
        """Until a process ends or is to start again, a second at most. A signal's handler runs in between."""
        now = time.monotonic()
        seconds = min([1.0, *(member.again_at - now for member in self._members if member.again_at is not None)])
        alive = [member.process.sentinel for member in self._members if member.again_at is None]
        if alive:
            wait(alive, max(seconds, 0.0))
        else:
            time.sleep(max(seconds, 0.0))

    def _replace(self) -> bool:
        """Starts again what died; False when one of them never lasts, or would end for its settings again."""
        now = time.monotonic()
        for member in self._members:
            if member.again_at is None and not member.process.is_alive():
                if member.process.exitcode == os.EX_CONFIG:
                    return False
                lasted = now - member.began > HEALTHY_AFTER
                member.deaths = 1 if lasted else member.deaths + 1
                if member.deaths > DEATHS_IN_A_ROW:
                    log.error("process_never_lasts", exit_code=member.process.exitcode, deaths=member.deaths)
                    return False
                pause = min(0.1 * 2 ** (member.deaths - 1), LONGEST_PAUSE)
                log.warning("process_died", exit_code=member.process.exitcode, again_in_seconds=pause)
                member.again_at = now + pause
            if member.again_at is not None and now >= member.again_at:
                member.process.close()
                member.process, member.began, member.again_at = self._start(member.arguments), now, None
        return True

    def _drain(self) -> int:
        deadline = time.monotonic() + self.drain_seconds + EXIT_AFTER_DRAIN
        while (left := deadline - time.monotonic()) > 0:
            alive = [member.process.sentinel for member in self._members if member.process.is_alive()]
            if not alive:
                break
            wait(alive, min(left, 1.0))
        # One that was told before it could listen dies of the signal itself, and had nothing in hand. A terminal's end
        # tells it without us.
        ordered = (0, *(-number for number in ENDS))
        return 0 if all(member.process.exitcode in ordered for member in self._members) else 1


def _child(target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    # Ctrl-C in a terminal, or its end, reaches the whole group: the parent alone passes it on, once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    target(*arguments)
