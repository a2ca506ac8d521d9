"""Makes the load of the benches: batches of ten events as the browser SDK sends them, about 2.1 KB of JSON each."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any, Final

from insights.vocabulary.ids import uuid7

EVENTS: Final = 10
SIDE_BY_SIDE: Final = 100
"""How many visits go on at once: however few of the bodies are sent, as many are first ones as ``a_visit`` says."""

_PAGE: Final = {
    "url": "https://shop.example/product/kettle-7",
    "title": "Kettle 7, 1.7 l, brushed steel",
    "referrer": "",
}
_TEN: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("page_viewed", {"path": "/product/kettle-7", **_PAGE}),
    (
        "product_viewed",
        {"product_id": "kettle-7", "name": "Kettle 7", "category": "kettles", "price_minor": 4999, "currency": "EUR"},
    ),
    ("scrolled", {"depth": 0.42, "section": "description"}),
    ("engaged", {"ms": 3000}),
    ("clicked", {"selector": "div.gallery > button:nth-child(2)", "role": "button", "label": "Next picture"}),
    ("hover_hesitation", {"selector": "span.price", "section": "buy", "ms": 2400}),
    ("scrolled", {"depth": 0.87, "section": "reviews"}),
    ("reviews_viewed", {"product_id": "kettle-7", "count": 12}),
    ("engaged", {"ms": 3000}),
    ("clicked", {"selector": "a.specification", "role": "link", "label": "Specification", "href": "#specification"}),
)


_REST: Final = tuple(f',"type":"{type}","props":{json.dumps(props, separators=(",", ":"))}}}' for type, props in _TEN)
_THEIR_PAGE: Final = json.dumps(_PAGE, separators=(",", ":"))


def _ids(now: int) -> list[str]:
    """A UUIDv7 for each event of a batch. ``uuid7`` takes three times as long, of which there are seconds in a run."""
    time_part, random_part = f"{now:012x}", secrets.token_hex(9 * EVENTS)
    start = f"{time_part[:8]}-{time_part[8:]}-7"
    pieces = [random_part[at : at + 18] for at in range(0, 18 * EVENTS, 18)]
    return [f"{start}{piece[:3]}-a{piece[3:6]}-{piece[6:]}" for piece in pieces]


def bodies(count: int, *, a_visit: int, been_here: bool = False, at_once: int = SIDE_BY_SIDE) -> list[bytes]:
    """``count`` request bodies of visits of ``a_visit`` batches each, ``at_once`` visits side by side.

    Visits of newcomers; with ``been_here`` of visitors whose ids are of last week, whom a process must look for.
    """
    now = int(time.time() * 1000)
    came = now - 7 * 86_400_000 if been_here else now
    visits = [(uuid7(came), uuid7(now)) for _ in range(-(-count // a_visit) + at_once)]
    made = []
    for number in range(count):
        group, place = divmod(number, at_once * a_visit)
        turn, one = divmod(place, at_once)
        visitor, session = visits[group * at_once + one]
        at, ids = now - 5000 + turn * 20, _ids(now)
        events = ",".join(
            [f'{{"id":"{ids[n]}","seq":{turn * EVENTS + n},"t":{at + n}{rest}' for n, rest in enumerate(_REST)]
        )
        made.append(
            f'{{"visitor":"{visitor}","session":"{session}","tab":"t1","sent_at":{now},"page":{_THEIR_PAGE},'
            f'"events":[{events}]}}'.encode()
        )
    return made
