"""Passwords under attack: changed while one is compared, hashed for nobody, spelled otherwise, tried by a crowd."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from adapters.postgres.acting import Actor, acting
from adapters.postgres.engine import Database
from insights.access import member_passwords, members
from insights.access.passwords import LONGEST, MOST_WAITING, Passwords, Verdict
from insights.errors import TooMany
from insights.models import AuditEntry, Project
from tests.viewer.conftest import hidden
from tests.viewer.people import PASSWORD, QUICK, enter, make_member
from tests.viewer.seed import NOW
from tests.viewer.test_members import accept, browser, email, invited, is_in

NEW = "another sentence, just as long"
EARLIER = NOW - timedelta(days=1)


class Watched(Passwords):
    """Counts what is hashed, and waits within a comparison until it is let go on."""

    def __init__(self, hasher: PasswordHasher) -> None:
        super().__init__(hasher)
        self.hashed = 0
        self.compared = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def hash(self, password: str) -> str:
        self.hashed += 1
        hashed = await super().hash(password)
        self.compared.set()
        await self.go_on.wait()
        return hashed

    async def verify(self, stored: str | None, password: str) -> Verdict:
        verdict = await super().verify(stored, password)
        self.compared.set()
        await self.go_on.wait()
        return verdict


def quick(memory: int = 8) -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=memory, parallelism=1)


async def another_project(database: Database) -> UUID:
    project_id = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=project_id, name=f"shop-{project_id}", allowed_origins=[], created_at=NOW))
    return project_id


async def notes(database: Database, project_id: UUID, subject: str) -> list[AuditEntry]:
    async with database.transaction(project_id) as tx:
        asked = select(AuditEntry).where(AuditEntry.subject == subject, AuditEntry.change != "removed")
        return list((await tx.scalars(asked.order_by(AuditEntry.id))).all())


async def test_a_new_password_is_noted_in_each_project_of_its_member(database: Database, project_id: UUID) -> None:
    address, elsewhere = email(), await another_project(database)
    member_id = await make_member(database, project_id, address, now=EARLIER)
    await make_member(database, elsewhere, address, now=EARLIER)
    with acting(Actor("member", str(member_id), address, "192.0.2.0")):
        async with database.transaction(project_id) as tx:
            link = await member_passwords.offer_reset(tx, member_id, NOW)
            await member_passwords.set_password(tx, member_id, hashed := await QUICK.hash(NEW), NOW)
            # Noting goes through the other projects, and comes back to this one.
            assert {one.email for one in await members.members_of(tx, project_id)} == {address}
    for place in (project_id, elsewhere):
        *_, password = await notes(database, place, "member")
        [offered] = await notes(database, place, "link to a new password")
        assert (password.change, password.after, password.before) == ("changed", {"password": "•••"}, None)
        assert (password.subject_id, password.actor_name, password.address) == (str(member_id), address, "192.0.2.0")
        assert (offered.change, offered.after, offered.subject_id) == ("made", {"link": "•••"}, str(member_id))
        told = str([vars(password), vars(offered)])
        assert link not in told
        assert hashed not in told
    # Somebody else's project hears nothing.
    assert await notes(database, await another_project(database), "member") == []


async def test_who_sets_a_password_by_a_link_is_named_in_the_note(database: Database, project_id: UUID) -> None:
    member_id = await make_member(database, project_id, address := email(), now=EARLIER)
    async with database.transaction(None) as tx:
        link = await member_passwords.offer_reset(tx, member_id, NOW)
    async with browser(database) as client:
        form = await client.get("/app/password", params={"link": link})
        said = {"password": NEW, "again": NEW, "link": link, "token": hidden(form.text, "token")}
        assert (await client.post("/app/password", data=said)).status_code == 303
    *_, password = await notes(database, project_id, "member")
    assert (password.actor_kind, password.actor_id, password.actor_name) == ("member", member_id, address)


async def test_the_same_password_hashed_anew_is_no_change(database: Database, project_id: UUID) -> None:
    await make_member(database, project_id, address := email())
    before = len(await notes(database, project_id, "member"))
    async with browser(database, passwords=Passwords(quick(16))) as client:
        assert (await enter(client, address)).status_code == 303
    assert len(await notes(database, project_id, "member")) == before


async def test_nothing_is_hashed_for_a_made_up_link(database: Database) -> None:
    watched = Watched(quick())
    async with browser(database, passwords=watched) as client:
        form = await client.get("/app/login")
        cookie_of_forms = await client.get("/app/forgotten")
        assert (form.status_code, cookie_of_forms.status_code) == (200, 200)
        # A form for "password" is served for real links only; its token is worth trying with another link.
        said = {"password": NEW, "again": NEW, "link": "x" * 43, "token": hidden(form.text, "token")}
        assert (await client.post("/app/password", data=said)).status_code == 403
    assert watched.hashed == 0


async def test_a_link_that_was_used_costs_no_hash_any_more(database: Database, project_id: UUID) -> None:
    member_id = await make_member(database, project_id, email())
    async with database.transaction(None) as tx:
        link = await member_passwords.offer_reset(tx, member_id, NOW)
    watched = Watched(quick())
    async with browser(database, passwords=watched) as client:
        form = await client.get("/app/password", params={"link": link})
        said = {"password": NEW, "again": NEW, "link": link, "token": hidden(form.text, "token")}
        assert (await client.post("/app/password", data=said)).status_code == 303
        for _ in range(3):
            assert (await client.post("/app/password", data=said)).status_code == 404
    assert watched.hashed == 1


async def test_a_login_does_not_outlive_a_password_that_was_changed_while_it_was_compared(
    database: Database, project_id: UUID
) -> None:
    member_id = await make_member(database, project_id, address := email())
    watched = Watched(quick())
    async with browser(database, passwords=watched) as thief:
        watched.go_on.clear()
        entering = asyncio.create_task(enter(thief, address))
        await watched.compared.wait()
        async with database.transaction(None) as tx:
            await member_passwords.set_password(tx, member_id, await QUICK.hash(NEW), NOW)
        watched.go_on.set()
        assert (await entering).status_code != 303
        assert not await is_in(thief)


async def test_an_old_password_sets_no_new_one_after_it_was_changed(database: Database, project_id: UUID) -> None:
    member_id = await make_member(database, project_id, address := email())
    watched = Watched(quick())
    async with browser(database, passwords=watched) as thief, browser(database) as owner:
        await enter(thief, address)
        token = hidden((await thief.get("/app/settings/you")).text.split("/settings/you/password")[1], "token")
        said = {
            "current": PASSWORD,
            "password": "the thief's own words",
            "again": "the thief's own words",
            "token": token,
        }
        watched.compared.clear()
        watched.go_on.clear()
        changing = asyncio.create_task(thief.post("/app/settings/you/password", data=said))
        await watched.compared.wait()
        async with database.transaction(None) as tx:
            await member_passwords.set_password(tx, member_id, await QUICK.hash(NEW), NOW)
        watched.go_on.set()
        assert (await changing).status_code == 400
        assert not await is_in(thief)
        assert (await enter(owner, address, NEW)).status_code == 303


async def test_who_has_another_projects_invitation_is_not_let_in_as_who_chose_a_password_meanwhile(
    database: Database, project_id: UUID
) -> None:
    # Whoever invites somebody sees the link, and anybody may make a project to invite to.
    thiefs_link = await invited(database, await another_project(database), address := email())
    link = await invited(database, project_id, address)
    watched = Watched(quick())
    async with browser(database, passwords=watched) as thief, browser(database) as owner:
        watched.go_on.clear()
        entering = asyncio.create_task(accept(thief, thiefs_link, "the thief's own words"))
        await watched.compared.wait()
        assert (await accept(owner, link, PASSWORD)).status_code == 303
        watched.go_on.set()
        assert (await entering).status_code == 409
        assert not await is_in(thief)
        assert (await accept(thief, thiefs_link, "the thief's own words")).status_code == 401


async def test_hashing_anew_does_not_bring_an_old_password_back(database: Database, project_id: UUID) -> None:
    member_id = await make_member(database, project_id, address := email())
    watched = Watched(quick(16))
    async with browser(database, passwords=watched) as slow, browser(database) as client:
        watched.go_on.clear()
        entering = asyncio.create_task(enter(slow, address))
        await watched.compared.wait()
        async with database.transaction(None) as tx:
            await member_passwords.set_password(tx, member_id, await QUICK.hash(NEW), NOW)
        watched.go_on.set()
        await entering
        assert (await enter(client, address)).status_code == 401
        assert (await enter(client, address, NEW)).status_code == 303


async def test_an_umlaut_is_the_same_letter_on_every_keyboard() -> None:
    one_letter, two_letters = "h\u00f6chst geheime Kanne", "ho\u0308chst geheime Kanne"
    assert (await QUICK.verify(await QUICK.hash(one_letter), two_letters)).right
    assert (await QUICK.verify(await QUICK.hash(two_letters), one_letter)).right
    assert not (await QUICK.verify(await QUICK.hash(one_letter), "hochst geheime Kanne")).right
    assert not (await QUICK.verify(await QUICK.hash("x" * LONGEST), "x" * (LONGEST + 1))).right


async def test_a_crowd_at_the_login_is_sent_away_instead_of_kept() -> None:
    class Slow(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            release.wait(20)
            return True

    release = threading.Event()
    passwords = Passwords(Slow(time_cost=1, memory_cost=8, parallelism=1))
    stored = quick().hash(PASSWORD)
    crowd = [asyncio.create_task(passwords.verify(stored, PASSWORD)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await passwords.verify(stored, PASSWORD)
    release.set()
    assert all(verdict.right for verdict in await asyncio.gather(*crowd))
    assert (await passwords.verify(stored, PASSWORD)).right
