"""What a secret key may do, and what it may not see."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import select

from flows.models import Suppression
from insights.access.keys import create_key
from insights.recovery import codes, unsubscribe
from tests.api.conftest import Api


async def test_a_session_is_listed_read_closed_explained_and_explained_again(api: Api) -> None:
    batches = [api.batch(api.event("page_viewed", {"path": "/"})) for _ in range(3)]
    for batch in batches:
        await api.send(batch)
    seen, cursor = [], None
    for _ in range(3):
        params = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        answer = (await api.client.get("/v1/sessions", params=params, headers=api.headers)).json()
        seen += [session["id"] for session in answer["sessions"]]
        cursor = answer["next"]
    assert cursor is None
    assert sorted(seen) == sorted(batch["session"] for batch in batches)

    url = f"/v1/sessions/{batches[0]['session']}"
    open_ = await api.client.post(f"{url}/reclassify", headers=api.headers)
    assert (open_.status_code, open_.json()["title"]) == (409, "The session is still open")
    assert (await api.client.post(f"{url}/close", headers=api.headers)).status_code == 202
    assert await api.services.closer.close_due() >= 1
    session = (await api.client.get(url, headers=api.headers)).json()
    assert (session["close_reason"], session["insight"]["reason"]) == ("explicit", "unclear")
    assert [event["type"] for event in session["events"]] == ["page_viewed"]
    again = await api.client.post(f"{url}/reclassify", headers=api.headers)
    assert again.json()["id"] != session["insight"]["id"]


async def test_another_projects_session_does_not_exist(api: Api) -> None:
    batch = api.batch(api.event())
    await api.send(batch)
    other = await create_key(api.services.database, f"other-{uuid4()}", "secret", [])
    headers = {"authorization": f"Bearer {other.key}"}
    url = f"/v1/sessions/{batch['session']}"
    assert (await api.client.get(url, headers=headers)).status_code == 404
    assert (await api.client.post(f"{url}/close", headers=headers)).status_code == 404
    assert (await api.client.get("/v1/sessions", headers=headers)).json()["sessions"] == []


async def test_odd_questions_get_an_answer_that_says_what_to_do(api: Api) -> None:
    for url, status in (("/v1/sessions?cursor=x", 400), ("/v1/sessions?limit=0", 422), ("/v1/nothing", 404)):
        answer = await api.client.get(url, headers=api.headers)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


async def test_fifty_uses_of_one_code_at_once_succeed_once(api: Api) -> None:
    now = datetime.now(UTC)
    async with api.services.database.transaction(api.project_id) as tx:
        issued = await codes.issue(
            tx, api.project_id, issue_key="k", visitor_id=uuid4(), percent=10, valid_for=timedelta(hours=1), now=now
        )
    url = f"/v1/codes/{issued.code}/redeem"
    answers = await asyncio.gather(*(api.client.post(url, headers=api.headers) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 49


async def test_looking_at_the_unsubscribe_page_changes_nothing_and_the_button_does(api: Api) -> None:
    claim = unsubscribe.Claim(api.project_id, uuid4(), "email", "ada@example.org")
    url = f"/v1/unsubscribe?token={unsubscribe.sign(api.services.signing_secret, claim)}"

    async def suppressed() -> list[str]:
        async with api.services.database.transaction(api.project_id) as tx:
            return [row.recipient for row in await tx.scalars(select(Suppression))]

    assert "a•••@example.org" in (await api.client.get(url)).text
    assert await suppressed() == []
    assert (await api.client.post(url, data={"List-Unsubscribe": "One-Click"})).status_code == 200
    assert await suppressed() == ["ada@example.org"]
    assert (await api.client.post("/v1/unsubscribe?token=forged")).status_code in (400, 404)


async def test_health_and_documentation(api: Api) -> None:
    assert (await api.client.get("/healthz")).json() == {"status": "ok"}
    assert (await api.client.get("/readyz")).json() == {"status": "ok"}
    document = (await api.client.get("/openapi.json")).json()
    assert "post" in document["paths"]["/v1/events"]
