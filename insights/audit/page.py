"""Draws an audit as one page that needs nothing else: it can be mailed, printed, and read in the dark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from insights.viewer.wording import label, money
from insights.vocabulary.shares import percent

ASSUMPTIONS: Final = {
    "comes_back": "Come back and order by themselves",
    "address": "Can be written to where no address is known",
    "mail_effect": "Order because of a message",
    "live_effect": "Order because of something shown in time",
}
STEPS: Final = {
    "looked": "Came",
    "product": "Looked at a product",
    "cart": "Put something in the cart",
    "checkout": "Started the checkout",
    "payment": "Reached the payment",
    "order": "Ordered",
}
_WIDTH: Final = 480


def page(found: Mapping[str, object]) -> str:
    """The page of ``report.document``. Every text in it was written by strangers and is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"label": label, "percent": percent, "number": _number, "money": _amounts}
    environment.globals |= {
        "steps": STEPS,
        "assumptions": ASSUMPTIONS,
        "range": money_range,
        "bar": _bar,
        "width": _WIDTH,
    }
    return environment.get_template("page.html").render(found=found, lost=found["visits_with_an_order"] is not None)


def money_range(ends: Mapping[str, int], currency: str) -> str:
    """Two amounts, e.g. €120.00 to €1,400.00."""
    code = None if currency == "unknown" else currency
    return f"{money(ends['low'], code)} to {money(ends['high'], code)}"


def _amounts(by_currency: Mapping[str, int]) -> str:
    found = [money(minor, None if code == "unknown" else code) for code, minor in by_currency.items()]
    return " + ".join(found[:3]) or "–"


def _number(value: int) -> str:
    return f"{value:,}"


def _bar(value: float, most: float) -> float:
    """How long a bar is, of ``_WIDTH``: something is never drawn as nothing."""
    if value <= 0 or most <= 0:
        return 0.0
    return round(max(2.0, _WIDTH * value / most), 1)
