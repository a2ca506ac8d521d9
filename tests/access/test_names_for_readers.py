"""Whom messages went to, and what was refused, as a reader's key is told: who is who, and no address to write to."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from flows.models import Delivery
from insights.access.keys import make_key
from insights.access.roles import Role
from tests.api.conftest import SHOP, Api, api
from tests.api.test_runs import publish
from tests.segments.people import close_visits

__all__ = ["api"]

ADDRESS, NUMBER, USER_ID = "ada.lovelace@people.example", "+4917112345678", "customer-181599"
SECRET = "whsec_" + b64encode(b"whyleft " * 4).decode()
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
    assert {one["recipient"] for one in told} == {"a•••@people.example", "+49•••78"}
    assert all("nobody of this name" in one["error"] for one in told)
    [refused] = readers["/v1/rejected"]["rejected"]
    assert (refused["event"], refused["error"][:12]) == (None, "props.phone:")


async def test_what_a_flow_would_say_to_somebody_readers_are_not_told(api: Api) -> None:
    batch = await asked_for_a_task(api)
    steps = {
        "a": {"do": "send", "action": "create_crm_task", "next": "b"},
        "b": {"do": "send", "action": "call_webhook"},
    }
    plan = {"name": "ask", "trigger": {"on": "api"}, "start": "a", "steps": steps}
    for role in (Role.READER, Role.EDITOR):
        answer = await tried(api, role, plan, batch["visitor"])
        assert len(answer.json()["sends"]) >= 1, answer.text
        for told in (ADDRESS, USER_ID, NUMBER):
            assert (told in answer.text) == (role is Role.EDITOR and told != NUMBER)


async def asked_for_a_task(api: Api) -> dict[str, Any]:
    """A visitor with all their names, and channels that could tell of them."""
    for kind, name, settings, credentials in (
        ("hubspot", "tasks", {}, {"token": "pat-eu1-0123456789"}),
        ("webhook", "calls", {"url": "https://hooks.example/whyleft"}, {"secret": SECRET}),
    ):
        told = {"kind": kind, "name": name, "settings": settings, "credentials": credentials}
        made = await api.client.post("/v1/channels", json=told, headers=api.headers)
        assert made.status_code == 201, made.text
    said = {"user_id": USER_ID, "email": ADDRESS, "phone": NUMBER}
    batch = api.batch(api.event("page_viewed"), api.event("identified", said))
    await api.send(batch)
    return batch


async def tried(api: Api, role: Role, plan: dict[str, Any], visitor: str) -> httpx.Response:
    """A flow of one's own, stepped through with a key of this role."""
    async with api.services.database.transaction(api.project_id) as tx:
        _, key = make_key(tx, api.project_id, "secret", role=role)
    return await api.client.post(
        "/v1/flows/step-through",
        json={"definition": plan, "visitor": visitor},
        headers={"authorization": f"Bearer {key}"},
    )


async def test_a_timeline_tells_readers_who_is_who_and_no_whole_user_id(api: Api) -> None:
    batch = api.batch(api.event("page_viewed"), api.event("identified", {"user_id": USER_ID}))
    await api.send(batch)
    told: dict[Role, Any] = {}
    for role in (Role.READER, Role.EDITOR):
        async with api.services.database.transaction(api.project_id) as tx:
            _, key = make_key(tx, api.project_id, "secret", role=role)
        headers = {"authorization": f"Bearer {key}"}
        answer = await api.client.get(f"/v1/sessions/{batch['session']}", headers=headers)
        [told[role]] = [one["props"]["user_id"] for one in answer.json()["events"] if one["type"] == "identified"]
    assert told == {Role.READER: "cu•••99", Role.EDITOR: USER_ID}


@pytest.mark.parametrize(
    "title",
    ["{{ who | replace: '@', ' at ' }}", "{% if who contains 'lovelace' %}{{ 1 | divided_by: 0 }}{% endif %}Call them"],
)
async def test_a_template_of_a_readers_own_finds_nobody_out(api: Api, title: str) -> None:
    """Neither what comes of it, nor that nothing can come of it."""
    batch = await asked_for_a_task(api)
    step = {"do": "send", "action": "create_crm_task", "params": {"title": title}}
    plan = {"name": "ask", "trigger": {"on": "api"}, "start": "a", "steps": {"a": step}}
    assert (await tried(api, Role.READER, plan, batch["visitor"])).status_code == 403
    editors = await tried(api, Role.EDITOR, plan, batch["visitor"])
    assert "lovelace at people.example" in editors.text or "message_broken" in editors.text, editors.text


@pytest.mark.parametrize("where", ["trigger", "wait", "goal", "success"])
async def test_a_flow_of_a_readers_own_confirms_no_guessed_name(api: Api, where: str) -> None:
    batch = await asked_for_a_task(api)
    props = {"user_id": USER_ID}
    plan: dict[str, Any] = {
        "name": "ask",
        "trigger": {"on": "event", "event": "identified"},
        "start": "a",
        "steps": {
            "a": {"do": "wait", "for": "P1D", "event": {"type": "identified"}, "next": "b", "otherwise": "b"},
            "b": {"do": "exit"},
        },
        "settings": {"goals": [{"event": "identified"}], "success": {"goal": {"event": "identified"}}},
    }
    assert (await tried(api, Role.READER, plan, batch["visitor"])).status_code == 200
    asks = {
        "trigger": plan["trigger"],
        "wait": plan["steps"]["a"]["event"],
        "goal": plan["settings"]["goals"][0],
        "success": plan["settings"]["success"]["goal"],
    }
    asks[where]["props"] = props
    refused = await tried(api, Role.READER, plan, batch["visitor"])
    assert refused.status_code == 403, refused.text
    assert "/props" in refused.json()["detail"]
    assert (await tried(api, Role.EDITOR, plan, batch["visitor"])).status_code == 200


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


async def test_a_message_is_previewed_for_readers_with_names_that_are_nobodys(api: Api) -> None:
    field = {"form": "f", "field": "name", "kind": "text", "value": "Countess"}
    batch = api.batch(
        api.event("page_viewed", {"url": f"{SHOP}/", "path": "/"}, url=f"{SHOP}/"),
        api.event("form_field", field),
        api.event("identified", {"traits": {"first_name": "Augusta"}}),
    )
    await api.send(batch)
    await close_visits(api)
    words = {"subject": "To {{ first_name }}, {{ form.name }}", "html": "", "text": "{{ unsubscribe_url }}"}
    body = {"content": {"locales": {"en": words}}, "session": batch["session"]}
    for role, subject in ((Role.READER, "To Ada, "), (Role.EDITOR, "To Augusta, Countess")):
        async with api.services.database.transaction(api.project_id) as tx:
            _, key = make_key(tx, api.project_id, "secret", role=role)
        headers = {"authorization": f"Bearer {key}"}
        answer = await api.client.post("/v1/messages/preview", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["subject"].strip() == subject.strip()
        timeline = await api.client.get(f"/v1/sessions/{batch['session']}", headers=headers)
        assert ("Countess" in timeline.text) == (role is Role.EDITOR)
