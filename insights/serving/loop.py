"""Runs a process's work on its event loop, and tells it by signal that it is to end."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Runs ``main`` on uvloop; an interrupt, a termination or a hang-up sets the event, a second one ends at once.

    A process of a group ends with its parent, and leaves interrupts to it.
    """
    parent = multiprocessing.parent_process()

    async def with_signals() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def told(number: int) -> None:
            if stop.is_set():
                os._exit(128 + number)
            stop.set()

        loop.add_signal_handler(signal.SIGTERM, told, signal.SIGTERM)
        if parent is None:
            loop.add_signal_handler(signal.SIGINT, told, signal.SIGINT)
            # A terminal that is closed; nohup has it ignored.
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
                loop.add_signal_handler(signal.SIGHUP, told, signal.SIGHUP)
        else:
            loop.add_reader(parent.sentinel, stop.set)
        await main(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(with_signals())
