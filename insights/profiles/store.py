"""The live profiles of a process: where a visitor's is found, and never two of one visitor at a time.

A profile is a copy of what the database holds of a visitor, and says of how much. The write path compares that at each
commit (``events/claims``), so that a copy may stand anywhere, in this process or in a store that several share, and
grow old there: whoever used it finds out, and it is built again.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from uuid import UUID

from msgspec import Struct

from insights.profiles.profile import Profile

CAPACITY: Final = 100_000
IDLE_SECONDS: Final = 1800.0


class Copy(Struct, gc=False):
    """A profile, and the visitor's version that it stands for once all who use it now have committed.

    ``users``: requests that use it now. Hidden from the garbage collector like the profile itself.
    """

    profile: Profile
    version: int = 0
    users: int = 0


Load = Callable[[], Awaitable[Copy]]


async def load_nothing() -> Copy:
    """What is loaded of somebody of whom nothing can be stored yet."""
    return Copy(Profile())


class LiveProfiles(ABC):
    """Copies by visitor. One a process, used by its one event loop."""

    @property
    def trouble(self) -> str | None:
        """What is wrong and can be done without, as a sentence; None when nothing is."""
        return None

    @property
    def failures(self) -> int:
        """How often something was."""
        return 0

    async def start(self) -> None:  # noqa: B027
        """Gets ready; raises nothing."""

    async def stop(self) -> None:  # noqa: B027
        """Gives back what it holds."""

    def at_hand(self, project_id: UUID, visitor_id: UUID, *, new: bool = False) -> Copy | None:
        """The copy, taken, where it is to be had without waiting; None where only ``take`` can tell.

        ``new``: they have just come (``profiles/newcomers``), and where nobody knows them an empty copy is begun.
        """
        return None

    @abstractmethod
    async def take(self, project_id: UUID, visitor_id: UUID, load: Load) -> Copy:
        """The copy at hand, or else the one that ``load`` builds; callers that meet share one.

        Each ``take`` is followed by ``keep`` or ``forget``. What ``load`` raises reaches all who wait and is
        forgotten: the next call loads again. A caller that is cancelled takes nobody else's answer away.
        """

    @abstractmethod
    def keep(self, project_id: UUID, visitor_id: UUID, copy: Copy) -> None:
        """``copy`` is as the database has it now, apart from what others who use it have still to commit."""

    @abstractmethod
    def forget(self, project_id: UUID, visitor_id: UUID) -> None:
        """Drops a visitor, also one who is just being loaded: whoever waits still gets an answer, nobody keeps it."""

    def forget_all(self, project_id: UUID, visitor_ids: Iterable[UUID]) -> None:
        """Drops several visitors of a project."""
        for visitor_id in visitor_ids:
            self.forget(project_id, visitor_id)

    @abstractmethod
    def __len__(self) -> int:
        """How many are at hand in this process."""


class Loading:
    """Loads under way: callers that want the same visitor share one. ``found`` is told of each that is still wanted."""

    def __init__(self, found: Callable[[UUID, UUID, Copy], None]) -> None:
        self._found = found
        self._under_way: dict[tuple[UUID, UUID], asyncio.Task[Copy]] = {}

    async def __call__(self, project_id: UUID, visitor_id: UUID, load: Load) -> Copy:
        """What ``load`` returns, or another caller's. Raises what it raises."""
        key = (project_id, visitor_id)
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._load(key, load))
            task.add_done_callback(_heard)
        return await asyncio.shield(task)

    def forget(self, project_id: UUID, visitor_id: UUID) -> None:
        """Nobody keeps what is being loaded of this visitor."""
        self._under_way.pop((project_id, visitor_id), None)

    async def _load(self, key: tuple[UUID, UUID], load: Load) -> Copy:
        try:
            copy = await load()
            if self._under_way.get(key) is asyncio.current_task():
                self._found(*key, copy)
            return copy
        finally:
            if self._under_way.get(key) is asyncio.current_task():
                del self._under_way[key]


def _heard(task: asyncio.Task[Copy]) -> None:
    # When every caller was cancelled, nobody is left to hear of a failure.
    if not task.cancelled():
        task.exception()
