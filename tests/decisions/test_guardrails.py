from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from insights.decisions.decide import Limits
from insights.vocabulary.actions import LiveAction
from tests.profiles.visit import Visit

WIDE = Limits(actions_per_session=9, gap_ms=0)


def leaving_with_a_cart() -> Visit:
    visit = Visit()
    return visit.product("moka", "brewers").add().wait(60).page("/").event("exit_intent")


def test_an_action_is_shown_once_a_session() -> None:
    visit = leaving_with_a_cart()
    assert visit.gets(limits=WIDE) is LiveAction.CART_SAVE
    visit.page("/checkout").event("checkout_started", items=1).wait(60).event("exit_intent")
    choice = visit.decide(limits=WIDE)
    assert choice is None or choice.excluded["cart_save"] == "shown already this session"


def test_and_again_on_another_day() -> None:
    visit = leaving_with_a_cart()
    assert visit.gets() is LiveAction.CART_SAVE
    visit.later().add().wait(60).page("/").event("exit_intent")
    assert visit.gets() is LiveAction.CART_SAVE


def test_what_was_dismissed_stays_dismissed() -> None:
    visit = leaving_with_a_cart()
    assert visit.gets() is LiveAction.CART_SAVE
    visit.event("action_dismissed", decision_id="x", action="cart_save")
    visit.later().add().wait(60).page("/").event("exit_intent")
    assert visit.gets() is None


def test_one_action_a_stage() -> None:
    visit = leaving_with_a_cart()
    assert visit.gets(limits=WIDE) is LiveAction.CART_SAVE
    assert visit.wait(100).event("coupon_tried", accepted=False).gets(limits=WIDE) is None
    visit.event("checkout_started", items=1).wait(30).event("coupon_tried", accepted=False)
    assert visit.gets(limits=WIDE) is LiveAction.FREE_SHIPPING_BANNER


def test_two_actions_keep_their_distance() -> None:
    limits = Limits(actions_per_session=9, gap_ms=120_000)
    visit = leaving_with_a_cart()
    assert visit.gets(limits=limits) is LiveAction.CART_SAVE
    visit.event("checkout_started", items=1).wait(60).event("coupon_tried", accepted=False)
    assert visit.gets(limits=limits) is None
    visit.wait(60).event("coupon_tried", accepted=False)
    assert visit.gets(limits=limits) is LiveAction.FREE_SHIPPING_BANNER


def test_a_clock_that_jumps_back_does_not_shorten_the_distance() -> None:
    visit = leaving_with_a_cart()
    assert visit.gets() is LiveAction.CART_SAVE
    visit.event("checkout_started", items=1).wait(30).event("coupon_tried", accepted=False)
    visit.at_ms -= 10**9
    assert visit.gets() is None


def test_no_more_actions_than_the_limit() -> None:
    visit = leaving_with_a_cart()
    assert visit.gets(limits=Limits(actions_per_session=0)) is None
    one = Limits(actions_per_session=1, gap_ms=0)
    assert visit.gets(limits=one) is LiveAction.CART_SAVE
    visit.event("checkout_started", items=1).wait(30).event("coupon_tried", accepted=False)
    assert visit.gets(limits=one) is None


def test_a_choice_to_do_nothing_is_made_once_a_minute_unless_something_new_speaks_for_acting() -> None:
    visit = Visit(pace=2)
    visit.shelf("beans").product("a").product("b").product("c").add().page("/").event(
        "hover_hesitation", section="price"
    )
    visit.add()
    first = visit.decide()
    assert first is not None and first.action is LiveAction.DO_NOTHING
    assert visit.event("clicked").decide() is None
    visit.page("/returns").add().page("/")
    fresh = visit.decide()
    assert fresh is not None and fresh.action is LiveAction.DO_NOTHING
    assert set(fresh.probabilities) > set(first.probabilities)


steps = st.sampled_from(
    [
        ("page_viewed", "/", {}),
        ("page_viewed", "/cart", {}),
        ("page_viewed", "/returns", {}),
        ("page_viewed", "/checkout", {}),
        ("product_viewed", "/product/a", {"product_id": "a", "category": "beans"}),
        ("product_viewed", "/product/b", {"product_id": "b", "category": "beans"}),
        ("product_viewed", "/product/c", {"product_id": "c", "category": "beans"}),
        ("cart_added", "/product/c", {"product_id": "c", "quantity": 1, "cart_value_minor": 1000}),
        ("cart_removed", "/cart", {"product_id": "c", "quantity": 1, "cart_value_minor": 0}),
        ("checkout_started", "/checkout", {"items": 1}),
        ("checkout_step", "/checkout", {"step": "payment"}),
        ("coupon_tried", "/cart", {"accepted": False}),
        ("exit_intent", "/", {}),
        ("rage_click", "/checkout", {"count": 4}),
        ("request_failed", "/cart", {"path": "/api/cart", "status": 500}),
        ("tab_returned", "/cart", {"away_ms": 60_000}),
        ("form_abandoned", "/checkout", {"form": "address"}),
        ("new session", "", {}),
        ("dismissed", "", {}),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=60), st.integers(0, 3), st.integers(0, 90_000), st.integers(1, 40))
def test_the_caps_hold_whatever_happens(
    story: list[tuple[str, str, dict[str, object]]], most: int, gap_ms: int, pace: int
) -> None:
    limits = Limits(actions_per_session=most, gap_ms=gap_ms)
    visit = Visit(pace=pace)
    session: list[tuple[LiveAction, str]] = []
    dismissed: set[LiveAction] = set()
    last_at: int | None = None
    for kind, path, props in story:
        if kind == "new session":
            visit.later(1)
            session = []
            continue
        if kind == "dismissed":
            if session:
                dismissed.add(session[-1][0])
                visit.event("action_dismissed", decision_id="x", action=session[-1][0].value)
            continue
        visit.path = path
        visit.event(kind, path=path, **{name: value for name, value in props.items() if name != "path"})
        choice = visit.decide(limits=limits)
        if choice is None:
            continue
        assert sum(choice.probabilities.values()) == 1
        assert set(choice.probabilities.values()) <= {0.0, 1.0}
        assert choice.probabilities[choice.action.value] == 1
        assert len(choice.probabilities) >= 2
        assert "do_nothing" in choice.probabilities
        assert set(choice.probabilities) | set(choice.excluded) == {action.value for action in LiveAction}
        assert not set(choice.probabilities) & set(choice.excluded)
        assert choice.why.endswith(".")
        if choice.action is LiveAction.DO_NOTHING:
            assert choice.offer is None
            continue
        assert choice.offer is not None
        assert len(session) < most
        assert choice.action not in {action for action, _ in session} | dismissed
        assert choice.stage.value not in {stage for _, stage in session}
        assert last_at is None or visit.at_ms - last_at >= gap_ms
        visit.profile.mark_served(choice.action, visit.at_ms)
        session.append((choice.action, choice.stage.value))
        last_at = visit.at_ms
