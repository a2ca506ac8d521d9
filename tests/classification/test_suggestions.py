"""What is suggested for a reason: always out of the registry, with typed parameters read from the visit."""

from __future__ import annotations

import pytest

from insights.classification.evidence import classify_by_evidence
from insights.classification.suggestion_params import PARAMS, CreateTicket, SendEmail
from insights.classification.suggestions import suggestions_for
from insights.evaluation.gold import GoldStory, shipped_stories
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.reasons import Kind, Reason, reasons_of
from tests.classification.hostile import strings
from tests.classification.visits import add, does, failed, order, page, product, told

STORIES = shipped_stories()


@pytest.mark.parametrize("reason", Reason)
def test_every_suggestion_for_every_story_has_parameters_of_its_actions_type(reason: Reason) -> None:
    for story in STORIES:
        if reason in reasons_of(story.kind):
            suggested = suggestions_for(reason, story.timeline)
            assert suggested
            for suggestion in suggested:
                PARAMS[suggestion.action].model_validate(suggestion.params)


def test_unclear_asks_for_nothing() -> None:
    for story in STORIES:
        (only,) = suggestions_for(Reason.UNCLEAR, story.timeline)
        assert (only.action, only.params) == (RecoveryAction.DO_NOTHING, {})


def test_a_technical_error_becomes_a_ticket_with_the_failing_request_and_its_count() -> None:
    timeline = told(page("/checkout"), *[failed("/api/carts/8841/pay", status=502)] * 3)
    ticket, mail = suggestions_for(Reason.TECHNICAL_ERROR, timeline)
    params = CreateTicket.model_validate(ticket.params)
    assert ticket.action is RecoveryAction.CREATE_TICKET
    assert params.request is not None
    assert (params.request.method, params.request.path, params.request.status) == ("POST", "/api/carts/:id/pay", 502)
    assert (params.count, params.page, params.priority) == (3, "/checkout", "high")
    assert SendEmail.model_validate(mail.params).after == "ticket_fixed"


def test_a_script_error_becomes_a_ticket_with_its_stack() -> None:
    stack = "TypeError: price is null\n    at add (https://shop.example/js/cart.3f9a2c1d.js:12:5)"
    error = does("js_error", message="price is null", source="https://shop.example/js/cart.js", line=12, stack=stack)
    ticket = CreateTicket.model_validate(suggestions_for(Reason.TECHNICAL_ERROR, told(page("/p"), error))[0].params)
    assert ticket.script is not None
    assert ticket.script.message == "price is null"
    assert any("cart" in line for line in ticket.stack)


def test_price_hesitation_gets_a_comparison_of_what_was_seen_and_a_code_once_there_is_a_cart() -> None:
    looked = told(*product("a", "k", 900), *product("b", "k", 1900))
    (first, second) = suggestions_for(Reason.PRICE_HESITATION, looked)
    assert (first.params["message"], first.params["products"]) == ("value_comparison", ["b", "a"])
    assert second.params["discount_percent"] == 10
    with_cart = told(*product("a", "k", 900), add("a", 900))
    assert suggestions_for(Reason.PRICE_HESITATION, with_cart)[0].params["message"] == "discount_24h"


def test_doubts_are_answered_by_what_was_asked() -> None:
    timeline = told(page("/policies/refund"), page("/impressum"), does("checkout_step", step="payment"))
    (mail,) = suggestions_for(Reason.TRUST_CONCERN, timeline)
    assert set(mail.params["topics"]) == {"returns", "company", "payment"}


def test_friction_names_the_element_that_was_fought_with() -> None:
    timeline = told(
        page("/p/x"), *[does("rage_click", selector=".size", count=4)] * 2, does("dead_click", selector="a")
    )
    _, ticket = suggestions_for(Reason.UX_FRICTION, timeline)
    assert (ticket.params["element"], ticket.params["count"], ticket.params["page"]) == (".size", 2, "/p/x")


def test_a_conversion_says_what_to_amplify() -> None:
    timeline = told(
        page("/"),
        does("promo_seen", kind="low_stock"),
        add("p", 900),
        does("action_clicked", decision_id="d", action="recommendation_carousel"),
        order(900),
    )
    for reason in reasons_of(Kind.CONVERTED):
        (suggestion,) = suggestions_for(reason, timeline)
        assert suggestion.params["amplify"]["products"] == ["p"], reason
    assert suggestions_for(Reason.URGENCY, timeline)[0].params["amplify"]["promo"] == "low_stock"


@pytest.mark.parametrize("text", strings(30))
def test_a_strangers_text_changes_no_action_and_stays_one_short_line(text: str) -> None:
    plain = told(page("/"), does("rage_click", selector="x", count=3), does("js_error", message="x", source="x"))
    hostile = told(page("/"), does("rage_click", selector=text, count=3), does("js_error", message=text, source=text))
    for reason in reasons_of(Kind.ABANDONED):
        theirs = suggestions_for(reason, hostile)
        assert [s.action for s in theirs] == [s.action for s in suggestions_for(reason, plain)]
        assert "\n" not in str(theirs[-1].params.get("element", ""))


def test_the_rules_suggest_what_belongs_to_the_reason_they_name() -> None:
    story: GoldStory = next(story for story in STORIES if story.id == "tech-01")
    verdict = classify_by_evidence(story.timeline, threshold=0.5)
    assert verdict.suggested_actions == suggestions_for(Reason.TECHNICAL_ERROR, story.timeline)
