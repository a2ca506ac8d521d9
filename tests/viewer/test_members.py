"""Members: invited by a link that works once, logged in by password or proxy, slowed down, taken out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from ipaddress import IPv6Address
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, text

from adapters.channels.recording import RecordingChannel
from adapters.channels.smtp import SmtpChannel
from adapters.postgres.engine import Database
from insights.access import member_passwords, members
from insights.access.passwords import Passwords
from insights.access.post import Post
from insights.access.roles import Role
from insights.access.throttle import LONGEST_WAIT
from insights.errors import Conflict
from insights.models import Member, Project
from insights.viewer.gate import LOGIN_COOKIE
from tests.channels.servers import mail_server
from tests.viewer.conftest import hidden, viewer
from tests.viewer.people import PASSWORD, QUICK, enter, make_member
from tests.viewer.seed import NOW, Keys


class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def browser(database: Database, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at the viewer. ``trusted``: their requests come through the operator's proxy."""
    trusted = more.pop("trusted", False)
    app = viewer(database, Keys(), **({"passwords": QUICK} | more))

    async def behind_the_gate(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "whyleft.peer_trusted": trusted}, receive, send)

    # Each at an address of their own: what is counted of one must not slow down another test.
    address = (str(IPv6Address(uuid4().int)), 1)
    transport = httpx.ASGITransport(behind_the_gate, client=address)
    async with httpx.AsyncClient(transport=transport, base_url="http://viewer.test") as one:
        yield one


def email() -> str:
    return f"ada-{uuid4()}@example.org"


async def invited(database: Database, project_id: UUID, address: str, role: Role = Role.EDITOR) -> str:
    async with database.transaction(project_id) as tx:
        return (await members.invite(tx, project_id, address, role, NOW))[1]


async def accept(client: httpx.AsyncClient, link: str, password: str, again: str | None = None) -> httpx.Response:
    form = await client.get("/app/invitation", params={"link": link})
    if form.status_code != 200:
        return form
    said = {"password": password, "again": password if again is None else again}
    return await client.post("/app/invitation", data=said | {"link": link, "token": hidden(form.text, "token")})


async def is_in(client: httpx.AsyncClient) -> bool:
    return (await client.get("/app/sessions")).status_code == 200


async def test_an_invitation_makes_a_member_once(database: Database, project_id: UUID) -> None:
    address = email()
    link = await invited(database, project_id, address.upper())
    async with browser(database) as client:
        seen = await client.get("/app/invitation", params={"link": link})
        assert address in seen.text
        assert (await accept(client, link, "short")).status_code == 400
        assert (await accept(client, link, PASSWORD, "another one")).status_code == 400
        entered = await accept(client, link, PASSWORD)
        assert entered.status_code == 303
        assert await is_in(client)
    async with browser(database) as other:
        again = await accept(other, link, PASSWORD)
        assert (again.status_code, "does not work any more" in again.text) == (404, True)
        assert (await enter(other, f"  {address.upper()} ")).status_code == 303
        assert await is_in(other)
    async with database.transaction(project_id) as tx:
        [one] = await members.members_of(tx, project_id)
        stored = await tx.scalar(select(Member.password).where(Member.id == one.member_id))
    assert (one.email, one.role) == (address, Role.EDITOR)
    assert stored is not None
    assert stored.startswith("$argon2id$")


async def test_two_browsers_at_once_make_one_member(database: Database, project_id: UUID) -> None:
    link = await invited(database, project_id, email())
    async with browser(database) as one, browser(database) as other:
        answers = await asyncio.gather(accept(one, link, PASSWORD), accept(other, link, PASSWORD))
    assert sorted(answer.status_code for answer in answers) == [303, 404]


async def test_a_link_that_is_over_revoked_or_made_up_opens_nothing(
    database: Database, project_id: UUID, clock: Clock
) -> None:
    links = [await invited(database, project_id, email()) for _ in range(2)]
    async with database.transaction(project_id) as tx:
        newest, *_ = await members.invitations_of(tx, project_id, NOW)
        await members.revoke_invitation(tx, project_id, newest.id, NOW)
    async with browser(database, clock=clock) as client:
        for link in (links[1], "", "x" * 5000, "wl_s_x", "é"):
            assert (await client.get("/app/invitation", params={"link": link})).status_code == 404
        clock.now = NOW + members.INVITED_FOR
        assert (await accept(client, links[0], PASSWORD)).status_code == 404


async def test_a_member_joins_another_project_with_the_password_they_have(database: Database, project_id: UUID) -> None:
    address, other = email(), uuid4()
    await make_member(database, project_id, address)
    async with database.transaction(None) as tx:
        tx.add(Project(id=other, name=f"other-{other}", allowed_origins=[]))
    link = await invited(database, other, address)
    async with browser(database) as client:
        await enter(client, address)
        assert (await accept(client, link, "not the password they have")).status_code == 401
        assert (await accept(client, link, PASSWORD)).status_code == 303
        # Into the one they were invited to, not into the one where they were last.
        assert f"other-{other}" in (await client.get("/app/sessions")).text


@pytest.mark.parametrize("who", ["a member", "nobody"])
async def test_whether_there_is_such_an_account_does_not_show(
    database: Database, project_id: UUID, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = email()
    if who == "a member":
        await make_member(database, project_id, address)
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    await passwords.verify(None, "x")
    worked: list[str] = []
    matches = passwords._matches

    def counted(stored: str, password: str) -> bool:
        worked.append(password)
        return matches(stored, password)

    monkeypatch.setattr(passwords, "_matches", counted)
    said = []
    async with browser(database, passwords=passwords) as client:
        for _ in range(6):
            answer = await enter(client, address, "a wrong password")
            said.append((answer.status_code, "password is wrong" in answer.text, "Too many" in answer.text))
    assert said == [(401, True, False)] * 5 + [(429, False, True)]
    # As many hashes are worked out either way, so it takes as long.
    assert worked == ["a wrong password"] * 5


async def test_each_wrong_password_doubles_the_wait_also_for_the_right_one(
    database: Database, project_id: UUID, clock: Clock
) -> None:
    address = email()
    await make_member(database, project_id, address)
    async with browser(database, clock=clock) as client:
        for _ in range(5):
            await enter(client, address, "wrong")
        waits = []
        for _ in range(4):
            refused = await enter(client, address)
            waits.append(int(refused.headers["retry-after"]))
            clock.now += timedelta(seconds=waits[-1])
            assert (await enter(client, address, "wrong")).status_code == 401
        assert waits == [3, 5, 9, 17]
        for _ in range(12):
            clock.now += timedelta(seconds=int((await enter(client, address)).headers["retry-after"]))
            await enter(client, address, "wrong")
        longest = int((await enter(client, address)).headers["retry-after"])
        assert longest == LONGEST_WAIT.total_seconds() + 1
        clock.now += LONGEST_WAIT + timedelta(seconds=1)
        assert (await enter(client, address)).status_code == 303
        # The account starts anew; the address does not, or a thief would log into an account of their own in between.
        clock.now += LONGEST_WAIT + timedelta(seconds=1)
        assert (await enter(client, address, "wrong")).status_code == 401
        assert int((await enter(client, address)).headers["retry-after"]) == 5


async def test_many_guesses_at_once_are_not_more_guesses(database: Database, project_id: UUID) -> None:
    address = email()
    await make_member(database, project_id, address)
    async with browser(database) as client:
        form = await client.get("/app/login")
        said = {"email": address, "password": "wrong", "token": hidden(form.text, "token")}
        answers = await asyncio.gather(*(client.post("/app/login", data=said) for _ in range(40)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(401) == 5
    assert statuses.count(429) == 35


async def test_one_address_does_not_get_guesses_at_many_accounts(database: Database) -> None:
    async with browser(database) as client:
        statuses = [(await enter(client, email(), "wrong")).status_code for _ in range(25)]
    assert statuses == [401] * 21 + [429] * 4


@pytest.mark.parametrize("door", ["login", "forgotten"])
async def test_an_address_that_must_wait_makes_no_account_wait(
    database: Database, project_id: UUID, clock: Clock, door: str
) -> None:
    await make_member(database, project_id, address := email())
    shop: dict[str, Any] = {"clock": clock, "post": Post(RecordingChannel(), "http://viewer.test/app")}
    async with browser(database, **shop) as thief, browser(database, **shop) as owner:

        async def knock(one: httpx.AsyncClient, whose: str) -> int:
            token = hidden((await one.get(f"/app/{door}")).text, "token")
            said = {"email": whose, "password": "wrong", "token": token}
            return (await one.post(f"/app/{door}", data=said)).status_code

        assert [await knock(thief, email()) for _ in range(22)][-1] == 429
        assert [await knock(thief, address) for _ in range(20)] == [429] * 20
        assert await knock(owner, address) != 429
        assert (await enter(owner, address)).status_code == 303


async def test_a_hash_of_other_parameters_is_made_anew_at_the_next_login(database: Database, project_id: UUID) -> None:
    address = email()
    member_id = await make_member(database, project_id, address)

    async def stored() -> str:
        async with database.transaction(project_id) as tx:
            return str(await tx.scalar(select(Member.password).where(Member.id == member_id)))

    before = await stored()
    async with browser(database, passwords=Passwords(PasswordHasher(2, 16, 1))) as client:
        assert (await enter(client, address)).status_code == 303
        assert "t=2" in await stored() != before
        assert (await enter(client, address)).status_code == 303


async def test_a_role_given_or_taken_ends_the_login_and_holds_after_the_next(
    database: Database, project_id: UUID
) -> None:
    address = email()
    member_id = await make_member(database, project_id, address, Role.EDITOR)
    await make_member(database, project_id, email())
    async with browser(database) as client:
        await enter(client, address)
        before = client.cookies[LOGIN_COOKIE]
        async with database.transaction(project_id) as tx:
            await members.give_role(tx, project_id, member_id, Role.READER, NOW)
        assert not await is_in(client)
        await enter(client, address)
        assert client.cookies[LOGIN_COOKIE] != before
        assert await is_in(client)
        async with database.transaction(project_id) as tx:
            await members.remove_member(tx, project_id, member_id, NOW)
        assert not await is_in(client)
        nowhere = await enter(client, address)
        assert (nowhere.status_code, "belong to no project" in nowhere.text) == (403, True)


async def test_the_only_admin_stays_one(database: Database, project_id: UUID) -> None:
    only = await make_member(database, project_id, email())
    async with database.transaction(project_id) as tx:
        with pytest.raises(Conflict, match="only admin"):
            await members.give_role(tx, project_id, only, Role.EDITOR, NOW)
        with pytest.raises(Conflict, match="only admin"):
            await members.remove_member(tx, project_id, only, NOW)


async def test_a_link_sets_a_new_password_once_and_ends_every_login(database: Database, project_id: UUID) -> None:
    address = email()
    member_id = await make_member(database, project_id, address)
    async with database.transaction(None) as tx:
        link = await member_passwords.offer_reset(tx, member_id, NOW)
        other_link = await member_passwords.offer_reset(tx, member_id, NOW)
    async with browser(database) as client, browser(database) as thief:
        await enter(thief, address)
        form = await client.get("/app/password", params={"link": link})
        new = "another sentence, just as long"
        said = {"password": new, "again": new, "link": link, "token": hidden(form.text, "token")}
        assert (await client.post("/app/password", data=said | {"again": "x"})).status_code == 400
        assert (await client.post("/app/password", data=said)).status_code == 303
        assert await is_in(client)
        assert not await is_in(thief)
        assert (await client.post("/app/password", data=said)).status_code == 404
        assert (await client.get("/app/password", params={"link": other_link})).status_code == 404
        assert (await enter(thief, address)).status_code == 401
        assert (await enter(thief, address, new)).status_code == 303


async def test_a_forgotten_password_is_mailed_about_without_saying_to_whom(
    database: Database, project_id: UUID
) -> None:
    address = email()
    await make_member(database, project_id, address)
    async with mail_server() as server:
        post = Post(SmtpChannel(server.url, sender="Whyleft <no-reply@shop.example>"), "https://why.example/app")
        async with browser(database, post=post) as client:
            said = []
            for asked in (address, email()):
                form = await client.get("/app/forgotten")
                token = hidden(form.text, "token")
                answer = await client.post("/app/forgotten", data={"email": asked, "token": token})
                said.append((answer.status_code, answer.text.replace(asked, "")))
            await post.close()
            assert said[0] == said[1]
            [mail] = server.mails
            assert server.recipients == [address]
            body = mail.get_body(("plain",))
            assert body is not None
            link = body.get_content().split("link=", 1)[1].split()[0]
            assert (await client.get("/app/password", params={"link": link})).status_code == 200


async def test_without_a_mail_relay_the_page_says_what_to_do(database: Database) -> None:
    async with browser(database) as client:
        assert "whyleft members reset" in (await client.get("/app/forgotten")).text


async def test_a_trusted_proxy_logs_members_in_and_nobody_else(database: Database, project_id: UUID) -> None:
    address, other = email(), email()
    await make_member(database, project_id, address)
    await make_member(database, project_id, other)
    header = "X-Forwarded-Email"
    async with browser(database, sso_header=header, trusted=True) as client:
        entered = await client.get("/app/login", headers={header: f" {address.upper()} "})
        assert entered.status_code == 303
        assert (await client.get("/app/sessions", headers={header: address})).status_code == 200
        # Another person at the same browser is not taken for the first.
        assert (await client.get("/app/sessions", headers={header: other})).status_code == 303
        unknown = await client.get("/app/login", headers={header: "mallory@example.org"})
        assert (unknown.status_code, "invitation" in unknown.text) == (403, True)
        twice = await client.get("/app/login", headers=[(header, address), (header, other)])
        assert twice.status_code == 200
    async with browser(database, sso_header=header) as outsider:
        assert (await outsider.get("/app/login", headers={header: address})).status_code == 200
        assert not await is_in(outsider)
    async with browser(database, trusted=True) as switched_off:
        assert (await switched_off.get("/app/login", headers={header: address})).status_code == 200


@pytest.mark.parametrize("written", ["utf-8", "latin-1", "punycode"])
async def test_a_proxy_may_name_a_member_by_a_domain_beyond_ascii(
    database: Database, project_id: UUID, written: str
) -> None:
    local = f"m{uuid4().hex}"
    await make_member(database, project_id, f"{local}@xn--bcher-kva.example")
    said = f"{local}@xn--bcher-kva.example" if written == "punycode" else f"{local}@Bücher.example"
    named = {b"x-forwarded-email": said.encode("ascii" if written == "punycode" else written)}
    async with browser(database, sso_header="X-Forwarded-Email", trusted=True) as client:
        assert (await client.get("/app/login", headers=named)).status_code == 303
        assert (await client.get("/app/sessions", headers=named)).status_code == 200


async def test_members_of_another_project_are_not_to_be_seen(database: Database, project_id: UUID) -> None:
    address, other = email(), uuid4()
    member_id = await make_member(database, project_id, address)
    await invited(database, project_id, email())
    for tenant in (other, None):
        async with database.transaction(tenant) as tx:
            for table in ("member", "membership", "invitation", "password_reset", "login"):
                found = await tx.scalar(text(f"SELECT count(*) FROM {table} WHERE true"))  # noqa: S608
                assert found == 0, table
            changed = await tx.execute(text("UPDATE member SET password = 'x'"))
            assert changed.rowcount == 0  # type: ignore[attr-defined]
    async with database.transaction(project_id) as tx:
        assert await tx.scalar(select(Member.id)) == member_id
