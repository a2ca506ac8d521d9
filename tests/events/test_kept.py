"""What of an address is kept."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from adapters.postgres.engine import Database
from insights.events.kept import kept_json, kept_url
from insights.events.record import Recorder
from insights.models import Event
from tests.events.test_record import visit

LEFT = "https://shop.example/login?email=ada@example.org&password=hunter2&size=L#cardNumber=4111111111111111"
KEPT = "https://shop.example/login?email=[email]&password=[secret]&size=L#cardNumber=[secret]"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (LEFT, KEPT),
        ("/in?j_PASSWORD=a%26b&x=1", "/in?j_PASSWORD=[secret]&x=1"),
        ("/reset?reset_token=abc", "/reset?reset_token=[secret]"),
        ("/in?password=&x=1", "/in?password=&x=1"),
        ("/passport/cards?size=L", "/passport/cards?size=L"),
        ("/in?next=/login?password=x&b=1", "/in?next=/login?password=[secret]&b=1"),
    ],
)
def test_of_a_password_in_an_address_the_name_is_kept(url: str, kept: str) -> None:
    assert kept_url(url) == kept
    assert kept_url(kept) is kept


SECRETS = (
    "password", "PASSWORD", "userPassword", "user[password]", "user%5Bpassword%5D", "newpassword", "passwd", "pass1",
    "user_pass", "userpass", "userPass", "mot_de_passe", "pwd", "card", "card%5Bnumber%5D", "user%5Bcard%5D", "cardNo",
    "ccCard", "cardnumber", "CARDNUMBER", "creditcard", "mycards", "billing.card", "x-card", "cvv2", "customerIban",
    "userssn", "SSN", "accessToken", "payment_intent_client_secret", "pw", "user%5Bpw%5D",
)  # fmt: skip
WORDS = (
    "discard", "DISCARD", "discardAll", "postcard", "scorecard", "cardigan", "cardboard", "PASSENGER",
    "passengers[1]", "compass", "COMPASS", "bypass", "passform", "Passform", "passend_fuer", "classname",
    "model_passat", "spw",
)  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_known_by_a_word_of_its_name(name: str) -> None:
    assert kept_url(f"/in?{name}=hunter2&x=1") == f"/in?{name}=[secret]&x=1"


@pytest.mark.parametrize("name", WORDS)
def test_a_word_that_only_looks_like_a_secret_s_hides_nothing(name: str) -> None:
    url = f"/shop?{name}=2&x=1"
    assert kept_url(url) is url


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (r'{"url": "\/in?password=a\"b&x=1", "id": 1}', r'{"url": "\/in?password=[secret]&x=1", "id": 1}'),
        (r'{"url": "/in?a=1\u0026card=41\u0031"}', r'{"url": "/in?a=1\u0026card=[secret]"}'),
        ('["/in?token=abc", "a=1"]', '["/in?token=[secret]", "a=1"]'),
        ('{"password": "x=1"}', '{"password": "x=1"}'),
    ],
)
def test_what_was_refused_stays_json_without_the_secrets_in_its_addresses(text: str, kept: str) -> None:
    assert kept_json(text) == kept
    assert json.loads(kept)


async def test_what_a_form_left_in_the_address_of_the_next_page_is_not_stored(
    recorder: Recorder, database: Database, project_id: UUID
) -> None:
    entry = replace(visit(project_id, ["page_viewed", "clicked", "page_viewed"]), page_url=LEFT)
    entry.events[0].props = {"path": "/login", "url": LEFT, "referrer": "https://shop.example/"}
    entry.events[2].props = {"path": "/", "url": "https://shop.example/", "referrer": LEFT}
    await recorder.record(entry)
    async with database.transaction(project_id) as tx:
        rows = list(await tx.execute(select(Event.url, Event.props).order_by(Event.seq)))
    assert {url for url, _ in rows} == {KEPT}
    assert (rows[0].props["url"], rows[2].props["referrer"]) == (KEPT, KEPT)


async def test_a_referrer_alone_is_looked_at_too(recorder: Recorder, database: Database, project_id: UUID) -> None:
    entry = replace(visit(project_id, ["page_viewed"]), page_url="https://shop.example/")
    entry.events[0].props = {"path": "/", "referrer": "/login?password=hunter2"}
    await recorder.record(entry)
    async with database.transaction(project_id) as tx:
        (props,) = list(await tx.scalars(select(Event.props)))
    assert props["referrer"] == "/login?password=[secret]"
