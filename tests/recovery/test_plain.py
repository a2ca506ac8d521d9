"""What is left of a stranger's text before it stands in a message."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.recovery.money import money
from insights.recovery.plain import currency, one_line, unlinked, whole
from insights.vocabulary.joiners import JOINERS, joins


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Morning \n\t mug ", "Morning mug"),
        ("a\r\nBcc: eve", "a Bcc: eve"),
        ("in\u202evoice\u200b", "in voice"),
        ("a\u2028b\0c\ud800d", "a b c d"),
        ("Tüte für 5 €", "Tüte für 5 €"),
        ("کتاب\u200cها", "کتاب\u200cها"),
        ("\U0001f469\u200d\U0001f467 mug", "\U0001f469\u200d\U0001f467 mug"),
        ("\u2764\ufe0f\u200d\U0001f525", "\u2764\ufe0f\u200d\U0001f525"),
        ("in\u200dvoice ک\u200d", "in voice ک"),
        ("x" * 20, "xxxxxxxxx…"),
        (None, ""),
        (17, ""),
        (["a"], ""),
    ],
)
def test_a_text_becomes_one_plain_line(text: Any, expected: str) -> None:
    assert one_line(text, 10 if text == "x" * 20 else 100) == expected


@given(st.text())
def test_nothing_invisible_and_no_line_break_survives(text: str) -> None:
    line = one_line(text, 30)
    assert len(line) <= 30
    assert line.splitlines() in ([], [line])
    assert not any(unicodedata.category(character)[0] == "C" and character not in JOINERS for character in line)
    assert not any(character in JOINERS and not joins(line, at) for at, character in enumerate(line))
    line.encode()
    assert one_line(line, 30) == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Win at https://evil.example/x", "Win at evil. example/x"),
        ("www.evil.example", "www. evil. example"),
        ("mail eve@evil.example", "mail eve@evil. example"),
        ("evil。example", "evil. example"),
        ("javascript://x", "x"),
        ("site\u200d.example", "site .example"),
        ("site.ک\u200dک", "site. ک\u200dک"),
        ("Cable 2.5 kg, v1.2", "Cable 2.5 kg, v1.2"),
        ("Dr. Martens", "Dr. Martens"),
    ],
)
def test_no_address_stays_clickable(text: str, expected: str) -> None:
    assert unlinked(text, 80) == expected


@pytest.mark.parametrize("value", [True, -1, 1.5, "3", None, 2**60])
def test_what_is_no_count_is_none(value: Any) -> None:
    assert whole(value) is None


@pytest.mark.parametrize("value", ["eur", "EURO", "", None, 3, "EU1", "EUR\n"])
def test_what_is_no_currency_is_none(value: Any) -> None:
    assert currency(value) is None


@pytest.mark.parametrize(
    ("minor", "code", "expected"),
    [
        (1450, "EUR", "€14.50"),
        (5, "USD", "$0.05"),
        (123456789, "GBP", "£1,234,567.89"),
        (1500, "JPY", "¥1,500"),
        (1500, "KWD", "1.500\N{NO-BREAK SPACE}KWD"),
        (1990, "CHF", "19.90\N{NO-BREAK SPACE}CHF"),
        (1990, None, "19.90"),
        (-250, "EUR", "-€2.50"),
    ],
)
def test_money_is_written_with_the_digits_of_its_currency(minor: int, code: str | None, expected: str) -> None:
    assert money(minor, code) == expected
