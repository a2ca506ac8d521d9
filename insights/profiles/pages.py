"""What kind of page a path is, and which address may be offered to a visitor as a way back."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode

LONGEST_PATH: Final = 160


class PageKind(StrEnum):
    """The pages that mean something in any shop."""

    HOME = "home"
    CART = "cart"
    CHECKOUT = "checkout"
    POLICY = "policy"
    CONTACT = "contact"
    OTHER = "other"


# Segments as shops in English, German, French, Dutch, Spanish and Italian name them.
_CHECKOUT: Final = frozenset(
    {"checkout", "checkouts", "payment", "kasse", "caisse", "paiement", "afrekenen", "pago", "zahlung", "cassa"}
)
_CART: Final = frozenset(
    {"cart", "basket", "bag", "warenkorb", "panier", "winkelwagen", "winkelmandje", "carrito", "carrello"}
)
_CONTACT: Final = frozenset({"contact", "contact-us", "kontakt", "contacto", "contatti", "support", "help"})
_POLICY: Final = frozenset(
    {
        "return",
        "returns",
        "refund",
        "refunds",
        "shipping",
        "delivery",
        "warranty",
        "guarantee",
        "privacy",
        "security",
        "policy",
        "policies",
        "terms",
        "faq",
        "rueckgabe",
        "retoure",
        "retouren",
        "widerruf",
        "versand",
        "garantie",
        "datenschutz",
        "agb",
        "livraison",
        "retour",
        "verzending",
        "devoluciones",
        "envio",
        "resi",
        "spedizione",
    }
)
_PRODUCT: Final = frozenset({"product", "products", "p", "item", "items", "dp", "produkt", "produkte", "produit"})
_SHELF_PARAMETERS: Final = frozenset({"category", "cat", "collection", "department", "shelf", "c"})
_SPLIT: Final = re.compile(r"[\W_]+")


def event_path(event_type: str, url: str | None, own: object) -> str:
    """The path of the page an event happened on: ``own`` (its path prop) on page views, else the URL's; "" if none."""
    if event_type == "page_viewed" and isinstance(own, str) and own:
        return own
    return _path_of(url) if url else ""


@lru_cache(maxsize=512)
def _path_of(url: str) -> str:
    # By hand: any text must have an answer.
    url = url.partition("#")[0].partition("?")[0]
    scheme = url.find("://")
    start = url.find("/", scheme + 3) if scheme >= 0 else (0 if url.startswith("/") else -1)
    return url[start:] if start >= 0 else ""


@lru_cache(maxsize=4096)
def page_kind(path: str) -> PageKind:
    """What the page at ``path`` (no query) is for. A product's page is OTHER whatever its name says."""
    segments = [segment.partition(".")[0] for segment in path.lower().split("/") if segment]
    if not segments:
        return PageKind.HOME
    if not _CHECKOUT.isdisjoint(segments):
        return PageKind.CHECKOUT
    if not _CART.isdisjoint(segments):
        return PageKind.CART
    if not _PRODUCT.isdisjoint(segments[:-1]):
        return PageKind.OTHER
    if not _CONTACT.isdisjoint(segments):
        return PageKind.CONTACT
    if "policies" in segments or not _POLICY.isdisjoint(_SPLIT.split(segments[-1])):
        return PageKind.POLICY
    return PageKind.OTHER


@lru_cache(maxsize=4096)
def link_to(path: str, url: str) -> str:
    """A link back to a page of the same shop; "" when ``path`` cannot be one.

    Of the query only what names a shelf is kept: the rest may hold somebody's data.
    """
    if not path.startswith("/") or path.startswith(("//", "/\\")) or len(path) > LONGEST_PATH or not path.isprintable():
        return ""
    query = url.partition("?")[2].partition("#")[0][:1024]
    if not query:
        return path
    try:
        kept = [(name, value) for name, value in parse_qsl(query, max_num_fields=32) if name in _SHELF_PARAMETERS]
    except ValueError:
        return path
    if not kept:
        return path
    link = f"{path}?{urlencode(kept[:2], errors='replace')}"
    return link if len(link) <= LONGEST_PATH else path


@lru_cache(maxsize=4096)
def is_shelf_of(link: str, category: str) -> bool:
    """True when the page behind ``link`` names ``category`` in its path or query ("Coffee cups" is "coffee-cups")."""
    slug = _slug(category)
    path, _, query = link.partition("?")
    names = [*unquote(path).split("/"), *(value for _, value in parse_qsl(query))]
    return bool(slug) and any(_slug(name) == slug for name in names)


def _slug(text: str) -> str:
    return "-".join(word for word in _SPLIT.split(text.casefold()) if word)
