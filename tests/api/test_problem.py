"""What a caller is told of a body that cannot be read, and of a server that is set up wrong."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from uuid import uuid4

from adapters.postgres.engine import Database, DatabaseUrls
from adapters.postgres.personal import Ring
from insights.models import IdentityLink, Visitor
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
