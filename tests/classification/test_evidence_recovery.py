"""What the evidence classifier takes back: a failure that was got over, and one that nobody noticed."""

from __future__ import annotations

from insights.classification.evidence import cases
from insights.timeline.timeline import Timeline
from insights.vocabulary.reasons import Reason
from tests.classification.visits import add, click, does, failed, leaves, page, told


def strength(timeline: Timeline, reason: Reason) -> float:
    return next(case.strength for case in cases(timeline) if case.reason is reason)


def test_a_failure_that_worked_at_the_second_try_counts_for_little() -> None:
    stuck = told(page("/"), failed("/api/cart"), leaves())
    got_over = told(page("/"), failed("/api/cart"), add("mug", 100), page("/cart", 90), leaves())
    assert strength(got_over, Reason.TECHNICAL_ERROR) < 0.5 * strength(stuck, Reason.TECHNICAL_ERROR)


def test_clicks_in_vain_after_a_failure_are_the_failures_fault() -> None:
    blamed = told(page("/"), failed("/api/cart"), does("rage_click", 2, selector="#a", count=4))
    unprovoked = told(page("/"), does("rage_click", 2, selector="#a", count=4))
    assert strength(blamed, Reason.UX_FRICTION) == 0
    assert strength(unprovoked, Reason.UX_FRICTION) > 0.3


def test_what_comes_after_the_purchase_explains_nothing() -> None:
    after = told(
        page("/"),
        add("mug", 100),
        does("purchased", 5, order_id="o", value_minor=100),
        does("reviews_viewed", 5, product_id="mug"),
        click("a.related", "Related", 3),
    )
    assert strength(after, Reason.SOCIAL_PROOF) == 0
    assert strength(after, Reason.RECOMMENDATION_MATCH) == 0


def test_comparing_counts_for_less_once_the_checkout_has_begun() -> None:
    steps = [does("product_viewed", 5, product_id=f"p{n % 3}", category="kettles", price_minor=100) for n in range(6)]
    browsing = told(page("/"), *steps)
    buying = told(page("/"), *steps, does("checkout_started", 5, items=1))
    assert strength(buying, Reason.COMPARISON_SHOPPING) < strength(browsing, Reason.COMPARISON_SHOPPING)
