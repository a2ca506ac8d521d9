"""A visitor over HTTP: one person on two devices, from any of their ids."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from insights.access.keys import create_key
from insights.profiles.store import Copy
from tests.api.conftest import Api


async def sent(api: Api, *types: tuple[str, dict[str, Any]], visitor: str | None = None) -> dict[str, Any]:
    batch = api.batch(*(api.event(kind, props) for kind, props in types))
    batch["visitor"] = visitor or batch["visitor"]
    assert (await api.send(batch)).json()["rejected"] == []
    return batch


async def test_both_devices_tell_the_same_person_with_every_visit_once(api: Api) -> None:
    ada = {"user_id": "customer-1842", "email": "Ada@Example.org"}
    laptop = await sent(api, ("page_viewed", {"path": "/"}), ("identified", ada))
    phone = await sent(api, ("identified", {"user_id": "customer-1842"}))
    again = await sent(
        api, ("purchased", {"order_id": "A-7", "value_minor": 1450, "currency": "EUR"}), visitor=phone["visitor"]
    )
    told = []
    for visitor in (laptop["visitor"], phone["visitor"]):
        found, cursor = [], None
        while True:
            params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            answer = await api.client.get(f"/v1/visitors/{visitor}", params=params, headers=api.headers)
            assert answer.status_code == 200
            body = answer.json()
            found += [(session["id"], session["visitor_id"]) for session in body["sessions"]]
            if (cursor := body["next"]) is None:
                break
        assert body["id"] == visitor
        told.append({**body, "id": "", "found": sorted(found)})
    assert told[0] == told[1]
    assert told[0]["found"] == sorted((batch["session"], batch["visitor"]) for batch in (laptop, phone, again))
    assert told[0]["person_id"] == laptop["visitor"]
    assert [(name["kind"], name["value"]) for name in told[0]["identifiers"]] == [
        ("user_id", "cu•••42"),
        ("email", "a•••@example.org"),
    ]
    assert told[0]["totals"] == {"sessions": 3, "orders": 1, "messages": 0}
    assert [(order["key"], order["visitor_id"]) for order in told[0]["orders"]] == [("A-7", phone["visitor"])]
    assert told[0]["refused_links"] == []


async def test_two_customers_at_one_browser_are_told_as_refused(api: Api) -> None:
    shared = await sent(api, ("identified", {"user_id": "customer-1842"}), ("identified", {"user_id": "guest-99"}))
    body = (await api.client.get(f"/v1/visitors/{shared['visitor']}", headers=api.headers)).json()
    assert [name["value"] for name in body["identifiers"]] == ["cu•••42"]
    (refused,) = body["refused_links"]
    assert (refused["why"], refused["name"], refused["users"]) == ("two_users", "gu•••99", ["cu•••42", "gu•••99"])
    assert refused["session_id"] == shared["session"]


async def test_a_joined_device_knows_its_person_at_the_next_request(api: Api) -> None:
    async def visits_known_of(batch: dict[str, Any]) -> tuple[int, bool]:
        read = []

        async def load() -> Copy:
            read.append(visitor)
            return await api.services.loader.load(api.project_id, visitor)

        visitor = UUID(batch["visitor"])
        copy = await api.services.profiles.take(api.project_id, visitor, load)
        api.services.profiles.keep(api.project_id, visitor, copy)
        return copy.profile.sessions, bool(read)

    laptop = await sent(api, ("identified", {"email": "ada@example.org"}))
    phone = await sent(api, ("page_viewed", {"path": "/"}))
    assert await visits_known_of(laptop) == (1, False)
    await sent(api, ("identified", {"email": "ada@example.org"}), visitor=phone["visitor"])
    assert await visits_known_of(laptop) == (3, True)
    await sent(api, ("page_viewed", {"path": "/"}), visitor=phone["visitor"])
    # A new visit of somebody with several devices: what happened elsewhere meanwhile is read with it.
    assert await visits_known_of(phone) == (4, True)


async def test_nobody_and_nothing_of_others(api: Api) -> None:
    mine = await sent(api, ("page_viewed", {"path": "/"}))
    other = await create_key(api.services.database, f"other-{uuid4()}", "secret", [])
    url = f"/v1/visitors/{mine['visitor']}"
    assert (await api.client.get(url, headers={"authorization": f"Bearer {other.key}"})).status_code == 404
    assert (await api.client.get(f"/v1/visitors/{uuid4()}", headers=api.headers)).status_code == 404
    assert (await api.client.get(url, params={"key": api.write})).status_code in (401, 403)
    assert (await api.client.get(url, params={"cursor": "x"}, headers=api.headers)).status_code == 400
