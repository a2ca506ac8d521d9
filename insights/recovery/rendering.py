"""Lets what renders templates run beside the event loop, so that a slow one holds up nobody's requests or runs.

How long one may take and how much it may make is bounded where it is rendered (``bounded_liquid``): of its own thread's
time, so that one that waits for its turn is not cut short for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from insights.recovery.bounded_liquid import TooSlow
from insights.recovery.message_content import MessageContent
from insights.recovery.message_render import MessageBroken, MessageTemplates, Rendered

P = ParamSpec("P")
T = TypeVar("T")

THREADS: Final = 4
"""Projects whose templates are rendered at a time. Names are looked up and passwords compared by other threads."""


class Rendering:
    """Threads for templates: of each project one at a time, so that who has slow ones waits behind their own."""

    def __init__(self, templates: MessageTemplates) -> None:
        self.templates = templates
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rendering")
        self._lines: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def message(
        self, project_id: UUID, content: MessageContent, locale: str | None, values: Mapping[str, object]
    ) -> Rendered:
        """The message for somebody who reads ``locale``. Raises MessageBroken."""
        return await self.beside(project_id, self.templates.render, content, locale, values)

    async def texts(self, project_id: UUID, sources: Sequence[str], values: Mapping[str, object]) -> list[str]:
        """The short texts of a step, each as plain text. Raises MessageBroken."""
        return await self.beside(project_id, lambda: [self.templates.line(source, values) for source in sources])

    async def beside(self, project_id: UUID, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """What ``work`` returns, done in a thread once nothing else of the project is. Raises what it raises.

        What was too slow is done once more: who collects garbage or fetches a page from the disk just then makes any
        template slow, and a message that is skipped for it is never sent.
        """
        line = self._lines.setdefault(project_id, asyncio.Lock())
        async with line:
            try:
                return await self._done(partial(work, *given, **named))
            except MessageBroken as error:
                if not isinstance(error.__cause__, TooSlow):
                    raise
                return await self._done(partial(work, *given, **named))

    async def _done(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
