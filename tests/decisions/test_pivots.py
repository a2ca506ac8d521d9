from __future__ import annotations

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.pivots import withdrawn
from insights.vocabulary.actions import LiveAction
from tests.profiles.visit import Visit


def leaving_with_a_cart() -> Visit:
    visit = Visit()
    visit.product("moka", "brewers").add().wait(60).page("/").event("exit_intent")
    assert visit.gets() is LiveAction.CART_SAVE
    return visit


def taken_down(visit: Visit) -> list[str]:
    return withdrawn(visit.profile, visit.intent, DEFAULT_CATALOGUE)


def test_what_still_fits_stays() -> None:
    assert taken_down(leaving_with_a_cart()) == []


def test_an_emptied_cart_needs_no_saving() -> None:
    visit = leaving_with_a_cart()
    visit.event("cart_removed", product_id="moka", quantity=1, cart_total_minor=0)
    assert taken_down(visit) == ["cart_save"]


def test_who_bought_is_told_nothing_more_that_was_meant_to_make_them_buy() -> None:
    visit = leaving_with_a_cart()
    visit.event("purchased", order_id="o", value_minor=2_500, currency="EUR", items=[])
    assert taken_down(visit) == ["cart_save"]


def test_nothing_was_shown_and_nothing_is_taken_down() -> None:
    assert taken_down(Visit().page("/")) == []
