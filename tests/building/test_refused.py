"""What validate refuses, with its place and its fix, and that no door publishes it all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from flows.definition import FlowDefinition
from flows.errors import FlowInvalid
from insights.app import create_app
from insights.recovery.publish import publish_flow, publish_starter_flows
from insights.vocabulary.actions import RecoveryAction
from tests.api.conftest import Api


async def call(api: Api, method: str, path: str, **options: Any) -> httpx.Response:
    return await api.client.request(method, f"/v1/{path}", headers=api.headers, **options)


def plan(*steps: tuple[str, dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {"name": "f", "trigger": {"on": "insight"}, "start": steps[0][0], "steps": dict(steps)} | changes


def sends(kind: str, **params: Any) -> dict[str, Any]:
    return plan(("it", {"do": "send", "action": kind, "params": params}))


async def faults(api: Api, definition: dict[str, Any]) -> list[tuple[str, str, str]]:
    answer = (await call(api, "POST", "flows/validate", json={"definition": definition})).json()
    assert answer["valid"] is not bool(answer["faults"])
    return [(one["pointer"].removeprefix("/steps/it/params"), one["problem"], one["fix"]) for one in answer["faults"]]


async def test_what_names_no_step_is_told_so(api: Api) -> None:
    nothing = {"name": "f", "trigger": {"on": "insight"}, "start": "", "steps": {}}
    assert [fault[:2] for fault in await faults(api, nothing)] == [
        ("/start", "names no step"),
        ("/steps", "holds no step yet"),
    ]
    branch = {"do": "branch", "when": "cart.items >= 1", "then": "", "otherwise": ""}
    split = {"do": "split", "ways": [{"weight": 1, "next": ""}, {"weight": 1, "next": "ask"}]}
    assert [fault[:2] for fault in await faults(api, plan(("ask", branch), ("toss", split)))] == [
        ("/steps/ask/then", "names no step"),
        ("/steps/ask/otherwise", "names no step"),
        ("/steps/toss/ways/0/next", "names no step"),
    ]


@pytest.mark.parametrize("percent", ["15", True])
async def test_a_percentage_in_quotes_is_none(api: Api, percent: Any) -> None:
    """The message went out without the discount that it was made for."""
    [fault] = await faults(api, sends("send_email", message="cart_reminder", discount_percent=percent))
    assert fault == (
        "/discount_percent",
        "cannot mean anything as it is",
        "write a number alone, such as 5, without quotes",
    )


@pytest.mark.parametrize(
    ("percent", "problem", "fix"),
    [
        (95, "is out of range", "write at most 90"),
        (0, "is out of range", "write at least 1"),
        (7.5, "is of the wrong type", "write a whole number"),
    ],
)
async def test_a_percentage_that_cannot_be_is_refused_in_plain_words(
    api: Api, percent: float, problem: str, fix: str
) -> None:
    told = await faults(api, sends("send_email", message="cart_reminder", discount_percent=percent))
    assert told == [("/discount_percent", problem, fix)]


@pytest.mark.parametrize("on", ["event", "segment"])
async def test_a_trigger_that_is_called_like_its_field_is_told_the_field(api: Api, on: str) -> None:
    [(pointer, problem, _)] = await faults(api, plan(("bye", {"do": "exit"}), trigger={"on": on}))
    assert (pointer, problem) == (f"/trigger/{on}", "is missing")


POPUP = {"action": "cart_save", "content": {"default": {"title": "Still here", "body": "Your cart waits."}}}
MEANT: dict[str, dict[str, Any]] = {
    "send_email": {"message": "cart_reminder", "discount_percent": 10},
    "send_sms": {"text": "Your cart: {{ link }}", "region": "DE"},
    "send_push": {"title": "Your cart", "url": "https://shop.example/cart", "hours": 4},
    "show_popup": POPUP | {"template": "card", "stages": ["cart_adder"], "when": "cart.items >= 1"},
    "trigger_retargeting": {"event": "AddToCart", "do": "remove"},
    "tag_customer": {"tag": "left", "channel": "shop"},
    "add_to_segment": {"segment": "left"},
    "create_ticket": {"priority": "high"},
    "create_crm_task": {"title": "{{ who }}: {{ reason }}", "priority": "high", "due_hours": 4},
    "suppress_messages": {"mode": "quiet", "days": 30},
    "call_webhook": {"type": "cart.left"},
    "do_nothing": {},
}


def test_every_action_of_the_registry_is_tried() -> None:
    assert set(MEANT) == {action.value for action in RecoveryAction}


@pytest.mark.parametrize("action", sorted(MEANT))
async def test_every_action_says_what_it_takes_and_takes_nothing_else(api: Api, action: str) -> None:
    await call(api, "POST", "segments", json={"name": "left", "condition": None})
    assert await faults(api, sends(action, **MEANT[action])) == []
    schema = (await call(api, "GET", "flows/schema")).json()["actions"][action]["params"]
    assert schema["additionalProperties"] is False
    assert set(MEANT[action]) <= set(schema.get("properties", {}))
    assert all(part.get("description") for part in schema.get("properties", {}).values())
    ((pointer, problem, fix),) = await faults(api, sends(action, **MEANT[action], colour="red"))
    assert (pointer, problem) == ("/colour", "does not belong here") and fix.startswith("remove it")


@pytest.mark.parametrize(
    ("action", "params", "pointer", "says"),
    [
        ("trigger_retargeting", {"do": "drop"}, "/do", "'add' or 'remove'"),
        ("trigger_retargeting", {"event": ""}, "/event", "at least 1"),
        ("create_crm_task", {"priority": "urgent"}, "/priority", "'low', 'normal' or 'high'"),
        ("create_crm_task", {"title": "x", "properties": {"a": 1}}, "", "properties, or title"),
        ("create_crm_task", {"due_hours": 1, "due_at": "2026-11-21T12:00:00Z"}, "", "due_hours or due_at"),
        ("create_crm_task", {"due_at": "2026-11-21T12:00:00"}, "/due_at", "timezone"),
        ("create_crm_task", {"body": "{{ resaon }}"}, "/body", "did you mean reason?"),
        ("create_crm_task", {"properties": {"why": "{{ reason"}}, "/properties/why", "mend the Liquid"),
        ("suppress_messages", {"mode": "mute"}, "/mode", "'quiet', 'suppress' or 'resume'"),
        ("suppress_messages", {"days": 0}, "/days", "write at least 1"),
        ("tag_customer", {}, "", "tag, set or remove"),
        ("show_popup", POPUP | {"action": "fireworks"}, "/action", "discount_popup"),
        ("show_popup", POPUP | {"action": "discount_popup"}, "/discount_percent", "add discount_percent"),
        ("show_popup", POPUP | {"content": {"de": {"title": "x", "body": "y"}}}, "/content", "content.default"),
        ("show_popup", POPUP | {"when": "cart.items >= lots"}, "/when", "number"),
        ("send_sms", {}, "", "text or message"),
    ],
)
async def test_a_parameter_that_is_not_understood_is_told_with_its_fix(
    api: Api, action: str, params: dict[str, Any], pointer: str, says: str
) -> None:
    found = await faults(api, sends(action, **params))
    assert len(found) == 1, found
    at, problem, fix = found[0]
    assert at.startswith(pointer if pointer else "/steps/it/params" if at.startswith("/steps") else "")
    assert says in f"{problem}: {fix}", found


async def test_a_channel_that_is_named_must_be_there_and_carry_what_is_sent(api: Api) -> None:
    ((pointer, problem, fix),) = await faults(api, sends("send_email", message="cart_reminder", channel="post"))
    assert (pointer, problem) == ("/channel", "there is no channel 'post'") and "docs/channels" in fix
    made = await call(
        api,
        "POST",
        "channels",
        json={
            "kind": "hubspot",
            "name": "our-crm",
            "settings": {},
            "credentials": {"token": "pat-a-long-enough-token"},
        },
    )
    assert made.status_code == 201, made.text
    assert await faults(api, sends("create_crm_task", channel="our-crm")) == []
    ((_, problem, _),) = await faults(api, sends("create_ticket", channel="our-crm"))
    assert problem == "'our-crm' carries crm"
    ((_, _, fix),) = await faults(api, sends("create_crm_task", channel="other"))
    assert fix == "use one of: our-crm"


LONG = plan(("it", {"do": "wait", "for": "P40D", "next": "end"}), ("end", {"do": "exit"}))


async def test_a_wait_may_not_outlive_the_visit_whoever_says_how_long_it_is_kept(api: Api) -> None:
    assert await faults(api, LONG) == []
    services = replace(api.services, settings=replace(api.services.settings, keep_days=30))
    transport = httpx.ASGITransport(create_app(services))  # type: ignore[arg-type]
    api.client = httpx.AsyncClient(transport=transport, base_url="http://api.test")
    ((pointer, problem, fix),) = await faults(api, LONG)
    assert pointer == "/steps/it" and "kept for 30 days" in problem and fix.startswith("wait for a shorter time")
    await call(api, "PATCH", "privacy/settings", json={"keep_days": 60})
    assert await faults(api, LONG) == []
    await call(api, "PATCH", "privacy/settings", json={"keep_days": 20})
    assert "kept for 20 days" in (await faults(api, LONG))[0][1]
    await api.client.aclose()


SHAPES: list[tuple[dict[str, Any], str, str, str]] = [
    (
        plan(("a", {"do": "send", "action": "do_nothing", "next": "a"})),
        "/steps/a",
        "is in a loop without a wait",
        "put a wait for a time into the loop",
    ),
    (
        plan(("a", {"do": "exit"}), ("b", {"do": "exit"})),
        "/steps/b",
        "no step leads here",
        "lead a step here, or remove it",
    ),
    (
        plan(("a", {"do": "send", "action": "send_emial", "params": {}})),
        "/steps/a/action",
        "'send_emial' is not an action",
        "did you mean send_email?",
    ),
    (
        plan(("a", {"do": "branch", "when": "cart.items >= 1", "then": "b"}), ("b", {"do": "exit"})),
        "/steps/a/otherwise",
        "is missing",
        "add otherwise: the step to go to when the condition is not true",
    ),
    (
        plan(("a", {"do": "wait", "for": "PT1H", "next": "bb"}), ("b", {"do": "exit"})),
        "/steps/a/next",
        "there is no step 'bb' to go to",
        "use one of: a, b",
    ),
]


@pytest.mark.parametrize(("definition", "pointer", "problem", "fix"), SHAPES)
async def test_each_bad_shape_is_told_with_its_place_and_its_fix(
    api: Api, definition: dict[str, Any], pointer: str, problem: str, fix: str
) -> None:
    assert (pointer, problem, fix) in await faults(api, definition)


@pytest.mark.parametrize("definition", [shape[0] for shape in SHAPES])
async def test_no_door_publishes_what_is_wrong(api: Api, definition: dict[str, Any]) -> None:
    made = (await call(api, "POST", "flows", json={"definition": definition})).json()
    copied = (await call(api, "POST", f"flows/{made['id']}/clone", json={"name": "copy"})).json()
    file = {"format": "whyleft-flow", "version": 1, "flow": definition}
    read = (await call(api, "POST", "flows/import", json={"file": file, "name": "read"})).json()
    for flow in (made, copied, read):
        assert flow["state"] == "draft" and flow["faults"]
        refused = await call(api, "POST", f"flows/{flow['id']}/publish")
        assert refused.status_code == 422 and [one["fix"] for one in refused.json()["faults"]] == [
            one["fix"] for one in flow["faults"]
        ]
        assert (await call(api, "POST", f"flows/{flow['id']}/resume")).status_code == 409
        assert (await call(api, "GET", f"flows/{flow['id']}")).json()["state"] == "draft"
    try:
        understood = FlowDefinition.model_validate(definition)
    except ValueError:
        return
    with pytest.raises(FlowInvalid):
        async with api.services.database.transaction(api.project_id) as tx:
            await publish_flow(tx, api.project_id, understood, datetime.now(UTC))


async def test_starters_are_held_to_the_same(api: Api) -> None:
    with pytest.raises(FlowInvalid, match="kept for 2 days"):
        async with api.services.database.transaction(api.project_id) as tx:
            await publish_starter_flows(tx, api.project_id, datetime.now(UTC), keep_days=2)


async def test_what_was_published_is_not_resumed_when_something_of_it_is_gone(api: Api) -> None:
    content = {"locales": {"en": {"subject": "Hello", "html": "<p>{{ shop }}</p>"}}}
    await call(api, "POST", "messages", json={"name": "mine", "content": content})
    await call(api, "POST", "messages/mine/publish")
    flow = (await call(api, "POST", "flows", json={"definition": sends("send_email", message="mine")})).json()["id"]
    assert (await call(api, "POST", f"flows/{flow}/publish")).status_code == 200
    await call(api, "POST", f"flows/{flow}/pause")
    await call(api, "DELETE", "messages/mine")
    refused = await call(api, "POST", f"flows/{flow}/resume")
    assert refused.status_code == 422 and refused.json()["faults"][0]["pointer"] == "/steps/it/params/message"
    assert (await call(api, "GET", f"flows/{flow}")).json()["state"] == "paused"
