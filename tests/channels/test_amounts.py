"""Amounts as they leave the house, in every currency."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.channels.amounts import FOUR_DIGITS, NO_DIGITS, THREE_DIGITS, units
from flows.conditions.amounts import digits_of


@pytest.mark.parametrize("currency", [*sorted(NO_DIGITS | THREE_DIGITS | FOUR_DIGITS), "EUR", "HUF", "XXX"])
def test_what_another_company_is_told_has_as_many_digits_as_what_people_are_told(currency: str) -> None:
    assert units(1250, currency) == 1250 / 10 ** digits_of(currency)


def test_the_script_in_the_page_counts_with_the_servers_digits() -> None:
    source = (Path(__file__).parents[2] / "sdk-web/src/extra/minor.ts").read_text(encoding="utf-8")
    listed = {
        code: int(digits) for codes, digits in re.findall(r'\["([A-Z ]+)", (\d)\]', source) for code in codes.split()
    }
    assert set(listed) == NO_DIGITS | THREE_DIGITS | FOUR_DIGITS
    assert listed == {code: digits_of(code) for code in listed}
