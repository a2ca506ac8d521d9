"""Keys over HTTP: made, shown once, limited, rotated with an overlap, revoked everywhere at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select, update

from adapters.postgres.engine import DatabaseUrls
from insights.access.key_ring import KeyRing
from insights.access.keys import create_key
from insights.models import ApiKey
from tests.access.listening import until_listening
from tests.api.conftest import Api


async def post(api: Api, path: str, body: dict[str, Any]) -> httpx.Response:
    return await api.client.post(path, json=body, headers=api.headers)


async def works(api: Api, key: str) -> bool:
    answer = await api.client.get("/v1/sessions", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


async def eventually(condition: Any) -> None:
    for _ in range(200):
        if await condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen within four seconds")


@pytest.fixture
async def another_process(api: Api, database_urls: DatabaseUrls) -> AsyncIterator[KeyRing]:
    """The keys as another process knows them. Both listen."""
    api.services.keys.start()
    ring = KeyRing(api.services.database)
    ring.start()
    await until_listening(api.services.database, 2)
    yield ring
    await ring.close()


async def test_a_key_is_shown_once_and_kept_as_a_hash(api: Api) -> None:
    made = (await post(api, "/v1/keys", {"kind": "secret", "name": "nightly export"})).json()
    assert made["key"].startswith(made["prefix"])
    assert (made["role"], made["name"], made["last_used_at"]) == ("reader", "nightly export", None)
    listed = (await api.client.get("/v1/keys", headers=api.headers)).text
    one = (await api.client.get(f"/v1/keys/{made['id']}", headers=api.headers)).text
    assert made["id"] in listed
    assert made["key"] not in listed + one
    async with api.services.database.transaction(api.project_id) as tx:
        row = await tx.get_one(ApiKey, (api.project_id, made["id"]))
    assert made["key"].encode() not in row.key_hash
    assert len(row.prefix) == 10


async def test_a_revoked_key_is_refused_at_once_by_every_process(api: Api, another_process: KeyRing) -> None:
    made = (await post(api, "/v1/keys", {"kind": "secret"})).json()
    assert await works(api, made["key"])
    assert await another_process.resolve(made["key"]) is not None
    gone = await api.client.delete(f"/v1/keys/{made['id']}", headers=api.headers)
    assert (gone.status_code, gone.json()["revoked_at"] is not None) == (200, True)

    async def forgotten() -> bool:
        return await another_process.resolve(made["key"]) is None and not await works(api, made["key"])

    await eventually(forgotten)
    again = await api.client.delete(f"/v1/keys/{made['id']}", headers=api.headers)
    assert again.json()["revoked_at"] == gone.json()["revoked_at"]


async def test_what_was_read_before_a_change_is_not_kept_after_it(api: Api) -> None:
    ring = api.services.keys
    look_up, reads = ring._look_up, 0

    async def slowly(key: str) -> Any:
        nonlocal reads
        reads += 1
        found = await look_up(key)
        if reads == 1:  # revoked behind the back of the reading
            ring._heard(str(api.project_id))
        return found

    ring._look_up = slowly  # type: ignore[method-assign]
    assert await ring.resolve(api.secret) is not None
    assert reads == 2


async def test_a_rotated_key_stays_good_for_its_overlap(api: Api, another_process: KeyRing) -> None:
    old = (await post(api, "/v1/keys", {"kind": "secret", "role": "editor", "scopes": ["read:sessions"]})).json()
    assert await works(api, old["key"])
    new = (await post(api, f"/v1/keys/{old['id']}/rotate", {"overlap_seconds": 3600})).json()
    assert (new["role"], new["scopes"]) == ("editor", ["read:sessions"])
    assert await works(api, old["key"])
    assert await works(api, new["key"])
    shown = (await api.client.get(f"/v1/keys/{old['id']}", headers=api.headers)).json()
    assert shown["replaced_by"] == new["id"]
    left = datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    assert (await post(api, f"/v1/keys/{old['id']}/rotate", {})).status_code == 409
    at_once = (await post(api, f"/v1/keys/{new['id']}/rotate", {"overlap_seconds": 0})).json()

    async def over() -> bool:
        return not await works(api, new["key"])

    await eventually(over)
    assert await works(api, at_once["key"])


async def test_an_expired_key_is_not_remembered_past_its_end(api: Api) -> None:
    now = [0.0]
    made = await create_key(api.services.database, f"shop-{uuid4()}", "secret", [])
    async with api.services.database.transaction(made.project_id) as tx:
        await tx.execute(update(ApiKey).values(expires_at=datetime.now(UTC) + timedelta(seconds=3)))
    ring = KeyRing(api.services.database, clock=lambda: now[0])
    assert await ring.resolve(made.key) is not None
    async with api.services.database.transaction(made.project_id) as tx:
        await tx.execute(update(ApiKey).values(expires_at=datetime.now(UTC)))
    now[0] = 4.0
    assert await ring.resolve(made.key) is None
    await ring.close()


async def test_the_last_use_is_noted_now_and_then(api: Api) -> None:
    async def noted() -> list[datetime | None]:
        async with api.services.database.transaction(api.project_id) as tx:
            return list(await tx.scalars(select(ApiKey.last_used_at).where(ApiKey.kind == "secret")))

    assert await noted() == [None]
    assert await works(api, api.secret)

    async def is_noted() -> bool:
        return (await noted())[0] is not None

    await eventually(is_noted)
    [first] = await noted()
    ring = KeyRing(api.services.database)
    assert await ring.resolve(api.secret) is not None
    await ring.close()
    assert await noted() == [first]


async def test_a_role_taken_down_holds_at_once(api: Api, another_process: KeyRing) -> None:
    made = (await post(api, "/v1/keys", {"kind": "secret", "role": "admin"})).json()
    headers = {"authorization": f"Bearer {made['key']}"}
    assert (await api.client.get("/v1/keys", headers=headers)).status_code == 200
    url = f"/v1/keys/{made['id']}"
    assert (await api.client.patch(url, json={"role": "reader"}, headers=api.headers)).status_code == 200

    async def taken_down() -> bool:
        return (await api.client.get("/v1/keys", headers=headers)).status_code == 403

    await eventually(taken_down)


async def test_what_makes_no_sense_is_refused_by_name(api: Api) -> None:
    for body, field in [
        ({"kind": "secret", "scopes": ["read:everything"]}, "scopes"),
        ({"kind": "write", "role": "admin"}, "role"),
        ({"kind": "write", "scopes": ["read:sessions"]}, "role"),
    ]:
        answer = await post(api, "/v1/keys", body)
        assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert (await post(api, "/v1/keys", {"kind": "secret", "role": "owner"})).status_code == 422
    assert (await post(api, "/v1/keys", {"kind": "secret", "name": "a\x00b"})).status_code == 422
    assert (await post(api, f"/v1/keys/{uuid4()}/rotate", {})).status_code == 404
    own = (await api.client.get("/v1/keys", headers=api.headers)).json()["keys"]
    [mine] = [key["id"] for key in own if key["kind"] == "secret"]
    refused = await api.client.delete(f"/v1/keys/{mine}", headers=api.headers)
    assert (refused.status_code, "another one" in refused.json()["detail"]) == (409, True)
