"""What branches may ask of the messages that a run has sent: whether, and what became of them. Pure.

``delivery.opened("mail")`` asks of one send step, ``delivery.opened`` of all that the run has sent so far.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from flows.conditions import Asked, Field, Known, Param, Type
from flows.definition import PLACE

_STEP: Final = Param("step", Type.TEXT, "The send step; left out: any that the run has passed.", optional=True)
_HEARD: Final = {
    "delivered": "The provider says that it was delivered.",
    "opened": "It was opened; many mail programs do that by themselves, and some never say.",
    "clicked": "A link in it was clicked.",
    "bounced": "It bounced.",
    "complained": "They called it spam.",
    "unsubscribed": "They unsubscribed by it.",
}
STATUSES: Final = ("accepted", "rejected", "suppressed", "unknown", "skipped")

DELIVERY_FIELDS: Final = (
    Field(
        "delivery.status",
        Type.CHOICE,
        "What the send came to; skipped when there was none.",
        choices=STATUSES,
        params=(_STEP,),
        places=frozenset({PLACE}),
    ),
    Field(
        "delivery.sent",
        Type.BOOLEAN,
        "It went out, as far as anybody knows.",
        params=(_STEP,),
        places=frozenset({PLACE}),
    ),
    *(
        Field(f"delivery.{kind}", Type.BOOLEAN, says, params=(_STEP,), places=frozenset({PLACE}))
        for kind, says in _HEARD.items()
    ),
)
_NAMES: Final = frozenset(field.name for field in DELIVERY_FIELDS)


@dataclass(frozen=True, slots=True)
class SentStep:
    """A message of the run, the earlier ones first: its step, its status, what its provider reported."""

    step: str
    status: str
    heard: Collection[str] = ()


def asks_for_deliveries(asked: Iterable[Asked]) -> bool:
    """Whether any of these fields is about the run's messages."""
    return any(name in _NAMES for name, _ in asked)


def known_of_deliveries(asked: Iterable[Asked], sent: Collection[SentStep]) -> dict[Asked, Known]:
    """The fields among those asked for that are about the run's messages."""
    found: dict[Asked, Known] = {}
    for name, args in asked:
        if name not in _NAMES:
            continue
        ours = [one for one in sent if not args or one.step == args[0]]
        what = name.removeprefix("delivery.")
        if what == "status":
            status = ours[-1].status if ours else "skipped"
            found[name, args] = status if status in STATUSES else "unknown"
        elif what == "sent":
            found[name, args] = any(one.status in ("accepted", "unknown") for one in ours)
        else:
            found[name, args] = any(what in one.heard for one in ours)
    return found
