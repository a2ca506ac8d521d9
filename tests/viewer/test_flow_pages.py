"""Pages of flows: what they show, and that whoever asks through them may do no more than the API lets them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from flows.models import Flow, FlowVersion
from insights.models import ApiKey
from insights.viewer.flow_tree import duration_words, tree_of
from tests.viewer.conftest import Whole, log_in
from tests.viewer.seed import run

REMINDER: dict[str, Any] = {
    "name": "reminder",
    "trigger": {"on": "insight", "kind": "abandoned", "reasons": ["distraction"], "min_confidence": 0.6},
    "start": "pause",
    "steps": {
        "pause": {"do": "wait", "for": "PT4H", "next": "has_cart"},
        "has_cart": {"do": "branch", "when": "cart.value >= 50.00 EUR", "then": "mail", "otherwise": "bye"},
        "mail": {"do": "send", "action": "send_email", "params": {"message": "cart_reminder"}, "next": "bye"},
        "bye": {"do": "exit"},
    },
}


def test_a_tree_tells_steps_in_words_and_where_ways_meet_again() -> None:
    tree = tree_of(REMINDER)
    assert tree.trigger == "A visit ended: Distraction"
    assert "at least 60 % confident" in tree.trigger_detail
    assert [step.title for step in tree.steps] == ["Wait 4 hours", "If cart.value >= 50.00 EUR"]
    yes, no = tree.steps[1].ways
    assert [step.title for step in yes.steps] == ["Send e-mail: cart_reminder", "End"]
    assert [(step.do, step.name) for step in no.steps] == [("goes_on", "bye")]
    assert tree.loose == ()


def test_what_nothing_leads_to_and_what_is_missing_is_shown() -> None:
    tree = tree_of({"start": "a", "steps": {"a": {"do": "wait", "next": "gone"}, "b": {"do": "exit"}}})
    assert [(step.do, step.title) for step in tree.steps] == [
        ("wait", "Wait …"),
        ("missing", "There is no step “gone”"),
    ]
    assert [step.name for step in tree.loose] == ["b"]


def test_a_loop_ends_where_it_began() -> None:
    tree = tree_of({"start": "a", "steps": {"a": {"do": "wait", "next": "b"}, "b": {"do": "wait", "next": "a"}}})
    assert [step.do for step in tree.steps] == ["wait", "wait", "goes_on"]


def test_a_fault_stands_at_its_step() -> None:
    faults = [
        {"pointer": "/steps/mail/params/message", "problem": "is missing", "fix": "name one"},
        {"pointer": "/trigger/reasons/0", "problem": "unknown", "fix": "choose"},
        {"pointer": "/start", "problem": "x", "fix": "y"},
    ]
    tree = tree_of(REMINDER, faults)
    assert tree.steps[1].ways[0].steps[0].faults == ({**faults[0], "field": "Message"},)
    assert tree.trigger_faults == ({**faults[1], "field": "Reasons"},)
    assert tree.faults == ({**faults[2], "field": "Start"},)


@pytest.mark.parametrize(
    "definition",
    [{}, {"steps": 5}, {"steps": {"a": 5}, "start": "a"}, {"start": ["a"], "trigger": 7, "steps": {"a": {"do": {}}}},
     {"start": "a", "steps": {"a": {"do": "split", "ways": 3}}},
     {"trigger": {"on": "insight", "reasons": 3, "when": []}},
     {"start": "a", "steps": {"a": {"do": "branch", "when": {"all": 3}, "then": 4}}}],
)  # fmt: skip
def test_a_draft_may_hold_anything(definition: dict[str, Any]) -> None:
    tree_of(definition)


def test_durations_read_as_people_say_them() -> None:
    assert duration_words("P1DT2H") == "1 day 2 hours"
    assert duration_words("PT15M") == "15 minutes"
    assert duration_words("soon") == "soon"


@pytest.fixture
async def inside(whole: Whole) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(whole.app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://viewer.test") as client:
        await log_in(client, whole.key)
        yield client


def script_token(page: str) -> dict[str, str]:
    """The header that the builder's script sends."""
    return {"x-whyleft-token": re.search(r'data-token="([^"]+)"', page)[1]}  # type: ignore[index]


async def test_a_flow_is_begun_read_and_published_without_javascript(whole: Whole, inside: httpx.AsyncClient) -> None:
    listed = (await inside.get("/app/flows")).text
    token = re.search(r'action="/app/flows"[^>]*><input type="hidden" name="token" value="([^"]+)"', listed)[1]  # type: ignore[index]
    nameless = await inside.post("/app/flows", data={"token": token, "name": " "})
    assert (nameless.status_code, "Give the flow a name" in nameless.text) == (400, True)
    starter = re.search(r'name="starter" value="([^"]+)"', listed)[1]  # type: ignore[index]
    made = await inside.post("/app/flows", data={"token": token, "starter": starter, "name": "mine"})
    assert made.status_code == 303, made.text
    where = made.headers["location"].removesuffix("/build")
    page = (await inside.get(where)).text
    assert "Not published yet" in page
    revision = re.search(r'name="revision" value="(\d+)"', page)[1]  # type: ignore[index]
    stale = await inside.post(f"{where}/publish", data={"token": token, "revision": str(int(revision) + 7)})
    assert stale.status_code == 412
    done = await inside.post(f"{where}/publish", data={"token": token, "revision": revision})
    assert (done.status_code, done.headers["location"]) == (303, f"{where}?done=published")
    page = (await inside.get(where)).text
    assert "live v1" in page
    again = await inside.post(f"{where}/publish", data={"revision": revision, "token": "forged"})
    assert again.status_code == 403


async def test_a_flow_that_rests_shows_what_runs_again_and_not_its_draft(
    whole: Whole, inside: httpx.AsyncClient
) -> None:
    where, step = f"/app/flows/{whole.flow_id}", {"do": "exit", "reason": "only in the draft"}
    header = script_token((await inside.get(f"{where}/build")).text)
    flow = (await inside.get(f"/app/v1/flows/{whole.flow_id}", headers=header)).json()
    draft = {**flow["published"], "steps": {**flow["published"]["steps"], "added": step}}
    await inside.put(f"/app/v1/flows/{whole.flow_id}", json={"definition": draft}, headers=header)
    await inside.post(f"/app/v1/flows/{whole.flow_id}/pause", headers=header)
    page = (await inside.get(where)).text
    drawn = page[page.index('id="steps"') : page.index('id="runs"')]
    assert "What ran last" in drawn and "only in the draft" not in drawn
    assert "The draft differs from what ran last" in page and "<code>added</code>" in page
    await inside.post(f"/app/v1/flows/{whole.flow_id}/resume", headers=header)
    resumed = (await inside.get(f"/app/v1/flows/{whole.flow_id}", headers=header)).json()
    assert resumed["published"] == flow["published"]


async def test_an_older_version_is_taken_back_as_the_draft(whole: Whole, inside: httpx.AsyncClient) -> None:
    header = script_token((await inside.get(f"/app/flows/{whole.flow_id}/build")).text)
    flow = (await inside.get(f"/app/v1/flows/{whole.flow_id}", headers=header)).json()
    first = flow["published"]
    changed = {"definition": {**first, "description": "Another one."}}
    await inside.put(f"/app/v1/flows/{whole.flow_id}", json=changed, headers=header)
    await inside.post(f"/app/v1/flows/{whole.flow_id}/publish", headers=header)
    where = f"/app/flows/{whole.flow_id}"
    page = (await inside.get(where)).text
    form = rf'action="{where}/versions/(\d+)"><input type="hidden" name="token" value="([^"]+)">.*?value="(\d+)"'
    [(number, token, revision)] = re.findall(form, page)
    assert int(number) == flow["live_version"]
    stale = await inside.post(f"{where}/versions/{number}", data={"token": token, "revision": "0"})
    assert stale.status_code == 412
    taken = await inside.post(f"{where}/versions/{number}", data={"token": token, "revision": revision})
    assert taken.status_code == 303
    assert "look at what differs" in (await inside.get(taken.headers["location"])).text
    now = (await inside.get(f"/app/v1/flows/{whole.flow_id}", headers=header)).json()
    assert (now["definition"], now["live_version"]) == (first, flow["live_version"] + 1)


async def test_a_run_that_sent_nothing_says_why(whole: Whole, inside: httpx.AsyncClient) -> None:
    async with whole.database.transaction(whole.project_id) as tx:
        flow = await tx.get_one(Flow, (whole.project_id, whole.flow_id))
        left_out = [("mail", "skipped", "no_consent: no consent to e-mail")]
        await run(tx, whole.project_id, whole.visits["buyer"], flow, history=left_out)
    page = (await inside.get(f"/app/flows/{whole.flow_id}")).text
    assert re.search(r">skipped</span> <code>mail</code> <bdi>no consent to e-mail<", page)


async def test_the_script_passes_the_flow_api_and_nothing_else(whole: Whole, inside: httpx.AsyncClient) -> None:
    page = (await inside.get(f"/app/flows/{whole.flow_id}/build")).text
    header = script_token(page)
    assert (await inside.get("/app/v1/flows", headers=header)).status_code == 200
    assert (await inside.get("/app/v1/flows")).status_code == 403
    assert (await inside.get("/app/v1/keys", headers=header)).status_code == 404
    assert (await inside.get("/app/v1/sessions", headers=header)).status_code == 404
    inside.cookies.clear()
    assert (await inside.get("/app/v1/flows", headers=header)).status_code == 401


async def test_a_reader_looks_and_changes_nothing(whole: Whole, inside: httpx.AsyncClient) -> None:
    async with whole.database.transaction(whole.project_id) as tx:
        secret = (ApiKey.project_id == whole.project_id, ApiKey.kind == "secret")
        await tx.execute(update(ApiKey).where(*secret).values(role="reader"))
    listed = (await inside.get("/app/flows")).text
    assert "A new flow" not in listed
    page = (await inside.get(f"/app/flows/{whole.flow_id}/build")).text
    assert "You may look at flows" in page
    assert "builder.js" not in page
    header = script_token(page)
    sent = await inside.post("/app/v1/flows", json={"definition": {"name": "x"}}, headers=header)
    assert sent.status_code == 403
    visitor = whole.visits["broken"].visitor_id
    seen = (await inside.get(f"/app/visitors/{visitor}?names=whole")).text
    assert "ada@example.org" not in seen
    assert "Export everything" not in seen


async def test_the_builder_offers_what_a_step_may_name(whole: Whole, inside: httpx.AsyncClient) -> None:
    page = unescape((await inside.get(f"/app/flows/{whole.flow_id}/build")).text)
    offers = json.loads(re.search(r'data-offers="(\{.*?\})">', page)[1])  # type: ignore[index]
    assert "cart_reminder" in offers["messages"]["send_email"] and "cart_reminder" in offers["messages"]["send_sms"]
    assert offers["segments"] == ["big-carts", "friends", "price-minded"]
    assert (offers["channels"]["send_email"], offers["channels"]["send_sms"]) == (["main-mail", "spare-mail"], [])


async def test_an_outcome_and_reasons_of_the_other_one_are_said_to_start_nothing(
    whole: Whole, inside: httpx.AsyncClient
) -> None:
    header = script_token((await inside.get(f"/app/flows/{whole.flow_id}/build")).text)
    where = f"/app/flows/{whole.flow_id}/drawn"
    for reasons, faults in (
        (["urgency"], ["/trigger/kind"]),
        (["urgency", "distraction"], []),
        ([], []),
        (["nonsense"], ["/trigger/reasons/0"]),
    ):
        definition = REMINDER | {"trigger": {"on": "insight", "kind": "abandoned", "reasons": reasons}}
        drawn = (await inside.put(where, json={"definition": definition}, headers=header)).json()
        assert [one["pointer"] for one in drawn["faults"]] == faults, reasons
        assert ("it never starts" in json.dumps(drawn["faults"])) == (faults == ["/trigger/kind"])


async def test_what_is_drawn_is_checked_first(whole: Whole, inside: httpx.AsyncClient) -> None:
    header = script_token((await inside.get(f"/app/flows/{whole.flow_id}/build")).text)
    where = f"/app/flows/{whole.flow_id}/drawn"
    drawn = (await inside.put(where, json={"definition": REMINDER, "preview": True}, headers=header)).json()
    assert drawn["faults"] == []
    assert "Wait 4 hours" in drawn["html"]
    assert drawn["preview"]["examined"] >= 1
    broken = {**REMINDER, "steps": {**REMINDER["steps"], "mail": {"do": "send", "action": "<img src=x>"}}}
    drawn = (await inside.put(where, json={"definition": broken, "preview": True}, headers=header)).json()
    assert drawn["preview"] is None
    assert any(fault["pointer"].startswith("/steps/mail") for fault in drawn["faults"])
    assert "<img" not in drawn["html"]
    for body in ("[]", "{", '{"definition": 5}', '{"definition": {}}' + " " * 400_000):
        assert (await inside.put(where, content=body, headers=header)).status_code in (400, 413)


async def test_an_unknown_flow_says_so(whole: Whole, inside: httpx.AsyncClient) -> None:
    for path in ("nonsense", "01a1f947fcd87ddb992e3a9ababc459b", "nonsense/build"):
        answer = await inside.get(f"/app/flows/{path}")
        assert answer.status_code == 404
        assert "No such flow" in answer.text
    async with whole.database.transaction(whole.project_id) as tx:
        assert await tx.scalar(select(Flow.id).where(Flow.id == whole.flow_id)) is not None
        assert await tx.scalar(select(FlowVersion.id).where(FlowVersion.flow_id == whole.flow_id)) is not None
