"""What a flow keeps for the next visit: shown once, in the same ranking and under the same caps as all else."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from flows.ports import Done, SendRequest, Skip
from insights.models import Decision, DiscountCode, KeptOffer
from insights.recovery.compose import MessageComposer
from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api

OFFER = {
    "action": "cart_save",
    "template": "card",
    "content": {
        "default": {"title": "Welcome back", "body": "Your cart is here.", "cta_label": "Go", "cta_href": "/cart"},
        "de": {"title": "Schön, dass Sie da sind", "body": "Ihr Warenkorb ist hier."},
    },
}


async def keep(api: Api, visitor: str, **params: Any) -> Done | Skip:
    composer = MessageComposer(
        public_url="https://whyleft.example", shop_url="https://shop.example/", signing_secret=b"s" * 32
    )
    async with api.services.database.transaction(api.project_id) as tx:
        made = await composer.compose(
            tx,
            SendRequest(
                project_id=api.project_id,
                visitor_id=UUID(visitor),
                run_id=uuid4(),
                step_id="popup",
                action="show_popup",
                params=OFFER | params,
                trigger={},
                now=datetime.now(UTC),
            ),
        )
        assert isinstance(made, Done | Skip)
        return made


async def comes(api: Api, visitor: str, *more: Any, session: str | None = None, **headers: str) -> dict[str, Any]:
    """They view a page, doing nothing special."""
    page = {"path": "/product/kettle", "url": "https://shop.example/product/kettle"}
    events = [api.event("page_viewed", page), *more]
    for seq, event in enumerate(events):
        event |= {"seq": seq, "t": event["t"] - 1000 + seq}
    batch = api.batch(*events, visitor=visitor, session=session or str(uuid7()), page={"url": page["url"]})
    answer = await api.send(batch, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_was_kept_is_shown_at_the_next_visit_once_and_in_their_language(api: Api) -> None:
    visitor = str(uuid4())
    assert (await comes(api, visitor))["action"] is None
    made = await keep(api, visitor)
    assert isinstance(made, Done), made
    shown = await comes(api, visitor, **{"accept-language": "de-AT"})
    assert shown["action"]["action"] == "cart_save"
    assert shown["action"]["template"] == "card"
    assert shown["action"]["content"]["title"] == "Schön, dass Sie da sind"
    assert shown.get("withdraw", []) == []
    async with api.services.database.transaction(api.project_id) as tx:
        decision = (await tx.scalars(select(Decision).where(Decision.action == "cart_save"))).one()
        kept = (await tx.scalars(select(KeptOffer.id))).one()
    assert (decision.entry_id, decision.why) == (kept, "A flow kept this for their next visit.")
    assert (await comes(api, visitor))["action"] is None
    # Nor by a process that never knew them.
    api.services.profiles.forget(api.project_id, UUID(visitor))
    assert (await comes(api, visitor))["action"] is None


async def test_on_two_devices_at_once_it_is_shown_on_one(api: Api) -> None:
    one, other = str(uuid4()), str(uuid4())
    for visitor in (one, other):
        await comes(api, visitor, api.event("identified", {"user_id": "customer-7"}))
    assert isinstance(await keep(api, one), Done)
    shown = 0
    for visitor in (one, other):
        session = str(uuid7())
        # The first page of a new visit is decided on once the visits of the other device are known.
        actions = [(await comes(api, visitor, session=session))["action"] for _ in range(3)]
        shown += sum(action is not None for action in actions)
    assert shown == 1


async def test_it_keeps_to_stage_condition_and_dismissal_like_all_else(api: Api) -> None:
    visitor = str(uuid4())
    await comes(api, visitor)
    assert isinstance(await keep(api, visitor, when="cart.items > 0"), Done)
    assert (await comes(api, visitor))["action"] is None
    added = api.event("cart_added", {"product_id": "k", "quantity": 1, "price_minor": 100, "currency": "EUR"})
    left = api.event("exit_intent", {})
    assert (await comes(api, visitor, added, left))["action"]["content"]["title"] == "Welcome back"


async def test_a_discount_shows_a_code_of_the_ledger(api: Api) -> None:
    visitor = str(uuid4())
    await comes(api, visitor)
    words = {"default": {"title": "{percent} % off", "body": "Your code is {code}."}}
    made = await keep(api, visitor, action="discount_popup", content=words, discount_percent=15)
    assert isinstance(made, Done), made
    shown = (await comes(api, visitor))["action"]
    async with api.services.database.transaction(api.project_id) as tx:
        code = (await tx.scalars(select(DiscountCode.code))).one()
    assert shown["content"]["title"] == "15 % off"
    assert code in shown["content"]["body"]


@pytest.mark.parametrize(
    ("params", "hours"),
    [({}, 24), ({"discount_hours": 72}, 72), ({"discount_hours": 72, "days": 2}, 48)],
)
async def test_an_offer_with_a_code_waits_no_longer_than_its_code_is_good(
    api: Api, params: dict[str, int], hours: int
) -> None:
    visitor = str(uuid4())
    await comes(api, visitor)
    words = {"default": {"title": "{percent} % off", "body": "Your code is {code}."}}
    assert isinstance(
        await keep(api, visitor, action="discount_popup", content=words, discount_percent=15, **params), Done
    )
    async with api.services.database.transaction(api.project_id) as tx:
        kept = (await tx.scalars(select(KeptOffer))).one()
        good_until = (await tx.scalars(select(DiscountCode.expires_at))).one()
    assert kept.expires_at == kept.kept_at + timedelta(hours=hours)
    assert kept.expires_at <= good_until


async def test_an_order_ends_what_waits_for_them(api: Api) -> None:
    visitor = str(uuid4())
    await comes(api, visitor)
    assert isinstance(await keep(api, visitor), Done)
    bought = api.event("purchased", {"order_id": "o1", "value_minor": 100, "currency": "EUR"})
    assert (await comes(api, visitor, bought))["action"] is None
    assert (await comes(api, visitor))["action"] is None
    async with api.services.database.transaction(api.project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(KeptOffer)) == 0


async def test_what_is_over_is_not_shown(api: Api) -> None:
    visitor = str(uuid4())
    await comes(api, visitor)
    assert isinstance(await keep(api, visitor), Done)
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(update(KeptOffer).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    api.services.profiles.forget(api.project_id, UUID(visitor))
    assert (await comes(api, visitor))["action"] is None


async def test_three_wait_and_no_more(api: Api) -> None:
    visitor = str(uuid4())
    await comes(api, visitor)
    made = [await keep(api, visitor) for _ in range(4)]
    assert [type(one) for one in made] == [Done, Done, Done, Skip]
    assert isinstance(made[-1], Skip)
    assert made[-1].reason == "enough_waiting"


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"action": "no_such"}, "no_such"),
        ({"action": "discount_popup"}, "incentive"),
        ({"template": "poster"}, "template"),
        ({"content": {}}, "content"),
        ({"content": {"default": {"title": "Hi", "body": "{code}"}}}, "promise a code"),
        ({"content": {"default": {"title": "Hi", "body": "x", "cta_href": "javascript:1"}}}, "cta_href"),
        ({"stages": []}, "stages"),
        ({"when": "cart.items >"}, "when"),
        ({"days": 0}, "days"),
        ({"days": "soon"}, "days"),
    ],
)
async def test_an_offer_that_could_never_be_shown_is_refused_with_the_reason(
    api: Api, params: dict[str, Any], says: str
) -> None:
    made = await keep(api, str(uuid4()), **params)
    assert isinstance(made, Skip)
    assert made.reason == "bad_offer"
    assert says in made.detail


async def test_it_may_be_first_seen_long_after_it_was_kept(api: Api) -> None:
    """The process that holds their profile hears of it by the visitor's version."""
    visitor, session = str(uuid4()), str(uuid7(int(time.time() * 1000)))
    await comes(api, visitor, session=session)
    assert isinstance(await keep(api, visitor), Done)
    first = await comes(api, visitor, session=session)
    second = await comes(api, visitor, session=session)
    assert [one["action"] is not None for one in (first, second)] in ([True, False], [False, True])
