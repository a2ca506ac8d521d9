"""Shopify pays back in the customer's currency and counts orders in the shop's: what a refund says of both. Pure.

Wherever a refund breaks an amount down, it stands there twice, as ``shop_money`` and as ``presentment_money``; after
"Refund" in Shopify's Admin API reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from insights.events.dialects import commerce
from insights.events.dialects.translation import mapping, text

_PARTS: Final = {
    "refund_line_items": ("subtotal_set", "total_tax_set"),
    "order_adjustments": ("amount_set", "tax_amount_set"),
    "refund_shipping_lines": ("subtotal_amount_set",),
}
_UNDER_WAY: Final = ("success", "pending")
"""What is pending is told of only once: nothing is counted as earned that may have gone back."""


def given_back(refund: Mapping[str, Any], ordered: str | None) -> dict[str | None, int]:
    """What the transactions of a refund gave back, in minor units by currency; nothing where only things came back.

    ``ordered``: in which the order is stored, where it is. Raises Untranslatable.
    """
    paid: dict[str | None, int] = {}
    for index, item in enumerate(refund["transactions"]):
        path = f"transactions.{index}"
        transaction = mapping(item, path)
        if transaction.get("kind") == "refund" and transaction.get("status") in _UNDER_WAY:
            code = commerce.currency(transaction, f"{path}.")
            paid[code] = paid.get(code, 0) + abs(commerce.amount(transaction, ("amount",), code, f"{path}.") or 0)
    back: dict[str | None, int] = {}
    for theirs, amount in paid.items():
        if amount:
            amount, code = _as_the_order_counts(refund, amount, theirs, ordered)
            back[code] = back.get(code, 0) + amount
    return back


def _as_the_order_counts(
    refund: Mapping[str, object], paid: int, code: str | None, ordered: str | None
) -> tuple[int, str | None]:
    """``paid`` minor units of ``code`` in the currency of the order, by the refund's own rate.

    ``ordered``: in which the order is stored, where it is: a page tells of it in the customer's, Shopify in the shop's.
    As they are where they are in that one or the refund tells of no rate. Raises Untranslatable.
    """
    if code is None or code == ordered:
        return paid, code
    theirs = ours = 0
    currency = code
    for path, amounts in _amounts(refund):
        presentment, presentment_code = _money(amounts, "presentment_money", path)
        shop, shop_code = _money(amounts, "shop_money", path)
        if presentment and shop and presentment_code == code and shop_code is not None:
            theirs, ours, currency = theirs + presentment, ours + shop, shop_code
    if currency == code or not theirs:
        return paid, code
    return round(Fraction(paid * ours, theirs)), currency


def _amounts(refund: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, fields in _PARTS.items():
        items = refund.get(name)
        for index, item in enumerate(items[: commerce.MOST_ITEMS] if isinstance(items, list) else ()):
            for field in fields:
                path = f"{name}.{index}.{field}"
                yield path, mapping(mapping(item, f"{name}.{index}").get(field), path)


def _money(amounts: Mapping[str, object], kind: str, path: str) -> tuple[int, str | None]:
    money = mapping(amounts.get(kind), f"{path}.{kind}")
    code = text(money.get("currency_code"), f"{path}.{kind}.currency_code")
    return abs(commerce.amount(money, ("amount",), code, f"{path}.{kind}.") or 0), code
