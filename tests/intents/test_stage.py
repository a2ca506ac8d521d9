from __future__ import annotations

from insights.intents.stage import stage_of
from insights.vocabulary.stages import Stage
from tests.profiles.visit import Visit


def stage(visit: Visit) -> Stage:
    return stage_of(visit.profile, visit.intent)


def test_a_visit_climbs_through_the_stages_in_their_order() -> None:
    visit = Visit()
    stages = [stage(visit.page("/"))]
    stages.append(stage(visit.product("harbour").product("meadow")))
    stages.append(stage(visit.add()))
    stages.append(stage(visit.event("checkout_started", items=1)))
    stages.append(stage(visit.event("purchased", order_id="1")))
    assert stages == list(Stage)


def test_a_first_look_around_is_anonymous() -> None:
    visit = Visit()
    assert stage(visit.page("/").product("harbour")) is Stage.ANONYMOUS


def test_a_search_or_a_return_to_a_product_makes_a_browser() -> None:
    searching = Visit()
    assert stage(searching.page("/").event("searched", query="decaf", results=2)) is Stage.BROWSER
    returning = Visit()
    returning.page("/").later()
    assert stage(returning.product("harbour")) is Stage.BROWSER


def test_an_emptied_cart_takes_the_stage_back() -> None:
    visit = Visit()
    visit.product("harbour").product("meadow").add()
    assert stage(visit) is Stage.CART_ADDER
    visit.event("cart_removed", product_id="moka", quantity=1, cart_value_minor=0)
    assert stage(visit) is Stage.BROWSER


def test_a_cart_of_someone_very_likely_to_buy_is_high_intent_before_the_checkout() -> None:
    visit = Visit()
    visit.event("identified", email="a@example.org")
    for _ in range(4):
        visit.product("moka", "brewers").event("engaged", ms=30_000).event("reviews_viewed", product_id="moka", count=3)
    visit.add().add()
    assert visit.intent.propensity >= 0.6
    assert stage(visit) is Stage.HIGH_INTENT


def test_whoever_bought_once_is_a_customer_on_the_next_visit_too() -> None:
    visit = Visit()
    visit.add().event("purchased", order_id="1").later().page("/").add()
    assert stage(visit) is Stage.CUSTOMER
