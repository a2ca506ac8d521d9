"""The live profiles of a process: the one in memory, or the one rebuilt, and never two of one visitor at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from uuid import UUID

from adapters.live.memory import MemoryStore
from insights.profiles.profile import Profile
from insights.vocabulary.ids import ProjectId, VisitorId

CAPACITY: Final = 100_000
IDLE_SECONDS: Final = 1800.0
"""Past this a visitor may have been at another process meanwhile: what it wrote is read again."""


class LiveProfiles:
    """Profiles by visitor. One a process, used by its one event loop."""

    def __init__(self, *, capacity: int = CAPACITY, idle_seconds: float = IDLE_SECONDS) -> None:
        self._store: MemoryStore[Profile] = MemoryStore(capacity=capacity, idle_seconds=idle_seconds)
        self._loading: dict[tuple[UUID, UUID], asyncio.Task[Profile]] = {}

    def __len__(self) -> int:
        return len(self._store)

    def get(self, project_id: ProjectId | UUID, visitor_id: VisitorId | UUID) -> Profile | None:
        """The profile in memory, if any."""
        return self._store.get(project_id, visitor_id)

    async def get_or_rebuild(
        self, project_id: ProjectId | UUID, visitor_id: VisitorId | UUID, load: Callable[[], Awaitable[Profile]]
    ) -> Profile:
        """The profile in memory, or else the one that ``load`` builds; callers that meet share one load.

        What ``load`` raises reaches all of them and is forgotten: the next call loads again. A caller that is
        cancelled takes nobody else's answer away.
        """
        profile = self._store.get(project_id, visitor_id)
        if profile is not None:
            return profile
        key = (project_id, visitor_id)
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._load(key, load))
            task.add_done_callback(_heard)
        return await asyncio.shield(task)

    def forget(self, project_id: ProjectId | UUID, visitor_id: VisitorId | UUID) -> None:
        """Drops a visitor, also one who is just being loaded: whoever waits still gets an answer, nobody keeps it."""
        self._store.forget(project_id, visitor_id)
        self._loading.pop((project_id, visitor_id), None)

    def forget_all(self, project_id: ProjectId | UUID, visitor_ids: Iterable[VisitorId | UUID]) -> None:
        """Drops several visitors of a project."""
        for visitor_id in visitor_ids:
            self.forget(project_id, visitor_id)

    async def _load(self, key: tuple[UUID, UUID], load: Callable[[], Awaitable[Profile]]) -> Profile:
        try:
            profile = await load()
            if self._loading.get(key) is asyncio.current_task():
                self._store.put(*key, profile)
            return profile
        finally:
            if self._loading.get(key) is asyncio.current_task():
                del self._loading[key]


def _heard(task: asyncio.Task[Profile]) -> None:
    # When every caller was cancelled, nobody is left to hear of a failure.
    if not task.cancelled():
        task.exception()
