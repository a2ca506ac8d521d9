"""One step of a flow sent to whoever builds it: through the real adapter, marked, and counted nowhere."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from adapters.channels.recording import RecordingChannel
from tests.api.conftest import Api
from tests.building.test_preview import rows_of_every_table
from tests.building.test_refused import POPUP, sends
from tests.channels.contract.examples import EXAMPLES
from tests.channels.contract.far_side import Provider, line_to, provider
from tests.recovery.test_short import browser
from tests.segments.people import CART, close_visits, visit

CAME = ("request_failed", {"method": "POST", "path": "/api/pay", "status": 502, "ms": 900})


async def copy(api: Api, definition: dict[str, Any], status: int = 200, **asked: Any) -> dict[str, Any]:
    body = {"definition": definition, "step": "it", **asked}
    answer = await api.client.post("/v1/flows/test-send", headers=api.headers, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def set_up(api: Api, far: Provider, kind: str) -> None:
    """A channel of this kind, whose provider answers as its reference says."""
    example = EXAMPLES[kind]
    far.replies = {example.send: example.accepted, **example.beside}
    far.otherwise = example.accepted
    api.services.channels._line = line_to(far.port)
    made = await api.client.post(
        "/v1/channels",
        headers=api.headers,
        json={"kind": kind, "name": f"our-{kind}", "settings": example.settings, "credentials": example.credentials},
    )
    assert made.status_code == 201, made.text


@pytest.mark.parametrize(
    ("kind", "definition", "to", "says"),
    [
        ("resend", sends("send_email", message="discount_24h", discount_percent=15), "me@shop.example", "[Test] "),
        ("twilio", sends("send_sms", text="{{ shop }}: {{ total }}"), "+4915112345678", "Test"),
        ("slack", sends("create_ticket"), None, "[Test] POST /api/"),
        ("github", sends("create_ticket", priority="high"), None, "[Test] POST /api/"),
        ("hubspot", sends("create_crm_task", title="{{ reason }}"), None, "[Test] technical error"),
        ("meta_audience", sends("trigger_retargeting"), "me@shop.example", "EMAIL"),
        ("segment", sends("call_webhook", type="Left", channel="our-segment"), None, '"test":true'),
        ("webhook", sends("call_webhook", type="cart.left"), None, '"test":true'),
    ],
)
async def test_a_step_goes_to_oneself_through_the_adapter_that_would_carry_it(
    api: Api, kind: str, definition: dict[str, Any], to: str | None, says: str
) -> None:
    async with provider() as far:
        await set_up(api, far, kind)
        before = await rows_of_every_table(api)
        trial = await copy(api, definition, to=to)
        assert trial["result"] == "accepted", trial
        assert await rows_of_every_table(api) == before
        said = "".join(call.body.decode("utf-8", "replace").replace('": ', '":') for call in far.arrived)
        assert says in said, said
    figures = await api.client.get("/v1/deliveries", headers=api.headers)
    assert figures.json()["deliveries"] == []


async def test_a_push_goes_to_a_subscription_of_ones_own(api: Api) -> None:
    visitor = uuid4()
    told = {"traits": {"push_subscription": browser()}}
    await api.send(api.batch(api.event("identified", told), visitor=str(visitor)))
    listed = await api.client.get("/v1/push/subscriptions", headers=api.headers)
    (mine,) = listed.json()["subscriptions"]
    channel = RecordingChannel(name="push")
    ways = api.services.channels
    ways.servers = {**ways.servers, "push": channel}
    trial = await copy(api, sends("send_push", title="{{ shop }}", body="Hello"), to=mine["id"])
    (intent,) = channel.intents
    assert trial["channel"] == "push" and intent.content["title"].startswith("[Test] ")
    assert intent.content["subscription"]["endpoint"]
    refused = await copy(api, sends("send_push", title="x"), 400, to=str(uuid4()))
    assert refused["field"] == "to"


async def test_it_shows_the_data_of_a_visit_and_issues_no_code(api: Api) -> None:
    mail, ticket = RecordingChannel(), RecordingChannel(name="ticket")
    ways = api.services.channels
    ways.servers = {**ways.servers, "email": mail, "ticket": ticket}
    visitor = await visit(api, ("cart_added", {**CART, "name": "Blue lamp"}), CAME, CAME)
    await close_visits(api)
    definition = sends("send_email", message="discount_24h", discount_percent=15)
    before = await rows_of_every_table(api)
    await copy(api, definition, to="me@shop.example", visitor=str(visitor))
    await copy(api, sends("create_ticket"), visitor=str(visitor))
    assert await rows_of_every_table(api) == before
    (intent,) = mail.intents
    assert intent.recipient == "me@shop.example" and "15" in intent.content["subject"] + intent.content["text"]
    assert "SAMPLE-CODE" in intent.content["text"] and "/v1/l/" not in intent.content["html"]
    assert ticket.intents[0].content["title"] == "[Test] POST /api/pay answers 502"
    healthy = await visit(api)
    await close_visits(api)
    nothing = await copy(api, sends("create_ticket"), 400, visitor=str(healthy))
    assert "no failed request" in nothing["detail"]


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        (sends("show_popup", **POPUP), "waits in the shop"),
        (sends("tag_customer", tag="x"), "sends nothing"),
        (sends("suppress_messages"), "would silence somebody"),
        (sends("do_nothing"), "does nothing on purpose"),
        (sends("create_crm_task", properties={"a": 1}), "contact of the CRM"),
    ],
)
async def test_what_has_no_oneself_is_refused_with_a_word_why(api: Api, definition: dict[str, Any], says: str) -> None:
    refused = await copy(api, definition, 400, to="me@shop.example")
    assert refused["field"] == "step" and says in refused["detail"]


async def test_what_is_missing_is_named(api: Api) -> None:
    mail = sends("send_email", message="cart_reminder")
    assert "an e-mail address of your own" in (await copy(api, mail, 400))["detail"]
    assert (await copy(api, mail, 400, to="nobody"))["field"] == "to"
    assert (await copy(api, sends("send_sms", text="x"), 400, to="nobody"))["field"] == "to"
    assert (
        "No sms channel is set up" in (await copy(api, sends("send_sms", text="x"), 409, to="+4915112345678"))["detail"]
    )
    assert "no send step" in (await copy(api, mail, 400, step="other", to="me@shop.example"))["detail"]
    assert (await copy(api, sends("send_email", message="none"), 422, to="me@shop.example"))["faults"]
