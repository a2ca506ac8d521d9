"""Live profiles in a Redis or Valkey that processes share, for visitors whom no balancer keeps at one of them.

A request waits for one round trip, the read; what it wrote leaves for Redis right after its commit and before its
answer. Requests of one visitor that meet in a process use one copy. Without Redis a process goes on with its own
memory and with PostgreSQL, and is as right as before: whoever was behind notices in the commit.
"""

from __future__ import annotations

from uuid import UUID

from adapters.live.memory import MemoryStore
from adapters.live.redis import RedisStore
from adapters.live.resp import RedisLost
from insights.profiles.encoding import ProfileUnreadable, decode, encode, layout
from insights.profiles.store import CAPACITY, IDLE_SECONDS, Copy, LiveProfiles, Load, Loading

_FORGOTTEN = -1


class ProfilesInRedis(LiveProfiles):
    """Each until nobody asked for it for ``idle_seconds``. ``timeout``: seconds that Redis may take to answer."""

    def __init__(
        self, url: str, *, timeout: float, capacity: int = CAPACITY, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._redis = RedisStore(url, layout=layout(), keep_seconds=idle_seconds, timeout=timeout)
        self._in_use: dict[bytes, Copy] = {}
        self._loading = Loading(_still_wanted)
        # What is at hand while Redis is not.
        self._memory: MemoryStore[Copy] = MemoryStore(capacity=capacity, idle_seconds=idle_seconds)

    def __len__(self) -> int:
        return len(self._in_use) + len(self._memory)

    @property
    def trouble(self) -> str | None:
        """See LiveProfiles."""
        if self._redis.lost:
            refused = self._redis.refused
            why = f"Redis takes no profiles ({refused})" if refused else "Redis cannot be reached"
            return f"{why}; profiles come from this process's memory and from PostgreSQL"
        return None

    @property
    def failures(self) -> int:
        """See LiveProfiles."""
        return self._redis.failures

    async def start(self) -> None:
        """See LiveProfiles."""
        await self._redis.start()

    async def stop(self) -> None:
        """See LiveProfiles."""
        await self._redis.stop()

    async def take(self, project_id: UUID, visitor_id: UUID, load: Load) -> Copy:
        """See LiveProfiles."""
        key = project_id.bytes + visitor_id.bytes
        copy = self._in_use.get(key)
        if copy is None:
            copy = await self._loading(project_id, visitor_id, lambda: self._find(project_id, visitor_id, load))
            if copy.users == _FORGOTTEN:
                return copy
            copy = self._in_use.setdefault(key, copy)
        copy.users += 1
        return copy

    def keep(self, project_id: UUID, visitor_id: UUID, copy: Copy) -> None:
        """See LiveProfiles."""
        key = project_id.bytes + visitor_id.bytes
        if self._in_use.get(key) is not copy:
            # Dropped while it was used. The one that was loaded since may lack what was committed just now.
            self.forget(project_id, visitor_id)
            return
        copy.users -= 1
        if copy.users:
            # It holds what others have still to commit: the last of them keeps it.
            return
        del self._in_use[key]
        if self._redis.lost:
            self._memory.put(project_id, visitor_id, copy)
        else:
            self._redis.put(project_id, visitor_id, copy.version, encode(copy.profile))
            if len(self._memory):
                self._memory.clear()

    def forget(self, project_id: UUID, visitor_id: UUID) -> None:
        """See LiveProfiles."""
        self._in_use.pop(project_id.bytes + visitor_id.bytes, None)
        self._loading.forget(project_id, visitor_id)
        self._memory.forget(project_id, visitor_id)
        self._redis.drop(project_id, visitor_id)

    async def _find(self, project_id: UUID, visitor_id: UUID, load: Load) -> Copy:
        copy = await self._at_hand(project_id, visitor_id) or await load()
        copy.users = _FORGOTTEN
        return copy

    async def _at_hand(self, project_id: UUID, visitor_id: UUID) -> Copy | None:
        try:
            found = await self._redis.fetch(project_id, visitor_id)
        except RedisLost:
            return self._memory.get(project_id, visitor_id)
        if found is None:
            return None
        version, value = found
        try:
            return Copy(decode(value), version)
        except ProfileUnreadable:
            self._redis.drop(project_id, visitor_id)
            return None


def _still_wanted(project_id: UUID, visitor_id: UUID, copy: Copy) -> None:
    copy.users = 0
