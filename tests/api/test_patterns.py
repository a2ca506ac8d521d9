"""Patterns and subscriptions over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import select

from flows.models import Flow, FlowRun, FlowVersion
from insights.models import Pattern
from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api
from tests.patterns import shop as past


async def test_a_look_on_demand_finds_stores_and_starts_flows(api: Api) -> None:
    weeks = past.Weeks(api.project_id).page("/cart", rate=4, now=0.6, changed_hours=16).page("/", rate=4)
    moved = datetime.now(UTC) - past.NOW
    for row in weeks.rows:
        row["at"] += moved
    await weeks.store(api.services.database)
    await flow(api, "shop")
    await flow(api, "visitor")
    looked = (await api.client.post("/v1/patterns/look", json={"hours": 30}, headers=api.headers)).json()
    assert len(looked["found"]) == 1
    listed = (await api.client.get("/v1/patterns", params={"open": "true"}, headers=api.headers)).json()
    (found,) = listed["patterns"]
    assert (found["dimension"], found["name"], found["reason"]) == ("page", "/cart", "technical_error")
    assert found["before"]["low"] < found["before"]["share"] < found["after"]["low"]
    one = (await api.client.get(f"/v1/patterns/{found['id']}", headers=api.headers)).json()
    assert 0 < len(one["session_ids"]) <= found["sessions"]
    async with api.services.database.transaction(api.project_id) as tx:
        runs = list(await tx.scalars(select(FlowRun).where(FlowRun.project_id == api.project_id)))
    nobody = [run for run in runs if run.visitor_id.int == 0]
    assert len(nobody) == 1 and nobody[0].facts["pattern"]["direction"] == "up"
    assert len(runs) - 1 == found["sessions"], "one for each visitor, and they are all different here"
    assert (await api.client.post("/v1/patterns/look", headers=api.headers)).json()["found"] == []


async def flow(api: Api, each: str) -> None:
    definition = {
        "name": f"pattern for {each}",
        "trigger": {"on": "pattern", "reasons": ["technical_error"], "pages": ["/cart"], "each": each},
        "start": "later",
        "steps": {"later": {"do": "wait", "for": "P1D"}},
    }
    flow_id, version_id, now = uuid7(), uuid7(), datetime.now(UTC)
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(
            Flow(project_id=api.project_id, id=flow_id, name=definition["name"], version_id=version_id, created_at=now)
        )
        await tx.flush()
        tx.add(
            FlowVersion(
                project_id=api.project_id,
                id=version_id,
                flow_id=flow_id,
                number=1,
                definition=definition,
                published_at=now,
            )
        )


async def test_patterns_page_and_strangers_see_nothing(api: Api) -> None:
    async with api.services.database.transaction(api.project_id) as tx:
        for number in range(5):
            tx.add(pattern(api, f"/p{number}"))
    first = (await api.client.get("/v1/patterns", params={"limit": 3}, headers=api.headers)).json()
    rest = (await api.client.get("/v1/patterns", params={"cursor": first["next"]}, headers=api.headers)).json()
    names = [one["name"] for one in first["patterns"] + rest["patterns"]]
    assert sorted(names) == [f"/p{number}" for number in range(5)] and rest["next"] is None
    assert (await api.client.get("/v1/patterns")).status_code == 401
    assert (await api.client.get(f"/v1/patterns/{uuid4()}", headers=api.headers)).status_code == 404
    assert (
        await api.client.post("/v1/patterns/look", json={"hours": 5, "last": 50}, headers=api.headers)
    ).status_code in (400, 422)


def pattern(api: Api, name: str) -> Pattern:
    now = datetime.now(UTC)
    return Pattern(
        project_id=api.project_id,
        id=uuid7(),
        found_at=now,
        began_at=now,
        looked_at=now,
        dimension="page",
        name=name,
        label=name,
        kind="abandoned",
        reason="unclear",
        version="evidence-3",
        before=0.1,
        before_low=0.05,
        before_high=0.15,
        after=0.4,
        after_low=0.3,
        after_high=0.5,
        corrected=False,
        tested_before=0.1,
        before_n=500.0,
        p_value=1e-6,
        sessions=40,
        cell_sessions=100,
        session_ids=[],
        also=[],
        at_stake={},
        action="watch",
        params={},
        narrative="It rose.",
        told_by="template",
    )


async def test_the_actions_come_with_the_schema_of_their_parameters(api: Api) -> None:
    said = (await api.client.get("/v1/patterns/actions", headers=api.headers)).json()
    fix = next(one for one in said if one["action"] == "fix_error")
    assert fix["reasons"] == ["technical_error"] and "request" in fix["params"]["properties"]


async def test_addresses_are_subscribed_listed_and_ended(api: Api) -> None:
    asked = {"channel": "webhook", "address": "https://shop.example/hook", "report": "weekly"}
    made = await api.client.post("/v1/subscriptions", json=asked, headers=api.headers)
    assert made.status_code == 201 and made.json()["secret"].startswith("whsec_")
    (listed,) = (await api.client.get("/v1/subscriptions", headers=api.headers)).json()
    assert listed["address"] == asked["address"] and "secret" not in listed
    refused = await api.client.post(
        "/v1/subscriptions", json=asked | {"address": "http://shop.example"}, headers=api.headers
    )
    assert refused.status_code == 400 and "address" in refused.text
    assert (await api.client.delete(f"/v1/subscriptions/{listed['id']}", headers=api.headers)).status_code == 204
    assert (await api.client.get("/v1/subscriptions", headers=api.headers)).json() == []
