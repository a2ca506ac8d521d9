"""Decides what of an event may be shown to a model outside: an allow-list of fields, with people masked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

MAX_TEXT: Final = 120
MAX_PATH: Final = 160

_TEXT: Final[Mapping[str, tuple[str, ...]]] = {
    "clicked": ("selector", "role", "label", "section", "heading", "price", "promo"),
    "dead_click": ("selector", "role", "section", "heading"),
    "rage_click": ("selector", "role", "section", "heading"),
    "scrolled": ("section",),
    "form_field": ("form", "field", "kind"),
    "form_submitted": ("form",),
    "form_abandoned": ("form", "last_field"),
    "hover_hesitation": ("selector", "section"),
    "exit_intent": ("kind",),
    "request_failed": ("method",),
    "js_error": ("message",),
    "text_copied": ("section",),
    "text_selected": ("section",),
    "product_viewed": ("name", "category", "currency"),
    "cart_added": ("name", "currency"),
    "cart_removed": ("name", "currency"),
    "checkout_started": ("currency",),
    "checkout_step": ("step",),
    "purchased": ("currency",),
    "promo_seen": ("kind", "text"),
    "searched": ("query",),
    "action_shown": ("action",),
    "action_clicked": ("action",),
    "action_dismissed": ("action",),
    "session_ended": ("reason",),
}
_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "quick_back": ("ms",),
    "rage_click": ("count",),
    "scrolled": ("depth",),
    "form_field": ("focused_ms", "first_input_ms", "refocused"),
    "form_abandoned": ("filled", "fields"),
    "hover_hesitation": ("ms",),
    "engaged": ("ms",),
    "tab_returned": ("away_ms",),
    "request_failed": ("status", "ms"),
    "product_viewed": ("price_minor",),
    "cart_added": ("price_minor", "quantity", "cart_value_minor"),
    "cart_removed": ("price_minor", "quantity", "cart_value_minor"),
    "checkout_started": ("cart_value_minor",),
    "coupon_tried": ("accepted",),
    "purchased": ("value_minor",),
    "reviews_viewed": ("count",),
    "searched": ("results",),
}
_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "quick_back": ("from", "to"),
    "clicked": ("href",),
    "request_failed": ("path",),
    "js_error": ("source",),
}
"""Event type → props that may leave. identified, consent_changed and custom are on no list."""

WITHHOLDABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "titles": ("title",),
    "labels": ("label", "heading", "section"),
    "searches": ("query",),
    "product_names": ("name", "category"),
    "prices": ("price_minor", "cart_value_minor", "value_minor", "price", "currency"),
    "errors": ("message", "source"),
    "promotions": ("promo", "text"),
    "forms": ("form", "field", "last_field"),
}
"""What a project may keep in the house as well, by name → the props that this is."""

_ABOUT_THE_VISITOR = re.compile(
    r"/(?:my|me|account|profile|user|customer|member|login|register|sign|address|order|wish|konto|kunde|mein|bestell"
    r"|merk|compte|mon-|commande|cuenta|mi-|pedido|perfil|account|profilo|ordini)|\[|:id",
    re.IGNORECASE,
)

# Bounded runs and no nested repeats: each is linear in the text. @ in all its guises, percent-encoded too.
_EMAIL = re.compile(r"[^\s@＠<>\"'(),;:]{1,64}(?:@|＠|%40|&#64;)[^\s@＠<>\"'(),;:]{1,128}", re.IGNORECASE)
_URL = re.compile(r"\b(?:https?|ftp|wss?)://\S{1,2048}", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){3,7}(?:[ -]?[A-Z0-9]{1,3})?\b")
_LONG_NUMBER = re.compile(r"\+?\d(?:[\s().\-/]{0,2}\d){6,}")
_TOKEN = re.compile(r"\b(?=[\w-]{0,80}\d)(?=[\w-]{0,80}[A-Za-z])[\w-]{20,512}")
_ESCAPED = re.compile(r"[^\s\"'<>]{0,512}%[0-9A-Fa-f]{2}[^\s\"'<>]{0,512}")
_IDENTIFIER = re.compile(r"\d+|[0-9a-fA-F-]{16,}|(?=[\w~=+.-]*\d)[\w~=+.-]{20,}")


def redact_props(type: str, props: Mapping[str, object], withheld: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The props of this event that may leave: known fields of the known type, shortened, with people masked.

    ``withheld``: names of ``WITHHOLDABLE`` that stay in the house too.
    """
    kept = _allowed(type, props)
    for group in withheld:
        for name in WITHHOLDABLE.get(group, ()):
            kept.pop(name, None)
    return kept


def is_about_the_visitor(path: str) -> bool:
    """Whether a redacted path is of a page that says who somebody is: its title is theirs."""
    return bool(_ABOUT_THE_VISITOR.search(path))


def _allowed(type: str, props: Mapping[str, object]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in _PATHS.get(type, ()):
        if isinstance(value := props.get(name), str) and value:
            kept[name] = redact_path(value)
    for name in _TEXT.get(type, ()):
        if isinstance(value := props.get(name), str) and value:
            kept[name] = mask(value)
    for name in _NUMBERS.get(type, ()):
        if isinstance(value := props.get(name), int | float):
            kept[name] = value
    return kept


def redact_path(url: str) -> str:
    """The path of a URL without query and fragment, its identifiers replaced by ``:id``."""
    try:
        path = urlsplit(url[:4096]).path
    except ValueError:
        return ":unreadable"
    # A matrix parameter (/a;session=1) is a query by another name.
    parts = [_decoded(part.partition(";")[0]) for part in path.split("/")]
    return "/".join(":id" if _IDENTIFIER.fullmatch(part) else mask(part) for part in parts)[:MAX_PATH]


def mask(text: str, most: int = MAX_TEXT) -> str:
    """At most ``most`` characters of ``text``; e-mail and web addresses, long numbers and tokens are masked.

    Everything else is left as it is, to the byte: what a stranger wrote is quoted where it is shown, not repaired.
    """
    # Masked first, then cut: half an address is still somebody's. For the same reason the cut before falls on a space.
    found = text if len(text) <= 4 * most else text[: 4 * most].rpartition(" ")[0]
    if "%" in found:
        found = _ESCAPED.sub(_masked_if_hidden, found)
    return _masked(found)[:most]


def _masked_if_hidden(word: re.Match[str]) -> str:
    """A percent-encoded word as it is, unless reading it shows what would be masked."""
    decoded = _decoded(word[0])
    masked = _masked(decoded)
    return masked if masked != decoded else word[0]


def _decoded(text: str) -> str:
    """``text`` with percent-encoding taken off, however often it was put on (five times is more than anybody does)."""
    for _ in range(5):
        again = unquote(text)
        if again == text:
            break
        text = again
    return text


def _masked(found: str) -> str:
    for pattern, word in (
        (_URL, "[address]"),
        (_EMAIL, "[email]"),
        (_IBAN, "[number]"),
        (_LONG_NUMBER, "[number]"),
        (_TOKEN, "[token]"),
    ):
        found = pattern.sub(word, found)
    return found
