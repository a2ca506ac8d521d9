"""What an identification says under a name that is none of ours: it is kept as a trait, and names nobody. Pure.

Whoever sends it is told so, for nothing else would show it: no mail ever reaches who was named in ``mail``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from insights.events.wire import WireEvent

_MEANT: Final = {
    "email": ("email", "mail", "emailaddress", "mailaddress", "useremail", "customeremail"),
    "phone": ("phone", "phonenumber", "telephone", "telephonenumber", "tel", "mobile", "mobilephone", "mobilenumber"),
    "user_id": ("userid",),
}
_OURS: Final = {near: ours for ours, nears in _MEANT.items() for near in nears}
_MOST: Final = 200
"""So many traits are looked at: nobody names somebody in the last of a thousand."""


class NearMiss(Struct, frozen=True):
    """An event that is kept and names nobody, with what to send instead."""

    id: str
    error: str


def near_misses(events: Iterable[WireEvent]) -> list[NearMiss]:
    """Those of the identifications among the events that ``near_miss`` has something to say of."""
    said = ((event.id, near_miss(event.props)) for event in events if event.type == "identified")
    return [NearMiss(str(id), error) for id, error in said if error]


def near_miss(props: Mapping[str, Any]) -> str | None:
    """What to write instead, where ``props`` of an ``identified`` name an address, a number or an id by another name
    than ours, and by ours none; None where nothing is amiss."""
    traits = props.get("traits")
    for where, said in (("", props), ("traits.", traits if isinstance(traits, Mapping) else {})):
        for name, value in list(said.items())[:_MOST]:
            ours = _OURS.get(re.sub(r"[\s_.-]", "", name).lower()) if len(name) <= 40 else None
            if ours is not None and _is_said(value) and not _is_said(props.get(ours)):
                return f"{where}{name}: is kept as a trait and names nobody; say it as {ours}{_PLACES[ours]}"
    return None


_PLACES: Final = {
    "email": " (in Segment's messages traits.email)",
    "phone": " (in Segment's messages traits.phone)",
    "user_id": " (in Segment's messages userId)",
}


def _is_said(value: object) -> bool:
    return value not in (None, "") and isinstance(value, str | int) and not isinstance(value, bool)
