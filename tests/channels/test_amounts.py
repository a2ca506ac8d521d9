"""Amounts as they leave the house, in every currency."""

from __future__ import annotations

import pytest

from adapters.channels.amounts import NO_DIGITS, THREE_DIGITS, units
from flows.conditions.amounts import digits_of


@pytest.mark.parametrize("currency", [*sorted(NO_DIGITS), *sorted(THREE_DIGITS), "EUR", "CLF", "XXX"])
def test_what_another_company_is_told_has_as_many_digits_as_what_people_are_told(currency: str) -> None:
    assert units(1250, currency) == 1250 / 10 ** digits_of(currency)
