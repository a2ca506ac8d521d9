"""What a recovery mail may say: the facts of a run and the parameters of its step as values for a template.

Pure. Whatever the facts hold, the values are short single lines, amounts are written out, and links lead to the shop
only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from insights.recovery.kept import Kept
from insights.recovery.money import money
from insights.recovery.plain import currency, one_line, unlinked, whole

MOST_THINGS: Final = 10
MOST_ANSWERS: Final = 6
MOST_NAME: Final = 80


def things_of_cart(trigger: Mapping[str, object]) -> tuple[list[dict[str, Any]], str]:
    """The lines of the cart and its total ("" when it is not known, or not that of the lines shown)."""
    cart = _mapping(trigger.get("cart"))
    code = currency(cart.get("currency"))
    items = _items(cart.get("items"))
    lines = [_line(item, code, whole(item.get("quantity")) or 1) for item in items]
    value = whole(cart.get("value_minor"))
    return lines[:MOST_THINGS], money(value, code) if value and lines else ""


def things_seen(trigger: Mapping[str, object]) -> list[dict[str, Any]]:
    """The products looked at, each with its price."""
    return [_line(item, currency(item.get("currency")), 1) for item in _items(trigger.get("products"))][:MOST_THINGS]


def answers_of(params: Mapping[str, object]) -> list[dict[str, str]]:
    """The step's own question-and-answer pairs; what is none of that shape is left out."""
    given = params.get("answers")
    pairs = [
        {"question": one_line(pair.get("question"), 120), "answer": one_line(pair.get("answer"), 600)}
        for pair in (given if isinstance(given, list) else [])
        if isinstance(pair, Mapping)
    ]
    return [pair for pair in pairs if pair["question"] and pair["answer"]][:MOST_ANSWERS]


def way_back(
    trigger: Mapping[str, object], shop_url: str, allowed_origins: Sequence[str], medium: str = "email"
) -> str | None:
    """Where the button leads: ``shop_url``, or without one the page they left, if it lies in the shop.

    The page comes from events, which anybody with the public key can write: only an origin that the project allows by
    name is believed. None when there is nowhere to send them.
    """
    reason = one_line(_mapping(trigger.get("insight")).get("reason"), 40)
    if shop_url:
        return _tagged(shop_url, reason, medium)
    left = _mapping(trigger.get("session")).get("exit_url")
    if not isinstance(left, str):
        return None
    parts = urlsplit(left)
    if f"{parts.scheme}://{parts.netloc}" not in {origin.rstrip("/") for origin in allowed_origins}:
        return None
    return _tagged(left, reason, medium)


def cart_link(link: str, pattern: object, token: str, trigger: Mapping[str, object]) -> str:
    """The way back to the cart as it was left: the step's own ``pattern`` with {items} and {token} filled in, or
    ``link`` with whyleft_cart=<token>, which the shop's page reads the cart with (GET /v1/carts/{token})."""
    if isinstance(pattern, str) and pattern.startswith(("http://", "https://")):
        items = [
            f"{quote(str(item.get('product_id')), safe='')}:{whole(item.get('quantity')) or 1}"
            for item in _items(_mapping(trigger.get("cart")).get("items"))
            if item.get("product_id")
        ]
        return pattern.replace("{items}", ",".join(items)).replace("{token}", token)
    parts = urlsplit(link)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("whyleft_cart", token)]
    return urlunsplit(parts._replace(query=urlencode(query)))


def kept_values(trigger: Mapping[str, object]) -> Kept:
    """What the visitor wrote into the fields that were to be kept; "" for any other."""
    return Kept({name: one_line(value, 200) for name, value in _mapping(trigger.get("form")).items()})


def first_name(traits: Mapping[str, object]) -> str:
    """The visitor's first name as the shop told it, "" where it did not."""
    for key in ("first_name", "firstName", "firstname"):
        if name := unlinked(traits.get(key), 60):
            return name
    return ""


def reason_of(trigger: Mapping[str, object]) -> str:
    """Why they left, "" where no insight started it."""
    return one_line(_mapping(trigger.get("insight")).get("reason"), 40)


def until(expires_at: datetime, zone: tzinfo) -> str:
    """``Sunday 29 March, 14:00 CEST``."""
    local = expires_at.astimezone(zone)
    return f"{local:%A} {local.day} {local:%B, %H:%M} {local.tzname() or ''}".rstrip()


def _line(item: Mapping[str, object], code: str | None, quantity: int) -> dict[str, Any]:
    price = whole(item.get("price_minor"))
    name = unlinked(item.get("name"), MOST_NAME) or unlinked(item.get("product_id"), MOST_NAME)
    return {
        "name": name,
        "product_id": unlinked(item.get("product_id"), 128),
        "quantity": quantity,
        "price": "" if price is None else money(price * quantity, code),
    }


def _items(value: object) -> list[Mapping[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, Mapping) and (item.get("name") or item.get("product_id"))]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _tagged(url: str, reason: str, medium: str) -> str:
    """``url`` with the usual campaign tags, so that the shop's own statistics see where the visit came from."""
    parts = urlsplit(url)
    tags = {"utm_source": "whyleft", "utm_medium": medium, "utm_campaign": reason or "recovery"}
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in tags]
    return urlunsplit(parts._replace(query=urlencode([*query, *tags.items()])))
