"""Counts each order once: a page of thanks that is loaded or opened again tells again, and so may a server. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from msgspec import structs

from insights.audit.exports import Happening

MOST: Final = 1_000_000
"""Orders that are remembered, the latest."""


@dataclass(slots=True)
class _Told:
    visitor: bytes
    at_ms: int
    valued: bool


def told_once(happenings: Iterable[Happening], gap_ms: int) -> Iterator[Happening]:
    """``happenings``, about in the order of time. What an order came to is told once; and where its visitor tells of it
    again after a visit may have ended, it is left out: that visit ordered nothing."""
    known: OrderedDict[bytes, _Told] = OrderedDict()
    for one in happenings:
        order = one.props.get("order_id") if one.type == "purchased" else None
        if not isinstance(order, str):
            yield one
            continue
        key, visitor, valued = _short(order), _short(one.visitor), one.props.get("value_minor") is not None
        first = known.get(key)
        if first is None:
            known[key] = _Told(visitor, one.at_ms, valued)
            if len(known) > MOST:
                known.popitem(last=False)
            yield one
        elif first.visitor != visitor or one.at_ms - first.at_ms <= gap_ms:
            yield _without_worth(one) if first.valued else one
            first.valued = first.valued or valued


def _without_worth(one: Happening) -> Happening:
    return structs.replace(one, props={name: value for name, value in one.props.items() if name != "value_minor"})


def _short(name: str) -> bytes:
    return blake2b(name.encode(errors="replace"), digest_size=8).digest()
