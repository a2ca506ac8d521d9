"""Sealed columns: plain to the code, unreadable in the database, found whole, and moved to new keys."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from adapters.postgres.personal import KeyUnknown, Ring
from adapters.postgres.reseal import personal_columns, reseal
from flows.models import Delivery, Suppression
from insights.models import IdentityLink, RejectedEvent, Visitor

OLD, NEW, SERVER = b"the old key of thirty-two letters", b"the new key of thirty-two letters", b"the server's own"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def plant(database: Database, project_id: UUID, email: str = "Ada@Shop.example") -> UUID:
    visitor = uuid4()
    async with database.transaction(project_id) as tx:
        tx.add(
            Visitor(
                project_id=project_id,
                id=visitor,
                first_seen_at=NOW,
                user_id=email,
                email=email,
                phone="+4912345678",
                traits={"name": "Ada Lovelace", "address": {"street": "St James's Square"}},
            )
        )
        tx.add(Suppression(project_id=project_id, channel="email", recipient=email, reason="said so", at=NOW))
        tx.add(
            RejectedEvent(
                project_id=project_id, id=uuid4(), received_at=NOW, envelope={}, error="x", raw=b'{"e": "Ada@Shop"}\xff'
            )
        )
        tx.add(
            IdentityLink(
                project_id=project_id,
                subject_kind="visitor",
                subject=str(visitor),
                name_kind="email",
                name=email.lower(),
                first_at=NOW,
                event_id=uuid4(),
                refused_users=[email],
            )
        )
    return visitor


async def everything(database: Database, project_id: UUID) -> str:
    said = ""
    async with database.transaction(project_id) as tx:
        for table in ("visitor", "suppression", "rejected_event", "identity_link"):
            rows = await tx.scalars(text(f"SELECT to_jsonb({table})::text FROM {table}"))  # noqa: S608
            said += "".join(rows)
        said += "".join(await tx.scalars(text("SELECT encode(raw, 'escape') FROM rejected_event")))
    return said


async def test_the_database_holds_no_word_of_it_and_the_code_reads_all(
    database_urls: DatabaseUrls, project_id: UUID
) -> None:
    database = Database(database_urls, ring=Ring([NEW, SERVER]))
    visitor = await plant(database, project_id)
    stored = await everything(database, project_id)
    for word in ("Ada", "ada@", "Lovelace", "James", "4912345678"):
        assert word not in stored
    async with database.transaction(project_id) as tx:
        found = await tx.scalar(select(Visitor).where(Visitor.email == "Ada@Shop.example"))
        assert found is not None
        assert (found.id, found.phone, found.traits["name"]) == (visitor, "+4912345678", "Ada Lovelace")
        assert await tx.scalar(select(func.count()).where(Visitor.user_id.in_(["x", "Ada@Shop.example"]))) == 1
        assert await tx.get(Suppression, (project_id, "email", "Ada@Shop.example")) is not None
        assert (await tx.scalars(select(RejectedEvent.raw))).one() == b'{"e": "Ada@Shop"}\xff'
        link = (await tx.scalars(select(IdentityLink).where(IdentityLink.name == "ada@shop.example"))).one()
        assert (link.subject, link.refused_users) == (str(visitor), ["Ada@Shop.example"])
    await database.close()


async def test_what_older_keys_sealed_or_nobody_did_is_found_opened_and_sealed_anew(
    database_urls: DatabaseUrls, project_id: UUID
) -> None:
    for ring, email in ((Ring(), "plain@x.example"), (Ring([OLD, SERVER]), "old@x.example")):
        before = Database(database_urls, ring=ring)
        await plant(before, project_id, email)
        await before.close()
    database = Database(database_urls, ring=Ring([NEW, OLD, SERVER]))

    async def found() -> list[str]:
        async with database.transaction(project_id) as tx:
            return [
                email
                for email in ("plain@x.example", "old@x.example")
                if await tx.scalar(select(Visitor.id).where(Visitor.email == email))
                and await tx.scalar(select(Suppression.reason).where(Suppression.recipient == email))
                and await tx.scalar(select(IdentityLink.subject).where(IdentityLink.name == email))
            ]

    assert await found() == ["plain@x.example", "old@x.example"]
    for table, column in personal_columns():
        await reseal(database, project_id, table, column)
    assert await found() == ["plain@x.example", "old@x.example"]
    assert "plain@" not in await everything(database, project_id)
    await database.close()
    # The old key is needed no more.
    database = Database(database_urls, ring=Ring([NEW, SERVER]))
    async with database.transaction(project_id) as tx:
        assert set(await tx.scalars(select(Visitor.email))) == {"plain@x.example", "old@x.example"}
        assert len((await tx.scalars(select(RejectedEvent.raw))).all()) == 2
    await database.close()


async def test_many_rows_are_each_read_a_few_times_however_many_there_are(
    database_urls: DatabaseUrls, project_id: UUID
) -> None:
    rows = 1_500
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.owner), autocommit=True) as owner:

        async def read() -> int:
            await owner.execute("SELECT pg_stat_force_next_flush()")
            found = await owner.execute(
                "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables"
                " WHERE relname IN ('visitor', 'suppression')"
            )
            (count,) = await found.fetchone() or (0,)
            return int(count)

        await owner.execute(
            "INSERT INTO visitor (project_id, id, first_seen_at, email, phone) SELECT %s, gen_random_uuid(), now(),"
            " 'v' || n || '@x.example', '+49' || n FROM generate_series(1, %s) AS n",
            [project_id, rows],
        )
        await owner.execute(
            "INSERT INTO suppression (project_id, channel, recipient, reason, at)"
            " SELECT %s, 'email', 'v' || n || '@x.example', 'unsubscribed', now() FROM generate_series(1, %s) AS n",
            [project_id, rows],
        )
        await owner.execute("ANALYZE visitor, suppression")
        before = await read()
        database = Database(database_urls, ring=Ring([NEW, SERVER]))
        columns = [("visitor", "email"), ("visitor", "phone"), ("suppression", "recipient")]
        for table, column in personal_columns():
            if (table.name, column) in columns:
                assert await reseal(database, project_id, table, column) == rows
        used = await read() - before
        assert used < 60 * rows
    assert "v7@" not in await everything(database, project_id)
    await database.close()


@pytest.mark.parametrize(
    ("this", "that"),
    [
        ([OLD, SERVER], [OLD, NEW, SERVER]),
        ([OLD, NEW, SERVER], [NEW, OLD, SERVER]),
        ([SERVER], [SERVER, NEW, SERVER]),
        ([SERVER, NEW, SERVER], [NEW, SERVER]),
    ],
    ids=["the new key behind", "then in front", "the first one behind the secret", "then before it"],
)
async def test_keys_change_while_processes_run_and_each_finds_what_the_others_wrote(
    database_urls: DatabaseUrls, project_id: UUID, this: list[bytes], that: list[bytes]
) -> None:
    running = [Database(database_urls, ring=Ring(keys)) for keys in (this, that)]
    for number, database in enumerate(running):
        await plant(database, project_id, f"{number}@x.example")
    for database in running:
        async with database.transaction(project_id) as tx:
            for email in ("0@x.example", "1@x.example"):
                assert await tx.scalar(select(Visitor.email).where(Visitor.email == email)) == email
                assert await tx.scalar(select(Suppression.reason).where(Suppression.recipient == email))
                assert await tx.scalar(select(IdentityLink.subject).where(IdentityLink.name == email))
        await database.close()


async def test_a_key_that_came_into_the_file_is_known_without_a_restart(
    database_urls: DatabaseUrls, project_id: UUID
) -> None:
    file = [OLD, SERVER]
    running = Database(database_urls, ring=Ring(file, lambda: file))
    file = [NEW, OLD, SERVER]
    another = Database(database_urls, ring=Ring(file))
    await plant(another, project_id, "new@x.example")
    async with running.transaction(project_id) as tx:
        assert list(await tx.scalars(select(Visitor.email))) == ["new@x.example"]
    for database in (running, another):
        await database.close()


async def test_without_its_key_personal_data_is_refused_not_handed_out_sealed(
    database_urls: DatabaseUrls, project_id: UUID
) -> None:
    before = Database(database_urls, ring=Ring([OLD]))
    await plant(before, project_id)
    await before.close()
    for ring in (Ring(), Ring([NEW])):
        database = Database(database_urls, ring=ring)
        async with database.transaction(project_id) as tx:
            with pytest.raises(KeyUnknown, match="WHYLEFT_SECRET"):
                await tx.scalars(select(Visitor.email))
        await database.close()


def test_every_column_that_names_people_is_sealed() -> None:
    sealed = {(table.name, column) for table, column in personal_columns()}
    assert sealed >= {
        ("visitor", "user_id"), ("visitor", "email"), ("visitor", "phone"), ("visitor", "traits"),
        ("identity_link", "name"), ("identity_link", "subject"), ("suppression", "recipient"),
        ("delivery", "recipient"), ("delivery", "content"), ("rejected_event", "raw"), ("privacy_request", "who"),
    }  # fmt: skip
    assert Delivery.__table__.c.recipient is not None


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_is_sealed_opens_again_and_says_nothing(words: str) -> None:
    ring = Ring([NEW, OLD])
    sealed = ring.seal(words)
    assert ring.open(sealed) == words
    assert ring.open(ring.seal(words, -1)) == words
    assert sealed == ring.seal(words)
    if words:
        assert sealed != ring.seal(words, 1)
    assert Ring([OLD, NEW]).open(sealed) == words
    assert ring.open_json(ring.seal_json({"a": words})) == {"a": words}
