"""Written shares: some are never none, and not all are never all, on any page, in any mail and sentence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.lift.words import points
from insights.patterns.words import Facts, complaint, headline, narrative
from insights.vocabulary.reasons import Kind, Reason
from insights.vocabulary.shares import percent


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.001, "<1 %"), (1 / 200, "<1 %"), (0.427, "43 %"), (0.995, ">99 %"), (0.999, ">99 %"), (1, "100 %")],
)
def test_a_share_is_never_rounded_to_none_or_all(share: float, text: str) -> None:
    assert percent(share) == text


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(0, 2))
def test_of_any_count_only_none_reads_as_zero_and_only_all_as_a_hundred(part: int, of: int, digits: int) -> None:
    part = min(part, of)
    for said in (percent(part / of, digits), points(part / of)):
        if said[0] not in "<>":
            number = float(said.removesuffix(" %"))
            assert (number == 0) == (part == 0)
            assert (number == 100) == (part == of)


def test_a_pattern_says_of_a_rare_reason_that_it_was_rare_and_takes_that_from_a_model() -> None:
    facts = Facts(
        "page", "/cart", Kind.ABANDONED, Reason.TECHNICAL_ERROR, 0.004, 0.001, 0.012, 0.998, 0.97, 0.999, 499, 500,
        datetime(2026, 11, 22, tzinfo=UTC), (), {},
    )  # fmt: skip
    assert headline(facts) == "Technical error up from <1 % to >99 % on /cart"
    assert "from <1 % (<1 % to 1 %) to >99 % (97 % to >99 %)" in narrative(facts, "")
    assert complaint("On /cart errors rose from less than 1 % to more than 99 % of visits.", facts) is None
    assert complaint("On /cart errors rose from 0 % to 100 % of visits.", facts) is not None
