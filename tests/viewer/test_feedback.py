"""What a sent form says: what it did, or why not, with everything that was typed still there."""

from __future__ import annotations

from pathlib import Path

import pytest

from insights.viewer.feedback import DONE
from insights.viewer.flow_pages import MOVES
from insights.viewer.identity_pages import TAKEN
from tests.viewer.logged_in import admin, nobody, services
from tests.viewer.person import Person

__all__ = ["admin", "nobody", "services"]

REFUSED = [
    ("/settings/keys", "/settings/keys", {"kind": "secret", "role": "editor", "name": "BI", "scopes": "read:all"}),
    ("/settings/members", "/settings/members", {"email": "no address", "role": "admin"}),
    ("/settings/project", "/settings/project", {"name": "", "origins": "https://a.example ftp://b.example"}),
    ("/settings/project", "/settings/shop", {"holdout": "80", "currency": "EUR", "contact_href": "/help"}),
    ("/settings/model", "/settings/model", {"threshold": "high", "language": "German", "model": "qwen3"}),
    ("/settings/privacy", "/settings/privacy", {"keep_days": "soon", "extra_fields": "loyalty", "limit_fields": "1"}),
    ("/flows", "/flows", {"name": "x" * 101}),
    ("/reports", "/reports/subscribe", {"address": "nobody at all", "report": "daily"}),
]


@pytest.mark.parametrize(("page", "path", "typed"), REFUSED, ids=[path for _, path, _ in REFUSED])
async def test_a_form_that_is_refused_stands_there_again_with_what_was_typed(
    admin: Person, page: str, path: str, typed: dict[str, str]
) -> None:
    answer = await admin.send(page, path, **typed)
    assert 400 <= answer.status_code < 500
    assert 'role="alert"' in answer.text
    forms = answer.text.split("</header>")[-1]
    for name, value in typed.items():
        if name in ("role", "report"):
            assert f"selected>{value}" in forms or f'value="{value}" selected' in forms, name
        elif name == "limit_fields":
            assert 'name="limit_fields" value="1" checked' in forms
        else:
            assert f'value="{value}"' in forms or f">{value}</textarea>" in forms, name


async def test_a_key_that_was_typed_is_not_shown_again(admin: Person) -> None:
    answer = await admin.send("/settings/model", "/settings/model", threshold="x", api_key="sk-canary")
    assert answer.status_code == 400 and "sk-canary" not in answer.text


async def test_a_form_that_was_taken_says_so_and_nobody_else_puts_words_there(admin: Person) -> None:
    saved = await admin.send("/settings/project", "/settings/shop", holdout="10", currency="EUR")
    assert saved.headers["location"] == "/app/settings/project?done=saved"
    assert '<p class="note" role="status">Saved.</p>' in await admin.see("/settings/project?done=saved")
    assert 'role="status"' not in await admin.see("/settings/project?done=Call+0900+now")


def test_every_word_that_a_form_answers_with_is_known(repository: Path) -> None:
    said = set()
    for file in (repository / "insights" / "viewer").glob("*.py"):
        for part in file.read_text().split('done="')[1:]:
            said.add(part.split('"')[0])
    assert (said | set(MOVES.values()) | set(TAKEN.values())) - {""} <= set(DONE)


async def test_a_form_that_was_sent_after_the_login_was_over_says_that_it_was_not_taken(admin: Person) -> None:
    admin.client.cookies.clear()
    where = "http://test/app/settings/project?done=saved"
    headers = {"referer": where.replace("http://test", str(admin.client.base_url).rstrip("/"))}
    sent = await admin.client.post("/app/settings/shop", data={"holdout": "5"}, headers=headers)
    assert sent.status_code == 303
    login = (await admin.client.get(sent.headers["location"])).text
    assert "nothing was done with what you sent" in login
    assert 'name="next" value="/app/settings/project?done=saved"' in login
    elsewhere = await admin.client.post("/app/settings/shop", headers={"referer": "https://evil.example/app/flows"})
    assert elsewhere.headers["location"] == "/app/login?over=form"


async def test_an_address_that_only_takes_forms_leads_to_the_page_above_it(admin: Person) -> None:
    """A refused form stands there, and whoever logs in from it or comes back to it asks for it as for a page."""
    for path, above in (
        ("/segments/big-carts/remove", "/segments/big-carts"),
        ("/settings/shop", "/settings"),
        ("/settings/keys/1/revoke", "/settings/keys"),
        ("/flows/1/pause", "/flows/1"),
        ("/reports/subscribe", "/reports"),
        ("/views/1/delete", "/"),
    ):
        answer = await admin.client.get(f"/app{path}")
        assert (answer.status_code, answer.headers.get("location")) == (303, f"/app{above}"), path


async def test_what_was_typed_outlives_a_login_and_is_sent_once_more(admin: Person) -> None:
    typed = {"name": "late", "when": "cart.items > 1", "description": "of before", "token": "of the login before"}
    answer = await admin.client.post("/app/segments", data=typed, headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == 403
    assert "What you typed is kept" in answer.text and 'value="of before"' in answer.text
    assert "late</a>" not in answer.text
    foreign = await admin.client.post("/app/segments", data=typed)
    assert foreign.status_code == 403 and "of before" not in foreign.text


async def test_what_cannot_be_taken_back_is_asked_for_once_more(admin: Person) -> None:
    for page, path in (("/settings/keys", "/revoke"), ("/settings/members", "/remove")):
        shown = (await admin.see(page)).split("</header>")[-1]
        form = shown.index(f'{path}"')
        assert shown.rindex('<details class="sure">', 0, form) > shown.rfind("</details>", 0, form)
