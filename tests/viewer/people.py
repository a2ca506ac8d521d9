"""Members of a project, made as they are made for real, with quick hashes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import httpx
from argon2 import PasswordHasher

from adapters.postgres.engine import Database
from insights.access import members
from insights.access.passwords import Passwords
from insights.access.roles import Role
from tests.viewer.seed import NOW

PASSWORD = "a sentence that nobody guesses"

QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


async def make_member(
    database: Database, project_id: UUID, email: str, role: Role = Role.ADMIN, *, now: datetime = NOW
) -> UUID:
    """Somebody who accepted an invitation."""
    async with database.transaction(project_id) as tx:
        _, link = await members.invite(tx, project_id, email, role, now)
    async with database.transaction(None) as tx:
        invitation, _ = await members.invitation_of(tx, link, now)
        known = await members.member_named(tx, email)
        hashed = known.password if known is not None else await QUICK.hash(PASSWORD)
        return await members.accept(tx, invitation, hashed, now)


async def enter(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    """Types e-mail address and password into the login form."""
    from tests.viewer.conftest import hidden

    form = await client.get("/app/login")
    return await client.post(
        "/app/login", data={"email": email, "password": password, "token": hidden(form.text, "token")}
    )
