"""What was changed, by whom: noted by the database with the change, readable, and for nobody to change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import ProgrammingError

import flows.models  # noqa: F401
from adapters.postgres.acting import Actor, acting
from adapters.postgres.base import Base
from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from insights.access import members
from insights.access.audit_log import AUDITED, NOT_AUDITED
from insights.access.keys import create_key
from insights.access.roles import Role
from insights.models import AuditEntry, Segment, SegmentMember, VisitorTag
from tests.api.conftest import Api


async def entries(api: Api, **params: Any) -> list[dict[str, Any]]:
    answer = await api.client.get("/v1/audit", params=params, headers=api.headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


async def test_a_change_says_who_what_and_from_what_to_what(api: Api) -> None:
    shop = await api.client.patch("/v1/shop", json={"currency": "EUR", "margin_rate": 0.3}, headers=api.headers)
    assert shop.status_code == 200
    await api.client.patch("/v1/shop", json={"margin_rate": 0.4}, headers=api.headers)
    newest, *_ = await entries(api, subject="shop")
    keys = (await api.client.get("/v1/keys", headers=api.headers)).json()["keys"]
    mine = next(key for key in keys if key["kind"] == "secret")
    assert (newest["actor_kind"], newest["actor_id"]) == ("key", mine["id"])
    assert newest["actor_name"] == f"{mine['prefix']}…"
    assert (newest["change"], newest["subject_id"]) == ("changed", str(api.project_id))
    assert (newest["before"], newest["after"]) == ({"margin_rate": 0.3}, {"margin_rate": 0.4})
    # What the address is without its machine; the test's client says it is 127.0.0.1.
    assert newest["address"] == "127.0.0.0"


async def test_a_secret_never_stands_in_a_note(api: Api) -> None:
    made = await api.client.post("/v1/keys", json={"kind": "secret", "name": "x"}, headers=api.headers)
    source = {"provider": "shopify", "name": "y", "secret": "shpss_0123456789abcdef"}
    assert (await api.client.post("/v1/sources", json=source, headers=api.headers)).status_code == 201
    model = {"api_key": "sk-0123456789", "base_url": "https://93.184.216.34/v1", "model": "m"}
    assert (await api.client.patch("/v1/settings/insights", json=model, headers=api.headers)).status_code == 200
    told = (await api.client.get("/v1/audit", headers=api.headers)).text
    assert made.json()["id"] in told
    for secret in (made.json()["key"], "shpss", "sk-0123456789"):
        assert secret not in told
    by_subject = {entry["subject"]: entry for entry in (await entries(api))[::-1]}
    assert by_subject["key"]["after"]["key_hash"] == "•••"
    assert by_subject["webhook source"]["after"]["sealed"] == "•••"
    assert by_subject["insight settings"]["after"]["api_key"] == "•••"


async def test_a_change_that_is_not_made_is_not_noted(api: Api, database: Database) -> None:
    before = await entries(api)
    with pytest.raises(RuntimeError):
        async with api.services.database.transaction(api.project_id) as tx:
            await tx.execute(text("UPDATE project SET name = name || 'x' WHERE id = :id"), {"id": api.project_id})
            raise RuntimeError
    assert await entries(api) == before
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(text("UPDATE project SET name = name WHERE id = :id"), {"id": api.project_id})
        await tx.execute(text("UPDATE api_key SET last_used_at = now()"))
    assert await entries(api) == before


async def test_what_the_process_does_of_itself_to_visitors_is_no_note_and_what_somebody_does_is(api: Api) -> None:
    def tag(name: str) -> Any:
        row = {"visitor_id": uuid4(), "tag": name, "set_at": text("now()"), "set_by": "test"}
        return insert(VisitorTag).values(project_id=api.project_id, **row)

    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(tag("by the process"))
    with acting(Actor("member", str(uuid4()), "ada@example.org")):
        async with api.services.database.transaction(api.project_id) as tx:
            await tx.execute(tag("by somebody"))
    [entry] = await entries(api, subject="visitor tag")
    assert (entry["subject_id"], entry["actor_name"]) == ("by somebody", "ada@example.org")
    assert entry["after"]["visitor_id"] == "•••"


async def test_whoever_was_taken_out_is_named(api: Api) -> None:
    now, database = datetime.now(UTC), api.services.database
    async with database.transaction(api.project_id) as tx:
        _, link = await members.invite(tx, api.project_id, "gone@shop.example", Role.EDITOR, now)
    async with database.transaction(None) as tx:
        invitation, _ = await members.invitation_of(tx, link, now)
        member_id = await members.accept(tx, invitation, None, now)
    taken_out = await api.client.delete(f"/v1/members/{member_id}", headers=api.headers)
    assert taken_out.status_code == 204
    out, came = await entries(api, subject="member")
    assert (out["change"], out["before"]["email"], out["before"]["role"]) == ("removed", "gone@shop.example", "editor")
    assert (came["change"], came["after"]["email"]) == ("made", "gone@shop.example")


async def test_what_follows_from_a_change_of_a_segment_is_no_note_of_its_own(api: Api) -> None:
    where, made = "/v1/segments/many", {"name": "many", "when": "visitor.purchases > 0"}
    assert (await api.client.post("/v1/segments", json=made, headers=api.headers)).status_code == 201

    async def in_it(added: bool) -> None:
        async with api.services.database.transaction(api.project_id) as tx:
            segment = await tx.scalar(select(Segment.id).where(Segment.name == "many"))
            for _ in range(20):
                one = {"segment_id": segment, "visitor_id": uuid4(), "matched": True, "added": added}
                tx.add(SegmentMember(project_id=api.project_id, since=datetime.now(UTC), **one))

    async def notes(change: str) -> list[str]:
        return [entry["subject"] for entry in await entries(api) if entry["change"] == change]

    await in_it(added=False)
    changed = await api.client.put(where, json={"when": "visitor.purchases > 1"}, headers=api.headers)
    assert changed.status_code == 200, changed.text
    assert (await notes("changed"), await notes("removed")) == (["segment"], [])
    await in_it(added=True)
    assert (await api.client.delete(where, headers=api.headers)).status_code == 204
    assert await notes("removed") == ["segment"]
    removed = (await entries(api))[0]
    assert (removed["subject"], removed["actor_kind"]) == ("segment", "key")


async def test_nobody_can_write_or_change_the_list_and_another_project_does_not_see_it(api: Api) -> None:
    database = api.services.database
    entry = {"actor_kind": "key", "actor_name": "x", "subject": "x", "subject_id": "x", "change": "made"}
    for statement in (
        insert(AuditEntry).values(project_id=api.project_id, **entry),
        update(AuditEntry).values(actor_name="somebody else"),
        delete(AuditEntry),
        text("TRUNCATE audit_entry"),
        text("ALTER TABLE audit_entry DISABLE TRIGGER ALL"),
        text("ALTER TABLE api_key DISABLE TRIGGER audit"),
    ):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            async with database.transaction(api.project_id) as tx:
                await tx.execute(statement)
    other = await create_key(database, f"other-{uuid4()}", "secret", [])
    answer = await api.client.get("/v1/audit", headers={"authorization": f"Bearer {other.key}"})
    told = {entry["subject_id"] for entry in answer.json()["entries"]}
    assert str(api.project_id) not in told
    assert str(other.project_id) in told
    async with database.transaction(None) as tx:
        assert (await tx.scalars(select(AuditEntry))).all() == []


async def test_the_list_is_paged_and_filtered(api: Api) -> None:
    for number in range(5):
        await api.client.patch("/v1/shop", json={"currency": "EUR", "margin_rate": number / 10}, headers=api.headers)
    seen, before = [], None
    while True:
        params = {"limit": 2} | ({"before": before} if before else {})
        page = (await api.client.get("/v1/audit", params=params, headers=api.headers)).json()
        seen += [entry["id"] for entry in page["entries"]]
        before = page["next"]
        if before is None:
            break
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == len(await entries(api, limit=500)) >= 8
    actor = (await entries(api, subject="shop"))[0]["actor_id"]
    assert {entry["subject"] for entry in await entries(api, actor_id=actor)} == {"shop"}
    assert await entries(api, subject="\x7f") == []
    assert (await api.client.get("/v1/audit", params={"subject": "\x00"}, headers=api.headers)).status_code == 400


def test_every_table_says_whether_its_changes_are_noted_and_is_true_to_it(database_urls: DatabaseUrls) -> None:
    tables = {table.name for table in Base.metadata.sorted_tables}
    unknown = tables - AUDITED - set(NOT_AUDITED)
    assert not unknown, (
        f"{sorted(unknown)}: say in insights/access/audit_log.py whether changes are noted; where they are, the "
        "table's migration runs audit_trigger()."
    )
    assert (AUDITED | set(NOT_AUDITED)) - tables == set()
    with psycopg.connect(conninfo(database_urls.owner)) as connection:
        noted = connection.execute(
            "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgname = 'audit'"
        ).fetchall()
    assert {str(name) for (name,) in noted} == AUDITED
