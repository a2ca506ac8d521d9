"""A canary that flows speak of to every kind of tool: each tool hears it, and it is readable in no table."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from adapters.postgres.engine import DatabaseUrls
from flows.definition import FlowDefinition
from flows.models import Delivery, RunEvent
from insights.channels.store import Wanted, create
from insights.privacy.requests import carry_out
from insights.recovery.publish import publish_flow
from tests.channels.contract.examples import EXAMPLES
from tests.channels.contract.far_side import Provider, Reply, line_to, provider
from tests.privacy.catalogue import hits
from tests.privacy.place import EMAIL, NAME, PHONE, STREET, WORDS, Place, close, fill

KINDS = ("resend", "twilio", "klaviyo", "shopify", "hubspot", "meta_conversions", "webhook")
STEPS: dict[str, Any] = {
    "esp": {"do": "send", "action": "suppress_messages", "params": {"days": 3}},
    "ads": {"do": "send", "action": "trigger_retargeting", "params": {"event": "AddToCart"}},
    "shop": {"do": "send", "action": "tag_customer", "params": {"tag": "left"}},
    "crm": {
        "do": "send",
        "action": "create_crm_task",
        "params": {"title": "{{ who }} left", "body": "{{ who }} left."},
    },
    "sms": {"do": "send", "action": "send_sms", "params": {"text": "Hello {{ first_name }}, your cart waits."}},
    "hook": {"do": "send", "action": "call_webhook", "params": {}},
}


@pytest.fixture
async def far(place: Place) -> AsyncIterator[Provider]:
    """Every provider, and the project connected to one of each sort."""
    async with provider() as far:
        place.services.channels._line = line_to(far.port, timeout=2)
        async with place.services.database.transaction(place.project) as tx:
            for kind in KINDS:
                example = EXAMPLES[kind]
                wanted = Wanted(example.settings, example.credentials)
                await create(tx, place.services.sealer, place.project, kind, f"our-{kind}", wanted, datetime.now(UTC))
                far.replies |= {**example.beside, example.send: example.accepted}
        far.replies["POST /api/profile-import"] = Reply(201, {"data": {"id": "01P"}})
        yield far


async def flow(place: Place) -> str:
    names = list(STEPS)
    steps = {name: dict(step) for name, step in STEPS.items()}
    for name, following in pairwise(names):
        steps[name]["next"] = following
    definition = FlowDefinition.model_validate(
        {"name": "tell-everybody", "trigger": {"on": "api"}, "start": names[0], "steps": steps}
    )
    async with place.services.database.transaction(place.project) as tx:
        version = await publish_flow(tx, place.project, definition, datetime.now(UTC))
        return str(version.flow_id)


async def test_what_flows_say_of_the_canary_is_sealed_wherever_it_waits(
    place: Place, far: Provider, database_urls: DatabaseUrls
) -> None:
    session = await fill(place)
    await close(place, session)
    published = await flow(place)
    agreed = place.event("consent_changed", marketing=True, channels=["email", "sms", "ads"])
    batch = {"visitor": place.visitor, "session": session, "events": [agreed]}
    assert (await place.client.post("/v1/events", params={"key": place.write}, json=batch)).status_code == 200
    data = {"name": NAME, "mail": EMAIL, "street": STREET}
    await place.ask("POST", f"/v1/flows/{published}/start", json={"visitor": place.visitor, "data": data})
    assert hits(database_urls.owner, place.project, WORDS) == [], "before anything went out"
    for _ in range(40):
        await place.services.runner.run_due()
        await asyncio.sleep(0.02)
    async with place.services.database.transaction(place.project) as tx:
        sent = list(await tx.scalars(select(Delivery).where(Delivery.project_id == place.project)))
        lines = [(line.step, line.what, line.detail) for line in await tx.scalars(select(RunEvent))]
    assert {row.channel for row in sent} >= {"esp", "ads", "shop", "crm", "sms", "webhook"}, [
        *((row.channel, row.status, row.error) for row in sent),
        *lines,
    ]
    assert any(EMAIL.lower() in json.dumps(row.content).lower() for row in sent), "it must be there to be sealed"
    said = b" ".join(call.body for call in far.arrived).decode()
    assert EMAIL.lower() in said.lower()
    assert PHONE.removeprefix("+") in said
    assert hits(database_urls.owner, place.project, WORDS) == []
    await place.ask("POST", "/v1/privacy/requests", json={"kind": "erase", "visitor": place.visitor})
    assert await carry_out(place.services.database, place.services.profiles.forget) == 1
    assert hits(database_urls.owner, place.project, [*WORDS, place.visitor]) == []
