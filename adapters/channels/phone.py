"""Phone numbers as networks take them: E.164, checked against the numbering plans."""

from __future__ import annotations

import phonenumbers


class PhoneInvalid(ValueError):
    """Nobody can be reached under this; the message says what to write."""


def e164(text: str, region: str | None = None) -> str:
    """``+4915112345678`` for whatever way it is written. ``region`` (DE, US, …): where a number without a country
    code is dialled. Raises PhoneInvalid."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
            raise PhoneInvalid("The phone number has no country code, such as +49 in front.") from None
        raise PhoneInvalid("This is not a phone number.") from None
    if not phonenumbers.is_valid_number(number):
        raise PhoneInvalid("No numbering plan has this phone number.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
