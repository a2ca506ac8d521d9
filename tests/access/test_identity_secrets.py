"""Identity secrets over HTTP: made, shown once, rotated with an overlap, ended; what is asked holds at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from insights.channels.reseal import reseal
from insights.identity.proof import sign
from insights.models import IdentitySecret
from insights.sealing import Purpose, Sealer
from insights.wiring.secrets import signing_secret_of
from tests.access.listening import until_listening
from tests.api.conftest import Api
from tests.api.conftest import api as heedless

__all__ = ["heedless"]

WHERE = "/v1/identity"


@pytest.fixture
async def api(heedless: Api) -> Api:
    """A process that hears of changes."""
    heedless.services.keys.start()
    await until_listening(heedless.services.database, 1)
    return heedless


async def made(api: Api, **body: Any) -> dict[str, Any]:
    answer = await api.client.post(f"{WHERE}/secrets", headers=api.headers, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def read(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = (await api.client.get(WHERE, headers=api.headers)).json()
    return found


async def put(api: Api, mode: str) -> int:
    return (await api.client.patch(WHERE, headers=api.headers, json={"mode": mode})).status_code


async def believed(api: Api, secret: str) -> bool:
    signature = sign(secret.encode(), "user_id", "ada")
    props = {"user_id": "ada", "signatures": {"user_id": signature}}
    answer = await api.send(api.batch(api.event("identified", props), visitor=str(uuid4())))
    return "unverified" not in answer.json()


async def until(api: Api, secret: str, expected: bool) -> None:
    """Processes are told of a change once it is committed; that takes as long as it takes."""
    async with asyncio.timeout(8):
        while await believed(api, secret) is not expected:  # noqa: ASYNC110  (nobody says so)
            await asyncio.sleep(0.01)


async def test_a_secret_is_shown_once_and_sealed(api: Api) -> None:
    first = await made(api)
    assert first["secret"].startswith("wl_i_")
    assert first["secret"] not in str(await read(api))
    [listed] = (await read(api))["secrets"]
    assert listed == {name: value for name, value in first.items() if name != "secret"}
    async with api.services.database.transaction(api.project_id) as tx:
        [sealed] = (await tx.execute(text("SELECT sealed FROM identity_secret"))).scalars()
        notes = str((await tx.execute(text("SELECT before, after FROM audit_entry"))).all())
    assert first["secret"].encode() not in bytes(sealed)
    assert first["secret"] not in notes
    assert "•••" in notes


async def test_nothing_is_asked_for_that_nobody_can_sign(api: Api) -> None:
    assert await put(api, "required") == 409
    assert (await read(api))["mode"] == "off"
    only = await made(api)
    assert await put(api, "required") == 200
    ended = await api.client.delete(f"{WHERE}/secrets/{only['id']}", headers=api.headers)
    assert ended.status_code == 409
    assert await put(api, "off") == 200
    assert (await api.client.delete(f"{WHERE}/secrets/{only['id']}", headers=api.headers)).status_code == 204


async def test_the_secret_before_is_good_for_the_overlap(api: Api) -> None:
    first = await made(api)
    assert await put(api, "required") == 200
    await until(api, first["secret"], True)
    second = await made(api, overlap_seconds=3600)
    await until(api, second["secret"], True)
    assert await believed(api, first["secret"])
    ends = {one["id"]: one["expires_at"] for one in (await read(api))["secrets"]}
    assert ends[second["id"]] is None
    left = datetime.fromisoformat(ends[first["id"]]) - datetime.now(UTC)
    assert timedelta(minutes=58) < left <= timedelta(hours=1)
    third = await made(api, overlap_seconds=0)
    await until(api, third["secret"], True)
    assert not await believed(api, first["secret"])
    assert not await believed(api, second["secret"])


async def test_one_that_leaked_is_ended_at_once(api: Api) -> None:
    leaked = await made(api)
    good = await made(api)
    assert await put(api, "required") == 200
    await until(api, good["secret"], True)
    assert (await api.client.delete(f"{WHERE}/secrets/{leaked['id']}", headers=api.headers)).status_code == 204
    await until(api, leaked["secret"], False)
    assert await believed(api, good["secret"])


async def test_no_more_are_good_than_are_tried_with_each_signature(api: Api) -> None:
    answers = [await api.client.post(f"{WHERE}/secrets", headers=api.headers, json={}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [409]
    assert (
        await api.client.post(f"{WHERE}/secrets", headers=api.headers, json={"overlap_seconds": 0})
    ).status_code == 201


async def test_secrets_are_sealed_anew_with_the_others(api: Api) -> None:
    made_now = await made(api)
    newer = Sealer([b"a newer key of the server's, long enough", signing_secret_of(api.services.settings)])
    async with api.services.database.transaction(api.project_id) as tx:
        before = await tx.get_one(IdentitySecret, (api.project_id, UUID(made_now["id"])))
        assert not newer.is_newest(before.sealed)
    await reseal(api.services.database, newer)
    async with api.services.database.transaction(api.project_id) as tx:
        after = await tx.get_one(IdentitySecret, (api.project_id, UUID(made_now["id"])))
    assert newer.is_newest(after.sealed)
    assert newer.open(after.sealed, Purpose.IDENTITY, api.project_id, after.id) == made_now["secret"]
