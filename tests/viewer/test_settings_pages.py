"""Settings in the viewer: keys, members, project, model, privacy, changes; and no form is taken without its token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select
from starlette.routing import BaseRoute, Mount, Route

from insights.access import members
from insights.access.keys import create_key
from insights.access.projects import make_project
from insights.access.roles import Role
from insights.app import create_app
from insights.errors import Refused
from insights.models import PrivacyRequest, ProviderErasure
from insights.viewer.gate import LOGIN_COOKIE
from insights.viewer.shop_form import given
from insights.wiring.services import Services
from tests.viewer.conftest import hidden, log_in
from tests.viewer.logged_in import admin, nobody, services
from tests.viewer.people import PASSWORD, enter
from tests.viewer.person import Person

__all__ = ["admin", "nobody", "services"]


async def test_a_key_is_made_shown_once_rotated_and_revoked(admin: Person) -> None:
    made = await admin.send(
        "/settings/keys", "/settings/keys", kind="secret", role="reader", name="BI <export>", scopes=""
    )
    assert (made.status_code, made.headers["location"]) == (303, "/app/settings/keys")
    [cookie] = [one for one in made.headers.get_list("set-cookie") if one.startswith("whyleft_made=")]
    assert "HttpOnly" in cookie and "Max-Age=60" in cookie and "Path=/app" in cookie
    fresh = (await admin.client.get("/app/settings/keys")).text
    [key] = set(re.findall(r"wl_s_[\w-]{32}", fresh))
    assert "BI &lt;export&gt;" in fresh
    # Loaded anew, it neither shows it nor makes another one.
    shown = await admin.see("/settings/keys")
    assert "Copy this key now" not in shown
    assert shown.count("BI <export>") == 1
    assert key not in shown
    assert key[:10] in shown
    row = shown.split(f"<code>{key[:10]}")[1]
    path = re.findall(r"/settings/keys/[0-9a-f-]{36}/rotate", row)[0]
    assert (await admin.send("/settings/keys", path, hours="48")).status_code == 303
    assert "good for 48 more hours" in await admin.see("/settings/keys")
    revoked = await admin.send("/settings/keys", path.replace("rotate", "revoke"))
    assert revoked.status_code == 303
    assert "revoked" in await admin.see("/settings/keys")
    wrong = await admin.send("/settings/keys", "/settings/keys", kind="secret", role="reader", scopes="read:everything")
    assert (wrong.status_code, "no scope" in wrong.text) == (400, True)


async def test_what_was_made_is_shown_to_the_login_that_made_it_alone(admin: Person, services: Services) -> None:
    made = await admin.send("/settings/keys", "/settings/keys", kind="secret", role="reader", name="mine", scopes="")
    cookie = admin.client.cookies["whyleft_made"]
    packed, _, proof = cookie.partition(".")
    other = await create_key(services.database, f"shop-{uuid4()}", "secret", [])
    async with httpx.AsyncClient(transport=admin.client._transport, base_url="http://127.0.0.1:8321") as client:
        await log_in(client, other.key)
        for forged in (cookie, packed, f"{packed}.{'x' * 43}", f".{proof}", "x.y", f"{packed[:-4]}AAAA.{proof}"):
            client.cookies.set("whyleft_made", forged)
            page = await client.get("/app/settings/keys")
            assert (page.status_code, "Copy this key now" in page.text) == (200, False), forged
    assert made.status_code == 303
    # The page of invitations has nothing to say of a key, and takes it away all the same.
    assert "Invited:" not in await admin.see("/settings/members")


async def test_somebody_is_invited_given_a_role_and_taken_out(admin: Person, services: Services) -> None:
    invited = await admin.send("/settings/members", "/settings/members", email="bob@example.org", role="editor")
    assert invited.status_code == 303
    fresh = await admin.see("/settings/members")
    link = re.findall(r"http://127\.0\.0\.1:8321(/app/invitation\?link=[\w-]+)", fresh)[0]
    assert link not in await admin.see("/settings/members")
    transport = admin.client._transport
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321") as client:
        bob = Person(client)
        form = await client.get(link)
        said = {
            "link": link.split("=")[1],
            "password": PASSWORD,
            "again": PASSWORD,
            "token": hidden(form.text, "token"),
        }
        assert (await client.post("/app/invitation", data=said)).status_code == 303
        assert "Bob" not in await bob.see("/settings/you")
        assert "bob@example.org" in await bob.see("/settings/you")
        assert "needs admin" in await bob.see("/settings/keys", 403)
        assert "Members</a>" not in await bob.see("/settings/you")
        shown = await admin.see("/settings/members")
        row = shown.split("<bdi>bob@example.org")[1]
        path = re.findall(r"/settings/members/[0-9a-f-]{36}/role", row)[0]
        assert (await admin.send("/settings/members", path, role="reader")).status_code == 303
        assert (await client.get("/app/sessions")).status_code == 303
        await enter(client, "bob@example.org")
        await bob.see("/sessions")
        assert (await admin.send("/settings/members", path.replace("role", "remove"))).status_code == 303
        assert (await client.get("/app/sessions")).status_code == 303
        assert re.search(
            r"[Mm]ember removed[^/]*<bdi>bob@example.org</bdi>", await admin.see("/settings/changes?subject=member")
        )


async def test_the_only_admin_cannot_take_themselves_out(admin: Person) -> None:
    shown = await admin.see("/settings/members")
    [path] = set(re.findall(r"/settings/members/[0-9a-f-]{36}/remove", shown))
    refused = await admin.send("/settings/members", path)
    assert (refused.status_code, "only admin" in refused.text) == (409, True)


async def test_a_project_is_renamed_made_and_archived(admin: Person) -> None:
    first = await admin.send(
        "/settings/project", "/settings/project", name="Quiet Kettle 1", origins="https://a.example\nhttps://b.example"
    )
    assert first.status_code == 303
    assert "https://b.example" in await admin.see("/settings/project")
    before = admin.client.cookies[LOGIN_COOKIE]
    name = f"Second {uuid4()}"
    made = await admin.send("/settings/project", "/settings/projects", name=name)
    assert made.status_code == 303
    assert admin.client.cookies[LOGIN_COOKIE] != before
    assert name in await admin.see("/settings/you")
    [other] = re.findall(r'name="project" value="([0-9a-f-]{36})"', await admin.see("/settings/you"))
    assert (await admin.send("/settings/project", "/settings/project/archive", name="no")).status_code == 400
    assert (await admin.send("/settings/you", "/settings/you/project", project=str(uuid4()))).status_code == 404
    assert (await admin.send("/settings/project", "/settings/project/archive", name=name)).status_code == 303
    assert (await admin.client.get("/app/sessions")).status_code == 303
    await enter(admin.client, admin.email)  # type: ignore[attr-defined]
    assert "Quiet Kettle 1" in await admin.see("/sessions")
    assert other


async def test_a_member_does_not_multiply_their_share_by_making_projects(admin: Person, services: Services) -> None:
    async with services.database.transaction(None) as tx:
        member = await members.member_named(tx, admin.email)  # type: ignore[attr-defined]
        assert member is not None
        for _ in range(members.MOST_PROJECTS - 1):
            made = await make_project(tx, f"shop-{uuid4()}")
            await members.make_admin(tx, made.id, member.id, datetime.now(UTC))
    refused = await admin.send("/settings/project", "/settings/projects", name=f"One more {uuid4()}")
    assert (refused.status_code, "admin of 20 projects" in refused.text) == (409, True)


async def test_model_and_privacy_are_set_and_an_empty_field_goes_back(admin: Person) -> None:
    fields = {
        "base_url": "https://93.184.216.34/v1",
        "model": "m-1",
        "api_key": "sk-of-the-project",
        "threshold": "0,6",
    }
    assert (await admin.send("/settings/model", "/settings/model", **fields)).status_code == 303
    shown = await admin.see("/settings/model")
    assert 'value="m-1"' in shown
    assert 'value="0.6"' in shown
    assert "sk-of-the-project" not in shown
    wrong = await admin.send("/settings/model", "/settings/model", **{**fields, "threshold": "much"})
    assert (wrong.status_code, "not a number" in wrong.text) == (400, True)
    for odd in ("nan", "inf", "1e400", "12.7", "-5"):
        refused = await admin.send("/settings/privacy", "/settings/privacy", keep_days=odd)
        assert refused.status_code in (400, 422), odd
    assert (await admin.send("/settings/privacy", "/settings/privacy", keep_days="400")).status_code == 303
    assert 'value="400"' in await admin.see("/settings/privacy")
    assert (await admin.send("/settings/privacy", "/settings/privacy", keep_days="")).status_code == 303
    assert 'value="400"' not in await admin.see("/settings/privacy")


async def test_what_the_shop_says_of_itself_is_set_where_lift_points_to(admin: Person) -> None:
    assert 'href="/app/settings/project#shop"' in await admin.see("/lift")
    typed = {"holdout": "10", "currency": "eur", "margin_rate": "32,5", "free_shipping_from_minor": "49.90"}
    set_ = await admin.send("/settings/project", "/settings/shop", **typed)
    assert set_.status_code == 303
    page = await admin.see("/settings/project")
    for name, value in (typed | {"currency": "EUR", "margin_rate": "32.5"}).items():
        assert f'name="{name}" value="{value}"' in page
    assert "Nobody is held out yet" not in await admin.see("/lift")
    assert "32.5 % of an order" in await admin.see("/actions")
    for field, value, says in (
        ("holdout", "60", "from 0 to 50 percent"),
        ("margin_rate", "a lot", "is not a number"),
        ("contact_href", "javascript:alert(1)", "Where help is found: write a path such as /contact"),
    ):
        refused = await admin.send("/settings/project", "/settings/shop", **(typed | {field: value}))
        assert refused.status_code == 400 and says in unescape(refused.text)
    await admin.send("/settings/project", "/settings/shop")
    assert 'name="margin_rate" value=""' in await admin.see("/settings/project")


@pytest.mark.parametrize(
    ("currency", "typed", "minor"),
    [
        ("EUR", "4,90", 490),
        ("JPY", "1250", 1250),
        ("KWD", "1.250", 1250),
        ("", "7.5", 750),
        ("JPY", "1,250", "such as 490"),
        ("EUR", "1,250", "such as 4.90"),
        ("EUR", "1.250,00", "such as 4.90"),
        ("KWD", "-1", "such as 4.900"),
        ("EUR", "1e3", "such as 4.90"),
    ],
)
def test_an_amount_that_could_be_two_is_refused_and_not_guessed(currency: str, typed: str, minor: int | str) -> None:
    form = {"currency": currency, "shipping_cost_minor": typed}
    if isinstance(minor, int):
        assert given(form)["shipping_cost_minor"] == minor
    else:
        with pytest.raises(Refused, match=minor) as refusal:
            given(form)
        assert refusal.value.field == "shipping_cost_minor"


async def test_what_connected_tools_said_to_an_erasure_is_shown_and_can_be_settled(
    admin: Person, services: Services
) -> None:
    rows = {
        "mails": ("klaviyo", "failed", "Klaviyo refuses this (400, <b>no such thing</b>)."),
        "tickets": ("github", "by_hand", "Search the tracker for it."),
        "shop": ("shopify", "done", "Shopify took the request."),
    }
    request, now, project_id = uuid4(), datetime.now(UTC), admin.project_id  # type: ignore[attr-defined]
    async with services.database.transaction(project_id) as tx:
        tx.add(
            PrivacyRequest(
                project_id=project_id, id=request, kind="erase_person", who={}, asked_by="the shop",
                received_at=now, done_at=now, outcome={"visitor": 1},
            )
        )  # fmt: skip
        for name, (kind, status, said) in rows.items():
            tx.add(
                ProviderErasure(
                    project_id=project_id, id=uuid4(), request_id=request, channel_id=uuid4(), name=name,
                    kind=kind, who={"emails": ["a@b.example"], "phones": [], "user_ids": []}, status=status, said=said,
                    attempts=1, asked_at=now,
                )
            )  # fmt: skip
    page = (await admin.client.get("/app/settings/privacy")).text
    assert "2 need a human" in page
    assert "&lt;b&gt;no such thing&lt;/b&gt;" in page
    assert "a@b.example" not in page
    async with services.database.transaction(project_id) as tx:
        ids = {row.name: row.id for row in await tx.scalars(select(ProviderErasure))}
    for name, do in (("mails", "retry"), ("tickets", "done")):
        where = f"/settings/privacy/providers/{ids[name]}"
        assert (await admin.client.post(f"/app{where}", data={"token": "forged", "do": do})).status_code == 403
        assert (await admin.send("/settings/privacy", where, do=do)).status_code == 303
    async with services.database.transaction(project_id) as tx:
        found = {row.name: row.status for row in await tx.scalars(select(ProviderErasure))}
    assert found == {"mails": "waiting", "tickets": "done", "shop": "done"}


async def test_changes_are_listed_under_the_name_of_who_made_them(admin: Person) -> None:
    await admin.send("/settings/keys", "/settings/keys", kind="write", name="<i>pages</i>", role="reader", scopes="")
    page = (await admin.client.get("/app/settings/changes", params={"subject": "key"})).text
    assert admin.email in page  # type: ignore[attr-defined]
    assert "&lt;i&gt;pages&lt;/i&gt;" in page
    assert "<i>pages" not in page
    assert "•••" in page
    assert "Nothing of this kind" in (await admin.client.get("/app/settings/changes?subject=segment")).text
    assert (await admin.client.get("/app/settings/changes?before=x")).status_code == 422


async def test_a_password_is_changed_and_every_other_browser_logged_out(admin: Person) -> None:
    email, new = admin.email, "another sentence, long enough"  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=admin.client._transport, base_url="http://127.0.0.1:8321") as other:
        await enter(other, email)
        said = {"current": PASSWORD, "password": new, "again": new}
        wrong = await admin.send("/settings/you", "/settings/you/password", **(said | {"current": "x"}))
        assert (wrong.status_code, "present password" in wrong.text) == (400, True)
        before = admin.client.cookies[LOGIN_COOKIE]
        assert (await admin.send("/settings/you", "/settings/you/password", **said)).status_code == 303
        assert admin.client.cookies[LOGIN_COOKIE] != before
        await admin.see("/settings/you")
        assert (await other.get("/app/sessions")).status_code == 303
        assert (await enter(other, email)).status_code == 401
        assert (await enter(other, email, new)).status_code == 303
        [path] = set(re.findall(r"/settings/you/logins/[0-9a-f-]{36}", await admin.see("/settings/you")))
        assert (await admin.send("/settings/you", path)).status_code == 303
        assert (await other.get("/app/sessions")).status_code == 303
        await admin.see("/settings/you")


async def test_a_login_by_key_has_the_keys_role_and_no_page_of_its_own(nobody: Person, services: Services) -> None:
    name = f"shop-{uuid4()}"
    reader = await create_key(services.database, name, "secret", [], role=Role.READER)
    assert (await log_in(nobody.client, reader.key)).status_code == 303
    await nobody.see("/sessions")
    assert "You came with a secret key" in await nobody.see("/settings/you")
    await nobody.see("/settings/keys", 403)
    refused = await nobody.client.post(
        "/app/settings/keys", data={"token": hidden((await nobody.client.get("/app/settings/you")).text, "token")}
    )
    assert refused.status_code == 403
    limited = await create_key(services.database, name, "secret", [], scopes=["read:sessions"])
    assert (await log_in(nobody.client, limited.key)).status_code == 403


def routes_of(routes: list[BaseRoute]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif isinstance(route, Mount):
            yield from routes_of(list(route.routes or []))


@pytest.mark.parametrize(
    ("page", "form", "over", "beside"),
    [
        ("model", {"threshold": "7"}, "Unclear below a confidence of", ("threshold", "at most 1.")),
        ("model", {"price_in": "much"}, "A million tokens sent cost", ("price_in", "is not a number")),
        ("model", {"base_url": "nowhere"}, "Address", ("base_url", "Is not an address")),
        ("privacy", {"keep_days": "-1"}, "Visits are erased after so many days", ("keep_days", "at least 2.")),
        ("privacy", {"keep_days": "x"}, "Visits are erased after so many days", ("keep_days", "is not a number")),
        ("keys", {"kind": "secret", "scopes": "read:x"}, "", ("scopes", "no scope")),
        ("members", {"email": "nobody"}, "", ("email", "")),
    ],
)
async def test_what_is_refused_is_said_beside_the_field_in_its_words(
    admin: Person, page: str, form: dict[str, str], over: str, beside: tuple[str, str]
) -> None:
    refused = await admin.send(f"/settings/{page}", f"/settings/{page}", **form)
    assert refused.status_code in (400, 422)
    text = unescape(refused.text)
    said = re.search(rf'id="{beside[0]}-p">([^<]+)<', text)
    assert said and beside[1] in said[1], text.split("<main")[1][:600]
    assert f"{over}: " in text.split('role="alert"')[1].split("</div>")[0] if over else True
    assert re.search(rf'id="{beside[0]}"[^>]* aria-invalid="true"[^>]* autofocus', refused.text)
    assert f"{beside[0]}: " not in text.split('role="alert"')[1].split("</div>")[0]


async def test_no_form_of_the_viewer_is_taken_without_its_token(admin: Person, services: Services) -> None:
    """Every route that takes anything but GET, as the application lists them: a new one is covered by default."""
    app = create_app(services)
    while not hasattr(app, "routes"):
        app = app._app  # type: ignore[attr-defined]
    viewer = next(route for route in app.routes if isinstance(route, Mount) and route.path == "/app").app
    while not hasattr(viewer, "routes"):
        viewer = viewer._app  # type: ignore[attr-defined]
    tried = 0
    page = await admin.client.get("/app/settings/you")
    logout = hidden(page.text, "token")
    for route in routes_of(viewer.routes):
        for method in sorted((route.methods or set()) - {"GET", "HEAD"}):
            path = "/app" + re.sub(r"{\w+(:\w+)?}", str(uuid4()), route.path)
            for data, headers in (
                ({}, {}),
                ({"token": "x" * 43}, {}),
                # Of another form of the same person, and the right cookie from another site.
                ({"token": logout if route.path != "/logout" else "x"}, {}),
                ({"token": logout}, {"sec-fetch-site": "cross-site"}),
            ):
                answer = await admin.client.request(method, path, data=data, headers=headers)
                assert answer.status_code == 403, (method, path, data, headers, answer.status_code, answer.text[:300])
                tried += 1
    assert tried > 100
    await admin.see("/settings/you")
