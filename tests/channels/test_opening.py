"""Which keys a server may not lack, by what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete

from adapters.postgres.engine import Database, DatabaseUrls
from adapters.postgres.personal import Ring
from flows.models import Suppression
from insights.channels.opening import refuse_other_keys
from insights.models import ChannelSetup, InsightSetting, Visitor
from insights.sealing import Purpose, SealedOtherwise, Sealer

OLD, NEW, SERVER, NEXT = (letter * 40 for letter in (b"o", b"n", b"s", b"x"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def look(urls: DatabaseUrls, keys: list[bytes], lost: set[str] | None = None, *, moving: bool = False) -> None:
    database = Database(urls, ring=Ring(keys))
    try:
        await refuse_other_keys(database, Sealer(keys), lost or set(), moving=moving)
    finally:
        await database.close()


@pytest.fixture
async def sealed(database_urls: DatabaseUrls, project_id: UUID) -> AsyncIterator[Database]:
    """With a person's address by the old key, and one who opted out by the server's."""
    database = Database(database_urls, ring=Ring([OLD, SERVER]))
    async with database.transaction(project_id) as tx:
        tx.add(Visitor(project_id=project_id, id=uuid4(), first_seen_at=NOW, email="ada@x.example"))
        tx.add(Suppression(project_id=project_id, channel="email", recipient="ada@x.example", reason="no", at=NOW))
    yield database
    async with database.transaction(project_id) as tx:
        await tx.execute(delete(Visitor))
        await tx.execute(delete(Suppression))
    await database.close()


async def test_a_fresh_database_takes_any_key(database_urls: DatabaseUrls, project_id: UUID) -> None:
    await look(database_urls, [NEXT])


@pytest.mark.parametrize("keys", [[OLD, SERVER], [NEW, OLD, SERVER], [OLD, NEW, SERVER], [SERVER, OLD, SERVER]])
async def test_while_keys_change_every_process_starts(
    database_urls: DatabaseUrls, sealed: Database, keys: list[bytes]
) -> None:
    await look(database_urls, keys)


async def test_a_key_that_was_taken_away_too_early_is_named(database_urls: DatabaseUrls, sealed: Database) -> None:
    old = sealed.ring.key()
    with pytest.raises(SealedOtherwise, match=rf"\(visitor.email\) .* \({old}\)"):
        await look(database_urls, [NEW, SERVER])
    await look(database_urls, [NEW, SERVER], {old})


async def test_another_secret_is_refused_until_what_rows_are_found_by_is_moved(
    database_urls: DatabaseUrls, sealed: Database
) -> None:
    with pytest.raises(SealedOtherwise, match="WHYLEFT_SECRET"):
        await look(database_urls, [OLD, NEXT])
    with pytest.raises(SealedOtherwise, match=r"suppression.recipient.* run `whyleft privacy reseal`"):
        await look(database_urls, [OLD, SERVER, NEXT])
    await look(database_urls, [OLD, SERVER, NEXT], moving=True)


async def test_credentials_are_asked_for_together(database_urls: DatabaseUrls, project_id: UUID) -> None:
    """A channel whose key is gone is mended while the others go on; where none is opened, the key is wrong."""
    database = Database(database_urls)
    channel = ChannelSetup(
        project_id=project_id,
        id=uuid4(),
        kind="resend",
        word="email",
        name="main",
        settings={},
        enabled=True,
        failures=0,
    )
    channel.credentials = Sealer([OLD]).seal("{}", Purpose.CHANNEL, project_id, channel.id)
    channel.created_at = channel.updated_at = NOW
    async with database.transaction(project_id) as tx:
        tx.add(channel)
    with pytest.raises(SealedOtherwise, match="Every credential") as refused:
        await look(database_urls, [SERVER])
    await look(database_urls, [OLD, SERVER])
    await look(database_urls, [SERVER], {Sealer([OLD]).key(channel.credentials)})
    async with database.transaction(project_id) as tx:
        setting = InsightSetting(project_id=project_id, updated_at=NOW)
        setting.api_key = Sealer([SERVER]).seal("k", Purpose.MODEL_KEY, project_id, project_id)
        tx.add(setting)
    await look(database_urls, [SERVER])
    await database.close()
    assert "WHYLEFT_LOST_SEALS" in refused.value.detail
