"""What a caller is told of a body that cannot be read, and of a server that is set up wrong."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx

from adapters.postgres.engine import Database, DatabaseUrls
from adapters.postgres.personal import Ring
from insights.app import create_app
from insights.models import IdentityLink, Visitor
from insights.settings import Settings
from insights.wiring.services import Services, build
from tests.api.conftest import Api
from tests.viewer.conftest import log_in


async def test_json_that_breaks_off_is_told_where_in_the_body(api: Api) -> None:
    headers = {**api.headers, "content-type": "application/json"}
    answer = await api.client.post("/v1/flows/validate", content=b'{"definition": {"name": "a\nb"}}', headers=headers)
    assert answer.status_code == 422
    told = answer.json()
    assert told["field"] == "body"
    assert told["detail"] == "body: is not JSON at its character 26 (Invalid control character at)."


async def test_a_body_that_is_no_text_is_told_how_to_be_sent(api: Api) -> None:
    headers = {**api.headers, "content-type": "application/json"}
    whole = b'{"when": "cart.items > 0"}'
    for body, more, field in (
        (gzip.compress(whole), {"content-encoding": "gzip"}, "content-encoding"),
        (b'{"when": "\xfc"}', {}, "body"),
    ):
        answer = await api.client.post("/v1/conditions/check", content=body, headers={**headers, **more})
        assert (answer.status_code, answer.json()["field"]) == (400, field)
        assert "cannot be read" in answer.json()["detail"]


def client_of(services: Services, headers: dict[str, str]) -> httpx.AsyncClient:
    """A client of these services' application, which tells of faults as a server does."""
    transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers)


async def test_what_a_database_that_only_reads_cannot_take_is_told_what_to_do(
    api: Api, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    """As a standby does, or a server that its provider set to read only."""
    options = f"{'&' if '?' in database_urls.app else '?'}options=-c%20default_transaction_read_only%3Don"
    services = build(Settings(data_dir=tmp_path), replace(database_urls, app=f"{database_urls.app}{options}"))
    async with client_of(services, api.headers) as client:
        assert (await client.get("/v1/segments")).status_code == 200
        for method, path, body in (
            ("POST", "/v1/segments", {"name": "buyers", "when": "visitor.purchases > 0"}),
            ("POST", "/v1/keys", {"kind": "write"}),
            ("POST", "/v1/identity/secrets", {}),
        ):
            answer = await client.request(method, path, json=body)
            assert (answer.status_code, answer.headers.get("retry-after")) == (503, "5"), (path, answer.text)
            assert "takes no writes" in answer.json()["detail"]
    await services.database.close()


async def test_a_database_that_is_away_is_said_of_any_operation(tmp_path: Path) -> None:
    nowhere = f"postgresql://nobody@/none?host={tmp_path}"
    services = build(Settings(data_dir=tmp_path), DatabaseUrls(owner=nowhere, app=nowhere))
    async with client_of(services, {"authorization": f"Bearer wl_s_{'a' * 43}"}) as client:
        for method, path in (("GET", "/v1/segments"), ("POST", "/v1/segments"), ("DELETE", f"/v1/segments/{uuid4()}")):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers.get("retry-after")) == (503, "5"), (path, answer.text)
            assert "cannot be reached" in answer.json()["detail"]
    await services.database.close()


async def test_a_server_with_another_secret_says_so_instead_of_breaking(api: Api, database_urls: DatabaseUrls) -> None:
    """As after a restore onto a machine that made a secret of its own."""
    former = Database(database_urls, ring=Ring([b"the secret of the machine before"]))
    visitor = uuid4()
    async with former.transaction(api.project_id) as tx:
        seen = datetime.now(UTC)
        tx.add(Visitor(project_id=api.project_id, id=visitor, first_seen_at=seen, email="ada@example.org"))
        tx.add(
            IdentityLink(
                project_id=api.project_id,
                subject_kind="visitor",
                subject=str(visitor),
                name_kind="email",
                name="ada@example.org",
                first_at=seen,
                event_id=uuid4(),
            )
        )
    await former.close()
    assert api.services.readiness.ready == "ok"
    answer = await api.client.get(f"/v1/visitors/{visitor}", headers=api.headers)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "set WHYLEFT_SECRET" in answer.json()["detail"]
    assert "sealed with another key: set WHYLEFT_SECRET" in api.services.readiness.ready
    assert (await log_in(api.client, api.secret)).status_code == 303
    page = await api.client.get(f"/app/visitors/{visitor}")
    assert page.status_code == 500
    assert "was sealed with another key: set WHYLEFT_SECRET" in page.text
    assert "a fault of ours" not in page.text
