"""A backup holds people who were erased after it was made: with the list of them, they are erased again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, select
from typer.testing import CliRunner

from adapters.postgres.engine import DatabaseUrls
from insights.cli import app
from insights.errors import Refused
from insights.models import ErasedVisitor, Visitor
from insights.privacy.restored import ask_again, list_erased, read_list
from insights.settings import Settings
from tests.api.conftest import Api
from tests.privacy.test_coming_back import erase, kept
from tests.process import running

SECRET = "the secret of all that is in this module's database"


@pytest.fixture
async def api(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Api]:
    async with running(Settings(data_dir=tmp_path, secret=SECRET), database_urls) as process:
        yield Api(process)


async def visitors(api: Api) -> set[str]:
    async with api.services.database.transaction(api.project_id) as tx:
        return {str(row) for row in await tx.scalars(select(Visitor.id).where(Visitor.project_id == api.project_id))}


async def restored(api: Api) -> None:
    """Nothing is known any more of who was erased."""
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(delete(ErasedVisitor).where(ErasedVisitor.project_id == api.project_id))


async def test_who_was_erased_after_the_backup_is_erased_again_and_nobody_else(
    api: Api, database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, later = kept(api), kept(api), kept(api)
    bob["events"][1]["props"] = {"email": "bob@shop.example"}
    for batch in (ada, bob, later):
        await api.send(batch)
    await erase(api, visitor=ada["visitor"])
    await erase(api, visitor=later["visitor"])
    monkeypatch.setenv("WHYLEFT_DATABASE_URL", database_urls.app)
    monkeypatch.setenv("WHYLEFT_OWNER_DATABASE_URL", database_urls.owner)
    monkeypatch.setenv("WHYLEFT_SECRET", SECRET)
    printed = await asyncio.to_thread(CliRunner().invoke, app, ["privacy", "erased"])
    assert printed.exit_code == 0, printed.output
    assert ada["visitor"] not in printed.stdout
    listed = tmp_path / "erased.jsonl"
    listed.write_text(printed.stdout)
    await restored(api)
    assert (await api.send(ada)).json()["accepted"] == 2
    assert await visitors(api) == {ada["visitor"], bob["visitor"]}
    done = await asyncio.to_thread(CliRunner().invoke, app, ["privacy", "erase-again", str(listed)])
    assert done.exit_code == 0, done.output
    assert await visitors(api) == {bob["visitor"]}
    # Of whom the backup had nothing, what a browser kept brings nobody back either, once a process looks again.
    api.services.forgetting.forget(api.project_id, UUID(later["visitor"]))
    assert (await api.send(later)).json()["accepted"] == 0
    again = await asyncio.to_thread(CliRunner().invoke, app, ["privacy", "erase-again", str(listed)])
    assert "0 of them were here again" in " ".join(again.stdout.split())


async def test_who_came_back_after_the_erasure_stays(api: Api) -> None:
    batch = kept(api)
    await api.send(batch)
    await erase(api, visitor=batch["visitor"])
    listed = [gone for gone in await list_erased(api.services.database) if gone.project_id == api.project_id]
    await asyncio.sleep(0.002)
    fresh = api.batch(api.event("page_viewed", {"url": "https://shop.example/b"}), visitor=batch["visitor"])
    assert (await api.send(fresh)).json()["accepted"] == 1
    assert (await ask_again(api.services.database, listed, datetime.now(UTC))).asked == 0
    assert await visitors(api) == {batch["visitor"]}


@pytest.mark.parametrize("line", ["x", "{}", "[]", '{"project": "1", "digest": "z", "erased_at": "now"}'])
def test_what_is_no_list_is_refused(line: str) -> None:
    with pytest.raises(Refused, match="no line of"):
        list(read_list(f"\n{line}\n"))


async def test_what_the_command_hands_over_is_noted_like_what_the_viewer_does(
    api: Api, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = kept(api)
    await api.send(ada)
    monkeypatch.setenv("WHYLEFT_DATABASE_URL", database_urls.app)
    monkeypatch.setenv("WHYLEFT_OWNER_DATABASE_URL", database_urls.owner)
    monkeypatch.setenv("WHYLEFT_SECRET", SECRET)
    project = (await api.client.get("/v1/project", headers=api.headers)).json()["name"]
    command = ["privacy", "export", "--project", project, "--visitor", ada["visitor"]]
    done = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert done.exit_code == 0, done.output
    [noted] = (await api.client.get("/v1/privacy/requests", headers=api.headers)).json()["requests"]
    assert (noted["kind"], noted["who"], noted["asked_by"]) == ("export_person", {}, "the operator")
    assert noted["outcome"]["event"] == 2 and noted["done_at"]
    [line] = (await api.client.get("/v1/audit?subject=privacy request", headers=api.headers)).json()["entries"]
    assert line["actor_kind"] == "operator" and ada["visitor"] not in str(line)


async def test_thousands_of_rows_are_handed_over_whole(api: Api) -> None:
    batch = kept(api)
    await api.send(batch)
    for _ in range(3):
        more = [api.event("clicked", {"label": "Größe"}, seq=4 + number) for number in range(500)]
        assert (await api.send({**batch, "events": more})).json()["accepted"] == 500
    asked = {"kind": "export", "visitor": batch["visitor"]}
    made = (await api.client.post("/v1/privacy/requests", headers=api.headers, json=asked)).json()
    answer = await api.client.get(f"/v1/privacy/requests/{made['id']}/export", headers=api.headers)
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert len({event["id"] for event in told["event"]}) == len(told["event"]) == 1502
    assert told["event"][-1]["props"] == {"label": "Größe"}
    assert told["visitor"][0]["email"] == "ada@shop.example"
