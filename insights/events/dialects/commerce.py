"""What all shop dialects have in common: a product, a list of products, an amount, a step of the checkout.

They differ in the names of fields only, so each gives the names it uses. Money comes in major units and leaves in minor
ones. Every reader raises Untranslatable naming the field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from insights.events.dialects.translation import Untranslatable, text
from insights.vocabulary.checkout import CHECKOUT_STEPS
from insights.vocabulary.events import PROPS
from insights.vocabulary.money import to_minor

MOST_ITEMS: Final = 100
_MOST_BYTES: Final = 24_000
"""So much of an event (``Limits.event_bytes``) its products may fill: the rest is the order's."""


@dataclass(frozen=True, slots=True)
class ProductFields:
    """Under which names a dialect has a product's parts, the likeliest first."""

    id: tuple[str, ...]
    name: tuple[str, ...]
    category: tuple[str, ...]
    price: tuple[str, ...]
    quantity: tuple[str, ...]


def first(source: Mapping[str, object], names: Sequence[str]) -> tuple[str, Any]:
    """The first of ``names`` that says something, with its value; the last name and None if none does."""
    for name in names:
        if source.get(name) not in (None, ""):
            return name, source[name]
    return names[-1], None


def currency(source: Mapping[str, object], path: str) -> str | None:
    """A three-letter code in capitals."""
    code = text(source.get("currency"), f"{path}currency")
    if code is None:
        return None
    code = code.strip().upper()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise Untranslatable(f"{path}currency: must be a three-letter code of ISO 4217, like EUR")
    return code


def amount(source: Mapping[str, object], names: Sequence[str], code: str | None, path: str) -> int | None:
    """The first of ``names`` that is there, in minor units."""
    name, value = first(source, names)
    if value is None:
        return None
    try:
        return to_minor(value, code)
    except ValueError as error:
        raise Untranslatable(f"{path}{name}: {error}") from None


def quantity(source: Mapping[str, object], names: Sequence[str], path: str) -> int | None:
    """A whole number from 0 up; texts of digits count."""
    number = _number(source, names, path)
    if number is not None and number != int(number):
        raise Untranslatable(f"{path}{first(source, names)[0]}: must be a whole number from 0 up")
    return None if number is None else int(number)


def _number(source: Mapping[str, object], names: Sequence[str], path: str) -> float | None:
    name, value = first(source, names)
    if value is None:
        return None
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if not 0 <= number <= 2**53:
        raise Untranslatable(f"{path}{name}: must be a number from 0 up")
    return number


def product(source: Mapping[str, object], fields: ProductFields, code: str | None, path: str) -> dict[str, Any] | None:
    """Our props of a product; None when nothing tells which product it is. ``code``: the currency of what it is told
    in; one of its own goes before it. What is sold by weight or length is one piece of what its weight costs."""
    read = _parts(source, fields, code, path)
    return read if "product_id" in read else None


def products(source: object, fields: ProductFields, code: str | None, path: str) -> list[dict[str, Any]]:
    """All products of an order or a cart, also those that cannot be told apart: they cost something, too. What cannot
    be read of one is left out: that is no reason to refuse a whole order."""
    if source is None:
        return []
    if not isinstance(source, list):
        raise Untranslatable(f"{path}: must be a list of products")
    return [_readable(item if isinstance(item, dict) else {}, fields, code) for item in source if item]


Worth = Callable[
    [Mapping[str, Any], Sequence[str], str | None, Sequence[Mapping[str, Any]], str], tuple[int | None, str | None]
]
"""Finds what a list of products comes to, as ``total`` does."""


def given_back(
    source: Mapping[str, object],
    names: Sequence[str],
    code: str | None,
    items: Sequence[Mapping[str, object]],
    path: str,
) -> tuple[int | None, str | None]:
    """How much of an order was given back, as ``total`` has it, and in which currency; None: all of it. Who lists
    ``items`` means those: what they come to must be known, or the whole order would be taken back."""
    value, code = total(source, names, code, items, path)
    if value is None and items:
        raise Untranslatable(f"{path}{names[0]}: is missing; say what was given back, for the products do not tell")
    return value, code


def named(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Those products that can be told apart, as many as are kept; None if there are none. Of a hundred with long names
    the first: an order that is larger than an event may be would be lost."""
    kept: list[dict[str, Any]] = []
    room = _MOST_BYTES
    for item in items:
        if "product_id" in item:
            room -= len(json.dumps(item, ensure_ascii=False).encode(errors="replace"))
            if room < 0 or len(kept) == MOST_ITEMS:
                break
            kept.append(item)
    return kept or None


def pieces(items: Sequence[Mapping[str, Any]]) -> int:
    """How many things a list of products holds."""
    return sum(int(item.get("quantity", 1)) for item in items)


def total(
    source: Mapping[str, Any], names: Sequence[str], code: str | None, items: Sequence[Mapping[str, Any]], path: str
) -> tuple[int | None, str | None]:
    """What a list of products costs together, in minor units, and in which currency: the first of ``names`` that is
    there, else what ``items`` add up to. Prices in several currencies add up to nothing: no rate is guessed."""
    codes = {item.get("currency") for item in items}
    theirs = next(iter(codes)) if len(codes) == 1 else None
    value = amount(source, names, code or theirs, path)
    if value is None and len(codes) == 1:
        return _worth(items), theirs
    return value, code or theirs


def _worth(items: Sequence[Mapping[str, Any]]) -> int | None:
    if any("price_minor" not in item for item in items):
        return None
    return sum(int(item["price_minor"]) * int(item.get("quantity", 1)) for item in items)


def _readable(item: Mapping[str, Any], fields: ProductFields, code: str | None) -> dict[str, Any]:
    try:
        return _parts(item, fields, code, "")
    except Untranslatable:
        said = {name: item[name] for name in (*fields.id, *fields.name) if isinstance(item.get(name), str | int)}
        return _parts(said, fields, _own_currency(item) or code, "")


def _parts(source: Mapping[str, object], fields: ProductFields, code: str | None, path: str) -> dict[str, Any]:
    code = _own_currency(source) or code
    name, value = first(source, fields.id)
    identifier = text(value, f"{path}{name}")
    title_field, title = first(source, fields.name)
    title = text(title, f"{path}{title_field}")
    category_field, category = first(source, fields.category)
    price, count = amount(source, fields.price, code, path), _number(source, fields.quantity, path)
    if count is not None and count != int(count):
        price, count = None if price is None else math.floor(price * count + 0.5), 1
    return _without_none(
        {
            "product_id": identifier or title,
            "name": title,
            "category": text(category, f"{path}{category_field}"),
            "price_minor": price,
            "quantity": None if count is None else int(count),
            "currency": code,
        }
    )


def _own_currency(source: Mapping[str, object]) -> str | None:
    """What cannot be read is no reason to refuse a whole order."""
    try:
        return currency(source, "")
    except Untranslatable:
        return None


def next_step(step: str) -> str:
    """The step that comes after one that is done."""
    return CHECKOUT_STEPS[min(CHECKOUT_STEPS.index(step) + 1, len(CHECKOUT_STEPS) - 1)]


def checkout_step(value: object) -> str:
    """Our word for a step that is a number from 1 up or a name of the shop's own."""
    said = str(value).strip().lower()
    if said.isdecimal() and len(said) < 6:
        return CHECKOUT_STEPS[min(max(int(said), 1), len(CHECKOUT_STEPS)) - 1]
    for step, words in _STEP_WORDS.items():
        if any(word in said for word in words):
            return step
    return "contact"


_STEP_WORDS: Final = {
    "shipping": ("shipping", "delivery", "address"),
    "payment": ("payment", "billing", "card"),
    "review": ("review", "confirm", "summary"),
}


def promotion_kind(*words: str | None) -> str | None:
    """Which of our kinds a promotion is, by what its name says, a code where it says nothing; None without a name."""
    said = " ".join(word for word in words if word).lower()
    if not said:
        return None
    for kind, hints in _PROMOTION_HINTS.items():
        if any(hint in said for hint in hints):
            return kind
    return "code"


_PROMOTION_HINTS: Final = {
    "free_shipping": ("free shipping", "free_shipping", "freeshipping", "free-shipping", "free delivery"),
    "countdown": ("countdown", "ends in", "last chance", "flash"),
    "low_stock": ("low stock", "low_stock", "only a few", "selling fast"),
}


def props_of(type: str, said: Mapping[str, object], used: Sequence[str], known: Mapping[str, object]) -> dict[str, Any]:
    """The props of an event of ``type``: those ``known``, and whatever else was said under names that are not ours."""
    ours = PROPS[type].__struct_encode_fields__
    rest = {name: value for name, value in said.items() if name not in used and name not in ours}
    return {**rest, **_without_none(known)}


def _without_none(values: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
