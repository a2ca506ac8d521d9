"""What looks like trouble and is none, and what is trouble in another language."""

from __future__ import annotations

from typing import Any

import pytest

from insights.classification.evidence import cases, classify_by_evidence
from insights.vocabulary.reasons import Reason
from tests.classification.visits import add, does, failed, leaves, page, product, told


@pytest.mark.parametrize(
    "noise",
    [
        does("js_error", message="ResizeObserver loop completed with undelivered notifications."),
        does("js_error", message="Script error.", source="https://chat.example/widget.js"),
        failed("https://www.google-analytics.com/g/collect", status=0),
        failed("https://pixel.example/tracking", status=503, method="GET"),
    ],
)
def test_noise_of_healthy_pages_is_no_technical_error_however_often_it_comes(
    noise: tuple[float, str, dict[str, Any]],
) -> None:
    timeline = told(page("/"), *[noise] * 6, leaves())
    assert classify_by_evidence(timeline, threshold=0.5).reason is Reason.UNCLEAR
    technical = next(case for case in cases(timeline) if case.reason is Reason.TECHNICAL_ERROR)
    assert technical.strength <= 0.2


def test_the_shops_own_server_failing_again_and_again_is_trouble_wherever_it_is() -> None:
    timeline = told(page("/konto"), *[failed("/konto/anmelden")] * 3, leaves())
    assert classify_by_evidence(timeline, threshold=0.5).reason is Reason.TECHNICAL_ERROR


def test_a_payment_script_of_somebody_else_that_fails_at_the_checkout_blocks_the_way() -> None:
    failing = failed("https://js.stripe.com/v3", status=503, method="GET")
    timeline = told(page("/kasse/zahlung"), failing, failing, leaves())
    assert classify_by_evidence(timeline, threshold=0.5).reason is Reason.TECHNICAL_ERROR


def test_the_contact_step_of_a_checkout_is_no_contact_page() -> None:
    timeline = told(page("/cart"), page("/checkout/contact"), page("/checkout/contact"), leaves())
    trust = next(case for case in cases(timeline) if case.reason is Reason.TRUST_CONCERN)
    assert not trust.clues


@pytest.mark.parametrize("path", ["/impressum", "/widerruf", "/mentions-legales", "/devoluciones", "/policies/refund"])
def test_reassurance_is_known_in_other_languages(path: str) -> None:
    timeline = told(page("/p"), page(path), page("/datenschutz"), leaves())
    assert classify_by_evidence(timeline, threshold=0.3).reason is Reason.TRUST_CONCERN


def test_a_hidden_tab_after_trouble_is_no_distraction() -> None:
    calm = told(*product("p", "k", 900), add("p", 900), does("tab_hidden"))
    angry = told(*product("p", "k", 900), add("p", 900), *[does("rage_click", count=5)] * 2, does("tab_hidden"))
    assert classify_by_evidence(calm, threshold=0.4).reason is Reason.DISTRACTION
    assert classify_by_evidence(angry, threshold=0.5).reason is Reason.UX_FRICTION
