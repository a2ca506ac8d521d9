"""What a flow would have done to visits that were, one visit step by step, and that nothing of it stays."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from adapters.channels.recording import RecordingChannel
from insights.channels.ways import ProjectChannels
from insights.decisions.plan import Plan
from insights.models import Shop
from insights.vocabulary.ids import uuid7
from tests.api.conftest import SHOP, Api
from tests.segments.people import CART, close_visits, visit

AGREED = ("consent_changed", {"marketing": True, "analytics": True})


async def call(api: Api, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = await api.client.post(f"/v1/{path}", headers=api.headers, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def plan(steps: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    steps = steps or {
        "pause": {"do": "wait", "for": "PT1H", "next": "mail"},
        "mail": {"do": "send", "action": "send_email", "params": {"message": "cart_reminder"}},
    }
    return {
        "name": "f",
        "trigger": {"on": "insight", "kind": "abandoned"},
        "start": next(iter(steps)),
        "steps": steps,
    } | changes


@pytest.fixture
def mail(api: Api) -> RecordingChannel:
    """An e-mail channel of the server's."""
    channel = RecordingChannel()
    ways: ProjectChannels = api.services.channels
    ways.servers = {**ways.servers, "email": channel}
    return channel


async def left(
    api: Api,
    *events: tuple[str, dict[str, Any]],
    known: bool = True,
    visitor: UUID | None = None,
    hours_ago: float = 0,
) -> UUID:
    """Somebody who left a cart behind, so many hours ago."""
    visitor, at = visitor or uuid4(), int((time.time() - hours_ago * 3600) * 1000)
    told = [("page_viewed", {"path": "/cart"}), ("cart_added", CART), *events]
    if known:
        told.append(("identified", {"email": f"{uuid4().hex[:8]}@b.example"}))
    sent = [
        api.event(kind, props, t=at + n, id=str(uuid7(at + n)), seq=n, url=f"{SHOP}/cart")
        for n, (kind, props) in enumerate(told)
    ]
    batch = api.batch(*sent, visitor=str(visitor), session=str(uuid7(at)), sent_at=int(time.time() * 1000))
    answer = await api.send(batch)
    assert answer.json()["accepted"] == len(sent), answer.text
    return visitor


async def closed_at(api: Api, hours_ago: float) -> None:
    """Closes the open visits as if it had been done then."""
    await close_visits(api)
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(
            text("UPDATE session SET closed_at = :at WHERE closed_at > now() - interval '1 minute'"),
            {"at": datetime.now(UTC) - timedelta(hours=hours_ago)},
        )


async def rows_of_every_table(api: Api) -> dict[str, int]:
    async with api.services.database.transaction(api.project_id) as tx:
        tables = await tx.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace "
                "AND NOT relispartition AND has_table_privilege(oid, 'SELECT')"
            )
        )
        return {name: await tx.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in sorted(tables)}  # noqa: S608


@pytest.fixture
async def shop(api: Api, mail: RecordingChannel) -> AsyncIterator[dict[str, UUID]]:
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(text("UPDATE project SET allowed_origins = :origins"), {"origins": [SHOP]})
    people = {
        "agreed": await left(api, AGREED, hours_ago=30),
        "silent": await left(api, hours_ago=30),
        "unknown": await left(api, AGREED, known=False, hours_ago=30),
    }
    buyer = await left(api, AGREED, hours_ago=30)
    await closed_at(api, 29)
    await visit(
        api, ("purchased", {"order_id": "1", "value_minor": 6000, "currency": "EUR"}), visitor=buyer, hours_ago=28.5
    )
    yield people | {"buyer": buyer}


async def test_a_preview_counts_what_would_have_happened_at_each_step(api: Api, shop: dict[str, UUID]) -> None:
    before = await rows_of_every_table(api)
    found = await call(
        api,
        "flows/preview",
        {
            "definition": plan(
                {
                    **plan()["steps"],
                    "code": {
                        "do": "send",
                        "action": "send_email",
                        "params": {"message": "discount_24h", "discount_percent": 10},
                    },
                    "tag": {"do": "send", "action": "tag_customer", "params": {"tag": "reminded"}},
                }
                | {
                    "mail": plan()["steps"]["mail"] | {"next": "code"},
                    "code": {
                        "do": "send",
                        "action": "send_email",
                        "next": "tag",
                        "params": {"message": "discount_24h", "discount_percent": 10},
                    },
                }
            )
        },
    )
    assert await rows_of_every_table(api) == before
    assert (found["examined"], found["matched"], found["started"], found["complete"]) == (4, 4, 4, True)
    assert found["steps"]["pause"] == {
        "entered": 4, "waiting": 0, "sent": 0, "done": 0, "ways": {"waited": 3}, "skipped": {},
    }  # fmt: skip
    assert found["steps"]["mail"]["sent"] == 1 and found["steps"]["code"]["sent"] == 1
    assert found["steps"]["mail"]["skipped"] == {"no_consent": 1, "no_address": 1}
    assert found["steps"]["tag"]["done"] == 3
    assert found["ended"] == {"finished": 3, "converted": 1}
    assert (found["people"], found["reached"], found["sends"]) == (4, 1, {"email": 2})
    of = {one["visitor"]: one for one in found["sample"]}
    assert of[str(shop["buyer"])]["status"] == "cancelled"
    assert [line["what"] for line in of[str(shop["agreed"])]["lines"]] == [
        "started", "waiting", "waited", "sent", "sent", "done", "ended",
    ]  # fmt: skip


async def test_what_is_kept_for_a_next_visit_is_held_back_in_a_preview_as_by_the_flow(
    api: Api, shop: dict[str, UUID]
) -> None:
    everybody = shop.values()
    salt = next(one for one in iter(uuid4, None) if all(map(Plan(salt=one.bytes, holdout=0.5).holds_out, everybody)))
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(Shop(project_id=api.project_id, salt=salt, holdout=0.5))
    words = {"default": {"title": "Welcome back", "body": "Still here.", "cta_label": "Go", "cta_href": "/"}}
    offer = {"action": "cart_save", "template": "card", "content": words}
    steps = {
        "keep": {"do": "send", "action": "show_popup", "params": offer, "next": "tag"},
        "tag": {"do": "send", "action": "tag_customer", "params": {"tag": "kept"}},
    }
    found = (await call(api, "flows/preview", {"definition": plan(steps)}))["steps"]
    assert (found["keep"]["done"], found["keep"]["skipped"]) == (0, {"held_out": 4})
    assert (found["tag"]["done"], found["tag"]["skipped"]) == (4, {})


async def test_what_lies_in_the_future_is_still_waited_for(api: Api, shop: dict[str, UUID]) -> None:
    steps = plan()["steps"] | {"pause": {"do": "wait", "for": "P3D", "next": "mail"}}
    found = await call(api, "flows/preview", {"definition": plan(steps)})
    assert (found["waiting"], found["steps"]["pause"]["waiting"], found["reached"]) == (3, 3, 0)
    ahead = await call(api, "flows/preview", {"definition": plan(steps), "to_the_end": True})
    assert (ahead["waiting"], ahead["reached"], ahead["ended"]) == (0, 1, {"finished": 3, "converted": 1})


async def test_steps_are_told_in_the_order_in_which_a_run_comes_to_them(api: Api) -> None:
    steps = {
        "aa": {"do": "exit"},
        "b": {"do": "exit"},
        "choose": {"do": "branch", "when": "cart.items >= 1", "then": "b", "otherwise": "aa"},
        "wait_first": {"do": "wait", "for": "PT1H", "next": "choose"},
    }
    definition = plan(steps, start="wait_first")
    expected = ["wait_first", "choose", "b", "aa"]
    assert list((await call(api, "flows/preview", {"definition": definition}))["steps"]) == expected
    flow = await call(api, "flows", {"definition": definition}, 201)
    await call(api, f"flows/{flow['id']}/publish", {})
    figures = await api.client.get(f"/v1/flows/{flow['id']}/figures", headers=api.headers)
    assert list(figures.json()["versions"][0]["steps"]) == expected


async def test_only_what_the_trigger_and_its_condition_ask_for_starts(api: Api, shop: dict[str, UUID]) -> None:
    for trigger in ({"on": "insight", "kind": "converted"}, {"on": "insight", "when": "cart.items >= 5"}):
        assert (await call(api, "flows/preview", {"definition": plan(trigger=trigger)}))["matched"] == 0
    some = await call(api, "flows/preview", {"definition": plan(trigger={"on": "event", "event": "cart_added"})})
    # An event is heard of when it is received: by now one of them has bought.
    assert (some["matched"], some["started"], some["not_started"]) == (4, 3, {"converted": 1})
    few = await call(api, "flows/preview", {"definition": plan(), "most": 2})
    assert (few["examined"], few["complete"]) == (2, False)
    wrong = await call(api, "flows/preview", {"definition": plan(start="x")}, 422)
    assert wrong["faults"]


async def test_caps_and_quiet_hours_hold_in_a_preview(api: Api, shop: dict[str, UUID]) -> None:
    mail = plan()["steps"]["mail"]
    twice = {"a": mail | {"next": "b"}, "b": mail}
    capped = await call(api, "flows/preview", {"definition": plan(twice, settings={"caps": [{"most": 1}]})})
    assert capped["steps"]["b"]["skipped"]["capped"] == 2  # who bought later as well
    now = datetime.now(UTC) - timedelta(hours=29)
    begin, end = [f"{now + timedelta(hours=n):%H:%M}" for n in (-1, 2)]
    quiet = {"quiet_hours": {"from": begin, "to": end, "zone": "UTC"}}
    found = await call(api, "flows/preview", {"definition": plan({"a": mail}, settings=quiet)})
    (reached,) = [one for one in found["sample"] if one["sends"]]
    assert any(line["what"] == "postponed" for line in reached["lines"])
    assert f"{datetime.fromisoformat(reached['sends'][0]['at']):%H:%M}" == end


async def test_one_visit_is_stepped_through_with_a_clock_of_ones_own(api: Api, shop: dict[str, UUID]) -> None:
    before = await rows_of_every_table(api)
    body = {"definition": plan(), "visitor": str(shop["agreed"])}
    whole = await call(api, "flows/step-through", body)
    assert whole["sends"], [line["detail"] for line in whole["lines"]]
    assert (whole["asked_for"], whole["status"], whole["sends"][0]["step"]) == (True, "done", "mail")
    assert "You left something" in whole["sends"][0]["content"]["subject"]
    starts = datetime.fromisoformat(whole["starts_at"])
    early = await call(api, "flows/step-through", body | {"clock": (starts + timedelta(minutes=30)).isoformat()})
    assert (early["status"], early["step"], early["sends"]) == ("waiting", "pause", [])
    other = body | {"definition": plan(trigger={"on": "insight", "kind": "converted"})}
    assert (await call(api, "flows/step-through", other))["asked_for"] is False
    await call(api, "flows/step-through", {"definition": plan(), "session": str(uuid4())}, 404)
    await call(api, "flows/step-through", {"definition": plan()}, 400)
    assert await rows_of_every_table(api) == before


async def test_a_stored_flow_and_its_versions_can_be_previewed(api: Api, shop: dict[str, UUID]) -> None:
    flow = await call(api, "flows", {"definition": plan()}, 201)
    await call(api, f"flows/{flow['id']}/publish", {})
    answer: httpx.Response = await api.client.put(
        f"/v1/flows/{flow['id']}",
        headers=api.headers,
        json={"definition": plan({"end": {"do": "exit"}})},
    )
    assert answer.status_code == 200
    draft = await call(api, "flows/preview", {"flow": flow["id"]})
    first = await call(api, "flows/preview", {"flow": flow["id"], "version": 1})
    assert (set(draft["steps"]), set(first["steps"])) == ({"end"}, {"pause", "mail"})


async def test_a_person_who_was_reached_is_not_reached_again_in_the_pause(api: Api, shop: dict[str, UUID]) -> None:
    await left(api, AGREED, visitor=shop["agreed"], hours_ago=27)
    await closed_at(api, 26)
    found = await call(api, "flows/preview", {"definition": plan()})
    assert found["not_started"] == {"reentry": 1}, found["sample"]
    always = await call(api, "flows/preview", {"definition": plan(settings={"reenter": "always"})})
    assert always["not_started"] == {} and always["sends"] == {"email": 2}
