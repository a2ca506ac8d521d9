"""A project's channels over HTTP: set up, changed, used, and nothing secret given out."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from adapters.channels.contract import Accepted, Rejected, Retry
from adapters.channels.kinds import KINDS
from insights.access.keys import create_key
from insights.channels.reseal import reseal
from insights.channels.ways import ProjectChannels
from insights.sealing import Sealer
from tests.api.conftest import Api
from tests.channels.contract.examples import EXAMPLES
from tests.channels.contract.far_side import Reply, line_to, provider

CANARY = "canary-5ecret-key"


def resend(name: str = "main", **other: Any) -> dict[str, Any]:
    return {
        "kind": "resend",
        "name": name,
        "settings": {"sender": "Shop <mail@shop.example>"},
        "credentials": {"api_key": CANARY},
    } | other


async def ask(api: Api, method: str, path: str = "", body: Any = None) -> httpx.Response:
    return await api.client.request(method, f"/v1/channels{path}", json=body, headers=api.headers)


async def test_a_channel_is_set_up_listed_changed_and_removed(api: Api) -> None:
    kinds = (await ask(api, "GET", "/kinds")).json()["kinds"]
    assert {"resend", "sendgrid", "postmark"} <= {kind["kind"] for kind in kinds}
    form = next(kind for kind in kinds if kind["kind"] == "postmark")
    assert form["settings"]["properties"]["stream"]["description"]
    made = await ask(api, "POST", "", resend())
    assert made.status_code == 201
    channel = made.json()
    assert (channel["word"], channel["carries"], channel["enabled"]) == ("email", True, True)
    assert channel["callback_url"].startswith("http://127.0.0.1:8321/v1/callbacks/")
    second = (await ask(api, "POST", "", resend("spare"))).json()
    assert second["carries"] is False
    changed = await ask(api, "PATCH", f"/{channel['id']}", {"enabled": False})
    assert changed.json()["enabled"] is False
    carriers = {row["name"]: row["carries"] for row in (await ask(api, "GET")).json()["channels"]}
    assert carriers == {"main": False, "spare": True}
    assert (await ask(api, "DELETE", f"/{channel['id']}")).status_code == 204
    assert (await ask(api, "GET", f"/{channel['id']}")).status_code == 404


async def test_no_answer_error_log_line_or_row_shows_a_credential(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        await ask(api, "POST", "", resend()),
        await ask(api, "POST", "", resend("b", credentials={"api_key": CANARY, "other": CANARY})),
        await ask(api, "POST", "", resend("c", credentials={"api_key": [CANARY]})),
        await ask(api, "POST", "", resend("d", credentials={"api_key": CANARY * 100})),
        await ask(api, "POST", "", resend("e", credentials={"api_key": CANARY + "\0"})),
        await ask(api, "POST", "", resend("f", credentials=CANARY)),
        await ask(api, "GET"),
    ]
    assert [answer.status_code for answer in answers] == [201, 400, 422, 400, 422, 422, 200]
    async with api.services.database.transaction(api.project_id) as tx:
        rows = (await tx.execute(text("SELECT channel::text, credentials FROM channel"))).all()
    shown = "".join(answer.text for answer in answers) + caplog.text + "".join(row[0] for row in rows)
    assert "canary" not in shown
    assert all(b"canary" not in bytes(row[1]) for row in rows)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (resend(kind="pigeon"), 400, "kind"),
        (resend(name="Main Street"), 400, "name"),
        (resend(name="email"), 400, "name"),
        (resend(settings={}), 400, "settings"),
        (resend(settings={"sender": "nobody"}), 400, "settings"),
        (resend(credentials={}), 400, "credentials"),
        (resend(credentials={"api_key": "short"}), 400, "credentials"),
    ],
)
async def test_a_wrong_form_is_refused_by_its_field(api: Api, body: Any, status: int, field: str) -> None:
    answer = await ask(api, "POST", "", body)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(field), answer.text


LEADING: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, str]]] = {
    "smtp": (
        {"sender": "Shop <mail@shop.example>", "host": "smtp.shop.example"},
        {"user": "u", "password": CANARY},
        {"host": "smtp.other.example"},
    ),
    "http_sms": (
        {"url": "https://sms.shop.example/send", "sender": "Shop"},
        {"token": CANARY},
        {"url": "https://other.example/send"},
    ),
    "segment": ({}, {"write_key": CANARY}, {"api": "https://other.example/v1"}),
    "jira": (
        {"site": "https://shop.atlassian.net", "email": "a@shop.example", "project": "SHOP"},
        {"token": CANARY},
        {"site": "https://other.example"},
    ),
    "github": ({"repository": "shop/shop"}, {"token": CANARY}, {"api": "https://other.example/api/v3"}),
}
"""Kinds whose settings say whose server is told: settings, credentials, and what leads elsewhere."""


@pytest.mark.parametrize("kind", LEADING)
async def test_credentials_go_only_where_they_were_given_for(api: Api, kind: str) -> None:
    settings, credentials, elsewhere = LEADING[kind]
    body = {"kind": kind, "name": "way", "settings": settings, "credentials": credentials}
    made = await ask(api, "POST", "", body)
    assert made.status_code == 201, made.text
    path = f"/{made.json()['id']}"
    refused = await ask(api, "PATCH", path, {"settings": settings | elsewhere})
    assert (refused.status_code, refused.json()["field"]) == (400, "credentials")
    kept = (await ask(api, "GET", path)).json()["settings"]
    assert not elsewhere.items() <= kept.items()
    assert (await ask(api, "PATCH", path, {"settings": settings | {"per_second": 1}})).status_code == 200
    anew = await ask(api, "PATCH", path, {"settings": settings | elsewhere, "credentials": credentials})
    assert anew.status_code == 200
    assert elsewhere.items() <= anew.json()["settings"].items()


def test_every_kind_whose_settings_name_a_server_says_so() -> None:
    free = {
        name: [
            field
            for field, about in kind.settings_model.model_json_schema()["properties"].items()
            if field == "host" or str(about.get("pattern", "")).startswith("^https://")
        ]
        for name, kind in KINDS.items()
    }
    # A signed webhook's secret is never sent: it signs.
    named = {name: fields for name, fields in free.items() if fields and name != "webhook"}
    assert {
        name: [kind.settings_model.leads_to] for name, kind in KINDS.items() if kind.settings_model.leads_to
    } == named


async def test_a_name_is_given_once(api: Api) -> None:
    await ask(api, "POST", "", resend())
    again = await ask(api, "POST", "", resend())
    assert again.status_code == 409
    assert len((await ask(api, "GET")).json()["channels"]) == 1


async def test_another_projects_channel_does_not_exist(api: Api) -> None:
    channel = (await ask(api, "POST", "", resend())).json()
    other = await create_key(api.services.database, f"other-{uuid4()}", "secret", [])
    headers = {"authorization": f"Bearer {other.key}"}
    url = f"/v1/channels/{channel['id']}"
    for method in ("GET", "PATCH", "DELETE"):
        answer = await api.client.request(method, url, headers=headers, json={} if method == "PATCH" else None)
        assert answer.status_code == 404
    assert (await api.client.get("/v1/channels", headers=headers)).json()["channels"] == []
    write = {"authorization": f"Bearer {api.write}"}
    assert (await api.client.get("/v1/channels", headers=write)).status_code == 401


async def sent(api: Api, ways: ProjectChannels, name: str) -> Any:
    async with api.services.database.transaction(api.project_id) as tx:
        channel = (await ways.of(tx, api.project_id))[name]
    answer = await channel.send(EXAMPLES["resend"].intent())
    async with api.services.database.transaction(api.project_id) as tx:
        await ways.heard(tx, api.project_id, channel, answer, datetime.now(UTC))
    return answer


async def test_new_credentials_hold_from_the_next_message_on_and_health_says_how_it_fares(api: Api) -> None:
    channel = (await ask(api, "POST", "", resend())).json()
    async with provider() as far:
        ways = ProjectChannels({}, api.services.sealer, line_to(far.port))
        far.otherwise = Reply(401, {"message": "API key is invalid"})
        for _ in range(2):
            assert isinstance(await sent(api, ways, "email"), Retry)
        health = (await ask(api, "GET", f"/{channel['id']}")).json()["health"]
        assert (health["failures"], health["last_ok_at"]) == (2, None)
        assert "make a new key" in health["last_error"]
        assert far.arrived[-1].headers["authorization"] == f"Bearer {CANARY}"

        await ask(api, "PATCH", f"/{channel['id']}", {"credentials": {"api_key": "another-key"}})
        far.otherwise = Reply(200, {"id": "1"})
        assert isinstance(await sent(api, ways, "main"), Accepted)
        assert far.arrived[-1].headers["authorization"] == "Bearer another-key"
        health = (await ask(api, "GET", f"/{channel['id']}")).json()["health"]
        assert (health["failures"], health["last_error"]) == (0, None)
        assert health["last_ok_at"] is not None

        far.otherwise = Reply(403, {"message": "The domain is not verified"})
        assert isinstance(await sent(api, ways, "main"), Rejected)
        health = (await ask(api, "GET", f"/{channel['id']}")).json()["health"]
        assert (health["failures"], "verify it under Domains" in health["last_error"]) == (1, True)


async def test_a_channel_whose_key_is_lost_keeps_what_it_is_handed_waiting(api: Api) -> None:
    await ask(api, "POST", "", resend())
    answer = await sent(api, ProjectChannels({}, Sealer([b"z" * 32]), line_to(1)), "email")
    assert isinstance(answer, Retry)
    assert "enter the secret anew" in answer.why


async def test_resealing_lets_the_old_key_go_while_everything_goes_on(api: Api) -> None:
    await ask(api, "POST", "", resend())
    # A webhook source and a model key are sealed by the same keys.
    source = {"provider": "generic", "name": "till"}
    assert (await api.client.post("/v1/sources", json=source, headers=api.headers)).status_code == 201
    wishes = {"model": "m", "api_key": "llm-key-of-the-project"}
    assert (await api.client.patch("/v1/settings/insights", json=wishes, headers=api.headers)).status_code == 200
    new = b"n" * 32
    both = Sealer([new, api.services.signing_secret])
    done = await reseal(api.services.database, both)
    # Those of the projects of other tests were sealed with other secrets.
    assert done.resealed == 3
    again = await reseal(api.services.database, both)
    assert (again.resealed, again.newest, again.lost) == (0, 3, done.lost)
    async with provider() as far:
        far.otherwise = Reply(200, {"id": "1"})
        assert isinstance(await sent(api, ProjectChannels({}, Sealer([new]), line_to(far.port)), "email"), Accepted)
    lost = await reseal(api.services.database, Sealer([b"x" * 32]))
    assert (lost.resealed, lost.lost) == (0, done.lost + 3)
