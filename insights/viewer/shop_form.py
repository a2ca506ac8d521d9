"""What a person types of their shop, to and from what the API takes: percent for shares, whole money for amounts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from flows.conditions.amounts import to_minor
from insights.errors import Refused
from insights.vocabulary.money import minor_digits

SHARES: Final = ("margin_rate", "holdout")
AMOUNTS: Final = ("shipping_cost_minor", "free_shipping_from_minor")
_AMOUNT: Final = re.compile(r"[0-9]{1,9}([.,][0-9]+)?")
_SAID: Final = {
    "margin_rate": "Margin",
    "holdout": "Held out",
    "shipping_cost_minor": "What delivery costs you",
    "free_shipping_from_minor": "Free delivery from",
}


def shown(shop: Mapping[str, Any]) -> dict[str, str]:
    """Field → what stands in it."""
    digits = minor_digits(shop["currency"])
    fields = {"currency": shop["currency"] or "", "contact_href": shop["contact_href"]}
    for name in SHARES:
        fields[name] = "" if shop[name] is None else f"{shop[name] * 100:.4f}".rstrip("0").rstrip(".")
    for name in AMOUNTS:
        fields[name] = "" if shop[name] is None else f"{shop[name] / 10**digits:.{digits}f}"
    return fields


def given(form: Mapping[str, str], number: Callable[[str, str], float | None]) -> dict[str, Any]:
    """What the API is told. ``number``: reads a field's number, None for an empty one. Raises Refused."""
    currency = form.get("currency", "").strip().upper() or None
    href = form.get("contact_href", "").strip()
    if href and not href.startswith(("/", "https://", "mailto:")):
        raise Refused(
            "Where help is found: write a path such as /contact, or an address that begins with https:// or mailto:.",
            field="contact_href",
        )
    body: dict[str, Any] = {"currency": currency, "contact_href": href}
    typed = {name: number(_SAID[name], form.get(name, "").removesuffix("%")) for name in SHARES}
    for name in SHARES:
        share = typed[name]
        most = 50 if name == "holdout" else 100
        if share is not None and not 0 <= share <= most:
            raise Refused(f"{_SAID[name]}: write a share from 0 to {most} percent.", field=name)
        body[name] = None if share is None else round(share / 100, 6)
    body["holdout"] = body["holdout"] or 0.0
    for name in AMOUNTS:
        body[name] = _minor(name, form.get(name, "").strip(), currency)
    return body


def _minor(name: str, text: str, currency: str | None) -> int | None:
    """An amount as people write it, in minor units. "1,250" could be a thousand or a little more than one: where the
    currency has no three digits after the point it is refused, not taken for either. Raises Refused."""
    if not text:
        return None
    minor = to_minor(text.replace(",", "."), currency or "") if _AMOUNT.fullmatch(text) else None
    if minor is None:
        example = f"{4.9:.{digits}f}" if (digits := minor_digits(currency)) else "490"
        raise Refused(f"{_SAID[name]}: write an amount such as {example}, without a mark for thousands.", field=name)
    return minor
