"""Reads the profiles that this process does not hold, many visitors in one transaction.

There is no timer: while one read runs, the next ones gather. Most visitors whom a process does not know are new to the
shop as well, and one query tells so for all of them. The histories of the others are read a few at a time.
"""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from adapters.postgres.engine import Database
from adapters.postgres.pipe import Pipe, PipeBroken
from insights.identity.together import visitors_together
from insights.profiles.profile import Profile
from insights.profiles.rebuild_many import rebuild_many
from insights.profiles.store import Copy

MOST_AT_ONCE: Final = 200
"""Visitors looked for in one query."""

HISTORIES_AT_ONCE: Final = 8
"""Visitors whose events are read together. What becomes of their rows holds everybody else's requests up: 9 ms for so
many visits of a hundred events each, 170 ms for all that one query finds."""

# One array, so that the statement is the same for any number of visitors and stays prepared. It comes first: what is
# committed before the events are read makes the copy newer than it says, which is found out, and never older.
_KNOWN = "SELECT json_object_agg(id, version) FROM visitor WHERE project_id = %(project)s AND id = ANY(%(ids)s)"

_Waiting = dict[UUID, asyncio.Future[Copy]]


class ProfileLoader:
    """Loads profiles for one process. A visitor asked for twice at the same time is read once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pipe = Pipe(database.urls)
        self._waiting: dict[UUID, _Waiting] = {}
        self._reading: dict[UUID, asyncio.Task[None]] = {}

    async def load(self, project_id: UUID, visitor_id: UUID) -> Copy:
        """The profile of what is stored of a visitor, and its version; an empty one for somebody new.

        Raises what the database raises.
        """
        waiting = self._waiting.setdefault(project_id, {})
        done = waiting.get(visitor_id)
        if done is None:
            done = waiting[visitor_id] = asyncio.get_running_loop().create_future()
        if project_id not in self._reading:
            self._reading[project_id] = asyncio.create_task(self._read_all(project_id), name="profile loader")
        # Shielded: whoever hangs up must not take the answer from the others who wait for it.
        return await asyncio.shield(done)

    async def _read_all(self, project_id: UUID) -> None:
        try:
            while waiting := self._waiting.pop(project_id, None):
                items = list(waiting.items())
                for start in range(0, len(items), MOST_AT_ONCE):
                    await self._read(project_id, dict(items[start : start + MOST_AT_ONCE]))
        finally:
            del self._reading[project_id]

    async def _read(self, project_id: UUID, waiting: _Waiting) -> None:
        try:
            await self._tell(project_id, waiting)
        except (DBAPIError, OSError, TimeoutError) as error:
            for done in waiting.values():
                if not done.done():
                    done.set_exception(error)
                    done.exception()  # Heard here too, for the case that everybody who waited has hung up.
        except BaseException:
            for done in waiting.values():
                done.cancel()
            raise

    async def close(self) -> None:
        """Gives its connection back."""
        await self._pipe.close()

    async def _known(self, project_id: UUID, visitor_ids: list[UUID]) -> dict[str, int]:
        """Visitor, as text → version, of those who are stored."""
        statement = (_KNOWN, {"project": project_id, "ids": visitor_ids})
        try:
            (answer,) = await self._pipe.run(project_id, [statement])
        except PipeBroken:
            # The server may have been restarted since the last visitor came.
            (answer,) = await self._pipe.run(project_id, [statement])
        return answer[0] or {} if answer else {}

    async def _tell(self, project_id: UUID, waiting: _Waiting) -> None:
        """Tells each who waits: at once of whom nothing is stored, of the others some at a time."""
        known = await self._known(project_id, list(waiting))
        versions = {UUID(name): version for name, version in known.items()}
        for visitor_id in waiting.keys() - versions.keys():
            waiting[visitor_id].set_result(Copy(Profile()))
        stored = list(versions)
        for start in range(0, len(stored), HISTORIES_AT_ONCE):
            async with self._database.transaction(project_id) as tx:
                people = await visitors_together(tx, project_id, stored[start : start + HISTORIES_AT_ONCE])
                profiles = await rebuild_many(tx, project_id, people)
            for visitor_id, profile in profiles.items():
                waiting[visitor_id].set_result(Copy(profile, versions[visitor_id]))
