"""What an event says under a name that is none of ours, though it is something we read: it is kept, and counts for
nothing. Pure.

Whoever sends it is told so, for nothing else would show it: no mail ever reaches who was named in ``mail``, an order of
``value: 49.99`` has no worth, and one of the type ``orderCompleted`` is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from insights.events.dialects.names import GA4, SEGMENT, SHOPIFY_PIXEL
from insights.events.wire import WireEvent
from insights.vocabulary.events import PROPS

_MONEY: Final = ("value", "total", "amount", "price", "revenue", "ordervalue", "ordertotal", "totalprice", "totalvalue")
_PRICE: Final = {"price_minor": ("priceminor", "price", "unitprice", "itemprice")}
_CART: Final = {"cart_value_minor": ("cartvalueminor", "cartvalue", "carttotal", "total")}
_ORDER: Final = {"value_minor": ("valueminor", *_MONEY)}
_MEANT: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "identified": {
        "email": ("email", "mail", "emailaddress", "mailaddress", "useremail", "customeremail"),
        "phone": (
            "phone",
            "phonenumber",
            "telephone",
            "telephonenumber",
            "tel",
            "mobile",
            "mobilephone",
            "mobilenumber",
        ),
        "user_id": ("userid",),
    },
    "product_viewed": _PRICE,
    "cart_added": _PRICE | _CART,
    "cart_removed": _PRICE | _CART,
    "checkout_started": {"cart_value_minor": (*_CART["cart_value_minor"], *_MONEY)},
    "purchased": _ORDER,
    "refunded": _ORDER,
}
_OURS: Final = {type: {near: ours for ours, nears in meant.items() for near in nears} for type, meant in _MEANT.items()}


def _letters(name: str) -> str:
    return re.sub(r"[\s_.-]", "", name).lower()


_TYPES: Final = {
    **{_letters(theirs): ours for table in (SEGMENT, GA4, SHOPIFY_PIXEL) for theirs, ours in table.items()},
    **{_letters(ours): ours for ours in PROPS if ours != "custom"},
}
_CALLED: Final[Mapping[str | None, tuple[str, Mapping[str, str]]]] = {
    "segment": ("event", {_letters(name): name.title() for name in SEGMENT}),
    "ga4": ("name", {_letters(name): name for name in GA4}),
    "shopify_pixel": ("name", {}),
}
"""Dialect → the field that an event's name stands in, and what the names of known ones are there. All others: ours."""
LOOKED_AT: Final = frozenset(_MEANT) | {"custom"}
"""Types of events that have such names."""
_MOST: Final = 200
"""So many names are looked at: nobody says what matters in the last of a thousand."""
_LONGEST: Final = 40
_IN_SEGMENTS: Final = {"email": "traits.email", "phone": "traits.phone", "user_id": "userId"}


class NearMiss(Struct, frozen=True):
    """An event that is kept, and in which something counts for nothing, with what to send instead."""

    id: str
    error: str


def near_misses(events: Iterable[WireEvent]) -> list[NearMiss]:
    """Those of the events that ``near_miss`` has something to say of."""
    said = ((event.id, near_miss(event.type, event.props)) for event in events if event.type in LOOKED_AT)
    return [NearMiss(str(id), error) for id, error in said if error]


def near_miss(type: str, props: Mapping[str, Any], dialect: str | None = None) -> str | None:
    """What to write instead, where an event's ``props`` name something of ours by another name, and by ours do not, or
    where it is ``custom`` for its own name is such a one. ``dialect``: that it came in. None where nothing is amiss."""
    if type == "custom":
        return near_type(props.get("name"), dialect)
    if type not in _OURS:
        return None
    traits = props.get("traits") if type == "identified" else None
    for where, said in (("", props), ("traits.", traits if isinstance(traits, Mapping) else {})):
        for name, value in islice(said.items(), _MOST):
            ours = _meant_by(type, name) if len(name) <= _LONGEST else None
            if ours is not None and _is_said(value) and not _is_said(props.get(ours)):
                return f"{where}{name}: {_instead(ours)}"
    return None


def near_type(name: object, dialect: str | None = None) -> str | None:
    """What to call an event of that ``name`` in its ``dialect``, where it is known by another spelling, or by what it
    is called elsewhere. None where the name is the shop's own, and where it is known and what it says is too little."""
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST:
        return None
    where, known = _CALLED.get(dialect, ("type", _TYPES))
    says = known.get(_letters(name))
    if says is None or says in (name, re.sub(r"[\s_-]+", " ", name).strip().title()):
        return None
    return f"{where}: {name} is kept as custom and counts for nothing; say it as {says}"


@lru_cache(4_096)
def _meant_by(type: str, name: str) -> str | None:
    """What of ours the name is near to. Kept: the same few names come with every event."""
    return _OURS[type].get(_letters(name))


def _instead(ours: str) -> str:
    if ours in _IN_SEGMENTS:
        return f"is kept as a trait and names nobody; say it as {ours} (in Segment's messages {_IN_SEGMENTS[ours]})"
    return f"is kept and counts for nothing; say it as {ours}, in minor units (4999 for 49.99)"


def _is_said(value: object) -> bool:
    return value not in (None, "") and isinstance(value, str | int | float) and not isinstance(value, bool)
