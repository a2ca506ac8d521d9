"""Two links of one person, opened at the same moment: one wins, the other is told so, and nobody meets an error."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text

from adapters.postgres.engine import Database
from insights.access import member_passwords, members
from insights.access.roles import Role
from insights.errors import Conflict, NotFound
from insights.models import Member, Project
from tests.viewer.people import PASSWORD, QUICK, make_member
from tests.viewer.seed import NOW
from tests.viewer.test_members import browser, email, enter, invited

ANOTHER = "another sentence, just as long"


async def until_done_or_waiting(database: Database, other: asyncio.Event) -> None:
    """Returns once ``other`` is set, or somebody in this database waits for a lock."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(30):
        while not other.is_set():
            async with database.transaction(None) as tx:
                if await tx.scalar(text(waits)):
                    return


async def password_of(database: Database, address: str) -> str | None:
    async with database.transaction(None) as tx:
        member = await members.member_named(tx, address)
        return None if member is None else member.password


async def test_two_links_to_a_new_password_at_once_set_one(database: Database, project_id: UUID) -> None:
    member_id = await make_member(database, project_id, address := email())
    async with database.transaction(None) as tx:
        links = [await member_passwords.offer_reset(tx, member_id, NOW) for _ in range(2)]
    hashes = [await QUICK.hash(PASSWORD), await QUICK.hash(ANOTHER)]
    second_holds = asyncio.Event()

    async def second() -> None:
        async with database.transaction(None) as tx:
            await member_passwords.reset_of(tx, links[1], NOW)
            second_holds.set()
            await member_passwords.set_password(tx, member_id, hashes[1], NOW)

    async with database.transaction(None) as tx:
        await member_passwords.reset_of(tx, links[0], NOW)
        other = asyncio.create_task(second())
        await until_done_or_waiting(database, second_holds)
        await member_passwords.set_password(tx, member_id, hashes[0], NOW)
    [lost] = await asyncio.gather(other, return_exceptions=True)
    assert isinstance(lost, NotFound)
    assert await password_of(database, address) == hashes[0]


async def two_projects(database: Database, project_id: UUID) -> list[UUID]:
    elsewhere = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=elsewhere, name=f"shop-{elsewhere}", allowed_origins=[], created_at=NOW))
    return [project_id, elsewhere]


async def accepted_at_once(database: Database, address: str, projects: list[UUID], hashes: list[str]) -> Any:
    """Both invitations are looked up, then accepted one while the other is not yet committed; how the second fared."""
    links = [await invited(database, one, address, Role.EDITOR) for one in projects]
    over = asyncio.Event()

    async def second() -> None:
        try:
            async with database.transaction(None) as tx:
                invitation, _ = await members.invitation_of(tx, links[1], NOW)
                await members.accept(tx, invitation, hashes[1], NOW)
        finally:
            over.set()

    async with database.transaction(None) as tx:
        invitation, _ = await members.invitation_of(tx, links[0], NOW)
        await members.accept(tx, invitation, hashes[0], NOW)
        other = asyncio.create_task(second())
        await until_done_or_waiting(database, over)
    [fared] = await asyncio.gather(other, return_exceptions=True)
    return fared


async def test_two_projects_invitations_at_once_make_one_member_with_one_password(
    database: Database, project_id: UUID
) -> None:
    projects, address = await two_projects(database, project_id), email()
    hashes = [await QUICK.hash(PASSWORD), await QUICK.hash(ANOTHER)]
    assert isinstance(await accepted_at_once(database, address, projects, hashes), Conflict)
    assert await password_of(database, address) == hashes[0]


async def test_who_had_no_password_and_accepts_two_invitations_at_once_has_the_first(
    database: Database, project_id: UUID
) -> None:
    first, elsewhere = await two_projects(database, project_id)
    third = (await two_projects(database, project_id))[1]
    address = email()
    async with database.transaction(None) as tx:  # let in by a proxy, which has their password
        invitation, _ = await members.invitation_of(tx, await invited(database, first, address), NOW)
        await members.accept(tx, invitation, None, NOW)
    hashes = [await QUICK.hash(PASSWORD), await QUICK.hash(ANOTHER)]
    assert isinstance(await accepted_at_once(database, address, [elsewhere, third], hashes), Conflict)
    assert await password_of(database, address) == hashes[0]


async def test_an_address_of_a_domain_beyond_ascii_logs_in_as_it_was_invited(
    database: Database, project_id: UUID
) -> None:
    address = f"Ada-{uuid4()}@Bücher.example"
    await make_member(database, project_id, address)
    async with database.transaction(project_id) as tx:
        [stored] = await tx.scalars(select(Member.email).where(Member.email == members.email_of(address)))
    decomposed = address.replace("ü", "u\u0308")
    async with browser(database) as client:
        for typed in (address, address.upper(), decomposed, stored):
            assert (await enter(client, typed)).status_code == 303, typed
