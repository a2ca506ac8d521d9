"""What a page, a section, a field or a search is about, told from its name."""

from __future__ import annotations

import re
from typing import Any, Final

from insights.timeline.timeline import TimelineEvent

MOST_LOOKED_AT: Final = 512
"""Characters of a text that are looked at: names are short, and what is longer is not a name."""


def _words(*words: str) -> re.Pattern[str]:
    # A word may stand inside a CSS class, a path or a camelCase name, so only a letter before it rules it out.
    return re.compile(rf"(?<![a-z])(?:{'|'.join(words)})", re.IGNORECASE)


# Shops name their paths in their customers' language: English, German, French, Spanish, Italian and Dutch here.
BUYING: Final = _words(
    "cart",
    "basket",
    "bag(?![a-z])",
    "checkout",
    "order",
    "payment",
    "pay(?![a-z])",
    "purchase",
    "warenkorb",
    "kasse",
    "bestell",
    "panier",
    "caisse",
    "commande",
    "carrito",
    "cesta",
    "pedido",
    "carrello",
    "winkelwagen",
)
CART: Final = _words(
    "cart", "basket", "bag(?![a-z])", "warenkorb", "panier", "carrito", "cesta", "carrello", "winkelwagen"
)
PAYING: Final = _words(
    "pay", "zahlung", "paiement", "pago", "pagamento", "stripe", "klarna", "adyen", "braintree", "mollie"
)
COUPON: Final = _words(
    "coupon", "voucher", "discount", "promo", "gift-?card", "gutschein", "rabatt", "remise", "descuento"
)
PRICE: Final = _words(
    "price",
    "total",
    "subtotal",
    "cost",
    "amount",
    "fee(?![a-z])",
    "fees",
    "duties",
    "sum(?![a-z])",
    "summary",
    "preis",
    "summe",
    "kosten",
    "versandkosten",
    "prix",
    "frais",
    "precio",
    "prezzo",
    "prijs",
)
DELIVERY: Final = _words(
    "shipping", "delivery", "postage", "versand", "liefer", "livraison", "envio", "spedizione", "verzend"
)
POLICY: Final = _words(
    "return",
    "refund",
    "securit",
    "secure",
    "privacy",
    "terms",
    "guarantee",
    "warrant",
    "assurance",
    "trust",
    "about",
    "contact",
    "imprint",
    "legal",
    "certificat",
    "polic",
    "impressum",
    "widerruf",
    "r[uü]ck(?:gabe|send)",
    "ruecks?",
    "agb(?![a-z])",
    "datenschutz",
    "garantie",
    "[uü]ber-?uns",
    "ueber-?uns",
    "kontakt",
    "sicher",
    "retour",
    "qui-sommes",
    "mentions-legales",
    "confidentialite",
    "a-?propos",
    "devoluci",
    "privacidad",
    "aviso-legal",
    "quienes-somos",
    "chi-siamo",
    "reso(?![a-z])",
)
REVIEWS: Final = _words(
    "review", "rating", "testimonial", "bewertung", "avis(?![a-z])", "opinion", "valoracion", "recension"
)
PAYMENT_FIELD: Final = _words("card", "cc-?", "cvc", "cvv", "iban", "payment", "expiry", "karte", "carte", "tarjeta")
ACCOUNT: Final = _words("register", "registration", "sign-?up", "signup", "create-?account", "account", "log-?in")
CALL_TO_ACTION: Final = _words("cta", "buy", "add-?to", "checkout", "pay(?![a-z])", "order", "submit", "button")
PRODUCT_NAME: Final = _words("title", "name", "product", "headline", "sku", "model")
RECOMMENDED: Final = _words(
    "recommend",
    "related",
    "similar",
    "also[- ]",
    "beside",
    "upsell",
    "cross-?sell",
    "you[- ]may",
    "together",
    "complete[- ]the",
    "goes[- ]well",
    "matching",
    "empf(?:e|o)hl",
    "passend",
    "[aä]hnlich",
    "das k[oö]nnte",
    "vous aimerez",
    "recomendad",
)
COMPARING: Final = _words("compare", "comparison", "versus", "vs(?![a-z])", "vergleich", "comparer", "comparar")
SPECIFICATIONS: Final = _words(
    "spec", "technical", "dimension", "measure", "energy[- ]label", "datenblatt", "technische", "caracter", "medidas"
)
CHEAPER: Final = _words(
    "cheap",
    "sale(?![a-z])",
    "clearance",
    "outlet",
    "deal",
    "offers?(?![a-z])",
    "coupon",
    "voucher",
    "discount",
    "angebot",
    "g[uü]nstig",
    "gutschein",
    "rabatt",
    "sonderangebot",
    "soldes",
    "promotions?(?![a-z])",
    "ofertas?(?![a-z])",
    "rebajas",
)
HARMLESS: Final = _words(
    "resizeobserver", "script error", "analytics", "collect(?![a-z])", "beacon", "telemetry", "pixel", "tracking", "gtm"
)
"""Errors that browsers and trackers make on healthy pages; they keep nobody from anything."""
DOUBT: Final = _words("scam", "legit", "fake", "safe", "trust", "refund", "return", "review", "warrant")
SORTED_BY_PRICE: Final = re.compile(r"[?&](?:sort|order|sort_by|orderby)=[^&]{0,40}(?:price|cheap)", re.IGNORECASE)


def text(event: TimelineEvent, name: str) -> str:
    """A text prop, cut to what is looked at; "" when it is missing or no text."""
    value: Any = event.props.get(name)
    return value[:MOST_LOOKED_AT] if isinstance(value, str) else ""


def number(event: TimelineEvent, name: str) -> float | None:
    """A number prop; None when it is missing or no number."""
    value: Any = event.props.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def spot(event: TimelineEvent) -> str:
    """Where on the page: the event's section and selector."""
    return f"{text(event, 'section')} {text(event, 'selector')}"


def request_path(event: TimelineEvent) -> str:
    """The path of a failed request without host and query."""
    path = text(event, "path").partition("?")[0]
    return "/" + path.partition("://")[2].partition("/")[2] if "://" in path else path


def is_foreign(event: TimelineEvent) -> bool:
    """True for a request to another origin: the SDK writes the origin only then."""
    return "://" in text(event, "path")
