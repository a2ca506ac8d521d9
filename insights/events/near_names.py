"""What an event says under a name that is none of ours, though it is something we read: it is kept, and counts for
nothing. Pure.

Whoever sends it is told so, for nothing else would show it: no mail ever reaches who was named in ``mail``, and an
order of ``value: 49.99`` has no worth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from insights.events.wire import WireEvent

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
LOOKED_AT: Final = frozenset(_MEANT)
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


def near_miss(type: str, props: Mapping[str, Any]) -> str | None:
    """What to write instead, where an event's ``props`` name something of ours by another name, and by ours do not.
    None where nothing is amiss."""
    if type not in _OURS:
        return None
    traits = props.get("traits") if type == "identified" else None
    for where, said in (("", props), ("traits.", traits if isinstance(traits, Mapping) else {})):
        for name, value in islice(said.items(), _MOST):
            ours = _meant_by(type, name) if len(name) <= _LONGEST else None
            if ours is not None and _is_said(value) and not _is_said(props.get(ours)):
                return f"{where}{name}: {_instead(ours)}"
    return None


@lru_cache(4_096)
def _meant_by(type: str, name: str) -> str | None:
    """What of ours the name is near to. Kept: the same few names come with every event."""
    return _OURS[type].get(re.sub(r"[\s_.-]", "", name).lower())


def _instead(ours: str) -> str:
    if ours in _IN_SEGMENTS:
        return f"is kept as a trait and names nobody; say it as {ours} (in Segment's messages {_IN_SEGMENTS[ours]})"
    return f"is kept and counts for nothing; say it as {ours}, in minor units (4999 for 49.99)"


def _is_said(value: object) -> bool:
    return value not in (None, "") and isinstance(value, str | int | float) and not isinstance(value, bool)
