"""Building a flow over HTTP: drafts, faults, versions, publishing, copies, repeated requests."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select

from flows.models import Flow, FlowVersion
from tests.api.conftest import Api

MAIL = {"do": "send", "action": "send_email", "params": {"message": "cart_reminder"}}
PLAN: dict[str, Any] = {
    "name": "remind",
    "trigger": {"on": "insight", "kind": "abandoned"},
    "start": "pause",
    "steps": {"pause": {"do": "wait", "for": "PT1H", "next": "mail"}, "mail": MAIL},
}


async def call(api: Api, method: str, path: str, **options: Any) -> httpx.Response:
    headers = api.headers | options.pop("headers", {})
    return await api.client.request(method, f"/v1/flows{path}", headers=headers, **options)


async def create(api: Api, **changes: Any) -> dict[str, Any]:
    answer = await call(api, "POST", "", json={"definition": PLAN | changes})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def pointers(answer: dict[str, Any]) -> dict[str, str]:
    return {fault["pointer"]: fault["fix"] for fault in answer["faults"]}


async def test_a_new_flow_is_a_draft_that_nothing_runs(api: Api) -> None:
    flow = await create(api)
    assert (flow["state"], flow["published"], flow["faults"], flow["revision"]) == ("draft", None, [], 1)
    listed = (await call(api, "GET", "")).json()["flows"]
    assert [(one["name"], one["state"], one["version"]) for one in listed] == [("remind", "draft", None)]


async def test_a_draft_may_be_unfinished_but_not_nameless(api: Api) -> None:
    answer = await call(api, "POST", "", json={"definition": {"name": "later"}})
    assert answer.status_code == 201
    assert set(pointers(answer.json())) == {"/trigger", "/start", "/steps"}
    nameless = await call(api, "POST", "", json={"definition": {"steps": {}}})
    assert nameless.status_code == 400 and nameless.json()["field"] == "definition.name"


async def test_everything_wrong_is_told_at_once_with_its_place_and_a_fix(api: Api) -> None:
    wrong = {
        "name": "x",
        "colour": "red",
        "trigger": {"on": "insight", "min_confidence": 7, "when": "cart.items >= lots"},
        "start": "a",
        "settings": {"reentry": "soon"},
        "steps": {
            "a": {"do": "wait", "for": "ages", "next": "b"},
            "b": {"do": "branch", "when": {"field": "no.such", "op": "eq", "value": 1}, "then": "gone"},
            "c": {"do": "fly"},
            "d": {"action": "send_email"},
            "e": {"do": "send", "action": "send_pigeon"},
            "f": MAIL | {"params": {"message": "cart_reminder", "discount_percent": 95, "colour": 1}},
            "Not A Name": {"do": "exit"},
        },
    }
    answer = (await call(api, "POST", "/validate", json={"definition": wrong})).json()
    found = pointers(answer)
    assert not answer["valid"]
    assert "reason" not in found
    for pointer in (
        "/colour",
        "/trigger/min_confidence",
        "/settings/reentry",
        "/steps/a/for",
        "/steps/b/otherwise",
        "/steps/c/do",
        "/steps/d/do",
        "/steps/e/action",
        "/steps/f/params/discount_percent",
        "/steps/f/params/colour",
        "/steps/Not A Name",
    ):
        assert found.get(pointer), (pointer, answer["faults"])
    assert any(pointer.startswith("/trigger/when") for pointer in found)
    assert "otherwise" in found["/steps/b/otherwise"]
    assert "PT1H" in found["/steps/a/for"]


async def test_a_flow_with_faults_cannot_be_published(api: Api) -> None:
    flow = await create(api, start="nowhere")
    refused = await call(api, "POST", f"/{flow['id']}/publish")
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert pointers(refused.json())["/start"]
    assert (await call(api, "GET", f"/{flow['id']}")).json()["state"] == "draft"


async def test_publishing_what_is_published_makes_no_new_version(api: Api) -> None:
    flow = await create(api)
    first = (await call(api, "POST", f"/{flow['id']}/publish")).json()
    again = (await call(api, "POST", f"/{flow['id']}/publish")).json()
    assert (first["new_version"], first["live_version"], first["changed"]) == (True, 1, False)
    assert (again["new_version"], again["live_version"]) == (False, 1)
    changed = PLAN | {"description": "better"}
    saved = (await call(api, "PUT", f"/{flow['id']}", json={"definition": changed})).json()
    assert saved["changed"] and saved["live_version"] == 1 and saved["published"]["description"] == ""
    third = (await call(api, "POST", f"/{flow['id']}/publish")).json()
    assert (third["new_version"], third["live_version"]) == (True, 2)
    listed = (await call(api, "GET", f"/{flow['id']}/versions")).json()["versions"]
    assert [(one["number"], one["live"]) for one in listed] == [(2, True), (1, False)]


async def test_of_two_who_edit_the_second_is_told(api: Api) -> None:
    flow = await create(api)
    read = await call(api, "GET", f"/{flow['id']}")
    headers = {"if-match": read.headers["etag"]}
    edits = [
        call(api, "PUT", f"/{flow['id']}", json={"definition": PLAN | {"description": text}}, headers=headers)
        for text in ("one", "two")
    ]
    answers = await asyncio.gather(*edits)
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    late = await call(api, "POST", f"/{flow['id']}/publish", headers=headers)
    assert late.status_code == 412


async def test_two_flows_cannot_have_one_name(api: Api) -> None:
    await create(api)
    other = await create(api, name="other")
    assert (await call(api, "POST", "", json={"definition": PLAN})).status_code == 409
    renamed = await call(api, "PUT", f"/{other['id']}", json={"definition": PLAN})
    assert renamed.status_code == 409


async def test_a_published_flow_gets_its_new_name_when_it_is_published(api: Api) -> None:
    flow = await create(api)
    await call(api, "POST", f"/{flow['id']}/publish")
    await call(api, "PUT", f"/{flow['id']}", json={"definition": PLAN | {"name": "renamed"}})
    assert (await call(api, "GET", f"/{flow['id']}")).json()["name"] == "remind"
    published = (await call(api, "POST", f"/{flow['id']}/publish")).json()
    assert (published["id"], published["name"], published["live_version"]) == (flow["id"], "renamed", 2)


async def test_pausing_resuming_archiving_and_taking_back(api: Api) -> None:
    flow = await create(api)
    assert (await call(api, "POST", f"/{flow['id']}/pause")).status_code == 409
    await call(api, "POST", f"/{flow['id']}/publish")
    paused = (await call(api, "POST", f"/{flow['id']}/pause", json={"runs": "cancel"})).json()
    assert (paused["state"], paused["live_version"], paused["latest_version"]) == ("paused", None, 1)
    assert (await call(api, "POST", f"/{flow['id']}/resume")).json()["state"] == "live"
    assert (await call(api, "POST", f"/{flow['id']}/archive")).json()["state"] == "archived"
    assert (await call(api, "GET", "")).json()["flows"] == []
    assert len((await call(api, "GET", "?archived=true")).json()["flows"]) == 1
    for action in ("publish", "resume", "pause"):
        assert (await call(api, "POST", f"/{flow['id']}/{action}")).status_code == 409
    assert (await call(api, "POST", f"/{flow['id']}/restore")).json()["state"] == "paused"


async def test_what_differs_is_told_by_step_and_place(api: Api) -> None:
    flow = await create(api)
    await call(api, "POST", f"/{flow['id']}/publish")
    steps = {
        "pause": {"do": "wait", "for": "PT2H", "next": "has"},
        "has": {"do": "branch", "when": "cart.items >= 1", "then": "shop", "otherwise": "end"},
        "shop": MAIL,
        "end": {"do": "exit"},
    }
    changed = PLAN | {"steps": steps, "description": "with a cart"}
    await call(api, "PUT", f"/{flow['id']}", json={"definition": changed})
    assert (await call(api, "GET", f"/{flow['id']}")).json()["faults"] == []
    found = (await call(api, "GET", f"/{flow['id']}/diff")).json()
    assert (found["before"], found["after"], found["same"]) == ("1", "draft", False)
    assert (found["steps_added"], found["steps_removed"]) == (["end", "has", "shop"], ["mail"])
    places = {change["pointer"]: (change["before"], change["after"]) for change in found["steps_changed"]["pause"]}
    assert places == {"/steps/pause/for": ("PT1H", "PT2H"), "/steps/pause/next": ("mail", "has")}
    assert [change["pointer"] for change in found["other_changes"]] == ["/description"]
    await call(api, "POST", f"/{flow['id']}/publish")
    steps["has"]["when"] = "cart.items >= 2"
    await call(api, "PUT", f"/{flow['id']}", json={"definition": changed})
    (change,) = (await call(api, "GET", f"/{flow['id']}/diff?before=2")).json()["steps_changed"]["has"]
    assert (change["before"], change["after"]) == ("cart.items >= 1", "cart.items >= 2")


async def test_a_copy_and_a_file_carry_the_whole_flow(api: Api) -> None:
    flow = await create(api)
    copy = (await call(api, "POST", f"/{flow['id']}/clone", json={"name": "copy"})).json()
    assert copy["definition"] == PLAN | {"name": "copy"} and copy["state"] == "draft"
    file = (await call(api, "GET", f"/{flow['id']}/export")).json()
    read = await call(api, "POST", "/import", json={"file": file, "name": "imported"})
    assert read.json()["definition"] == PLAN | {"name": "imported"}
    ours = {"format": "whyleft-flow", "version": 1}
    for bad in (
        {},
        ours | {"version": 9},
        ours | {"flow": []},
        ours | {"flow": PLAN, "messages": []},
        ours | {"flow": PLAN, "messages": {"A b": {"content": {}}}},
    ):
        assert (await call(api, "POST", "/import", json={"file": bad})).status_code == 400


async def test_a_file_carries_the_messages_that_the_flow_sends(api: Api) -> None:
    content = {"locales": {"en": {"subject": "Hello", "html": "<p>{{ shop }}</p>"}}}
    for name in ("mine", "others"):
        body = {"name": name, "content": content}
        await api.client.post("/v1/messages", headers=api.headers, json=body)
    flow = await create(api, steps={"pause": {"do": "send", "action": "send_email", "params": {"message": "mine"}}})
    file = (await call(api, "GET", f"/{flow['id']}/export")).json()
    assert set(file["messages"]) == {"mine"}
    await api.client.delete("/v1/messages/mine", headers=api.headers)
    read = await call(api, "POST", "/import", json={"file": file, "name": "again"})
    assert read.status_code == 201
    found = (await api.client.get("/v1/messages/mine", headers=api.headers)).json()
    assert (found["content"], found["published"]) == (content, None)
    assert list(pointers(read.json())) == ["/steps/pause/params/message"]


async def test_every_starter_can_be_taken_over_and_published(api: Api) -> None:
    starters = (await call(api, "GET", "/starters")).json()["starters"]
    reasons = [reason for starter in starters for reason in starter["reasons"]]
    assert len(set(reasons)) == 13
    for starter in starters:
        taken = await call(api, "POST", f"/starters/{starter['name']}")
        assert taken.status_code == 201 and taken.json()["faults"] == []
        published = await call(api, "POST", f"/{taken.json()['id']}/publish")
        assert published.status_code == 200, published.text


async def test_the_schema_describes_steps_triggers_and_the_parameters_of_actions(api: Api) -> None:
    schema = (await call(api, "GET", "/schema")).json()
    assert {"send", "wait", "branch", "exit"} <= set(schema["steps"])
    assert "insight" in schema["triggers"]
    assert "discount_percent" in schema["actions"]["send_email"]["params"]["properties"]
    assert schema["actions"]["send_email"]["reaches_visitors"]


async def test_a_repeated_request_is_answered_as_before_and_does_nothing(api: Api) -> None:
    headers = {"idempotency-key": f"create-{uuid4()}"}
    sent = [call(api, "POST", "", json={"definition": PLAN}, headers=headers) for _ in range(4)]
    answers = await asyncio.gather(*sent)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["etag"] for answer in answers} == {'"1"'}
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 3
    async with api.services.database.transaction(api.project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(Flow).where(Flow.project_id == api.project_id)) == 1


async def test_a_key_that_came_with_another_request_is_refused(api: Api) -> None:
    headers = {"idempotency-key": "k"}
    assert (await call(api, "POST", "", json={"definition": PLAN}, headers=headers)).status_code == 201
    other = await call(api, "POST", "", json={"definition": PLAN | {"name": "b"}}, headers=headers)
    assert other.status_code == 409 and "Idempotency-Key" in other.json()["detail"]


async def test_what_failed_can_be_tried_again_under_its_key(api: Api) -> None:
    flow = await create(api, start="nowhere")
    headers = {"idempotency-key": "again"}
    assert (await call(api, "POST", f"/{flow['id']}/publish", headers=headers)).status_code == 422
    await call(api, "PUT", f"/{flow['id']}", json={"definition": PLAN})
    assert (await call(api, "POST", f"/{flow['id']}/publish", headers=headers)).status_code == 200
    repeated = await call(api, "POST", f"/{flow['id']}/publish", headers=headers)
    assert repeated.json()["new_version"] is True
    async with api.services.database.transaction(api.project_id) as tx:
        query = select(func.count()).select_from(FlowVersion).where(FlowVersion.project_id == api.project_id)
        assert await tx.scalar(query) == 1


@pytest.mark.parametrize("bad", [{"definition": []}, {"definition": {"name": "a\u0000b"}}, {"other": 1}])
async def test_a_body_that_makes_no_sense_is_refused(api: Api, bad: Any) -> None:
    assert (await call(api, "POST", "", json=bad)).status_code == 422


async def test_flows_of_another_project_are_not_there(api: Api) -> None:
    assert (await call(api, "GET", f"/{uuid4()}")).status_code == 404
    assert (await call(api, "POST", f"/{uuid4()}/publish")).status_code == 404


@pytest.mark.parametrize("published_first", [False, True])
async def test_what_is_done_twice_stays_at_its_revision_and_is_noted_once(api: Api, published_first: bool) -> None:
    flow = await create(api)
    where, steps = f"/{flow['id']}", ["publish", "pause", "resume", "archive", "restore"]
    if published_first:
        assert (await call(api, "POST", f"{where}/publish")).status_code == 200

    async def notes() -> list[dict[str, Any]]:
        asked = {"subject": "flow", "subject_id": flow["id"]}
        found = (await api.client.get("/v1/audit", params=asked, headers=api.headers)).json()["entries"]
        return list(found)

    for verb in steps[published_first:]:
        before = len(await notes())
        once = await call(api, "POST", f"{where}/{verb}")
        again = await call(api, "POST", f"{where}/{verb}")
        assert (once.status_code, again.status_code) == (200, 200), once.text
        assert len(await notes()) == before + 1, verb
        assert again.headers["etag"] == once.headers["etag"], verb
        assert again.json() | {"new_version": 0} == once.json() | {"new_version": 0}
    archived = next(one for one in await notes() if "archived_at" in (one["after"] or {}))
    assert archived["before"]["version_id"] and "version_id" not in archived["after"]
    assert archived["after"]["revision"] == archived["before"]["revision"] + 1


async def test_a_draft_that_says_the_same_stays_at_its_revision(api: Api) -> None:
    flow = await create(api)
    as_it_is = await call(api, "PUT", f"/{flow['id']}", json={"definition": dict(reversed(flow["definition"].items()))})
    assert (as_it_is.status_code, as_it_is.json()["revision"]) == (200, 1)
    # In Python True is 1; a draft that says one in the place of the other says something else.
    for number, flag in enumerate((1, True, 1), 2):
        answer = await call(api, "PUT", f"/{flow['id']}", json={"definition": PLAN | {"settings": {"reentry": flag}}})
        assert (answer.json()["revision"], answer.json()["definition"]["settings"]) == (number, {"reentry": flag})
        assert answer.json()["definition"]["settings"]["reentry"] is flag


async def test_pausing_again_still_cancels_runs_under_way(api: Api) -> None:
    flow = await create(api, trigger={"on": "api"})
    where = f"/{flow['id']}"
    assert (await call(api, "POST", f"{where}/publish")).status_code == 200
    batch = api.batch(api.event("clicked"))
    await api.send(batch)
    started = await call(api, "POST", f"{where}/start", json={"visitor": batch["visitor"]})
    assert started.status_code == 200, started.text
    await call(api, "POST", f"{where}/pause")
    await call(api, "POST", f"{where}/pause", json={"runs": "cancel"})
    runs = await api.client.get("/v1/runs", params={"flow": flow["id"]}, headers=api.headers)
    assert [run["status"] for run in runs.json()["runs"]] == ["cancelled"], runs.text
