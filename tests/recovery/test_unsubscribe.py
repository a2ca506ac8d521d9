"""The unsubscribe link: works for its owner and for nobody else."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.errors import Refused
from insights.recovery.unsubscribe import Claim, sign, verify
from tests.recovery.sessions import PROJECT, VISITOR

SECRET = b"a secret of thirty-two characters"
CLAIM = Claim(PROJECT, VISITOR, "email", "anna@example.com")


def test_a_token_gives_back_what_it_was_made_of() -> None:
    assert verify(SECRET, sign(SECRET, CLAIM)) == CLAIM


@given(st.uuids(), st.uuids(), st.emails())
def test_every_token_is_safe_in_a_link(project: UUID, visitor: UUID, recipient: str) -> None:
    claim = Claim(project, visitor, "email", recipient)
    token = sign(SECRET, claim)
    assert token.isascii()
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert len(token) < 600
    assert verify(SECRET, token) == claim


def test_no_changed_character_is_accepted() -> None:
    token = sign(SECRET, CLAIM)
    for position, character in enumerate(token):
        changed = token[:position] + ("A" if character != "A" else "B") + token[position + 1 :]
        try:
            # The last character may hold spare bits: then it is the same token in other letters.
            assert verify(SECRET, changed) == CLAIM
            assert position == len(token) - 1
        except Refused:
            pass


@pytest.mark.parametrize("token", ["", "x", "ä", "a" * 5000, "!!!!", "\ud800", sign(b"another secret", CLAIM)])
def test_a_token_of_nobody_is_refused_with_advice(token: str) -> None:
    with pytest.raises(Refused, match="unsubscribe link") as refused:
        verify(SECRET, token)
    assert refused.value.status == 400


@given(st.text())
def test_no_text_breaks_the_check(token: str) -> None:
    with pytest.raises(Refused):
        verify(SECRET, token)
