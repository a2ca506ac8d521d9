"""A live action as a visitor would see it: its own words with made-up figures in the places that a visit fills."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.content import PLACEHOLDER
from insights.decisions.entries import Entry, offer_of
from insights.decisions.offer import LiveOffer

FRAME_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; form-action 'none';"
    " frame-ancestors 'self'; base-uri 'none'"
)
"""What a previewed action may do: be drawn."""

EXAMPLES: Final = {
    "count": "3",
    "category": "“kettles”",
    "interest": "“kettles”",
    "threshold": "60.00 EUR",
    "missing": "12.50 EUR",
    "code": "KEEP-7Q2M-XW",
}
"""What stands in a word's place here; a visit puts its own there."""

SHELF: Final = [
    {"title": "Gooseneck kettle", "href": "#kettle", "price": "69.00 EUR"},
    {"title": "Stoneware dripper", "href": "#dripper", "price": "34.00 EUR"},
    {"title": "Morning mug", "href": "#mug", "price": "14.50 EUR"},
    {"title": "Paper filters", "href": "#filters", "price": "5.90 EUR"},
]


@dataclass(frozen=True, slots=True)
class Painted:
    """One way an action looks. ``action`` is what the browser's renderer is given, as JSON."""

    name: str
    locale: str
    template: str
    action: str


def painted(offer: LiveOffer) -> list[Painted]:
    """Every face of an offer in every language that it has, "default" first."""
    made = []
    for place, face in enumerate(offer.faces, 1):
        locales: Sequence[tuple[str, Mapping[str, Any]]] = sorted(
            face.locales.items(), key=lambda item: (item[0] != "default", item[0])
        ) or [("default", face.content)]
        for locale, content in locales:
            name = f"{place}-{locale}" if len(offer.faces) > 1 else locale
            action = {
                "decision_id": "preview",
                "action": str(offer.action),
                "template": face.template,
                "content": _example(content, face.template, offer),
            }
            made.append(Painted(name, locale, face.template, json.dumps(action, ensure_ascii=False)))
    return made


def painted_entry(entry: Entry) -> list[Painted]:
    """The same of a shop's own entry."""
    return painted(offer_of(entry))


def built_in(action: str) -> LiveOffer | None:
    """The built-in offer of an action, if there is one."""
    return next((offer for offer in DEFAULT_CATALOGUE.offers if str(offer.action) == action), None)


def _example(content: Mapping[str, object], template: str, offer: LiveOffer) -> dict[str, Any]:
    words = EXAMPLES | {"percent": str(offer.incentive.percent) if offer.incentive is not None else "10"}
    filled: dict[str, Any] = dict(content)
    for part in ("title", "body", "thanks"):
        if isinstance(text := filled.get(part), str):
            filled[part] = PLACEHOLDER.sub(lambda found: words.get(found[1], found[0]), text)
    if isinstance(cta := filled.get("cta"), dict):
        # Nothing here leads anywhere: a place on this page stands for the page that it would open.
        filled["cta"] = {**cta, "href": "#" if cta.get("href") else None}
    if template == "carousel":
        filled["items"] = SHELF
    return filled


def as_frame(answer: Response) -> Response:
    """The page that a preview's frame shows, with what it may do."""
    answer.headers["Content-Security-Policy"] = FRAME_POLICY
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer
