"""Strangers write events, user names and model replies: in a real browser none of it may ever run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Page
from sqlalchemy import update

from adapters.postgres.engine import Database
from insights.models import Decision, IdentityLink, Project, Session, Visitor
from insights.vocabulary.events import PROPS
from tests.demo.serving import serving
from tests.viewer.seed import NOW, Keys, Visit, decision, run, store

pytestmark = pytest.mark.browser

PAYLOADS = [
    "<script>alert('fired')</script>",
    "\"><img src=x onerror=alert('fired')>",
    "'><svg onload=alert('fired')>",
    "</title></style></textarea><script>alert('fired')</script>",
    "javascript:alert('fired')",
    "' autofocus onfocus=alert('fired') x='",
    "\" autofocus onfocus=alert('fired') x=\"",
    "{{ cycler.__init__.__globals__.os.popen('touch /tmp/fired') }}{% raw %}",
    "</svg><math><mtext><table><mglyph><style><img src=x onerror=alert('fired')>",
    "--><iframe srcdoc=\"<script>parent.alert('fired')</script>\">",
    "<a href=\"javascript:alert('fired')\">click me</a>",
    "<meta http-equiv=refresh content=\"0;url=data:text/html,<script>alert('fired')</script>\">",
    "<form action=https://evil.example><button autofocus>Log in</button></form>",
    "<base href=https://evil.example/>",
    "<style>body{display:none}</style><link rel=stylesheet href=data:text/css,*{display:none}>",
    "\u202egnp.exe",
    "x\r\nSet-Cookie: a=b",
]


def hostile_visit(payload: str, visitor_id: UUID) -> Visit:
    """The payload in every prop of every event type, and in all that is said of the visit."""
    names = {field.rstrip("_") for props in PROPS.values() for field in props.__struct_fields__}
    source = dict.fromkeys(("utm_source", "utm_medium", "utm_campaign", "referrer"), payload)
    client = dict.fromkeys(("viewport", "language", "time_zone", "bot"), payload)

    def props(kind: str) -> dict[str, Any]:
        filled: dict[str, Any] = dict.fromkeys(sorted(names), payload)
        filled |= {payload: payload, "traits": {payload: [payload]}, "price_minor": 5, "value_minor": 5}
        return filled | ({"source": source, "client": client} if kind == "page_viewed" else {})

    return Visit(
        NOW - timedelta(hours=1),
        [(n, kind, props(kind), f"/{payload}") for n, kind in enumerate([*PROPS, payload])],
        visitor_id=visitor_id,
        email=payload,
        stage=payload,
        reason=payload,
        narrative=payload,
        classifier=payload,
        fallback=payload,
        cite=range(len(PROPS)),
        suggested=[{"action": payload, payload: payload}],
    )


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
        fired, left = await _watch(context, base)
        page = await context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        await page.goto(f"{base}/app/login")
        await page.fill("#key", key)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/app/")
        await _look_around(page)
        for payload, visit in visits:
            for place in (f"sessions/{visit.id}", f"visitors/{visit.visitor_id}"):
                await page.goto(f"{base}/app/{place}")
                await _look_around(page)
            asked = quote(payload)
            await page.goto(f"{base}/app/sessions?text={asked}&page={asked}&reason={asked}&visitor={asked}")
            await _look_around(page)
        assert fired == []
        assert left == []
        # The policy never had to step in: nothing tried.
        assert [text for text in refused if "Content Security Policy" in text] == []
        await context.close()


async def _look_around(page: Page) -> None:
    """Opens what can be opened, and finds nothing in the page that we did not put there."""
    await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    targets = await page.evaluate(
        "[...document.querySelectorAll('a, form')].map(e => e.getAttribute('href') ?? e.getAttribute('action'))"
    )
    assert [target for target in targets if not target.startswith(("/app/", "#", "?"))] == []
    foreign = await page.evaluate(
        "[...document.querySelectorAll('script:not([src^=\\'/app/static/\\']), iframe, img, style, base, object, embed,"
        " math, [autofocus], [style]'),"
        " ...[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/i.test(a.name)))]"
        ".map(e => e.outerHTML)"
    )
    assert foreign == []
    assert await page.locator("main").is_visible()


async def _watch(context: BrowserContext, base: str) -> tuple[list[str], list[str]]:
    """Lists that fill with every alert, and with every request that leaves the viewer."""
    fired: list[str] = []
    left: list[str] = []
    await context.expose_function("alert", lambda text: fired.append(str(text)))
    context.on("request", lambda request: None if request.url.startswith(base) else left.append(request.url))
    context.on("dialog", lambda dialog: fired.append(dialog.message))
    return fired, left


async def test_the_watch_sees_a_payload_that_fires(browser: Browser) -> None:
    context = await browser.new_context()
    fired, left = await _watch(context, "http://127.0.0.1:1")
    page = await context.new_page()
    await page.goto("data:text/html,<img src=http://127.0.0.1:2/x onerror=alert('fired')>")
    await page.wait_for_function("document.images[0].complete")
    await page.evaluate("new Promise(done => setTimeout(done, 50))")
    assert fired == ["fired"]
    assert "http://127.0.0.1:2/x" in left
    await context.close()
