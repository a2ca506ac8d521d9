"""What visitors get: each test tells one visit."""

from __future__ import annotations

import pytest

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.content import ShopFacts
from insights.decisions.decide import Choice
from insights.decisions.eligibility import NOT_BELIEVED
from insights.decisions.offer import Catalogue
from insights.decisions.plan import Plan
from insights.vocabulary.actions import LiveAction
from tests.profiles.visit import Visit

CONTACT = Catalogue(DEFAULT_CATALOGUE.offers, ShopFacts(contact_href="/contact"))


def shopper() -> Visit:
    """Someone who put a coffee pot into their cart a minute ago and looks around."""
    visit = Visit()
    return visit.shelf("brewers").product("moka", "brewers").add().wait(60).page("/")


def given(visit: Visit, **kwargs: object) -> Choice:
    choice = visit.decide(**kwargs)
    assert choice is not None
    return choice


def test_a_visitor_who_just_arrived_gets_nothing() -> None:
    assert Visit().page("/").decide() is None


def test_a_visitor_who_browses_happily_gets_nothing() -> None:
    visit = Visit()
    for product, category in (("a", "beans"), ("b", "cups"), ("c", "tools"), ("d", "cups"), ("e", "beans")):
        visit.shelf(category)
        assert visit.decide() is None
        visit.product(product, category)
        assert visit.decide() is None
        visit.event("scrolled", depth=0.7).event("engaged", ms=6000)
        assert visit.decide() is None


def test_a_visitor_who_leaves_with_a_cart_is_asked_whether_to_keep_it() -> None:
    choice = given(shopper().event("exit_intent", kind="pointer"))
    assert choice.action is LiveAction.CART_SAVE
    assert choice.offer is not None
    assert choice.offer.template == "popup"
    assert choice.offer.content["input"]["kind"] == "email"
    assert choice.why == "One item in the cart and they are about to leave."


def test_the_same_visitor_with_a_known_address_is_only_reminded() -> None:
    visit = shopper().event("identified", email="ada@example.org").page("/cart").page("/")
    choice = given(visit.event("exit_intent"))
    assert choice.action is LiveAction.CART_SAVE
    assert choice.offer is not None
    assert choice.offer.template == "banner"
    assert choice.offer.content["input"] is None
    assert choice.offer.content["cta"] == {"label": "Go to the cart", "href": "/cart"}


def test_a_visitor_who_declined_marketing_is_never_asked_for_an_address() -> None:
    visit = shopper().event("consent_changed", marketing=False)
    choice = given(visit.event("exit_intent"))
    assert choice.offer is not None
    assert choice.offer.content["input"] is None


def test_nobody_is_asked_for_an_address_that_would_not_be_believed() -> None:
    plan = Plan(catalogue=Catalogue(DEFAULT_CATALOGUE.offers, ShopFacts(believes_typed=False)))
    visit = shopper()
    choice = given(visit.event("exit_intent", kind="pointer"), plan=plan)
    assert choice.action is LiveAction.CART_SAVE
    assert choice.offer is not None
    assert choice.offer.content["input"] is None
    assert choice.excluded["short_form"] == NOT_BELIEVED


def test_a_visitor_who_stops_moving_on_the_cart_page_is_asked_too() -> None:
    visit = shopper().page("/cart")
    assert visit.event("scrolled", depth=0.4).gets() is None
    assert visit.wait(60).event("engaged", ms=3000).gets() is LiveAction.CART_SAVE


def test_a_visitor_who_comes_back_from_another_tab_to_a_full_cart_is_asked_too() -> None:
    assert shopper().event("tab_returned", away_ms=1_000).gets() is None
    assert shopper().event("tab_returned", away_ms=90_000).gets() is LiveAction.CART_SAVE


def test_a_sign_of_leaving_that_was_not_meant_is_forgotten() -> None:
    visit = shopper().event("exit_intent").event("cart_added", product_id="b", cart_value_minor=5000)
    choice = visit.decide()
    assert choice is None or choice.action is LiveAction.DO_NOTHING


def test_a_visitor_who_read_the_returns_page_is_pointed_back_to_it() -> None:
    visit = Visit()
    visit.shelf("beans").product("harbour").product("meadow").page("/returns").event("engaged", ms=9000)
    assert visit.decide() is None, "they are reading it right now"
    choice = given(visit.product("harbour"))
    assert choice.action is LiveAction.TRUST_CARD
    assert choice.offer is not None
    assert choice.offer.content["cta"]["href"] == "/returns"


def test_a_visitor_who_hesitates_at_the_payment_step_gets_the_answer_first() -> None:
    visit = shopper().page("/checkout").event("checkout_started", items=1).event("checkout_step", step="payment")
    visit.event("form_field", form="pay", field="method", refocused=2)
    assert visit.wait(20).event("scrolled", depth=0.9).gets() is LiveAction.TRUST_CARD


@pytest.mark.parametrize(
    ("kind", "props"),
    [
        ("hover_hesitation", {"selector": "p.price.big", "ms": 2400}),
        ("hover_hesitation", {"section": "price", "ms": 2400}),
        ("coupon_tried", {"accepted": False}),
    ],
)
def test_a_visitor_who_hesitates_over_the_price_with_a_cart_hears_of_delivery(
    kind: str, props: dict[str, object]
) -> None:
    assert shopper().event(kind, **props).gets() is LiveAction.FREE_SHIPPING_BANNER


def test_without_a_cart_a_look_at_a_price_means_nothing() -> None:
    visit = Visit()
    visit.product("moka", "brewers").event("hover_hesitation", selector="p.price", ms=2400)
    assert visit.decide() is None


def test_free_delivery_is_only_spoken_of_where_the_shop_said_when() -> None:
    visit = shopper().event("coupon_tried", accepted=False)
    silent = given(visit).offer
    facts = ShopFacts(free_shipping_from_minor=6000, currency="EUR")
    below = given(visit, plan=Plan(catalogue=Catalogue(DEFAULT_CATALOGUE.offers, facts))).offer
    facts = ShopFacts(free_shipping_from_minor=2000, currency="EUR")
    above = given(visit, plan=Plan(catalogue=Catalogue(DEFAULT_CATALOGUE.offers, facts))).offer
    facts = ShopFacts(free_shipping_from_minor=2000, currency="USD")
    other = given(visit, plan=Plan(catalogue=Catalogue(DEFAULT_CATALOGUE.offers, facts))).offer
    assert silent is not None and below is not None and above is not None and other is not None
    assert "free" not in str(silent.content).lower()
    assert below.content["title"] == "Free delivery from 60.00 EUR"
    assert "35.00 EUR" in below.content["body"]
    assert above.content["title"] == "Delivery is free for this cart"
    assert other.content == silent.content


def test_a_visitor_whom_the_cart_failed_repeatedly_is_helped() -> None:
    visit = shopper().page("/product/kettle")
    failed = {"method": "POST", "path": "/api/cart", "status": 500}
    assert visit.event("request_failed", **failed).decide() is None
    choice = given(visit.event("request_failed", **failed))
    assert choice.action is LiveAction.SHORT_FORM
    assert choice.excluded["chat_invite"] == "no page to point to is known"
    assert given(visit, plan=Plan(catalogue=CONTACT)).action is LiveAction.CHAT_INVITE


def test_rage_on_the_checkout_is_trouble_as_well() -> None:
    visit = shopper().page("/checkout").event("checkout_started", items=1)
    visit.event("rage_click", selector="#pay", count=5).event("dead_click", selector="#pay")
    assert visit.gets(plan=Plan(catalogue=CONTACT)) is LiveAction.CHAT_INVITE


def test_the_contact_page_they_have_seen_will_do() -> None:
    visit = shopper().page("/pages/contact").page("/cart")
    visit.event("rage_click", count=5).event("rage_click", count=5)
    choice = given(visit)
    assert choice.action is LiveAction.CHAT_INVITE
    assert choice.offer is not None
    assert choice.offer.content["cta"]["href"] == "/pages/contact"


def test_a_form_gone_over_again_and_again_is_taken_off_their_hands() -> None:
    visit = shopper().page("/checkout").event("checkout_started", items=1)
    visit.event("form_field", form="address", field="street", refocused=3)
    visit.event("form_field", form="address", field="postcode", refocused=2).wait(20)
    choice = given(visit.event("form_abandoned", form="address", filled=2, fields=5).wait(10).event("clicked"))
    assert choice.action is LiveAction.SHORT_FORM
    assert choice.offer is not None
    assert choice.offer.content["title"] == "Is the form in the way?"


def test_nobody_is_interrupted_while_filling_in_a_form() -> None:
    visit = shopper().page("/checkout").event("checkout_started", items=1).wait(30)
    visit.pace = 1
    visit.event("coupon_tried", accepted=False).event("form_field", form="address", field="street")
    choice = given(visit)
    assert choice.action is LiveAction.DO_NOTHING
    assert choice.why == "Left alone: they are filling in a form."


def test_a_visitor_who_compares_three_of_a_kind_is_taken_to_the_overview() -> None:
    visit = Visit()
    visit.shelf("beans").product("harbour").product("meadow")
    assert visit.decide() is None
    choice = given(visit.product("night-shift"))
    assert choice.action is LiveAction.COMPARISON_CARD
    assert choice.offer is not None
    assert choice.offer.content["body"].startswith("You have looked at 3 products in “beans”.")
    assert choice.offer.content["cta"]["href"] == "/?category=beans"


def test_a_visitor_deep_in_one_category_is_shown_the_rest_of_it() -> None:
    visit = Visit()
    visit.shelf("cups").product("morning-mug", "cups").shelf("cups").product("pair", "cups").page("/about-us")
    choice = given(visit)
    assert choice.action is LiveAction.RECOMMENDATION_CAROUSEL
    assert choice.offer is not None
    assert choice.offer.template == "banner"
    assert choice.offer.content["title"] == "More in “cups”"
    assert choice.offer.content["cta"]["href"] == "/?category=cups"


def test_nobody_is_sent_to_the_page_they_are_on() -> None:
    visit = Visit()
    visit.shelf("cups").product("morning-mug", "cups").shelf("cups").product("pair", "cups").shelf("cups")
    assert visit.decide() is None


def test_a_close_look_that_ends_is_worth_a_reminder() -> None:
    visit = Visit()
    visit.product("harbour").event("engaged", ms=70_000).product("moka", "brewers").event("exit_intent")
    choice = given(visit)
    assert choice.action is LiveAction.IDENTITY_CAPTURE
    assert choice.offer is not None
    assert choice.offer.content["input"]["consent_label"]


def test_a_visitor_who_moves_forward_is_left_alone_and_the_log_says_so() -> None:
    visit = Visit()
    visit.shelf("beans").product("harbour").event("hover_hesitation", selector="p.price", ms=2500).add("harbour")
    choice = given(visit)
    assert choice.action is LiveAction.DO_NOTHING
    assert choice.offer is None
    assert choice.probabilities == {"free_shipping_banner": 0.0, "do_nothing": 1.0}
    assert choice.why == "Left alone: they are moving forward and nothing has gone wrong since."


def test_a_doubt_right_after_a_step_forward_is_a_doubt() -> None:
    visit = Visit(pace=2)
    visit.shelf("brewers").product("moka", "brewers").add().event("coupon_tried", accepted=False)
    assert visit.gets() is LiveAction.FREE_SHIPPING_BANNER


def test_a_click_at_the_checkout_does_not_end_the_likely_buyers_peace() -> None:
    visit = Visit()
    visit.event("identified", email="ada@example.org").shelf("brewers")
    for _ in range(4):
        visit.product("moka", "brewers").event("engaged", ms=30_000).event("reviews_viewed", product_id="moka", count=3)
    visit.add().page("/checkout").event("checkout_started", items=1).event("checkout_step", step="review")
    visit.wait(25).event("hover_hesitation", section="price", ms=2500)
    choice = given(visit)
    assert visit.intent.propensity >= 0.85
    assert choice.action is LiveAction.DO_NOTHING
    assert choice.why == "Left alone: they are likely to order anyway."


@pytest.mark.parametrize("kind", ["exit_intent", "coupon_tried", "hover_hesitation", "tab_returned", "page_viewed"])
def test_a_customer_gets_nothing_that_pushes(kind: str) -> None:
    visit = shopper().event("purchased", order_id="1", value_minor=2500)
    props = {"accepted": False, "away_ms": 90_000, "selector": "p.price"}
    assert visit.wait(60).event(kind, **props).decide() is None
    visit.later().shelf("beans").product("a").product("b").product("c").add().wait(60).page("/cart")
    assert visit.event(kind, **props).decide() is None


def test_a_customer_in_trouble_is_helped_all_the_same() -> None:
    visit = shopper().event("purchased", order_id="1").later().page("/cart")
    visit.event("rage_click", count=4).event("rage_click", count=4)
    assert visit.gets(plan=Plan(catalogue=CONTACT)) is LiveAction.CHAT_INVITE


def test_a_discount_is_never_given_without_margin_data() -> None:
    choice = given(shopper().event("coupon_tried", accepted=False))
    assert choice.excluded["discount_popup"] == "no margin data"
    assert "discount_popup" not in choice.probabilities


def test_a_bot_and_a_visitor_who_does_not_want_to_be_observed_get_nothing() -> None:
    bot = Visit()
    bot.event("page_viewed", path="/", client={"bot": True})
    bot.add().wait(60).event("exit_intent")
    assert bot.decide() is None
    private = shopper().event("consent_changed", analytics=False).event("exit_intent")
    assert private.decide() is None


@pytest.mark.parametrize(
    "kind", ["tab_hidden", "session_ended", "purchased", "identified", "consent_changed", "action_shown"]
)
def test_nobody_is_asked_for_after_an_event_that_leaves_no_one_to_see_it(kind: str) -> None:
    visit = shopper().event("exit_intent")
    assert visit.decide() is not None
    visit.event(kind, order_id="1")
    assert visit.decide() is None


def test_a_moment_survives_the_click_that_came_in_the_same_batch() -> None:
    visit = shopper().event("exit_intent")
    visit.pace = 1
    assert visit.event("clicked", selector="body").gets() is LiveAction.CART_SAVE
