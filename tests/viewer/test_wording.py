"""Words and numbers as people read them."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from insights.timeline.timeline import TimelineEvent
from insights.viewer.event_words import _WORDS, words_of
from insights.viewer.wording import REASONS, ago, duration, label, money, offset, short_moment
from insights.vocabulary.actions import LiveAction, RecoveryAction
from insights.vocabulary.events import PROPS
from insights.vocabulary.reasons import Reason
from tests.viewer.seed import NOW


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1990, "EUR", "€19.90"), (5, "USD", "$0.05"), (-250, "GBP", "−£2.50"), (1500, "JPY", "¥1,500"),
     (123456789, "EUR", "€1,234,567.89"), (1234, "KWD", "KWD 1.234"), (12345, "CLF", "CLF 1.2345"),
     (1990, None, "19.90"), (100, "XYZ", "XYZ 1.00")],
)  # fmt: skip
def test_money_stands_in_its_own_decimals(minor: int, currency: str | None, text: str) -> None:
    assert money(minor, currency) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.18, "180 ms"), (0.0001, "1 ms"), (1.0, "1 s"), (2.64, "2.6 s"), (9.97, "10 s"), (59.6, "1 min"),
     (185, "3 min 5 s"), (3600, "1 h"), (7_265, "2 h 1 min"), (90_000, "1 d 1 h"), (-5, "0 s")],
)  # fmt: skip
def test_a_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_times_are_as_short_as_they_can_be_understood() -> None:
    assert short_moment(NOW - timedelta(hours=1), NOW) == "13:05"
    assert short_moment(NOW - timedelta(days=2), NOW) == "19 Nov 14:05"
    assert short_moment(NOW - timedelta(days=900), NOW) == "4 Jun 2024"
    assert (ago(NOW - timedelta(minutes=3), NOW), ago(NOW + timedelta(hours=2), NOW)) == ("3 min ago", "in 2 h")
    assert (offset(7), offset(750), offset(3723)) == ("+0:07", "+12:30", "+1:02:03")


def test_what_is_kept_apart_is_said_in_words_and_a_direction_turns_nothing_else_round() -> None:
    said = TimelineEvent(uuid4(), NOW, "identified", props={"email": "[email]@[kept apart]", "phone": "[phone]"})
    assert words_of(said).text == "an e-mail address · a phone number"
    proof = {"user_id": "signed", "email": "unsigned", "phone": "wrong"}
    doubted = TimelineEvent(uuid4(), NOW, "identified", props={"user_id": "ada", "proof": proof})
    assert words_of(doubted).text == "ada · e-mail address not signed · phone number wrongly signed"
    bag = {"name": "حقيبة", "price_minor": 1280, "currency": "JPY", "category": "mugs"}
    assert (
        words_of(TimelineEvent(uuid4(), NOW, "product_viewed", props=bag)).text == "\u2068حقيبة\u2069 · mugs · ¥1,280"
    )


def test_every_word_of_ours_has_a_label() -> None:
    assert set(REASONS) == set(Reason)
    assert set(_WORDS) == set(PROPS)
    for word in (*Reason, *LiveAction, *RecoveryAction):
        assert label(word) != word
        assert "_" not in label(word)


@pytest.mark.parametrize(
    ("kind", "props", "text"),
    [
        ("request_failed", {"method": "POST", "path": "/api/cart", "status": 500, "ms": 32},
            "POST /api/cart · answered 500 after 32 ms"),
        ("request_failed", {"path": "/api", "status": 0}, "/api · no answer"),
        ("js_error", {"message": "boom", "source": "a.js", "line": 3}, "boom · a.js:3"),
        ("rage_click", {"count": 1, "selector": "#pay"}, "1 click · #pay"),
        ("cart_added", {"product_id": "p", "quantity": 3, "price_minor": 500, "currency": "EUR"}, "3 × p · €5.00"),
        ("purchased", {"order_id": "A1", "value_minor": 2900, "currency": "EUR", "items": [{}, {}]},
            "€29.00 · 2 items · order A1"),
        ("scrolled", {"depth": 0.5}, "to 50 %"),
        ("form_abandoned", {"form": "address", "filled": 2, "fields": 7, "last_field": "phone"},
            "address · 2 of 7 fields filled · last touched: phone"),
        ("quick_back", {"from": "/a", "to": "/b", "ms": 4000}, "to /b and back to /a after 4 s"),
        ("consent_changed", {"analytics": True, "marketing": False}, "analytics: yes · marketing: no"),
        ("coupon_tried", {"accepted": False}, "refused"),
        ("action_clicked", {"action": "trust_card"}, "Trust card"),
        ("action_clicked", {"action": "short_form", "answer": "too dear"}, "Short form: “too dear”"),
        ("session_ended", {"reason": "closed"}, "tab or browser closed"),
        ("page_viewed", {"title": "Home", "source": {"utm_source": "x", "utm_campaign": "y"}}, "Home · from x / y"),
        ("searched", {"query": "mug", "results": 0}, "“mug” · 0 results"),
        ("something_new", {"name": "n"}, "n"),
    ],
)  # fmt: skip
def test_an_event_says_what_happened(kind: str, props: dict[str, object], text: str) -> None:
    assert words_of(TimelineEvent(uuid4(), NOW, kind, props=props)).text == text
