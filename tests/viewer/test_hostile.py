"""Strangers write events, user names and model replies: in a real browser none of it may ever run."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser
from sqlalchemy import update

from adapters.postgres.engine import Database
from insights.models import Decision, IdentityLink, Project, Session, Visitor
from tests.demo.serving import serving
from tests.viewer.hostile import PAYLOADS, hostile_visit
from tests.viewer.seed import NOW, Keys, Visit, decision, run, store
from tests.viewer.watching import look_around, watch

pytestmark = pytest.mark.browser


async def hostile_project(database: Database) -> tuple[UUID, list[tuple[str, Visit]]]:
    """A project named by all payloads, with a visit of each, its decision, run and delivery."""
    project_id = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=project_id, name=f"{' '.join(PAYLOADS)} {project_id}", allowed_origins=[]))
    visits = []
    for payload in PAYLOADS:
        visit = hostile_visit(payload, uuid4())
        visits.append((payload, visit))
        async with database.transaction(project_id) as tx:
            await store(tx, project_id, visit)
            await tx.execute(
                update(Session)
                .where(Session.id == visit.id)
                .values(close_reason=payload, currency=payload, cart_value_minor=500)
            )
            await tx.execute(update(Visitor).where(Visitor.id == visit.visitor_id).values(user_id=payload))
            made = decision(
                visit, 0, payload, {payload: 0.5, "do_nothing": 0.5}, excluded={payload: payload}, why=payload,
                stage=payload, policy=payload,
            )  # fmt: skip
            tx.add(Decision(project_id=project_id, **made))
            for kind, refused in (("user_id", None), ("email", "two_users")):
                tx.add(
                    IdentityLink(
                        project_id=project_id, subject_kind="visitor", subject=str(visit.visitor_id), name_kind=kind,
                        name=payload, first_at=NOW, event_id=visit.id, session_id=visit.id, refused=refused,
                        refused_users=[payload, payload] if refused else None,
                    )
                )  # fmt: skip
            await run(
                tx, project_id, visit, payload, step=payload, end_reason=payload,
                history=[(payload, payload, payload), (payload, "skipped", payload)],
                deliveries=[{"action": payload, "channel": payload, "recipient": payload, "error": payload}],
            )  # fmt: skip
    return project_id, visits


async def test_what_strangers_wrote_is_only_ever_read(
    database: Database, keys: Keys, app: FastAPI, browser: Browser
) -> None:
    project_id, visits = await hostile_project(database)
    key = await keys.make(database, project_id)
    async with serving(app) as base:
        context = await browser.new_context(viewport={"width": 1000, "height": 800}, reduced_motion="reduce")
        seen = await watch(context, base)
        page = await context.new_page()
        await page.goto(f"{base}/app/login")
        await page.fill("#key", key)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/app/")
        await look_around(page)
        for payload, visit in visits:
            for place in (f"sessions/{visit.id}", f"visitors/{visit.visitor_id}"):
                await page.goto(f"{base}/app/{place}")
                await look_around(page)
            asked = quote(payload)
            await page.goto(f"{base}/app/sessions?text={asked}&page={asked}&reason={asked}&visitor={asked}")
            await look_around(page)
        # Nor did the policy have to step in: nothing tried.
        assert seen.all() == []
        await context.close()


async def test_the_watch_sees_a_payload_that_fires(browser: Browser) -> None:
    context = await browser.new_context()
    seen = await watch(context, "http://127.0.0.1:1")
    page = await context.new_page()
    await page.goto("data:text/html,<img src=http://127.0.0.1:2/x onerror=alert('fired')>")
    await page.wait_for_function("document.images[0].complete")
    await page.evaluate("new Promise(done => setTimeout(done, 50))")
    assert seen.fired == ["fired"]
    assert "http://127.0.0.1:2/x" in seen.left
    await context.close()
