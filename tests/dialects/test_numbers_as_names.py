"""Ids that come as numbers, and what comes as a text where only texts and numbers can be told. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from insights.events.dialects import ga4, segment
from insights.events.dialects.translation import Envelope, Translated

ENVELOPE = Envelope(1_790_000_000_000, trusted=True)


def _segment(order_id: Any, user_id: Any = "u") -> Translated:
    properties = {"order_id": order_id, "total": 12.5, "currency": "EUR"}
    message = {"type": "track", "event": "Order Completed", "userId": user_id, "properties": properties}
    return segment.translate(message, ENVELOPE)[0]


def _ga4(**params: Any) -> Translated:
    said = {"transaction_id": "T-1", "value": 12.5, "currency": "EUR", **params}
    return ga4.translate({"name": "purchase", "client_id": "1.2", "params": said}, ENVELOPE)[0]


@pytest.mark.parametrize("number", ["1001", 1001, 1001.0])
def test_an_order_is_the_same_whatever_its_number_was_written_as(number: Any) -> None:
    assert _segment(number).props["order_id"] == _ga4(transaction_id=number).props["order_id"] == "1001"
    assert _segment("1", number).who.user_id == "1001"


@pytest.mark.parametrize(("number", "name"), [(10.5, "10.5"), (1e21, "1e+21"), ("1001.0", "1001.0")])
def test_what_is_no_whole_number_is_left_as_it_was_said(number: Any, name: str) -> None:
    assert _segment(number).props["order_id"] == name


@pytest.mark.parametrize(("said", "stored"), [("false", False), (" TRUE ", True), (False, False), ("no", "no"), (0, 0)])
def test_ga4_says_yes_and_no_in_words(said: Any, stored: Any) -> None:
    told = _ga4(online=said).props["online"]
    assert (told, type(told)) == (stored, type(stored))
