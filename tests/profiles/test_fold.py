from __future__ import annotations

import copy
import math
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from insights.decisions.decide import Limits, decide
from insights.intents.features import FEATURES, MOST, features
from insights.intents.score import explain, score
from insights.profiles.fold import fold
from insights.profiles.profile import (
    ACTION_BIT,
    CATEGORIES,
    EVENT_ID_BYTES,
    PRODUCT_BYTES,
    PRODUCTS,
    REMEMBERED_EVENTS,
    Profile,
)
from insights.profiles.shopping import category_key
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.events import AFTERWARDS, PROPS
from insights.vocabulary.ids import uuid7
from tests.profiles.visit import START, Told, Visit

KNOWN_PROPS = sorted({field.encode_name for props in PROPS.values() for field in msgspec.structs.fields(props)})

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**320)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(st.characters(), max_size=200)
    | st.sampled_from(["/cart", "payment", "price", "a@b.c", "cart_save", "EUR", "\ud800", "x" * 10_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
hostile_props = st.dictionaries(st.sampled_from(KNOWN_PROPS) | st.text(max_size=8), json_values, max_size=8)
paths = st.text(st.characters(), max_size=400) | st.sampled_from(
    ["", "/", "/cart", "/checkout/payment", "/returns", "/product/x", "//evil.example", "/\\evil", "/a?b=c", "/" * 3000]
)
hostile_events = st.tuples(
    st.sampled_from([*PROPS, "never_heard_of", ""]),
    paths,
    hostile_props | json_values,
    st.integers(min_value=-(2**70), max_value=2**70),
    st.integers(min_value=0, max_value=2),
)


def sessions_of(count: int) -> list[UUID]:
    return [uuid7(START + index * 10_000_000) for index in range(count)]


def assert_bounded(profile: Profile) -> None:
    for name in profile.__struct_fields__:
        value = getattr(profile, name)
        if isinstance(value, float):
            assert math.isfinite(value)
        if isinstance(value, int):
            assert 0 <= value < 2**128
        if isinstance(value, str):
            assert len(value) <= 200
    assert len(profile.recent) <= REMEMBERED_EVENTS * EVENT_ID_BYTES
    assert len(profile.products) <= PRODUCT_BYTES * PRODUCTS
    assert len(profile.affinity) <= CATEGORIES
    assert all(math.isfinite(weight) and weight > 0 for weight in profile.affinity.values())


@settings(max_examples=400, deadline=None)
@given(st.lists(hostile_events, max_size=25))
def test_no_json_ever_stops_the_fold_or_puts_anything_but_finite_numbers_into_the_scores(events: list[Any]) -> None:
    profile, sessions = Profile(), sessions_of(3)
    last = 0
    for index, (kind, path, props, at_ms, session) in enumerate(events):
        in_order = sessions[session].int >= profile.session
        folded = fold(
            profile,
            event_id=uuid7(START + index),
            session_id=sessions[session],
            at_ms=at_ms,
            type=kind,
            path=path,
            props=props,
        )
        assert folded is (in_order and kind not in AFTERWARDS)
        assert profile.last_at >= last
        last = profile.last_at
        assert_bounded(profile)
        for now_ms in (0, START, 2**62):
            row = features(profile, now_ms)
            assert len(row) == len(FEATURES)
            assert all(math.isfinite(value) and 0 <= value <= MOST for value in row)
            intent = score(profile, now_ms)
            for value in (intent.propensity, intent.bounce_risk, intent.price_sensitivity, *intent.affinity.values()):
                assert 0 <= value <= 1
            assert not intent.affinity or math.isclose(sum(intent.affinity.values()), 1)
            assert all(math.isfinite(term.adds) for terms in explain(profile, now_ms).values() for term in terms)
        choice = decide(
            profile,
            intent,
            visitor_id=uuid7(),
            decision_id=uuid7(),
            now_ms=START,
            event_type=kind,
            path=path,
            limits=Limits(),
        )
        if choice is not None:
            assert sum(choice.probabilities.values()) == 1
            msgspec.json.encode([choice.probabilities, choice.excluded, choice.why])


@settings(max_examples=200, deadline=None)
@given(st.lists(hostile_events, min_size=1, max_size=20), st.data())
def test_an_event_that_arrives_again_changes_nothing(events: list[Any], data: st.DataObject) -> None:
    profile, sessions = Profile(), sessions_of(3)
    folded = []
    for index, (kind, path, props, at_ms, session) in enumerate(events):
        given_event = {
            "event_id": uuid7(START + index),
            "session_id": sessions[session],
            "at_ms": at_ms,
            "type": kind,
            "path": path,
            "props": props,
        }
        if fold(profile, **given_event):
            folded.append(given_event)
    before = copy.deepcopy(profile)
    assume(folded)
    for again in data.draw(st.lists(st.sampled_from(folded), max_size=30)):
        assert not fold(profile, **again)
    assert profile == before


def test_a_retried_batch_is_recognised_among_the_last_events_remembered() -> None:
    visit = Visit(pace=1)
    for _ in range(REMEMBERED_EVENTS * 3 + 7):
        visit.event("clicked")
    for told in visit.told[-REMEMBERED_EVENTS:]:
        assert not visit.fold(told)
    assert visit.profile.clicks == REMEMBERED_EVENTS * 3 + 7
    assert visit.profile.folded == REMEMBERED_EVENTS * 3 + 7


def test_time_never_goes_backwards_on_a_skewed_clock() -> None:
    visit = Visit()
    visit.page("/")
    then = visit.profile.last_at
    visit.at_ms -= 3_600_000
    visit.event("exit_intent")
    assert visit.profile.last_at == visit.profile.exit_at == then


def test_a_new_session_starts_the_counters_again_and_keeps_the_visitor() -> None:
    visit = Visit()
    visit.product("harbour").add().event("identified", email="a@example.org")
    visit.event("action_dismissed", decision_id="x", action="cart_save")
    visit.later().page("/")
    profile = visit.profile
    assert (profile.sessions, profile.carts_left) == (2, 1)
    assert (profile.pages, profile.products_seen, profile.cart_items, profile.served) == (1, 0, 0, 0)
    assert len(profile.products) == 0
    assert profile.has_email
    assert profile.dismissed == ACTION_BIT[LiveAction.CART_SAVE]
    assert set(profile.affinity) == {"beans", "brewers"}


def test_an_event_of_an_older_session_changes_nothing() -> None:
    visit = Visit()
    visit.page("/")
    old = visit.session
    visit.later().page("/").add()
    before = copy.deepcopy(visit.profile)
    late = Told(uuid7(visit.at_ms), old, visit.at_ms, "purchased", "/", {"order_id": "1"})
    assert not visit.fold(late)
    assert visit.profile == before


def test_the_shops_own_total_wins_over_adding_up() -> None:
    visit = Visit()
    visit.add(price=2500, total=2500).add(price=1500, total=3900)
    assert (visit.profile.cart_items, visit.profile.cart_minor, visit.profile.currency) == (2, 3900, "EUR")


def test_without_a_total_price_times_quantity_is_added_up() -> None:
    visit = Visit()
    visit.event("cart_added", product_id="a", price_minor=1000, quantity=3, currency="EUR")
    visit.event("cart_removed", product_id="a", price_minor=1000, quantity=1, currency="EUR")
    assert (visit.profile.cart_items, visit.profile.cart_minor) == (2, 2000)


def test_things_in_several_currencies_are_not_added_up() -> None:
    visit = Visit()
    profile = visit.profile
    visit.event("cart_added", product_id="a", price_minor=1000, currency="EUR")
    visit.event("cart_added", product_id="b", price_minor=150_000, currency="JPY")
    visit.event("cart_added", product_id="c", price_minor=500, currency="EUR")
    visit.event("checkout_started", currency="EUR")
    assert (profile.cart_items, profile.cart_minor, profile.currency) == (3, 0, "")
    # The shop itself knows what they come to, and so does whoever begins anew.
    visit.event("checkout_started", cart_value_minor=2600, currency="EUR")
    assert (profile.cart_minor, profile.currency) == (2600, "EUR")
    visit.event("cart_added", product_id="b", price_minor=150_000, currency="JPY")
    visit.event("cart_removed", product_id="a", quantity=4)
    visit.event("cart_added", product_id="b", price_minor=150_000, currency="JPY")
    assert (profile.cart_items, profile.cart_minor, profile.currency) == (1, 150_000, "JPY")


def test_a_cart_that_the_shop_calls_empty_is_empty() -> None:
    visit = Visit()
    visit.add().add().event("checkout_started")
    visit.event("cart_removed", product_id="moka", quantity=1, cart_value_minor=0)
    assert (visit.profile.cart_items, visit.profile.cart_minor, visit.profile.checkout) == (0, 0, 0)


def test_a_checkout_shows_that_there_is_a_cart_from_before_we_looked() -> None:
    visit = Visit()
    visit.event("checkout_started", cart_value_minor=4200, currency="EUR")
    assert (visit.profile.cart_items, visit.profile.cart_minor) == (1, 4200)


def test_a_checkout_only_ever_moves_forward() -> None:
    visit = Visit()
    visit.add().event("checkout_step", step="payment")
    furthest = visit.profile.checkout
    progress = visit.profile.progress_at
    visit.event("checkout_step", step="contact")
    assert (visit.profile.checkout, visit.profile.progress_at) == (furthest, progress)


def test_an_order_empties_the_cart() -> None:
    visit = Visit()
    visit.add().event("purchased", order_id="1", value_minor=2500)
    assert (visit.profile.purchases, visit.profile.bought, visit.profile.cart_items) == (1, True, 0)


def test_an_order_that_the_page_and_the_server_both_tell_of_is_one() -> None:
    visit = Visit()
    visit.add().event("purchased", order_id="1").event("purchased", order_id="1", value_minor=2500)
    visit.add().event("purchased", order_id="1")
    assert (visit.profile.purchases, visit.profile.bought, visit.profile.cart_items) == (1, True, 1)
    visit.event("purchased", order_id="2")
    visit.later().event("purchased", order_id="1")
    assert (visit.profile.purchases, visit.profile.bought) == (2, True)


def test_the_shelf_they_came_from_is_where_a_product_leads_back_to() -> None:
    visit = Visit()
    visit.shelf("beans").product("harbour").product("meadow")
    assert (visit.profile.shelf, visit.profile.shelf_link) == ("beans", "/?category=beans")


def test_the_front_door_is_no_shelf() -> None:
    visit = Visit()
    visit.page("/").product("harbour")
    assert visit.profile.shelf_link == ""


def test_a_page_that_names_the_category_beats_one_that_merely_came_before() -> None:
    visit = Visit()
    visit.page("/new-in").product("harbour")
    assert visit.profile.shelf_link == "/new-in"
    visit.page("/collections/beans").product("meadow")
    assert visit.profile.shelf_link == "/collections/beans"
    visit.page("/bestsellers").product("night")
    assert visit.profile.shelf_link == "/collections/beans"


def test_a_failing_call_to_the_cart_is_trouble_on_whatever_page_it_happens() -> None:
    visit = Visit()
    visit.page("/product/moka")
    visit.event("request_failed", method="POST", path="/api/cart", status=500)
    visit.event("request_failed", method="GET", path="/api/reviews", status=500)
    assert (visit.profile.failures, visit.profile.cart_trouble) == (2, 1)


def test_interest_in_categories_fades_and_the_faintest_is_forgotten() -> None:
    visit = Visit()
    for index in range(CATEGORIES + 3):
        visit.product(f"p{index}", category=f"c{index}")
    assert len(visit.profile.affinity) == CATEGORIES
    assert "c0" not in visit.profile.affinity
    newest = f"c{CATEGORIES + 2}"
    assert max(visit.profile.affinity, key=visit.profile.affinity.__getitem__) == newest


def test_products_of_one_category_are_told_apart_and_views_again_are_counted() -> None:
    visit = Visit()
    visit.product("a").product("b").product("a").product("c", category="cups")
    compared = visit.profile.compared()
    assert (compared.products, compared.same_category, compared.category) == (3, 2, category_key("beans"))
    assert (visit.profile.products_seen, visit.profile.repeats) == (3, 1)


def test_a_shown_action_counts_as_served_even_if_another_process_served_it() -> None:
    visit = Visit()
    visit.page("/").event("action_shown", decision_id="x", action="trust_card")
    assert visit.profile.was_served(LiveAction.TRUST_CARD)
    visit.event("action_clicked", decision_id="x", action="trust_card")
    assert visit.profile.served_count == 1
    assert visit.profile.clicked == visit.profile.shown == visit.profile.served


def test_an_outcome_of_an_unknown_action_changes_nothing_but_the_time() -> None:
    visit = Visit()
    visit.page("/").event("action_dismissed", decision_id="x", action="do_nothing")
    visit.event("action_shown", decision_id="x", action="free_money")
    assert (visit.profile.served, visit.profile.dismissed) == (0, 0)


def test_only_the_latest_products_are_remembered_however_many_they_look_at() -> None:
    visit = Visit()
    for index in range(PRODUCTS * 3):
        visit.product(f"p{index}")
    assert visit.profile.compared().products == PRODUCTS
    assert visit.profile.products_seen == PRODUCTS * 3
    assert len(visit.profile.products) == PRODUCTS * PRODUCT_BYTES


def test_products_without_a_category_are_not_of_one_kind() -> None:
    visit = Visit()
    for product in ("a", "b", "c"):
        visit.event("product_viewed", product_id=product)
    compared = visit.profile.compared()
    assert (compared.products, compared.same_category) == (3, 0)


def test_half_a_character_in_a_name_is_just_a_name() -> None:
    visit = Visit()
    visit.event("product_viewed", product_id="\ud800", category="\udfff", price_minor=1)
    visit.event("cart_added", product_id="\ud800", category="\udfff", currency="\ud800AB")
    assert (visit.profile.products_seen, visit.profile.cart_items, visit.profile.currency) == (1, 1, "")
