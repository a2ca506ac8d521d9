"""Content: the words of an action, filled in for one visitor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from flows.conditions.amounts import to_text
from insights.decisions.moment import Moment

Template = Literal["banner", "popup", "card", "form", "carousel"]

_PARTS: Final = ("title", "body", "thanks")
PLACEHOLDER: Final = re.compile(r"\{([a-z]+)\}")
"""A word in braces, for which a visit's own is written."""


@dataclass(frozen=True, slots=True)
class ShopFacts:
    """What only the shop can say. Nothing here is ever guessed: words that need a missing fact are not said."""

    contact_href: str = ""
    free_shipping_from_minor: int | None = None
    currency: str = ""
    margin_rate: float | None = None
    shipping_cost_minor: int | None = None
    believes_typed: bool = True
    """Whether an address that a visitor types is believed: not where the shop's server is to sign it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the browser draws: a template and its content, ready as JSON."""

    template: Template
    content: dict[str, Any]


def links_of(moment: Moment, facts: ShopFacts) -> dict[str, str]:
    """The pages that content may link to by name: each "" when not known. All but contact are pages they have seen."""
    p = moment.profile
    return {
        "@contact": facts.contact_href or p.contact_link,
        "@policy": p.policy_link,
        "@cart": p.cart_link,
        "@shelf": p.shelf_link,
    }


def fill(
    template: Template,
    content: Mapping[str, Any],
    moment: Moment,
    facts: ShopFacts,
    given: Mapping[str, str] | None = None,
) -> Offer:
    """``content`` with its links and ``{words}`` in place.

    ``cta.href`` may be a name of ``links_of``: a call to action whose page is not known is left out. Words:
    {count} and {category} of what was compared, {interest}, {threshold} and {missing} of free delivery, and those
    ``given``.
    """
    filled = dict(content)
    words: dict[str, str] | None = None
    for part in _PARTS:
        text = filled.get(part)
        if text and "{" in text:
            words = words if words is not None else {**_words(moment, facts), **(given or {})}
            # Split once: what comes in from outside is never looked at for words again.
            pieces = PLACEHOLDER.split(text)
            pieces[1::2] = [words.get(word, "") for word in pieces[1::2]]
            filled[part] = "".join(pieces)
    cta = filled.get("cta")
    if cta is not None and (href := cta.get("href") or "").startswith("@"):
        link = links_of(moment, facts)[href]
        filled["cta"] = {**cta, "href": link} if link else None
    return Offer(template, filled)


def _words(moment: Moment, facts: ShopFacts) -> dict[str, str]:
    category = moment.compared_category
    threshold = facts.free_shipping_from_minor or 0
    return {
        "count": str(moment.compared.same_category),
        "category": f"“{category}”" if category else "one category",
        "interest": f"“{moment.top_category}”",
        "threshold": to_text(threshold, facts.currency),
        "missing": to_text(max(0, threshold - moment.profile.cart_minor), facts.currency),
    }
