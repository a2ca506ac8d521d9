"""Spellings of one mailbox are one, others stay apart, and what is counted does not name it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from insights.identity.mailbox import mailbox, mailbox_key


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Ada@Example.org", "ada@example.org"),
        ("ada+shop+2@example.org", "ada@example.org"),
        ("a.d.a@example.org", "a.d.a@example.org"),
        ("A.da+x@googlemail.com", "ada@gmail.com"),
        ("+@example.org", "+@example.org"),
        ("a.da@gmail\uff0ecom", "ada@gmail.com"),
        ("ada@m\u00fcnchen.example", "ada@xn--mnchen-3ya.example"),
        ("ada@" + "h" * 64 + ".example", "ada@" + "h" * 64 + ".example"),
        ("nobody", None),
        (None, None),
    ],
)
def test_spellings_of_one_mailbox_are_one(said: object, expected: str | None) -> None:
    assert mailbox(said) == expected


def test_a_key_is_the_shops_own_and_does_not_hold_the_address() -> None:
    salt = uuid4()
    key = mailbox_key(salt, "ada+1@example.org")
    assert key == mailbox_key(salt, "ada@example.org") != mailbox_key(uuid4(), "ada@example.org")
    assert key is not None and b"ada" not in key
    assert mailbox_key(salt, "guest") is None
