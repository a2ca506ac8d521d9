"""Live profiles in the memory of this process, for visitors whom the balancer always sends here."""

from __future__ import annotations

from uuid import UUID

from adapters.live.memory import MemoryStore
from insights.profiles.profile import Profile
from insights.profiles.store import CAPACITY, IDLE_SECONDS, Copy, LiveProfiles, Load, Loading


class ProfilesInMemory(LiveProfiles):
    """At most ``capacity`` visitors, each until nobody asked for them for ``idle_seconds``."""

    def __init__(self, *, capacity: int = CAPACITY, idle_seconds: float = IDLE_SECONDS) -> None:
        self._store: MemoryStore[Copy] = MemoryStore(capacity=capacity, idle_seconds=idle_seconds)
        self._loading = Loading(self._store.put)

    def __len__(self) -> int:
        return len(self._store)

    def at_hand(self, project_id: UUID, visitor_id: UUID, *, new: bool = False) -> Copy | None:
        """See LiveProfiles."""
        copy = self._store.get(project_id, visitor_id)
        if copy is None and new:
            copy = Copy(Profile())
            self._store.put(project_id, visitor_id, copy)
        return copy

    async def take(self, project_id: UUID, visitor_id: UUID, load: Load) -> Copy:
        """See LiveProfiles."""
        copy = self._store.get(project_id, visitor_id)
        return copy if copy is not None else await self._loading(project_id, visitor_id, load)

    def keep(self, project_id: UUID, visitor_id: UUID, copy: Copy) -> None:
        """See LiveProfiles."""
        if not self._store.holds(project_id, visitor_id, copy):
            # Dropped while it was used. The one that was loaded since may lack what was committed just now.
            self.forget(project_id, visitor_id)

    def forget(self, project_id: UUID, visitor_id: UUID) -> None:
        """See LiveProfiles."""
        self._store.forget(project_id, visitor_id)
        self._loading.forget(project_id, visitor_id)
