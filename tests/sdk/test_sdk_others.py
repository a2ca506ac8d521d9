"""The same SDK in Firefox and WebKit: nothing is lost, nothing is thrown, signals and templates work as in Chromium."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sdk import firefox, webkit
from tests.sdk.site import TAG, Site
from tests.sdk.templates import ACTIONS
from tests.sdk.test_sdk_corpus import WATCHING
from tests.sdk.test_sdk_delivery import HIDE, THIRTY, numbers
from tests.sdk.test_sdk_guest import LISTEN
from tests.sdk.test_sdk_templates import AXE, SHOW
from tests.sdk.window import Window

pytestmark = pytest.mark.browser

HEAD = f"<!doctype html><html lang=en><title>Shop</title><script>{LISTEN}</script>{TAG}"
ESCAPE = "\ue00c"


@pytest.fixture(scope="module", params=["firefox", "webkit"])
async def window(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Window]:
    """One browser of a kind for the tests here; each test's site is an origin of its own, and so an empty one."""
    home = tmp_path_factory.mktemp(request.param)
    still = {"ui.prefersReducedMotion": 1}
    async with firefox.running(home, **still) if request.param == "firefox" else webkit.running(home) as browser:
        yield browser


async def opened(site: Site, window: Window, body: str = "<h1>Shop</h1>") -> None:
    """A page with this body, and the signals watching."""
    site.pages["/"] = f"{HEAD}<main>{body}</main>"
    await window.goto(site.origin)
    await site.one("page_viewed")
    await window.evaluate(WATCHING)


async def left(site: Site, window: Window) -> None:
    """The page is left; all it had to say is there."""
    assert await window.evaluate("window.troubles ?? []") == []
    await window.goto("about:blank")
    await site.one("session_ended")


@pytest.mark.parametrize("size", [1000, 3000])
async def test_thirty_events_arrive_when_the_page_navigates_away(site: Site, window: Window, size: int) -> None:
    await window.goto(site.origin)
    await site.one("page_viewed")
    burst = json.dumps(THIRTY % size)
    await window.evaluate(f"void ((0, eval)({burst}), setTimeout(() => {{ location.href = '/next'; }}))")
    await site.viewed("/next")
    await site.heard(lambda: numbers(site) == list(range(30)))
    # What the next page sends again, because it did not hear the answer, is counted once.
    batches = {
        tuple(event["id"] for event in batch["events"] if event["type"] == "searched") for *_, batch in site.attempts
    }
    assert 1 <= len(batches - {()}) <= 3


async def test_a_hidden_page_tells_everything_at_once(site: Site, window: Window) -> None:
    await opened(site, window)
    await window.evaluate(f"void (0, eval)({json.dumps(THIRTY % 100 + HIDE)})")
    await site.heard(lambda: numbers(site) == list(range(30)))


async def test_a_failing_server_is_told_later(site: Site, window: Window) -> None:
    site.status, site.retry_after = 503, "1"
    await window.goto(site.origin)
    await site.heard(lambda: site.attempts)
    await window.evaluate("void whyleft.track('searched', {query: 'mug'})")
    site.status = 200
    assert (await site.one("searched"))["props"] == {"query": "mug"}


async def test_a_page_that_comes_back_is_the_same_visit(site: Site, window: Window) -> None:
    await opened(site, window)
    first = await window.evaluate("whyleft.session()")
    await window.goto(f"{site.origin}/second")
    await site.viewed("/second")
    await window.back()
    await window.until("location.pathname === '/' && !!window.whyleft")
    await site.heard(lambda: len([e for e in site.events("page_viewed") if e["props"]["path"] == "/"]) == 2)
    assert await window.evaluate("whyleft.session()") == first
    quick = (await site.one("quick_back"))["props"]
    assert (quick["from"], quick["to"]) == ("/second", "/")


async def test_real_clicks_become_signals(site: Site, window: Window) -> None:
    await opened(
        site,
        window,
        "<button id=dead style='cursor:pointer'>Buy</button><p><button id=works onclick='this.after(1)'>Add</button>"
        "<a id=more href='#more'>More</a>",
    )
    await window.click("#more")
    await window.click("#dead", times=6)
    await left(site, window)
    kinds = {event["type"] for event in site.events()}
    assert {"clicked", "rage_click"} <= kinds
    assert [event["props"]["selector"] for event in site.events("rage_click")] == ["#dead"]


STAYS = {
    "a place on the page": "<a id=c href='#more'>More</a>",
    "nowhere": "<a id=c href='#'>More</a>",
    "a script's link": "<a id=c href='/cart' onclick='return false'>Add</a>",
    "a script's form": "<form action='/cart' onsubmit='return false'><button id=c>Add</button></form>",
}


@pytest.mark.parametrize("body", STAYS.values(), ids=STAYS)
async def test_a_click_that_leads_nowhere_does_not_keep_the_visit_from_ending(
    site: Site, window: Window, body: str
) -> None:
    await opened(site, window, body)
    await window.click("#c")
    await left(site, window)


@pytest.mark.parametrize(
    "body", ["<a id=c href='/next'>Next</a>", "<form action='/next'><button id=c>Next</button></form>"]
)
async def test_a_click_that_leads_on_does_not_end_the_visit(site: Site, window: Window, body: str) -> None:
    await opened(site, window, body)
    await window.click("#c")
    await site.viewed("/next")
    assert not site.events("session_ended")


async def test_a_failing_call_and_a_thrown_error_are_reported(site: Site, window: Window) -> None:
    await opened(site, window)
    await window.evaluate("fetch('/api/cart/500?token=secret', {method: 'post'}).then(() => 1)")
    props = (await site.one("request_failed"))["props"]
    assert (props["method"], props["path"], props["status"]) == ("POST", "/api/cart/500", 500)
    await window.evaluate("void setTimeout(() => { throw new Error('no cart'); })")
    await window.until("troubles.length")
    await window.goto("about:blank")
    assert "no cart" in (await site.one("js_error"))["props"]["message"]


async def test_every_template_is_drawn_without_a_serious_fault_and_closes_on_escape(
    site: Site, window: Window, repository: Path
) -> None:
    site.files["/axe.js"] = (repository / "sdk-web/node_modules/axe-core/axe.min.js").read_bytes()
    await opened(site, window)
    await window.evaluate("new Promise(done => { const s = document.createElement('script');"
                           " s.src = '/axe.js'; s.onload = () => done(1); document.head.append(s); })")  # fmt: skip
    for template, action in ACTIONS.items():
        await window.evaluate(f"({SHOW})({json.dumps(action)})")
        await window.until("document.querySelector('whyleft-action')?.shadowRoot !== undefined")
        assert await window.evaluate(f"({AXE})()") == [], template
        # What is no dialog takes no focus of its own: it closes for who has gone into it.
        await window.evaluate(
            "void document.querySelector('whyleft-action').shadowRoot.querySelector('button').focus()"
        )
        await window.press(ESCAPE)
        assert await window.until("!document.querySelector('whyleft-action')"), template
    assert await window.evaluate("troubles") == []


async def test_a_strict_policy_is_not_violated(site: Site, window: Window) -> None:
    site.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'none'; img-src 'self'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    site.script = LISTEN
    site.pages["/"] = f"<!doctype html><title>Shop</title><script src=/page.js></script>{TAG}<h1>Shop</h1>"
    site.action = ACTIONS["popup"]
    await window.goto(site.origin)
    await site.one("action_shown")
    assert await window.evaluate("troubles") == []


async def test_a_firefox_that_keeps_nothing_still_reports(site: Site, tmp_path: Path) -> None:
    async with firefox.running(tmp_path, **{"network.cookie.cookieBehavior": 2}) as closed:
        site.pages["/"] = f"{HEAD}<h1>Shop</h1>"
        await closed.goto(site.origin)
        refused = "(() => { try { return !localStorage; } catch { return true; } })()"
        assert await closed.evaluate(refused)
        await closed.evaluate("void whyleft.track('searched', {query: 'mug'})")
        assert (await site.one("searched"))["props"] == {"query": "mug"}
        assert await closed.evaluate("troubles") == []
