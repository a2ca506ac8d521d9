"""The seven reasons of an abandonment, as clues. Pure; each weight says how far the clue alone would convince.

Sources of the thresholds: public usability studies of carts and checkouts (unexpected extra cost is the most named
reason, then errors, trust and comparing), and the definitions of the signals themselves.
"""

from __future__ import annotations

from insights.classification.clues import Case, Clue, case, clue
from insights.classification.story import Story
from insights.vocabulary.reasons import Reason


def technical_error(story: Story) -> Case:
    """Something on the way to the order was broken."""
    blocking = story.blocking_failures
    clicks = story.of("rage_click", "dead_click")
    after = story.followed_by([*blocking, *story.script_errors], clicks)
    slow = story.slow_requests
    return case(
        Reason.TECHNICAL_ERROR,
        [
            clue(blocking, 0.45, "met {n} failing request{s} on the way to the order", more=0.2),
            clue(slow, 0.35, "waited five seconds or more {n} time{s} on the way to the order", more=0.2),
            clue(story.script_errors, 0.25, "met {n} script error{s}", more=0.1, most=0.5),
            # One failed picture or tracker is no reason to leave; a page full of failures is.
            clue(story.other_failures, 0.2, "met {n} failing request{s}", at_least=3, more=0.05, most=0.45),
            clue(after, 0.5, "clicked in vain right after an error") if blocking or story.script_errors else None,
        ],
    )


def price_hesitation(story: Story) -> Case:
    """The price, or what came on top of it."""
    refused = story.of("coupon_tried", when=lambda event: event.props.get("accepted") is False)
    tried = story.of("coupon_tried", when=lambda event: event.props.get("accepted") is not False)
    steps = story.of("checkout_step")
    shipping = [event for event in steps if event.props.get("step") == "shipping"]
    # Shipping cost shows at that step; leaving right there is the classic cost surprise.
    hindered = bool(story.blocking_failures or story.of("form_abandoned", "rage_click"))
    shock = shipping if shipping and steps[-1] is shipping[-1] and not hindered else []
    removed = story.of("cart_removed")
    return case(
        Reason.PRICE_HESITATION,
        [
            clue(story.price_hovers, 0.3, "lingered over the price {n} time{s}", more=0.15),
            clue(story.price_texts, 0.25, "marked or copied a price"),
            clue(refused, 0.45, "tried {n} code{s} that were refused", more=0.15),
            clue(tried, 0.2, "looked for a discount"),
            clue(shock, 0.4, "left where the shipping cost appears"),
            clue(removed, 0.25, "took {n} thing{s} out of the cart again", more=0.1),
            clue(
                story.of("searched", when=lambda event: _cheap(event.props.get("query"))),
                0.3,
                "searched for something cheap",
            ),
        ],
    )


def ux_friction(story: Story) -> Case:
    """The page made it hard."""
    abandoned = story.of("form_abandoned")
    fields = story.of("form_field", when=lambda event: _at_least(event.props.get("refocused"), 3))
    broken = [*story.blocking_failures, *story.script_errors]
    errors = bool(story.blocking_failures or story.followed_by(broken, story.of("rage_click", "dead_click")))
    lost = story.of("searched", when=lambda event: event.props.get("results") == 0)
    # Jumping between several products and back is looking around, not being lost.
    returns = [] if len(story.products) >= 3 else story.of("quick_back")
    scale = 0.5 if errors else 1.0  # clicking in vain because a request failed is the request's fault
    return case(
        Reason.UX_FRICTION,
        [
            clue(story.of("rage_click"), 0.4 * scale, "clicked angrily {n} time{s}", more=0.2 * scale),
            clue(
                story.of("dead_click"),
                0.25 * scale,
                "clicked {n} time{s} on something that did nothing",
                more=0.12 * scale,
            ),
            clue(abandoned, 0.5, "left a form half filled"),
            clue(fields, 0.3, "went back to the same field again and again"),
            clue(lost, 0.3, "searched {n} time{s} and found nothing", more=0.15),
            clue(returns, 0.2, "turned back at once {n} time{s}", at_least=2, more=0.15),
        ],
    )


def trust_concern(story: Story) -> Case:
    """They were not sure of the shop."""
    payment = story.of("checkout_step", when=lambda event: event.props.get("step") == "payment")
    at_payment = payment if payment and story.of("checkout_step")[-1] is payment[-1] else []
    reassurance = [*story.policy_pages, *story.of("reviews_viewed")]
    after_payment = [event for event in reassurance if payment and event.at >= payment[0].at]
    return case(
        Reason.TRUST_CONCERN,
        [
            clue(story.policy_pages, 0.35, "read {n} page{s} about returns, delivery or security", more=0.2),
            clue(at_payment, 0.3, "stopped at the payment step") if not story.blocking_failures else None,
            clue(after_payment, 0.35, "looked for reassurance once payment was asked"),
            clue(
                story.of("text_copied", "text_selected", when=lambda event: "polic" in str(event.props.get("section"))),
                0.2,
                "marked text of a policy",
            ),
            clue(story.of("reviews_viewed"), 0.15, "read reviews {n} time{s}", at_least=2, more=0.1)
            if story.policy_pages
            else None,
        ],
    )


def comparison_shopping(story: Story) -> Case:
    """They were weighing alternatives."""
    switches = story.of("tab_hidden")
    near = story.followed_by(story.of("product_viewed"), switches)
    copied = story.of("text_copied", when=lambda event: event.props.get("section") not in (None, "", "price"))
    peers = story.main_category
    return case(
        Reason.COMPARISON_SHOPPING,
        [
            clue(peers, 0.4, "looked at {n} product{s} of one kind", at_least=3, more=0.1),
            clue(story.repeated_views, 0.3, "went back and forth between products", more=0.1),
            clue(near, 0.2, "left the tab {n} time{s} right after looking at a product", at_least=2, more=0.1),
            clue(copied, 0.25, "copied a product's text", more=0.15),
            clue(story.products, 0.25, "looked at {n} product{s}", at_least=5, more=0.03)
            if not story.in_checkout and len(peers) < 3
            else None,
        ],
    )


def distraction(story: Story) -> Case:
    """Nothing was wrong; something else came up."""
    frustrated = bool(story.blocking_failures or story.of("rage_click", "form_abandoned", "coupon_tried"))
    away = story.long_absences
    last_hidden = [event for event in away if event.type == "tab_hidden"]
    stopped = Clue(0.2, "stopped in the middle of things", (story.events[-1],)) if story.events else None
    engaged = story.engaged_ms >= 10_000 or len(story.events) >= 5
    return case(
        Reason.DISTRACTION,
        [
            clue(last_hidden, 0.4, "switched to another tab and did not come back") if not frustrated else None,
            clue([e for e in away if e.type == "tab_returned"], 0.25, "was away for minutes {n} time{s}", more=0.1),
            stopped if story.filled_cart and engaged and away and not frustrated else None,
        ],
    )


ABANDONED = (technical_error, price_hesitation, trust_concern, ux_friction, comparison_shopping, distraction)


def _cheap(query: object) -> bool:
    words = query.lower().split() if isinstance(query, str) else []
    return any(
        word in {"cheap", "cheaper", "sale", "discount", "coupon", "voucher", "billig", "rabatt"} for word in words
    )


def _at_least(value: object, least: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least
