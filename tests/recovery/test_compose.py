"""What a due step says, and why it sometimes says nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from adapters.postgres.engine import Database
from flows.ports import Composed, SendRequest, Skip
from insights.models import DiscountCode, Project
from insights.recovery import codes
from insights.recovery.compose import MessageComposer
from insights.recovery.trigger import insight_trigger
from insights.recovery.unsubscribe import verify
from insights.settings import SettingInvalid
from insights.vocabulary.actions import RecoveryAction
from tests.recovery.sessions import INSIGHT, KETTLE, MUG, PROJECT, SESSION, START, session
from tests.recovery.visitors import visitor

SECRET = b"a secret of thirty-two characters"
DISCOUNT = {"message": "discount_24h", "discount_percent": 15}
BOUGHT_NOTHING = (
    ("product_viewed", KETTLE),
    ("product_viewed", MUG),
    ("cart_added", {**MUG, "quantity": 2, "cart_value_minor": 2900}),
    ("request_failed", {"method": "POST", "path": "/api/cart", "status": 500}),
)


def facts(*events: tuple[str, dict[str, Any]], url: str = "https://shop.example/cart?secret=1") -> dict[str, Any]:
    trigger = insight_trigger(
        session(*(events or BOUGHT_NOTHING), url=url),
        insight_id=INSIGHT,
        kind="abandoned",
        reason="price_hesitation",
        confidence=0.8,
        narrative="They looked at the price three times.",
    )
    stored: dict[str, Any] = json.loads(json.dumps(dict(trigger.facts)))
    return stored


async def compose(
    database: Database,
    project_id: UUID,
    visitor_id: UUID,
    action: str = "send_email",
    params: dict[str, Any] | None = None,
    *,
    trigger: dict[str, Any] | None = None,
    shop_url: str = "https://shop.example/",
    run_id: UUID = PROJECT,
    now: Any = START,
) -> Composed | Skip:
    composer = MessageComposer(public_url="https://whyleft.example/", shop_url=shop_url, signing_secret=SECRET)
    async with database.transaction(project_id) as tx:
        return await composer.compose(
            tx,
            SendRequest(
                project_id=project_id,
                visitor_id=visitor_id,
                run_id=run_id,
                step_id="mail",
                action=action,
                params={"message": "cart_reminder"} if params is None else params,
                trigger=facts() if trigger is None else trigger,
                now=now,
            ),
        )


def composed(result: Composed | Skip) -> Composed:
    assert isinstance(result, Composed), result
    return result


def skipped(result: Composed | Skip) -> str:
    assert isinstance(result, Skip), result
    assert result.detail.endswith(".")
    return result.reason


async def count_codes(database: Database, project_id: UUID) -> int:
    async with database.transaction(project_id) as tx:
        return await tx.scalar(select(func.count()).select_from(DiscountCode)) or 0


async def test_a_mail_is_addressed_written_and_can_be_unsubscribed(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id)
    mail = composed(await compose(database, project_id, identifier))
    assert (mail.channel, mail.recipient, mail.needs_consent) == ("email", "anna@example.com", True)
    assert mail.dedupe_key is None
    assert f"shop-{project_id}" in mail.content["subject"]
    assert "Morning mug × 2" in mail.content["text"]
    assert "€29.00" in mail.content["html"]
    url = urlsplit(mail.content["unsubscribe_url"])
    assert (url.netloc, url.path) == ("whyleft.example", "/v1/unsubscribe")
    claim = verify(SECRET, parse_qs(url.query)["token"][0])
    assert (claim.project_id, claim.visitor_id, claim.channel, claim.recipient) == (
        project_id, identifier, "email", mail.recipient,
    )  # fmt: skip
    json.dumps(dict(mail.content))


async def test_a_code_is_issued_once_however_often_the_step_is_tried(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id, time_zone="America/New_York")
    first = composed(await compose(database, project_id, identifier, params=DISCOUNT))
    again = composed(await compose(database, project_id, identifier, params=DISCOUNT, now=START + timedelta(minutes=5)))
    assert first.content == again.content
    assert await count_codes(database, project_id) == 1
    async with database.transaction(project_id) as tx:
        code = await tx.scalar(select(DiscountCode.code))
        assert code is not None
        assert code in first.content["text"]
        assert code in first.content["html"]
        assert "Sunday 29 March, 08:00 EDT" in first.content["text"]
        assert await codes.redeem(tx, project_id, code, START) == 15
    other = composed(await compose(database, project_id, identifier, params=DISCOUNT, run_id=uuid4()))
    assert code not in other.content["text"]


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ({"email": None}, "no_address"),
        ({"email": "anna"}, "no_address"),
        ({"email": "anna@example.com\r\nBcc: eve@evil.example"}, "no_address"),
        ({"consent": {}}, "no_consent"),
        ({"consent": {"marketing": True, "channels": ["sms"]}}, "no_consent"),
    ],
)
async def test_who_cannot_or_must_not_be_written_to_is_skipped_and_gets_no_code(
    database: Database, project_id: UUID, person: dict[str, Any], reason: str
) -> None:
    identifier = await visitor(database, project_id, **person)
    assert skipped(await compose(database, project_id, identifier, params=DISCOUNT)) == reason
    assert await count_codes(database, project_id) == 0


async def test_a_stranger_is_skipped(database: Database, project_id: UUID) -> None:
    assert skipped(await compose(database, project_id, uuid4())) == "no_address"


async def test_the_button_leads_to_the_shop_and_says_where_it_came_from(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id)
    mail = composed(await compose(database, project_id, identifier, shop_url="https://shop.example/start?lang=de"))
    assert (
        "https://shop.example/start?lang=de&utm_source=whyleft&utm_medium=email&utm_campaign=price_hesitation"
        in mail.content["text"]
    )


async def test_without_a_shop_address_it_leads_to_the_page_they_left(database: Database, project_id: UUID) -> None:
    async with database.transaction(None) as tx:
        await tx.execute(
            update(Project).where(Project.id == project_id).values(allowed_origins=["https://shop.example"])
        )
    identifier = await visitor(database, project_id)
    mail = composed(await compose(database, project_id, identifier, shop_url=""))
    assert "https://shop.example/cart?utm_source=whyleft" in mail.content["text"]
    assert "secret" not in mail.content["html"]


@pytest.mark.parametrize("origins", [[], ["*"], ["https://shop.example"]])
async def test_a_page_outside_the_shop_is_never_linked(
    database: Database, project_id: UUID, origins: list[str]
) -> None:
    """Anybody who has the public key can claim to have been on any page."""
    async with database.transaction(None) as tx:
        await tx.execute(update(Project).where(Project.id == project_id).values(allowed_origins=origins))
    identifier = await visitor(database, project_id)
    for url in ("https://evil.example/cart", "https://shop.example@evil.example/", "http://shop.example/", "about:x"):
        trigger = facts(*BOUGHT_NOTHING, url=url)
        result = await compose(database, project_id, identifier, params=DISCOUNT, trigger=trigger, shop_url="")
        assert skipped(result) == "no_shop_address"
    assert await count_codes(database, project_id) == 0


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({}, "no_such_message"),
        ({"message": "../layout"}, "no_such_message"),
        ({"message": ["cart_reminder"]}, "no_such_message"),
        ({"message": "discount_24h", "discount_percent": 91}, "bad_discount"),
        ({"message": "discount_24h", "discount_percent": 0}, "bad_discount"),
        ({"message": "discount_24h"}, "message_broken"),
        ({"message": "discount_24h", "discount_percent": "10"}, "message_broken"),
    ],
)
async def test_a_step_that_cannot_be_composed_says_what_is_wrong(
    database: Database, project_id: UUID, params: dict[str, Any], reason: str
) -> None:
    identifier = await visitor(database, project_id)
    assert skipped(await compose(database, project_id, identifier, params=params)) == reason
    assert await count_codes(database, project_id) == 0


async def test_hostile_facts_stay_text(database: Database, project_id: UUID) -> None:
    bad = "<script>alert(1)</script>{{ link }}\r\nBcc: eve@evil.example https://evil.example/win"
    events = (("cart_added", {"product_id": bad, "name": bad, "price_minor": 100, "currency": "EUR"}),)
    async with database.transaction(None) as tx:
        await tx.execute(update(Project).where(Project.id == project_id).values(name=f"{bad}{project_id}"))
    identifier = await visitor(database, project_id)
    mail = composed(await compose(database, project_id, identifier, trigger=facts(*events)))
    assert "<script>" not in mail.content["html"]
    assert "&lt;script&gt;" in mail.content["html"]
    assert "{{ link }}" in mail.content["text"]
    assert "\n" not in mail.content["subject"]
    cart = [line for line in mail.content["text"].splitlines() if line.startswith("* ")]
    assert cart == ["* <script>alert(1)</script>{{ link }} Bcc: eve@evil. example evil. example/…  €1.00"]


@pytest.mark.parametrize(
    "trigger",
    [
        {},
        {"cart": None, "products": None, "session": None, "insight": None, "error": None},
        {"cart": {"items": "x", "value_minor": "y"}, "products": [1, None, {}], "session": 3, "insight": []},
        {"cart": {"items": [{"name": 3, "product_id": "p", "quantity": -1, "price_minor": "2"}]}},
    ],
)
async def test_facts_of_any_shape_make_a_mail_or_a_reason(
    database: Database, project_id: UUID, trigger: dict[str, Any]
) -> None:
    identifier = await visitor(database, project_id)
    for message in ("cart_reminder", "value_comparison", "it_is_fixed"):
        result = await compose(database, project_id, identifier, params={"message": message}, trigger=trigger)
        assert isinstance(composed(result).content["text"], str)
    assert skipped(await compose(database, project_id, identifier, "create_ticket", trigger=trigger)) == "no_error"


async def test_a_ticket_is_the_same_for_all_who_meet_the_error_on_one_day(database: Database, project_id: UUID) -> None:
    first = composed(await compose(database, project_id, uuid4(), "create_ticket", {"priority": "high"}))
    second = composed(
        await compose(database, project_id, uuid4(), "create_ticket", run_id=uuid4(), now=START + timedelta(hours=3))
    )
    assert (first.channel, first.recipient, first.needs_consent) == ("ticket", None, False)
    assert first.dedupe_key == second.dedupe_key
    assert first.content["title"] == "POST /api/cart answers 500"
    assert first.content["priority"] == "high"
    assert first.content["session_url"] == f"https://whyleft.example/app/sessions/{SESSION}"


async def test_a_webhook_carries_the_facts_and_no_address(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id)
    hook = composed(await compose(database, project_id, identifier, "call_webhook", {"type": "cart.left"}))
    assert (hook.channel, hook.recipient, hook.needs_consent) == ("webhook", None, False)
    assert hook.content["type"] == "cart.left"
    data = hook.content["data"]
    assert (data["user_id"], data["insight"]["reason"], data["cart"]["count"]) == ("customer-7", "price_hesitation", 2)
    assert "example.com" not in json.dumps(dict(hook.content))


@pytest.mark.parametrize("action", RecoveryAction)
async def test_every_action_of_the_registry_has_an_answer(
    database: Database, project_id: UUID, action: RecoveryAction
) -> None:
    identifier = await visitor(database, project_id)
    result = await compose(database, project_id, identifier, action.value)
    working = {
        "send_email": "email",
        "create_ticket": "ticket",
        "call_webhook": "webhook",
        "create_crm_task": "crm",
        "suppress_messages": "esp",
    }
    marks = {
        "do_nothing": "do_nothing",
        "tag_customer": "no_tag",
        "add_to_segment": "no_segment",
        "send_sms": "no_address",
        "send_push": "no_address",
        "show_popup": "bad_offer",
        "trigger_retargeting": "no_consent",
    }
    if action in working:
        assert composed(result).channel == working[action]
    else:
        assert skipped(result) == marks.get(action, "channel_not_configured")


@pytest.mark.parametrize(
    "url", ["shop.example", "javascript:alert(1)", "https://", "https://a b/", "https://x:99999/", 'https://a/"><b>']
)
def test_an_address_that_cannot_stand_in_a_link_stops_the_start(url: str) -> None:
    with pytest.raises(SettingInvalid, match="WHYLEFT_SHOP_URL"):
        MessageComposer(public_url="https://whyleft.example", shop_url=url, signing_secret=SECRET)
    with pytest.raises(SettingInvalid, match="WHYLEFT_PUBLIC_URL"):
        MessageComposer(public_url=url, shop_url="", signing_secret=SECRET)


@pytest.mark.parametrize(
    "url", ["https://why.example/?a=1", "https://why.example/#top", "https://ada:pw12@why.example"]
)
def test_the_servers_own_address_ends_where_paths_begin_and_tells_no_password(url: str) -> None:
    with pytest.raises(SettingInvalid, match="WHYLEFT_PUBLIC_URL") as refused:
        MessageComposer(public_url=url, shop_url="", signing_secret=SECRET)
    assert "pw12" not in str(refused.value)
