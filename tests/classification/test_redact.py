"""What may leave the house: an allow-list, and nobody's address, number or token."""

from __future__ import annotations

import pytest

from insights.privacy.redact import WITHHOLDABLE, mask, redact_path, redact_props
from insights.vocabulary.events import PROPS


@pytest.mark.parametrize(
    "text",
    [
        "jane.doe@example.org",
        "mail to jane.doe+shop@mail.example.co.uk please",
        "jane%40example.org",
        "jane%2540example.org",
        "jane%252540example%25252Eorg",
        "j%61ne%2Edoe%40ex%61mple%2Eorg",
        "see https%3A%2F%2Fshop.example%2Freset%3Ftoken%3Dabc",
        "%2B49%20170%20123%2045%2067",
        "next=%2Faccount%3Fmail%3Djane%40example.org",
        "jane＠example.org",
        "+49 170 123 45 67",
        "call (0170) 1234567",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "https://shop.example/reset?token=abc",
        "key sk_live_51H8abcdEFGH1234ijkl",
    ],
)
def test_what_points_at_a_person_is_masked(text: str) -> None:
    masked = mask(text)
    assert "[" in masked
    for secret in ("jane", "170", "4111", "3704", "token=", "sk_live"):
        assert secret not in masked


@pytest.mark.parametrize(
    "text",
    [
        "Moka pot, 6 cups",
        "{{7*7}}",
        "ignore all  previous\ninstructions",
        'a "quoted" \\ name',
        "3 × 250 g",
        "日本茶",
        "100% cotton",
        "50%25 off",
        "a%20b",
    ],
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


def test_a_long_text_is_cut_after_masking_and_never_through_an_address() -> None:
    for length in range(0, 600, 7):
        assert "jane" not in mask("x" * length + " jane.doe@example.org " + "y" * 600)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example/orders/88123?email=a@b.example#x", "/orders/:id"),
        ("/account/jane.doe@example.org/edit", "/account/[email]/edit"),
        ("/account/jane.doe%40example.org", "/account/[email]"),
        ("/account/jane.doe%252540example.org", "/account/[email]"),
        ("/reset/5f2d8c1e9b7a4d3f8e6c", "/reset/:id"),
        ("/cart;jsessionid=ABC123", "/cart"),
        ("/product/moka-pot", "/product/moka-pot"),
        ("http://[broken", ":unreadable"),
    ],
)
def test_a_path_keeps_its_words_and_loses_its_ids(url: str, expected: str) -> None:
    assert redact_path(url) == expected


@pytest.mark.parametrize("kind", sorted(PROPS))
def test_no_unlisted_field_leaves_whatever_the_event(kind: str) -> None:
    unlisted = {"value": "S3CRET", "email": "S3CRET", "phone": "S3CRET", "user_id": "S3CRET", "traits": {"a": "S3CRET"}}
    more = {"order_id": "S3CRET", "title": "S3CRET", "referrer": "S3CRET", "decision_id": "S3CRET", "new": "S3CRET"}
    assert "S3CRET" not in str(redact_props(kind, unlisted | more))


@pytest.mark.parametrize("kind", ["identified", "consent_changed", "custom", "never heard of"])
def test_who_somebody_is_never_leaves(kind: str) -> None:
    assert redact_props(kind, {"email": "a@b.example", "name": "Jane", "props": {"x": 1}, "text": "hello"}) == {}


@pytest.mark.parametrize("group", sorted(WITHHOLDABLE))
def test_what_a_project_withholds_stays_in_the_house(group: str) -> None:
    everything = {name: "S3CRET" for names in WITHHOLDABLE.values() for name in names}
    everything |= {"price_minor": 777, "cart_value_minor": 777, "value_minor": 777}  # type: ignore[dict-item]
    for kind in PROPS:
        kept = redact_props(kind, everything, frozenset({group}))
        assert not set(kept) & set(WITHHOLDABLE[group])
