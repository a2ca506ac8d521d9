"""What a person types of their shop, to and from what the API takes: percent for shares, whole money for amounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from insights.errors import Refused
from insights.viewer.typed_figures import amount, in_major, in_percent, share

MOST: Final = {"margin_rate": 100, "holdout": 50}
"""Shares, and how many percent each may be."""

AMOUNTS: Final = ("shipping_cost_minor", "free_shipping_from_minor")
SAID: Final = {
    "currency": "Currency",
    "contact_href": "Where help is found",
    "margin_rate": "Margin",
    "holdout": "Held out",
    "shipping_cost_minor": "What delivery costs you",
    "free_shipping_from_minor": "Free delivery from",
}
"""Field → what stands over it."""


def shown(shop: Mapping[str, Any]) -> dict[str, str]:
    """Field → what stands in it."""
    fields = {"currency": shop["currency"] or "", "contact_href": shop["contact_href"]}
    fields |= {name: in_percent(shop[name]) for name in MOST}
    return fields | {name: in_major(shop[name], shop["currency"]) for name in AMOUNTS}


def given(form: Mapping[str, str]) -> dict[str, Any]:
    """What the API is told. Raises Refused."""
    currency = form.get("currency", "").strip().upper() or None
    href = form.get("contact_href", "").strip()
    if href and not href.startswith(("/", "https://", "mailto:")):
        raise Refused(
            "Where help is found: write a path such as /contact, or an address that begins with https:// or mailto:.",
            field="contact_href",
        )
    body: dict[str, Any] = {"currency": currency, "contact_href": href}
    body |= {name: share(name, SAID[name], form.get(name, ""), most) for name, most in MOST.items()}
    body["holdout"] = body["holdout"] or 0.0
    return body | {name: amount(name, SAID[name], form.get(name, ""), currency) for name in AMOUNTS}
