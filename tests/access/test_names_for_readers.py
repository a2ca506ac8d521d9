"""Whom messages went to, and what was refused, as a reader's key is told: who is who, and no address to write to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from flows.models import Delivery
from insights.access.keys import ResolvedKey, make_key
from insights.access.roles import Role
from insights.api.whole_names import shown_to
from tests.api.conftest import Api, api
from tests.api.test_runs import publish

__all__ = ["api"]

ADDRESS, NUMBER = "ada.lovelace@shop.example", "+4917112345678"
PATHS = ("/v1/runs", "/v1/deliveries", "/v1/rejected")


async def answers(api: Api, role: Role) -> dict[str, Any]:
    """What a key of this role is told, by path."""
    async with api.services.database.transaction(api.project_id) as tx:
        _, key = make_key(tx, api.project_id, "secret", role=role)
    headers = {"authorization": f"Bearer {key}"}
    found = {path: (await api.client.get(path, headers=headers)).json() for path in PATHS}
    run = found["/v1/runs"]["runs"][0]["id"]
    return found | {"/v1/runs/{run_id}": (await api.client.get(f"/v1/runs/{run}", headers=headers)).json()}


async def test_readers_are_told_no_address_and_editors_are(api: Api) -> None:
    flow = await publish(api, {"on": "api"}, {"a": {"do": "wait", "for": "P1D"}})
    batch = api.batch(api.event("clicked"), api.event("identified", {"email": ADDRESS, "phone": 5}))
    await api.send(batch)
    body = {"visitor": batch["visitor"]}
    run = (await api.client.post(f"/v1/flows/{flow}/start", json=body, headers=api.headers)).json()["run"]
    async with api.services.database.transaction(api.project_id) as tx:
        for recipient in (ADDRESS, NUMBER):
            tx.add(
                Delivery(
                    project_id=api.project_id,
                    id=uuid4(),
                    run_id=UUID(run),
                    step="a",
                    action="send_email",
                    visitor_id=UUID(batch["visitor"]),
                    channel="email",
                    dedupe_key=recipient,
                    recipient=recipient,
                    content={},
                    status="rejected",
                    error=f"550 5.1.1 <{recipient}>: there is nobody of this name",
                    attempts=1,
                    created_at=datetime.now(UTC),
                )
            )
    readers, editors = await answers(api, Role.READER), await answers(api, Role.EDITOR)
    for path in editors:
        assert ADDRESS in str(editors[path])
        assert not [name for name in (ADDRESS, NUMBER, "lovelace", "12345678") if name in str(readers[path])], path
    told = readers["/v1/deliveries"]["deliveries"]
    assert {one["recipient"] for one in told} == {"a•••@shop.example", "+49•••78"}
    assert all("nobody of this name" in one["error"] for one in told)
    [refused] = readers["/v1/rejected"]["rejected"]
    assert (refused["event"], refused["error"][:12]) == (None, "props.phone:")


async def test_what_a_flow_would_say_of_somebody_is_shown_to_readers_without_their_address(api: Api) -> None:
    told = {"kind": "hubspot", "name": "tasks", "settings": {}, "credentials": {"token": "pat-eu1-0123456789"}}
    made = await api.client.post("/v1/channels", json=told, headers=api.headers)
    assert made.status_code == 201, made.text
    batch = api.batch(api.event("page_viewed"), api.event("identified", {"email": ADDRESS, "phone": NUMBER}))
    await api.send(batch)
    step = {"do": "send", "action": "create_crm_task"}
    plan = {"name": "ask", "trigger": {"on": "api"}, "start": "a", "steps": {"a": step}}
    shown: dict[Role, str] = {}
    for role in (Role.READER, Role.EDITOR):
        async with api.services.database.transaction(api.project_id) as tx:
            _, key = make_key(tx, api.project_id, "secret", role=role)
        answer = await api.client.post(
            "/v1/flows/step-through",
            json={"definition": plan, "visitor": batch["visitor"]},
            headers={"authorization": f"Bearer {key}"},
        )
        [send] = answer.json()["sends"]
        shown[role] = str(send["content"])
    assert ADDRESS in shown[Role.EDITOR]
    assert not [name for name in (ADDRESS, NUMBER, "lovelace", "12345678") if name in shown[Role.READER]]
    assert "left: nobody knows why" in shown[Role.READER]


def test_whatever_shape_it_has_what_would_be_sent_is_shown_without_addresses() -> None:
    content = {"to": [ADDRESS, NUMBER, 7, None], "html": f"<a href='https://shop.example/?e={ADDRESS}'>{ADDRESS}</a>"}
    assert shown_to(key_of(Role.EDITOR), content) == content
    assert shown_to(key_of(Role.READER), content) == {
        "to": ["a•••@shop.example", "+49•••78", 7, None],
        "html": "<a href='https://shop.example/?e=[email]'>[email]</a>",
    }


def key_of(role: Role) -> ResolvedKey:
    return ResolvedKey(uuid4(), uuid4(), "shop", "secret", role, frozenset(), frozenset(), False, "k")


async def test_a_timeline_tells_readers_who_is_who_and_no_whole_user_id(api: Api) -> None:
    batch = api.batch(api.event("page_viewed"), api.event("identified", {"user_id": "customer-181599"}))
    await api.send(batch)
    told: dict[Role, Any] = {}
    for role in (Role.READER, Role.EDITOR):
        async with api.services.database.transaction(api.project_id) as tx:
            _, key = make_key(tx, api.project_id, "secret", role=role)
        headers = {"authorization": f"Bearer {key}"}
        answer = await api.client.get(f"/v1/sessions/{batch['session']}", headers=headers)
        [told[role]] = [one["props"]["user_id"] for one in answer.json()["events"] if one["type"] == "identified"]
    assert told == {Role.READER: "cu•••99", Role.EDITOR: "customer-181599"}


async def test_a_template_of_a_readers_own_spells_no_address_out(api: Api) -> None:
    told = {"kind": "hubspot", "name": "tasks", "settings": {}, "credentials": {"token": "pat-eu1-0123456789"}}
    await api.client.post("/v1/channels", json=told, headers=api.headers)
    batch = api.batch(api.event("page_viewed"), api.event("identified", {"email": ADDRESS}))
    await api.send(batch)
    step = {"do": "send", "action": "create_crm_task", "params": {"title": "{{ who | replace: '@', ' at ' }}"}}
    plan = {"name": "ask", "trigger": {"on": "api"}, "start": "a", "steps": {"a": step}}
    for role in (Role.READER, Role.EDITOR):
        async with api.services.database.transaction(api.project_id) as tx:
            _, key = make_key(tx, api.project_id, "secret", role=role)
        answer = await api.client.post(
            "/v1/flows/step-through",
            json={"definition": plan, "visitor": batch["visitor"]},
            headers={"authorization": f"Bearer {key}"},
        )
        assert answer.status_code == 200, answer.text
        assert ("lovelace at shop.example" in answer.text) == (role is Role.EDITOR)
        assert "lovelace" not in answer.text or role is Role.EDITOR


async def test_readers_may_not_ask_what_the_shop_told_of_people_and_editors_may(api: Api) -> None:
    batch = api.batch(api.event("page_viewed"), api.event("identified", {"traits": {"email": ADDRESS, "age": 36}}))
    await api.send(batch)
    asks = ('visitor.trait("email") is known', 'visitor.tags has "a" or visitor.trait_number("age") > 30')
    branch = {"do": "branch", "when": asks[0], "then": "b", "otherwise": "b"}
    plan = {"name": "ask", "trigger": {"on": "api"}, "start": "a", "steps": {"a": branch, "b": {"do": "exit"}}}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/v1/flows/step-through", {"definition": plan, "visitor": batch["visitor"]}),
        ("/v1/flows/preview", {"definition": plan}),
    ]
    for when in asks:
        bodies.append(("/v1/conditions/check", {"when": when, "visitor": batch["visitor"]}))
        bodies.append(("/v1/segments/preview", {"when": when}))
    for role, status in ((Role.READER, 403), (Role.EDITOR, 200)):
        async with api.services.database.transaction(api.project_id) as tx:
            _, key = make_key(tx, api.project_id, "secret", role=role)
        headers = {"authorization": f"Bearer {key}"}
        for path, body in bodies:
            answer = await api.client.post(path, json=body, headers=headers)
            assert answer.status_code == status, (role, path, answer.text)
            assert status == 200 or ADDRESS not in answer.text
        # What it means, and what asks nothing of them, everybody may know.
        for body in ({"when": asks[0]}, {"when": "visitor.sessions >= 1", "visitor": batch["visitor"]}):
            assert (await api.client.post("/v1/conditions/check", json=body, headers=headers)).status_code == 200
