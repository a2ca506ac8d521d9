"""Masks: enough to tell apart, not enough to write to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.identity.masks import mask


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("email", "ada@example.org", "a•••@example.org"),
        ("user_id", "ada@example.org", "a•••@example.org"),
        ("user_id", "customer-1842", "cu•••42"),
        ("user_id", "1842", "1•••"),
        ("phone", "+4917112345", "+49•••45"),
        ("visitor", "3f2a", "3f2a"),
    ],
)
def test_a_name_keeps_its_ends(kind: str, value: str, shown: str) -> None:
    assert mask(kind, value) == shown


@given(st.sampled_from(["user_id", "email", "phone"]), st.text(min_size=1))
def test_no_name_is_shown_whole(kind: str, value: str) -> None:
    assert mask(kind, value) != value or "•••" in value
