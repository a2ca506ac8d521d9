"""Runs over HTTP: an event starts one, a call starts one, dead ones come back, what is unknown is listed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text

from flows.definition import FlowDefinition
from flows.models import FlowRun
from insights.recovery.publish import publish_flow
from tests.api.conftest import Api

TAG: dict[str, Any] = {"a": {"do": "send", "action": "tag_customer", "params": {"tag": "seen"}}}


async def publish(api: Api, trigger: dict[str, Any], steps: dict[str, Any] = TAG) -> UUID:
    flow = FlowDefinition.model_validate({"name": "f", "trigger": trigger, "start": "a", "steps": steps})
    async with api.services.database.transaction(api.project_id) as tx:
        return (await publish_flow(tx, api.project_id, flow, datetime.now(UTC))).flow_id


async def work(api: Api) -> None:
    while await api.services.uptake.see_to_due() + await api.services.runner.run_due():
        pass


async def runs(api: Api, visitor: str) -> list[dict[str, Any]]:
    answer = await api.client.get("/v1/runs", params={"visitor": visitor}, headers=api.headers)
    found: list[dict[str, Any]] = answer.json()["runs"]
    return found


async def test_an_event_that_a_flow_listens_for_starts_it_and_a_retry_does_not_start_it_again(api: Api) -> None:
    await publish(api, {"on": "event", "event": "custom", "name": "quiz_done"})
    batch = api.batch(
        api.event("custom", {"name": "quiz_done", "props": {}}), api.event("custom", {"name": "else", "props": {}})
    )
    for _ in range(2):
        assert (await api.send(batch)).status_code == 200
    await work(api)
    (run,) = await runs(api, batch["visitor"])
    assert (run["status"], [line["what"] for line in run["history"]]) == ("done", ["started", "done", "ended"])


async def test_an_order_starts_a_flow_once_however_often_and_by_whomever_it_is_told(api: Api) -> None:
    settings = {"exit_on_conversion": False, "reenter": "always"}
    trigger = {"on": "event", "event": "purchased"}
    flow = FlowDefinition.model_validate(
        {"name": "thanks", "trigger": trigger, "start": "a", "steps": TAG, "settings": settings}
    )
    async with api.services.database.transaction(api.project_id) as tx:
        await publish_flow(tx, api.project_id, flow, datetime.now(UTC))
    order: dict[str, Any] = {"order_id": "A-1", "value_minor": 900, "currency": "EUR"}
    told = {"userId": "ada", "event": "Order Completed", "properties": {"order_id": "A-1", "total": 9}}
    server = await api.client.post("/v1/track", params={"key": api.secret}, json=told)
    assert server.json() == {"success": True}
    await work(api)
    page = api.batch(api.event("identified", {"user_id": "ada"}), api.event("purchased", order))
    await api.send(page)
    await work(api)
    # Opened again another day, and the next order.
    await api.send(api.batch(api.event("purchased", order), visitor=page["visitor"]))
    await api.send(api.batch(api.event("purchased", {**order, "order_id": "A-2"}), visitor=page["visitor"]))
    await work(api)
    async with api.services.database.transaction(api.project_id) as tx:
        groups = list(await tx.scalars(select(FlowRun.trigger_group).order_by(FlowRun.trigger_group)))
    assert groups == ["order:A-1", "order:A-2"]
    # Who guesses its number takes nothing from anybody.
    await api.send(api.batch(api.event("purchased", {**order, "order_id": "A-3"})))
    await api.send(api.batch(api.event("purchased", {**order, "order_id": "A-3"}), visitor=page["visitor"]))
    await work(api)
    assert len([run for run in await runs(api, page["visitor"]) if run["status"] == "done"]) == 2


async def test_runs_are_listed_by_flow_however_many_newer_ones_others_have(api: Api) -> None:
    quiet = await publish(api, {"on": "event", "event": "custom", "name": "rare"})
    batch = api.batch(api.event("custom", {"name": "rare", "props": {}}))
    await api.send(batch)
    await work(api)
    found = (await api.client.get("/v1/runs", params={"flow": str(quiet)}, headers=api.headers)).json()["runs"]
    assert [run["flow"] for run in found] == ["f"]
    others = await api.client.get("/v1/runs", params={"flow": str(uuid4())}, headers=api.headers)
    assert others.json()["runs"] == []


async def test_an_event_that_nobody_listens_for_is_not_set_down(api: Api) -> None:
    await publish(api, {"on": "event", "event": "custom", "name": "quiz_done"})
    await api.send(api.batch(api.event("clicked"), api.event("custom", {"name": "other"})))
    async with api.services.database.transaction(api.project_id) as tx:
        assert await tx.scalar(text("SELECT count(*) FROM flow_occurrence")) == 0


async def test_a_call_starts_a_flow_once_a_key(api: Api) -> None:
    flow = await publish(api, {"on": "api", "when": 'visitor.tags has "vip" or visitor.first_seen_at is known'})
    batch = api.batch(api.event("clicked"))
    await api.send(batch)
    headers = api.headers | {"idempotency-key": "k1"}
    body = {"visitor": batch["visitor"], "data": {"order": "o-1"}}
    first, second = [await api.client.post(f"/v1/flows/{flow}/start", json=body, headers=headers) for _ in range(2)]
    assert first.status_code == 200
    assert first.json()["run"] == second.json()["run"] is not None
    await work(api)
    (run,) = await runs(api, batch["visitor"])
    assert run["status"] == "done"
    one = await api.client.get(f"/v1/runs/{run['id']}", headers=api.headers)
    assert one.json()["id"] == run["id"]


async def test_a_call_that_cannot_start_anything_says_why(api: Api) -> None:
    flow = await publish(api, {"on": "insight"})
    batch = api.batch(api.event("clicked"))
    await api.send(batch)
    body = {"visitor": batch["visitor"]}
    refused = await api.client.post(f"/v1/flows/{flow}/start", json=body, headers=api.headers)
    assert refused.status_code == 409
    assert "starts on insight" in refused.json()["detail"]
    nobody = await api.client.post(f"/v1/flows/{flow}/start", json={"visitor": str(uuid4())}, headers=api.headers)
    nothing = await api.client.post(f"/v1/flows/{uuid4()}/start", json=body, headers=api.headers)
    assert (nobody.status_code, nothing.status_code) == (404, 404)


async def test_a_condition_that_is_not_true_is_told_and_starts_nothing(api: Api) -> None:
    flow = await publish(api, {"on": "api", "when": 'visitor.tags has "vip"'})
    batch = api.batch(api.event("clicked"))
    await api.send(batch)
    answer = await api.client.post(f"/v1/flows/{flow}/start", json={"visitor": batch["visitor"]}, headers=api.headers)
    assert answer.json()["status"] == "not_started"
    assert answer.json()["run"] is None


async def test_dead_runs_are_listed_page_by_page_and_put_back_to_work(api: Api) -> None:
    flow = await publish(api, {"on": "api"}, {"a": {"do": "wait", "for": "P1D"}})
    visitors = []
    for n in range(3):
        batch = api.batch(api.event("clicked"))
        await api.send(batch)
        visitors.append(batch["visitor"])
        await api.client.post(f"/v1/flows/{flow}/start", json={"visitor": batch["visitor"]}, headers=api.headers)
        async with api.services.database.transaction(api.project_id) as tx:
            await tx.execute(
                text(
                    "UPDATE flow_run SET status = 'dead', due_at = NULL, end_reason = 'failed 5 times: KeyError', "
                    "ended_at = now() - make_interval(mins => :n) WHERE visitor_id = :visitor"
                ),
                {"n": n, "visitor": UUID(batch["visitor"])},
            )
    first = (await api.client.get("/v1/runs/dead", params={"limit": 2}, headers=api.headers)).json()
    rest = (await api.client.get("/v1/runs/dead", params={"cursor": first["next"]}, headers=api.headers)).json()
    assert [run["visitor_id"] for run in first["runs"] + rest["runs"]] == visitors
    assert rest["next"] is None
    run = first["runs"][0]
    assert "KeyError" in run["why"]
    one = await api.client.post(f"/v1/runs/{run['id']}/replay", headers=api.headers)
    again = await api.client.post(f"/v1/runs/{run['id']}/replay", headers=api.headers)
    assert (one.json(), again.status_code) == ({"runs": 1}, 409)
    others = await api.client.post("/v1/runs/dead/replay", params={"flow": str(flow)}, headers=api.headers)
    assert others.json() == {"runs": 2}
    assert (await api.client.get("/v1/runs/dead", params={"cursor": "x"}, headers=api.headers)).status_code == 400


async def test_a_run_is_cancelled_by_hand_once(api: Api) -> None:
    flow = await publish(api, {"on": "api"}, {"a": {"do": "wait", "for": "P1D"}})
    batch = api.batch(api.event("clicked"))
    await api.send(batch)
    body = {"visitor": batch["visitor"]}
    run = (await api.client.post(f"/v1/flows/{flow}/start", json=body, headers=api.headers)).json()["run"]
    answers = [await api.client.post(f"/v1/runs/{run}/cancel", headers=api.headers) for _ in range(2)]
    assert [answer.json()["cancelled"] for answer in answers] == [True, False]
    assert (await runs(api, batch["visitor"]))[0]["end_reason"] == "cancelled by hand"


async def test_what_nobody_can_say_of_is_listed(api: Api) -> None:
    async with api.services.database.transaction(api.project_id) as tx:
        for status in ("unknown", "accepted"):
            await tx.execute(
                text(
                    "INSERT INTO delivery (project_id, id, run_id, step, action, visitor_id, channel, dedupe_key, "
                    "content, status, attempts, created_at) VALUES "
                    "(:project, :id, :id, 'a', 'send_email', :id, 'email', :key, '{}', :status, 1, now())"
                ),
                {"project": api.project_id, "id": uuid4(), "key": status, "status": status},
            )
    found = (await api.client.get("/v1/deliveries", params={"status": "unknown"}, headers=api.headers)).json()
    assert [one["status"] for one in found["deliveries"]] == ["unknown"]
    assert len((await api.client.get("/v1/deliveries", headers=api.headers)).json()["deliveries"]) == 2


async def test_a_projects_policy_is_read_back_and_nonsense_is_refused_by_name(api: Api) -> None:
    url = "/v1/settings/flows"
    assert (await api.client.get(url, headers=api.headers)).json() == {"caps": [], "quiet_hours": None}
    policy = {"caps": [{"channel": "email", "most": 2}], "quiet_hours": {"from": "21:00", "to": "08:00"}}
    put = await api.client.put(url, json=policy, headers=api.headers)
    assert put.status_code == 200
    found = (await api.client.get(url, headers=api.headers)).json()
    assert found == put.json()
    assert (found["caps"][0]["within"], found["quiet_hours"]["from"]) == ("P1D", "21:00")
    bad = await api.client.put(url, json={"caps": [{"most": 0}]}, headers=api.headers)
    assert bad.status_code == 422
    assert "most" in bad.text
