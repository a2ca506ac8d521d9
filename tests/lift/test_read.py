"""Who counts, for which group, with which outcome: read from PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from flows.models import Conversion
from insights.errors import Refused
from insights.lift.people import Person
from insights.lift.read import Read, read_people, source_of
from insights.models import Decision, DiscountCode, Session, Shop
from insights.models import Person as Together
from insights.vocabulary.actions import LiveAction
from tests.learning.shop import MadeShop, Visited

NOW = datetime.now(UTC)
BEGAN = NOW - timedelta(days=20)


async def holds_out(shop: MadeShop, share: float = 0.5, **more: Any) -> None:
    async with shop.database.transaction(shop.project_id) as tx:
        tx.add(Shop(project_id=shop.project_id, holdout=share, margin_rate=0.3, currency="EUR", **more))


async def read(shop: MadeShop, **what: Any) -> Read:
    async with shop.database.transaction(shop.project_id) as tx:
        return await read_people(tx, shop.project_id, NOW, **what)


async def people(shop: MadeShop, **what: Any) -> list[Person]:
    return (await read(shop, **what)).people()


async def joined(shop: MadeShop, *visited: Visited) -> None:
    async with shop.database.transaction(shop.project_id) as tx:
        for one in visited:
            tx.add(Together(project_id=shop.project_id, visitor_id=one.visitor, person_id=visited[0].visitor))


async def order(shop: MadeShop, visitor: UUID, at: datetime, value: int = 1_000, session: UUID | None = None) -> str:
    key = f"order-{uuid4()}"
    async with shop.database.transaction(shop.project_id) as tx:
        tx.add(
            Conversion(
                project_id=shop.project_id,
                key=key,
                visitor_id=visitor,
                occurred_at=at,
                value_minor=value,
                currency="EUR",
                session_id=session,
            )
        )
    return key


async def test_an_order_at_a_till_counts_for_nobody_for_it_is_known_of_those_who_were_asked_for_their_name(
    shop: MadeShop,
) -> None:
    await holds_out(shop)
    visited = await shop.visit(at=BEGAN)
    await order(shop, visited.visitor, BEGAN + timedelta(hours=1), session=uuid4())
    (person,) = await people(shop)
    assert (person.orders, person.margin) == (0, 0)
    await order(shop, visited.visitor, BEGAN + timedelta(hours=2), session=visited.session)
    (person,) = await people(shop)
    assert (person.orders, person.margin) == (1, 300)


async def test_what_a_code_took_off_an_order_is_taken_off_its_margin_whatever_device_it_was_given_to(
    shop: MadeShop,
) -> None:
    await holds_out(shop)
    phone, laptop = await shop.visit(at=BEGAN), await shop.visit(at=BEGAN + timedelta(hours=1))
    stranger = await shop.visit(at=BEGAN + timedelta(hours=1))
    await joined(shop, phone, laptop)
    paid = BEGAN + timedelta(hours=5)
    for visitor, at in ((laptop.visitor, paid), (laptop.visitor, paid + timedelta(hours=1)), (stranger.visitor, paid)):
        await order(shop, visitor, at, 9_000)
    async with shop.database.transaction(shop.project_id) as tx:
        for number, redeemed in enumerate((paid + timedelta(minutes=1), None)):
            code = {"code": f"C{number}", "issue_key": f"k{number}", "visitor_id": phone.visitor, "percent": 10}
            times = {"issued_at": BEGAN, "expires_at": NOW, "redeemed_at": redeemed}
            tx.add(DiscountCode(project_id=shop.project_id, **code, **times))
    (one, other) = await people(shop)
    # 100.00 with 10.00 off leaves 20.00; the next order, at its full price, 27.00.
    assert (one.orders, one.margin) == (2, pytest.approx(2_000 + 2_700))
    assert other.margin == 2_700


async def test_who_met_an_empty_budget_counts_for_what_it_was_to_pay_for(shop: MadeShop) -> None:
    await holds_out(shop)
    late = await shop.visit(at=BEGAN)
    async with shop.database.transaction(shop.project_id) as tx:
        too_late = {"action": "do_nothing", "policy": "no_room", "held_back": "discount_popup"}
        await tx.execute(update(Decision).where(Decision.id == late.decision).values(**too_late))
    (person,) = await people(shop)
    assert (person.held_out, person.action) == (False, "discount_popup")


async def test_both_groups_count_from_the_first_moment_for_acting_and_by_what_would_be_done(shop: MadeShop) -> None:
    await holds_out(shop)
    await shop.visit(at=BEGAN, buys=2_000)
    held = await shop.held_out(at=BEGAN + timedelta(hours=1))
    await shop.visit(LiveAction.DO_NOTHING, at=BEGAN + timedelta(hours=2))
    nothing = await shop.held_out(at=BEGAN + timedelta(hours=3))
    async with shop.database.transaction(shop.project_id) as tx:
        await tx.execute(
            update(Decision).where(Decision.id == nothing.decision).values(rules="cart_save", held_back="do_nothing")
        )
        await tx.execute(update(Decision).where(Decision.id == held.decision).values(held_back="trust_card"))
    treated, held_out = await people(shop)
    assert (treated.held_out, treated.action, treated.bought, treated.margin) == (False, "cart_save", 1.0, 600.0)
    assert (held_out.held_out, held_out.action, held_out.stage, held_out.bought) == (
        True,
        "trust_card",
        "cart_adder",
        0.0,
    )


async def test_a_person_counts_once_whatever_the_devices_and_orders_on_all_of_them_count(shop: MadeShop) -> None:
    await holds_out(shop)
    phone = await shop.held_out(at=BEGAN)
    laptop = await shop.visit(at=BEGAN + timedelta(days=1))
    await joined(shop, laptop, phone)
    await order(shop, laptop.visitor, BEGAN + timedelta(days=2))
    (person,) = await people(shop)
    assert person.held_out
    assert person.at == phone.at
    assert person.bought == 1.0


async def test_orders_before_the_moment_are_what_was_known_and_those_after_the_days_do_not_count(
    shop: MadeShop,
) -> None:
    await holds_out(shop)
    visited = await shop.visit(at=BEGAN)
    await shop.visit(LiveAction.DO_NOTHING, at=BEGAN - timedelta(days=3), visitor=visited.visitor)
    # Somebody else came earlier, so orders from then on are read.
    await shop.visit(at=BEGAN - timedelta(days=5))
    for days in (-3, 6, 8):
        await order(shop, visited.visitor, BEGAN + timedelta(days=days))
    _, person = await people(shop)
    assert (person.known.visits, person.known.orders, person.known.spent_minor) == (1, 1, 1_000.0)
    assert (person.orders, person.margin) == (1.0, 300.0)
    _, longer = await people(shop, horizon_days=9)
    assert longer.orders == 2.0


async def test_what_was_given_back_does_not_count(shop: MadeShop) -> None:
    await holds_out(shop)
    whole, part = await shop.visit(at=BEGAN, buys=2_000), await shop.visit(at=BEGAN, buys=2_000)
    assert whole.order and part.order
    await shop.refund(whole.order)
    await shop.refund(part.order, 500)
    found = sorted(await people(shop), key=lambda person: person.margin)
    assert [(person.bought, person.margin) for person in found] == [(0.0, 0.0), (1.0, 450.0)]


async def test_where_a_visit_came_from_and_its_device_are_known(shop: MadeShop) -> None:
    await holds_out(shop)
    visited = await shop.visit(at=BEGAN)
    async with shop.database.transaction(shop.project_id) as tx:
        await tx.execute(
            update(Session)
            .where(Session.id == visited.session)
            .values(source={"referrer": "www.google.de"}, client={"viewport": "390x844"})
        )
    (person,) = await people(shop)
    assert (person.known.device, person.known.source) == ("phone", "search")


@pytest.mark.parametrize(
    ("medium", "campaign", "referrer", "click_id", "kind"),
    [
        (None, None, None, None, "direct"),
        (None, None, "google.com", "true", "paid"),
        ("cpc", "x", None, None, "paid"),
        ("email", "whyleft", None, None, "email"),
        (None, "partner", None, None, "campaign"),
        (None, None, "duckduckgo.com", "false", "search"),
        (None, None, "notgoogle.example", None, "referral"),
    ],
)
def test_the_way_of_a_visit_has_a_kind(
    medium: str | None, campaign: str | None, referrer: str | None, click_id: str | None, kind: str
) -> None:
    assert source_of(medium, campaign, referrer, click_id) == kind


async def test_after_a_changed_share_only_those_count_who_had_no_moment_before_it(shop: MadeShop) -> None:
    await holds_out(shop, holdout_since=BEGAN, holdout_before=0.1)
    old = await shop.visit(at=BEGAN - timedelta(days=1))
    await shop.visit(at=BEGAN + timedelta(days=1), visitor=old.visitor)
    new = await shop.visit(at=BEGAN + timedelta(days=2))
    assert [person.at for person in await people(shop)] == [new.at]


async def test_when_nobody_was_held_out_before_everybody_begins_anew(shop: MadeShop) -> None:
    await holds_out(shop, holdout_since=BEGAN, holdout_before=0.0)
    old = await shop.visit(at=BEGAN - timedelta(days=1))
    again = await shop.visit(at=BEGAN + timedelta(days=1), visitor=old.visitor)
    found = await read(shop)
    assert [person.at for person in found.people()] == [again.at]
    assert found.question.since == BEGAN


async def test_a_window_keeps_whose_first_moment_lies_in_it(shop: MadeShop) -> None:
    await holds_out(shop)
    early = await shop.visit(at=BEGAN)
    await shop.visit(at=BEGAN + timedelta(days=2), visitor=early.visitor)
    inside = await shop.visit(at=BEGAN + timedelta(days=3))
    await shop.visit(at=BEGAN + timedelta(days=6))
    window = {"since": BEGAN + timedelta(days=1), "until": BEGAN + timedelta(days=5)}
    assert [person.at for person in await people(shop, **window)] == [inside.at]
    with pytest.raises(Refused, match="since"):
        await people(shop, since=NOW, until=BEGAN)


async def test_without_a_holdout_nobody_is_read(shop: MadeShop) -> None:
    await shop.visit(at=BEGAN)
    found = await read(shop)
    assert found.people() == []
    assert found.question.share == 0.0
