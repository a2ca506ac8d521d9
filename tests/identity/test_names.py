"""Names in their one spelling, and what is no name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.identity import names


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("Ada@Example.org ", "ada@example.org"),
        ("a.da+shop@example.org", "a.da+shop@example.org"),
        ("ada", None),
        ("ada@@example.org", None),
        ("ada@exa mple.org", None),
        ("@example.org", None),
        ("a" * 250 + "@example.org", None),
        (None, None),
        (7, None),
    ],
)
def test_an_address_is_written_in_lower_case_and_nonsense_is_none(given: object, written: str | None) -> None:
    assert names.email(given) == written


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("+49 (0) 171 / 123-4567", "+491711234567"),
        ("0049 171 1234567", "+491711234567"),
        ("0171 1234567", "01711234567"),
        ("+491711234567", "+491711234567"),
        ("000000000", None),
        ("12345", None),
        ("call me", None),
        ("+1234567890123456", None),
        (True, None),
    ],
)
def test_a_number_is_written_with_its_country_or_stays_as_it_is_dialled(given: object, written: str | None) -> None:
    assert names.phone(given) == written


@pytest.mark.parametrize("given", ["", "  ", "null", "Undefined", "GUEST", "0", "[object Object]", "x" * 256, None, 5])
def test_what_scripts_send_for_nobody_is_no_customer(given: object) -> None:
    assert names.user_id(given) is None


def test_a_customers_id_keeps_its_case() -> None:
    assert names.user_id(" Cus_8Xa ") == "Cus_8Xa"


@given(st.text())
def test_writing_a_name_again_changes_nothing(text: str) -> None:
    for write in (names.user_id, names.email, names.phone):
        once = write(text)
        assert once is None or write(once) == once
