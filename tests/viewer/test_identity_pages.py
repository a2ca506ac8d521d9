"""Settings, identity: a secret is made, shown once, rotated and ended; what is asked for, what came, and a warning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from insights.access.keys import create_key
from insights.access.roles import Role
from insights.decisions.entries import Entry
from insights.models import IdentityClaim
from insights.plans.entries import create_entry
from insights.viewer.identity_pages import counted
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage
from insights.wiring.services import Services
from tests.viewer.conftest import hidden, log_in
from tests.viewer.logged_in import admin, nobody, services
from tests.viewer.person import Person

__all__ = ["admin", "nobody", "services"]

PAGE = "/settings/identity"
SECRETS = f"{PAGE}/secrets"


async def made(admin: Person, **fields: str) -> str:
    """A new secret, as the page that follows shows it."""
    answer = await admin.send(PAGE, SECRETS, **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/app/settings/identity")
    [secret] = re.findall(r"wl_i_[\w-]{43}", await admin.see(PAGE))
    return secret


def enders(page: str) -> Sequence[str]:
    """Where each secret is ended."""
    return re.findall(r"/settings/identity/secrets/[0-9a-f-]{36}/end", page)


async def test_a_secret_is_shown_once_rotated_and_ended(admin: Person) -> None:
    assert "There is none yet" in await admin.see(PAGE)
    first = await made(admin)
    again = await admin.see(PAGE)
    assert "Copy this secret now" not in again and first not in again
    assert again.count("in use") == 1
    assert await made(admin, overlap_seconds="604800") != first
    shown = await admin.see(PAGE)
    until = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}"
    assert f"good until {until}" in shown and shown.count("in use") == 1
    # The newest first: the other one is the first secret.
    ended = await admin.send(PAGE, enders(shown)[1])
    assert (ended.status_code, ended.headers["location"]) == (303, "/app/settings/identity?done=secret_ended")
    assert "good until" not in await admin.see(PAGE)
    changes = await admin.see("/settings/changes?subject=identity secret")
    assert len(re.findall(r"identity secret (?:made|changed|removed)", changes, re.IGNORECASE)) >= 3
    assert first not in changes


async def test_signatures_are_asked_for_only_where_somebody_can_sign(admin: Person) -> None:
    shown = await admin.see(PAGE)
    assert 'value="observe" disabled' in shown and 'value="required" disabled' in shown
    refused = await admin.send(PAGE, PAGE, mode="required")
    assert (refused.status_code, "no identity secret" in refused.text) == (409, True)
    await made(admin)
    required = await admin.send(PAGE, PAGE, mode="required")
    assert required.headers["location"] == "/app/settings/identity?done=required"
    shown = await admin.see(PAGE)
    assert 'value="required" checked' in shown
    # The last one cannot be ended, and its form is not there.
    assert not enders(shown) and "To end the last one" in shown
    assert (await admin.send(PAGE, PAGE, mode="off")).status_code == 303
    assert len(enders(await admin.see(PAGE))) == 1
    assert (await admin.send(PAGE, PAGE, mode="sometimes")).status_code == 422


async def test_what_is_wrong_stands_beside_the_field(admin: Person) -> None:
    await made(admin)
    for wrong, says in (("soon", "is not a whole number"), ("99999999", "The ones before stay good for: ")):
        refused = await admin.send(PAGE, SECRETS, overlap_seconds=wrong)
        assert refused.status_code in (400, 422) and says in refused.text, wrong
        assert 'aria-describedby="overlap_seconds-p"' in refused.text
        assert "wl_i_" not in refused.text


async def test_what_came_is_counted_by_kind_and_by_day(admin: Person, services: Services) -> None:
    assert "Nothing was counted yet" in await admin.see(PAGE)
    project_id = admin.project_id  # type: ignore[attr-defined]
    today = datetime.now(UTC).date()
    async with services.database.transaction(project_id) as tx:
        for days, name, verdict, claims in (
            (0, "user_id", "signed", 1200),
            (1, "user_id", "signed", 34),
            (1, "user_id", "wrong", 2),
            (1, "email", "unsigned", 5),
            (40, "phone", "unsigned", 777),
        ):
            day = today - timedelta(days=days)
            tx.add(IdentityClaim(project_id=project_id, day=day, name=name, verdict=verdict, claims=claims))
    shown = re.sub(r"<[^>]+>|\s+", " ", await admin.see(PAGE))
    assert re.search(r"User ids +1,234 +0 +2 +E-mail addresses +0 +5 +0", shown) or re.search(
        r"E-mail addresses +0 +5 +0 +User ids +1,234 +0 +2", shown
    )
    assert re.search(rf"{today} +User ids +1,200 +0 +0", shown)
    assert "7 of 1,241 were not signed" in shown
    assert "Phone numbers" not in shown


async def test_actions_that_ask_for_an_address_are_warned_of(admin: Person, services: Services) -> None:
    """The built-in one is on in every shop that has none of its own."""
    shown = await admin.see(PAGE)
    assert 'href="/app/actions/identity_capture"' in shown
    assert '<p class="note bad"' not in shown
    await made(admin)
    await admin.send(PAGE, PAGE, mode="required")
    assert '<p class="note bad"' in await admin.see(PAGE)
    now = datetime.now(UTC)
    words = {
        "title": "Ten percent",
        "consent_label": "Yes, write to me",
        "cta_label": "Send",
        "body": "For your first order.",
    }
    asking = Entry(
        "<b>Voucher</b>", LiveAction.IDENTITY_CAPTURE, "popup", {"default": words}, tuple(Stage), enabled=False
    )
    async with services.database.transaction(admin.project_id) as tx:  # type: ignore[attr-defined]
        row = await create_entry(tx, admin.project_id, asking, now)  # type: ignore[attr-defined]
    # A kind that the shop has of its own and switched off is shown to nobody.
    assert "/actions/identity_capture" not in await admin.see(PAGE)
    async with services.database.transaction(admin.project_id) as tx:  # type: ignore[attr-defined]
        (await tx.merge(row)).enabled = True
    page = (await admin.client.get(f"/app{PAGE}")).text
    assert f"/actions/{row.id}" in page and "&lt;b&gt;Voucher" in page


async def test_it_is_for_admins_and_for_forms_of_ours(admin: Person, nobody: Person, services: Services) -> None:
    await made(admin)
    [path] = enders(await admin.see(PAGE))
    for where in (PAGE, SECRETS, path):
        forged = await admin.client.post(f"/app{where}", data={"token": "forged", "mode": "off"})
        assert forged.status_code == 403, where
    assert enders(await admin.see(PAGE)) == [path]
    admin.client.cookies.clear()
    editor = await create_key(services.database, f"shop-{uuid4()}", "secret", [], role=Role.EDITOR)
    assert (await log_in(nobody.client, editor.key)).status_code == 303
    await nobody.see(PAGE, 403)
    token = hidden((await nobody.client.get("/app/settings/you")).text, "token")
    for where in (PAGE, SECRETS, path):
        assert (await nobody.client.post(f"/app{where}", data={"token": token, "mode": "off"})).status_code == 403


@pytest.mark.parametrize(("by", "rows"), [(("name",), 2), (("day", "name"), 3)])
def test_counts_keep_the_order_in_which_they_come(by: tuple[str, ...], rows: int) -> None:
    claims = [
        {"day": "2026-11-22", "name": "email", "verdict": "signed", "claims": 1},
        {"day": "2026-11-22", "name": "user_id", "verdict": "wrong", "claims": 2},
        {"day": "2026-11-21", "name": "email", "verdict": "signed", "claims": 3},
    ]
    found = counted(claims, *by)
    assert len(found) == rows
    assert [row["name"] for row in found] == ["email", "user_id", "email"][:rows]
    assert sum(row["signed"] for row in found) == 4 and sum(row["wrong"] for row in found) == 2
