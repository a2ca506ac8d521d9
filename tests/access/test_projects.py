"""Projects over HTTP and on the command line: made, renamed, archived with all they do, restored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from adapters.postgres.engine import DatabaseUrls
from flows.models import Flow, FlowRun
from insights.access.keys import create_key
from insights.api.caller import SHORTEST_TOKEN
from insights.app import create_app
from insights.recovery.publish import publish_starter_flows
from insights.vocabulary.ids import uuid7
from tests.access.listening import until_listening
from tests.api.conftest import Api
from tests.sources.test_cli import Command

TOKEN = "the operator's token, for this test alone"


@pytest.fixture
async def operator(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever runs the server."""
    services = replace(api.services, settings=replace(api.services.settings, operator_token=TOKEN))
    transport = httpx.ASGITransport(create_app(services))  # type: ignore[arg-type]
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as client:
        yield client


async def run_of(api: Api) -> FlowRun:
    """A run that waits, of a flow that is published."""
    now = datetime.now(UTC)
    async with api.services.database.transaction(api.project_id) as tx:
        await publish_starter_flows(tx, api.project_id, now)
        flow = (await tx.scalars(select(Flow).limit(1))).one()
        run = FlowRun(
            project_id=api.project_id,
            id=uuid7(),
            flow_id=flow.id,
            version_id=flow.version_id,
            visitor_id=uuid4(),
            trigger_key="k",
            trigger_group="g",
            triggered_at=now,
            facts={},
            exit_on_conversion=True,
            status="waiting",
            step="1",
            waiting=True,
            signalled=False,
            due_at=now,
            attempts=0,
            started_at=now,
        )
        tx.add(run)
    return run


async def test_the_operator_makes_lists_and_renames_projects(operator: httpx.AsyncClient) -> None:
    name = f"shop-{uuid4()}"
    made = await operator.post("/v1/projects", json={"name": name, "allowed_origins": ["https://shop.example/"]})
    assert (made.status_code, made.json()["allowed_origins"]) == (201, ["https://shop.example"])
    again = await operator.post("/v1/projects", json={"name": name})
    assert (again.status_code, again.json()["field"]) == (409, "name")
    url = f"/v1/projects/{made.json()['id']}"
    persian = f"فروشگاه\u200cها {name}"
    assert (await operator.patch(url, json={"name": persian})).json()["name"] == persian
    assert (await operator.patch(url, json={"name": f"{name}\u202e"})).status_code == 400
    renamed = await operator.patch(url, json={"name": f"{name} two"})
    assert renamed.json()["name"] == f"{name} two"
    listed = (await operator.get("/v1/projects")).json()["projects"]
    assert {"id": made.json()["id"], "name": f"{name} two"}.items() <= next(
        project for project in listed if project["id"] == made.json()["id"]
    ).items()
    for wrong in ("", "  ", "a\nb", "x" * 81):
        assert (await operator.post("/v1/projects", json={"name": wrong})).status_code in (400, 422)
    assert (await operator.post("/v1/projects", json={"name": "y", "allowed_origins": ["shop"]})).status_code == 400
    assert (await operator.patch(f"/v1/projects/{uuid4()}", json={"name": "z"})).status_code == 404


async def test_projects_are_closed_without_the_operators_token(api: Api, operator: httpx.AsyncClient) -> None:
    for key in (api.secret, api.write, TOKEN[:-1], TOKEN + "x", "é" * 40):
        headers = [(b"authorization", f"Bearer {key}".encode())]
        answer = await operator.get("/v1/projects", headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 401
    unset = await api.client.get("/v1/projects", headers={"authorization": f"Bearer {TOKEN}"})
    assert (unset.status_code, "not set" in unset.json()["detail"]) == (401, True)
    assert SHORTEST_TOKEN == 32


async def test_a_key_sees_and_changes_its_own_project_only(api: Api) -> None:
    own = (await api.client.get("/v1/project", headers=api.headers)).json()
    assert own["id"] == str(api.project_id)
    changed = await api.client.patch(
        "/v1/project", json={"allowed_origins": ["https://new.example"]}, headers=api.headers
    )
    assert changed.json()["allowed_origins"] == ["https://new.example"]


async def test_other_pages_may_report_as_soon_as_they_are_allowed(api: Api) -> None:
    api.services.keys.start()
    await until_listening(api.services.database, 1)
    origin = {"origin": "https://new.example"}
    assert (await api.send(api.batch(api.event()), headers=origin)).status_code == 403
    await api.client.patch("/v1/project", json={"allowed_origins": ["https://new.example"]}, headers=api.headers)
    for _ in range(100):
        if (await api.send(api.batch(api.event()), headers=origin)).status_code == 200:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the new origin is still refused")


@pytest.mark.parametrize(
    ("named", "sent"),
    [
        ("https://BÜCHER.example", "https://xn--bcher-kva.example"),
        ("https://faß.example/", "https://xn--fa-hia.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
async def test_an_origin_is_the_one_that_browsers_send(api: Api, named: str, sent: str) -> None:
    changed = await api.client.patch("/v1/project", json={"allowed_origins": [named]}, headers=api.headers)
    assert changed.json()["allowed_origins"] == [sent]
    again = await api.client.patch("/v1/project", json={"allowed_origins": [sent]}, headers=api.headers)
    assert again.json()["allowed_origins"] == [sent]


@pytest.mark.parametrize("named", ["https://*.shop.example", "*.shop.example", "https://"])
async def test_what_no_browser_ever_sends_is_no_origin(api: Api, named: str) -> None:
    answer = await api.client.patch("/v1/project", json={"allowed_origins": [named]}, headers=api.headers)
    assert (answer.status_code, answer.json()["field"]) == (400, "origin")
    assert ("each host by itself" in answer.json()["detail"]) == ("*" in named)


async def test_an_archived_project_takes_nothing_and_sends_nothing_until_it_is_restored(
    api: Api, operator: httpx.AsyncClient
) -> None:
    run = await run_of(api)
    url = f"/v1/projects/{api.project_id}"
    first = (await operator.post(f"{url}/archive")).json()
    assert first["archived_at"] is not None
    assert (await operator.post(f"{url}/archive")).json() == first
    async with api.services.database.transaction(api.project_id) as tx:
        kept = await tx.get_one(FlowRun, (api.project_id, run.id))
        assert (kept.status, kept.due_at, kept.end_reason) == ("cancelled", None, "the project was archived")
        assert set(await tx.scalars(select(Flow.version_id))) == {None}
    assert (await api.send(api.batch(api.event()))).status_code == 401
    assert (await api.client.get("/v1/sessions", headers=api.headers)).status_code == 401
    name = first["name"]
    with pytest.raises(Exception, match="is archived"):
        await create_key(api.services.database, name, "secret", [])
    assert (await operator.post(f"{url}/restore")).json()["archived_at"] is None
    made = await create_key(api.services.database, name, "secret", [])
    headers = {"authorization": f"Bearer {made.key}"}
    assert (await api.client.get("/v1/sessions", headers=headers)).status_code == 200


@pytest.fixture
def whyleft(database_urls: DatabaseUrls, tmp_path: Path) -> Command:
    return Command(
        {
            "WHYLEFT_DATABASE_URL": database_urls.app,
            "WHYLEFT_OWNER_DATABASE_URL": database_urls.owner,
            "WHYLEFT_DATA_DIR": str(tmp_path),
        }
    )


def test_the_command_line_does_the_same(whyleft: Command) -> None:
    name = f"shop-{uuid4()}"
    made = json.loads(whyleft("projects", "create", name, "--origin", "https://shop.example", "--json"))
    assert "archived_at" in made
    whyleft("projects", "create", name, fails=True)
    whyleft("projects", "rename", name, f"{name} two")
    whyleft("projects", "archive", f"{name} two")

    def listed() -> dict[str, Any]:
        found = json.loads(whyleft("projects", "list", "--json"))["projects"]
        return next(project for project in found if project["id"] == made["id"])

    assert (listed()["name"], listed()["archived_at"] is not None) == (f"{name} two", True)
    assert "archived" in whyleft("keys", "create", "--project", f"{name} two", "--kind", "write", fails=True)
    whyleft("projects", "restore", f"{name} two")
    assert listed()["archived_at"] is None
    assert "no project" in whyleft("projects", "archive", "nothing", fails=True).lower()


def test_a_key_of_a_project_that_there_was_not_says_that_it_made_one(whyleft: Command) -> None:
    name = f"shop-{uuid4()}"
    whyleft("projects", "create", name)
    assert "Made the project" not in whyleft("keys", "create", "--project", name, "--kind", "write")
    said = whyleft("keys", "create", "--project", f"{name}s", "--kind", "write")
    assert f"Made the project '{name}s' too" in said
    assert name in said.replace(f"{name}s", "")


def test_the_tag_to_paste_is_one_line_and_leads_where_the_operator_says(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    settings = {
        "WHYLEFT_DATABASE_URL": database_urls.app,
        "WHYLEFT_OWNER_DATABASE_URL": database_urls.owner,
        "WHYLEFT_DATA_DIR": str(tmp_path),
    }
    write = ("keys", "create", "--project", f"shop-{uuid4()}", "--kind", "write")
    for more, server in (
        ({}, "https://YOUR-SERVER"),
        ({"WHYLEFT_PUBLIC_URL": "https://why.example/"}, "https://why.example"),
    ):
        said = Command(settings | more)(*write)
        key = next(line for line in said.splitlines() if line.startswith("wl_w_"))
        tag = f'<script async src="{server}/sdk/whyleft.js" data-key="{key}"></script>'
        assert tag in [line.strip() for line in said.splitlines()]


def test_keys_are_made_listed_rotated_and_revoked_on_the_command_line(whyleft: Command) -> None:
    name = f"shop-{uuid4()}"
    key = ("--project", name, "--kind", "secret", "--role", "reader", "--scope", "read:sessions", "--name", "export")
    made = json.loads(whyleft("keys", "create", *key, "--json"))

    def listed() -> list[dict[str, Any]]:
        text = whyleft("keys", "list", "--project", name, "--json")
        assert made["key"] not in text
        keys: list[dict[str, Any]] = json.loads(text)["keys"]
        return keys

    [only] = listed()
    assert (only["role"], only["scopes"], only["name"]) == ("reader", ["read:sessions"], "export")
    rotated = json.loads(whyleft("keys", "rotate", "--project", name, "--overlap-hours", "1", only["id"], "--json"))
    assert rotated["key"] != made["key"]
    new, old = listed()
    assert (old["replaced_by"], new["role"]) == (new["id"], "reader")
    assert "revoked" in whyleft("keys", "revoke", "--project", name, new["id"])
    assert listed()[0]["revoked_at"] is not None
    assert "good until" in whyleft("keys", "list", "--project", name)
    assert "no scope" in whyleft("keys", "create", *key[:4], "--scope", "read:everything", fails=True)
