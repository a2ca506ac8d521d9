"""Login by secret key: who gets in, for how long, and what the refusals say."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, update

from adapters.postgres.engine import Database
from insights.access.logins import ABSOLUTE, IDLE
from insights.models import ApiKey, Project
from insights.viewer.gate import LOGIN_COOKIE
from insights.viewer.login import inside
from tests.viewer.conftest import Shop, hidden, log_in, viewer
from tests.viewer.seed import NOW, Keys


async def test_a_stranger_is_sent_to_the_login_and_then_to_the_page_they_asked_for(
    client: httpx.AsyncClient, database: Database, project_id: UUID, keys: Keys
) -> None:
    refused = await client.get("/app/sessions?reason=unclear")
    assert refused.status_code == 303
    assert refused.headers["location"] == "/app/login?next=%2Fapp%2Fsessions%3Freason%3Dunclear"
    form = await client.get(refused.headers["location"])
    entered = await client.post(
        "/app/login",
        data={
            "key": "  " + await keys.make(database, project_id) + "\n",
            "token": hidden(form.text, "token"),
            "next": hidden(form.text, "next"),
        },
    )
    assert (entered.status_code, entered.headers["location"]) == (303, "/app/sessions?reason=unclear")
    assert (await client.get("/app/sessions")).status_code == 200


async def test_the_front_door_leads_to_the_sessions(client: httpx.AsyncClient) -> None:
    answer = await client.get("/app", follow_redirects=True)
    assert answer.url.path == "/app/login"


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    client: httpx.AsyncClient, database: Database, project_id: UUID, keys: Keys
) -> None:
    entered = await log_in(client, await keys.make(database, project_id))
    cookie = entered.headers["set-cookie"]
    assert cookie.startswith(f"{LOGIN_COOKIE}=")
    assert {"httponly", "samesite=lax", "path=/app", f"max-age={7 * 24 * 3600}"} <= {
        p.strip().lower() for p in cookie.split(";")
    }


async def test_behind_https_no_cookie_travels_in_the_clear(database: Database, project_id: UUID, keys: Keys) -> None:
    outer = viewer(database, keys, secure_cookies=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="https://viewer.test") as client:
        form = await client.get("/app/login")
        entered = await log_in(client, await keys.make(database, project_id))
    assert "secure" in form.headers["set-cookie"].lower()
    assert "secure" in entered.headers["set-cookie"].lower()


async def test_a_write_key_is_told_which_key_is_needed(
    client: httpx.AsyncClient, database: Database, project_id: UUID, keys: Keys
) -> None:
    answer = await log_in(client, await keys.make(database, project_id, "write"))
    assert answer.status_code == 401
    assert "That is a write key" in answer.text
    assert "secret key, which begins with wl_s_" in answer.text
    assert LOGIN_COOKIE not in client.cookies


@pytest.mark.parametrize("key", ["wl_s_unknown", "x" * 5000, "wl_s_\x00", "wl_s_ü", "<script>"])
async def test_an_unknown_key_is_told_how_to_get_one(client: httpx.AsyncClient, key: str) -> None:
    answer = await log_in(client, key)
    assert answer.status_code == 401
    assert "whyleft keys create" in answer.text
    assert key not in answer.text


async def test_an_empty_field_is_told_what_to_paste(client: httpx.AsyncClient) -> None:
    answer = await log_in(client, "  ")
    assert (answer.status_code, "paste a secret key" in answer.text) == (400, True)


async def test_a_key_that_is_gone_from_the_store_does_not_enter_on_an_old_answer(
    client: httpx.AsyncClient, database: Database, project_id: UUID, keys: Keys
) -> None:
    key = await keys.make(database, project_id)
    async with database.transaction(project_id) as tx:
        await tx.execute(update(ApiKey).values(revoked_at=NOW))
    answer = await log_in(client, key)
    assert (answer.status_code, "was revoked" in answer.text) == (401, True)


async def test_a_form_that_is_not_ours_logs_nobody_in(
    client: httpx.AsyncClient, database: Database, project_id: UUID, keys: Keys
) -> None:
    key = await keys.make(database, project_id)
    form = await client.get("/app/login")
    token = hidden(form.text, "token")
    forged = [
        await client.post("/app/login", data={"key": key}),
        await client.post("/app/login", data={"key": key, "token": token[:-1] + "_"}),
        await client.post("/app/login", data={"key": key, "token": token}, headers={"sec-fetch-site": "cross-site"}),
        await client.post("/app/login", data={"key": key, "token": token}, headers={"sec-fetch-site": "same-site"}),
    ]
    client.cookies.clear()
    forged.append(await client.post("/app/login", data={"key": key, "token": token}))
    assert [answer.status_code for answer in forged] == [403] * 5
    assert all("try again" in answer.text for answer in forged)
    assert LOGIN_COOKIE not in client.cookies


async def test_logging_out_ends_the_login_in_this_browser(shop: Shop) -> None:
    token = hidden(await shop.see("/sessions"), "token")
    answer = await shop.client.post("/app/logout", data={"token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/app/login")
    assert (await shop.client.get("/app/sessions")).status_code == 303


async def test_another_site_cannot_log_anyone_out(shop: Shop) -> None:
    token = hidden(await shop.see("/sessions"), "token")
    without = await shop.client.post("/app/logout")
    foreign = await shop.client.post("/app/logout", data={"token": token}, headers={"sec-fetch-site": "cross-site"})
    by_link = await shop.client.get("/app/logout")
    assert (without.status_code, foreign.status_code, by_link.status_code) == (403, 403, 303)
    assert "You are still logged in" in without.text
    await shop.see("/sessions")


async def test_a_revoked_key_ends_its_logins_at_once(shop: Shop, database: Database) -> None:
    async with database.transaction(shop.project_id) as tx:
        await tx.execute(update(ApiKey).values(revoked_at=NOW))
    answer = await shop.client.get("/app/sessions", follow_redirects=True)
    assert (answer.url.path, "Your login is over" in answer.text) == ("/app/login", True)


async def test_a_login_ends_after_twelve_hours_without_a_click_and_after_a_week_with_clicks(
    database: Database, project_id: UUID, keys: Keys
) -> None:
    now = [NOW]
    outer = viewer(database, keys, clock=lambda: now[0])

    async def is_in(at: timedelta) -> bool:
        now[0] = NOW + at
        return (await client.get("/app/sessions")).status_code == 200

    async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="http://viewer.test") as client:
        key = await keys.make(database, project_id)
        await log_in(client, key)
        assert await is_in(IDLE - timedelta(seconds=1))
        assert not await is_in(2 * IDLE)
        now[0] = NOW
        await log_in(client, key)
        for hours in range(11, 7 * 24, 11):
            assert await is_in(timedelta(hours=hours))
        assert await is_in(ABSOLUTE - timedelta(seconds=1))
        assert not await is_in(ABSOLUTE)


async def test_a_login_makes_a_new_cookie_and_ends_the_one_before(shop: Shop) -> None:
    before = shop.client.cookies[LOGIN_COOKIE]
    await log_in(shop.client, shop.key)
    assert shop.client.cookies[LOGIN_COOKIE] != before
    async with httpx.AsyncClient(
        transport=shop.client._transport, base_url="http://viewer.test", cookies={LOGIN_COOKIE: before}
    ) as old:
        assert (await old.get("/app/sessions")).status_code == 303


async def test_a_logout_ends_the_login_on_the_server_too(shop: Shop) -> None:
    cookie = shop.client.cookies[LOGIN_COOKIE]
    await shop.client.post("/app/logout", data={"token": hidden(await shop.see("/sessions"), "token")})
    async with httpx.AsyncClient(
        transport=shop.client._transport, base_url="http://viewer.test", cookies={LOGIN_COOKIE: cookie}
    ) as copied:
        assert (await copied.get("/app/sessions")).status_code == 303


@pytest.mark.parametrize("cookie", ["", ".", "1.e30.", "x" * 9999, "wl_s_0", "%00"])
async def test_a_made_up_cookie_is_nobodys(client: httpx.AsyncClient, cookie: str) -> None:
    client.cookies.set(LOGIN_COOKIE, cookie)
    answer = await client.get("/app/sessions")
    assert answer.status_code == 303


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/app/", "/apple", "/app", "\\\\evil.example", "/app/\\evil", "/app/\r\nX",
     "javascript:alert(1)", "/app/\x00", "/app/ü",
     "/app/../..//evil.example", "/app/..", "/app/x/%2E./.%2e/v1", "/app/."],
)  # fmt: skip
def test_a_login_leads_nowhere_else(target: str) -> None:
    assert inside(target, "/app") is None
    assert inside(target, "") in (None, target if target.startswith("/app") else None)


@pytest.mark.parametrize("target", ["/app/sessions?path=/a/../b", "/app/#..", "/app/...", "/app/..x/?next=/app/.."])
def test_dots_that_no_browser_walks_up_at_are_a_page_like_any_other(target: str) -> None:
    assert inside(target, "/app") == target


async def test_the_form_keeps_only_a_next_page_of_ours(client: httpx.AsyncClient) -> None:
    answer = await client.get("/app/login", params={"next": "//evil.example/app/"})
    assert hidden(answer.text, "next") == ""


async def test_a_giant_form_is_refused_by_its_size(client: httpx.AsyncClient) -> None:
    answer = await client.post("/app/login", content=b"key=" + b"x" * 1_000_000)
    assert (answer.status_code, "too large" in answer.text) == (413, True)


async def test_what_the_database_holds_in_no_text_is_nobodys_name(client: httpx.AsyncClient) -> None:
    said = {"email": "ada\x00@example.org", "password": "pass\x00word"}
    token = hidden((await client.get("/app/login")).text, "token")
    assert (await client.post("/app/login", data=said | {"token": token})).status_code == 401


async def test_who_looks_with_a_key_uses_it(database: Database, project_id: UUID, keys: Keys) -> None:
    now = [NOW]
    outer = viewer(database, keys, clock=lambda: now[0])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="http://viewer.test") as client:
        await log_in(client, await keys.make(database, project_id))
        now[0] = NOW + timedelta(hours=10)
        assert (await client.get("/app/sessions")).status_code == 200
    async with database.transaction(project_id) as tx:
        assert await tx.scalar(select(ApiKey.last_used_at).where(ApiKey.project_id == project_id)) == now[0]


async def test_a_key_opens_its_own_project_only(shop: Shop, database: Database, keys: Keys) -> None:
    other = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=other, name=f"other-{other}", allowed_origins=[]))
    stranger = httpx.AsyncClient(transport=shop.client._transport, base_url="http://viewer.test")
    await log_in(stranger, await keys.make(database, other))
    page = await stranger.get(f"/app/sessions/{shop.visits['broken'].id}")
    assert page.status_code == 404
    assert "log in with that project" in unescape(page.text)
    listed = await stranger.get("/app/sessions")
    assert "Waiting for the first visitor" in listed.text
    assert "ada@example.org" not in listed.text


async def test_every_answer_carries_the_headers_that_keep_it_harmless(shop: Shop) -> None:
    strangers = httpx.AsyncClient(transport=shop.client._transport, base_url="http://viewer.test")
    for client, path in [
        (shop.client, "/app/sessions"),
        (shop.client, f"/app/sessions/{shop.visits['broken'].id}"),
        (shop.client, "/app/sessions/nonsense"),
        (shop.client, "/app/nonsense"),
        (shop.client, "/app/static/viewer.css"),
        (strangers, "/app/login"),
        (strangers, "/app/sessions"),
    ]:
        headers = (await client.get(path)).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:;"
            " frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        # Whoever is not logged in has a page whose address may be a link that works once.
        assert headers["referrer-policy"] == ("no-referrer" if path == "/app/login" else "same-origin")
    assert (await shop.client.get("/app/sessions")).headers["cache-control"] == "no-store"
