"""Decides when what floods goes on: while nothing of the others is under way, one thing at a time.

So whoever sends no more than they may waits for one request of a flood at most, and hardly ever for that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final
from uuid import UUID

LONGEST_SECONDS: Final = 0.05
"""For which anything waits for a lull: a process that others keep busy has none."""


class _Next:
    """What waits. ``timer``: when it waits no longer."""

    __slots__ = ("project_id", "step", "timer")

    def __init__(self, project_id: UUID, step: Callable[[], None], timer: asyncio.TimerHandle) -> None:
        self.project_id = project_id
        self.step = step
        self.timer = timer


class Lulls:
    """What waits for one. ``busy``: whether something of others than this project is under way."""

    def __init__(self, busy: Callable[[UUID], bool]) -> None:
        self._busy = busy
        self._waiting: deque[_Next] = deque()
        self._going_on: asyncio.Handle | None = None

    def run(self, project_id: UUID, step: Callable[[], None]) -> None:
        """Has ``step`` called in the next lull, after those that wait already; at once where there is one now."""
        if not self._waiting and not self._busy(project_id):
            step()
            return
        loop = asyncio.get_running_loop()
        self._waiting.append(_Next(project_id, step, loop.call_later(LONGEST_SECONDS, self._waited_enough)))

    async def come(self, project_id: UUID) -> None:
        """Returns in the next lull."""
        if not self._waiting and not self._busy(project_id):
            return
        turn = asyncio.get_running_loop().create_future()
        self.run(project_id, lambda: None if turn.done() else turn.set_result(None))
        await turn

    def ended(self) -> None:
        """Something that was under way has ended."""
        if self._waiting and self._going_on is None:
            self._going_on = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._going_on = None
        if self._waiting and not self._busy(self._waiting[0].project_id):
            self._step()
            # The next in another turn of the event loop: what has arrived meanwhile comes first.
            self.ended()

    def _waited_enough(self) -> None:
        # Timers ring in the order in which they were set: it is the first that has waited for so long.
        self._step()

    def _step(self) -> None:
        first = self._waiting.popleft()
        first.timer.cancel()
        first.step()
