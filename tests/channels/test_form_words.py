"""The form of a channel is refused in words that say which field, and what to write there."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.kinds import KINDS, read_credentials, read_settings
from insights.channels.form_words import in_words

VALIDATORS_OWN = ("Input should", "String should", "Value should", "should be", "required", "Extra inputs", "pattern")


def refused(kind: str, part: str, given: dict[str, Any]) -> str:
    read = read_settings if part == "settings" else read_credentials
    with pytest.raises(ChannelMisconfigured) as caught:
        read(KINDS[kind], given)
    return in_words(caught.value)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_field_of_any_kind_is_refused_in_the_validators_own_words(kind: str) -> None:
    told: list[str] = []
    for read, form in (
        (read_settings, KINDS[kind].settings_model),
        (read_credentials, KINDS[kind].credentials_model),
    ):
        one_field = [{name: wrong} for name in form.model_fields for wrong in (None, -1, "", "ä ö" * 400, [])]
        for given in ({}, {"no_such_field": 1}, *one_field):
            try:
                read(KINDS[kind], given)
            except ChannelMisconfigured as error:
                told.append(in_words(error))
    assert told
    for sentence in told:
        assert not any(words in sentence for words in VALIDATORS_OWN), sentence
        assert sentence.startswith(("settings: ", "credentials: "))
        assert sentence.endswith(".")


def test_the_sentence_of_the_field_says_what_belongs_there() -> None:
    assert refused("shopify", "settings", {}) == "settings: shop: it is missing (NAME.myshopify.com)."
    typed = {"shop": "https://shop.example"}
    assert refused("shopify", "settings", typed) == (
        "settings: shop: it is not written as it must be (NAME.myshopify.com)."
    )
    assert refused("resend", "settings", {"sender": "nobody"}) == (
        "settings: sender: This is not an e-mail address that can be written to. Write an address, or Name <address>."
    )


def test_a_misspelt_field_is_told_what_it_may_have_meant() -> None:
    assert refused("resend", "settings", {"sender": "a@shop.example", "per_secnd": 5}) == (
        "settings: per_secnd: there is no such field: did you mean per_second? Otherwise remove it."
    )


def test_a_secret_that_is_too_short_is_asked_for_in_characters_and_not_repeated() -> None:
    said = refused("resend", "credentials", {"api_key": "canary"})
    assert said == "credentials: api_key: write at least 8 characters (The key that may send mail)."
