"""How much money is at stake: a range, worked out from assumptions that are each printed with the result. Pure.

Nobody can know from old visits what a message would have done to them. So every factor has a low and a high value, says
where it comes from, and can be replaced by the shop's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from insights.audit.tally import Tally

Source = Literal["measured in this export", "assumed", "given by you"]


@dataclass(frozen=True, slots=True)
class Assumption:
    """One factor, a share from 0 to 1. ``low`` is what makes the low end of the money, ``high`` the high end."""

    name: str
    low: float
    high: float
    source: Source
    why: str

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "low": self.low, "high": self.high, "source": self.source, "why": self.why}


MAIL_EFFECT: Final = (0.005, 0.03)
LIVE_EFFECT: Final = (0.0, 0.02)
ADDRESS: Final = (0.1, 0.4)
COMES_BACK: Final = (0.3, 0.05)

_WHY_MAIL: Final = (
    "Of those a message reaches, this share orders who otherwise would not have. Senders report 2 to 5 % of cart mails "
    "followed by an order, but count those who would have come back anyway: that is a ceiling, not an effect."
)
_WHY_LIVE: Final = (
    "Of those who leave a cart after a live action made sense, this share would have ordered. Nothing is promised: the "
    "low end is no effect. A holdout measures it (docs/live-actions.md)."
)


@dataclass(frozen=True, slots=True)
class Given:
    """What the shop itself says, each (low, high) or None. ``margin``: share of an order that is margin."""

    mail_effect: tuple[float, float] | None = None
    live_effect: tuple[float, float] | None = None
    address: tuple[float, float] | None = None
    comes_back: tuple[float, float] | None = None
    margin: float | None = None


NOTHING_GIVEN: Final = Given()


@dataclass(frozen=True, slots=True)
class Money:
    """In minor units of one currency ("" when the export names none). ``carts``: all that was left in carts."""

    currency: str
    carts: int
    low: int
    high: int
    mail: tuple[int, int]
    live: tuple[int, int]
    margin: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Stakes:
    """``money`` by currency, the largest first; empty when nothing can be told, and ``untold`` says why."""

    money: tuple[Money, ...]
    assumptions: tuple[Assumption, ...]
    untold: str | None


def stakes(tally: Tally, back: tuple[int, int, float, float] | None, given: Given) -> Stakes:
    """The range for what was left in carts.

    ``back``: (came back, watched, 95 % from, to) of carts whose visitor ordered within a week by themselves.
    """
    untold = _untold(tally)
    assumptions = _assumptions(tally, back, given)
    if untold is not None:
        return Stakes((), assumptions, untold)
    by_name = {a.name: a for a in assumptions}
    carts: dict[str, int] = {}
    sums: dict[str, dict[str, float]] = {}
    for (currency, flow, address, live), minor in tally.cases.items():
        carts[currency] = carts.get(currency, 0) + minor
        into = sums.setdefault(currency, dict.fromkeys(_PARTS, 0.0))
        for end in ("low", "high"):
            factor = {name: getattr(a, end) for name, a in by_name.items()}
            stays_away = minor * (1 - factor["comes_back"])
            reached = (1.0 if address else factor["address"]) if flow is not None else 0.0
            mail = reached * factor["mail_effect"]
            acted = factor["live_effect"] if live else 0.0
            both = 1 - (1 - mail) * (1 - acted)
            gives = mail * flow.gives if flow is not None else 0.0
            into[f"mail_{end}"] += stays_away * mail
            into[f"live_{end}"] += stays_away * acted
            into[f"both_{end}"] += stays_away * both
            into[f"margin_{end}"] += stays_away * (both * (given.margin or 0.0) - gives)
    money = tuple(_money(currency, carts[currency], part, given) for currency, part in sums.items())
    return Stakes(tuple(sorted(money, key=lambda m: -m.carts)), assumptions, None)


_PARTS: Final = tuple(f"{what}_{end}" for what in ("mail", "live", "both", "margin") for end in ("low", "high"))


def _money(currency: str, carts: int, part: Mapping[str, float], given: Given) -> Money:
    margin = None
    if given.margin is not None:
        ends = sorted((round(part["margin_low"]), round(part["margin_high"])))
        margin = (ends[0], ends[1])
    return Money(
        currency,
        carts,
        round(part["both_low"]),
        round(part["both_high"]),
        (round(part["mail_low"]), round(part["mail_high"])),
        (round(part["live_low"]), round(part["live_high"])),
        margin,
    )


def _untold(tally: Tally) -> str | None:
    if not tally.types["purchased"]:
        return "The export has no orders: which visits were lost, and what they would have brought, cannot be told."
    if not tally.types["cart_added"] and not tally.types["checkout_started"]:
        return (
            "The export says nothing of carts: how much visits that ended without an order were worth cannot be told."
        )
    if not tally.cases:
        return "No cart that was left behind has prices in the export: its worth cannot be told."
    return None


def _assumptions(tally: Tally, back: tuple[int, int, float, float] | None, given: Given) -> tuple[Assumption, ...]:
    if given.comes_back is not None:
        fewest, most = sorted(given.comes_back)
        comes_back = Assumption("comes_back", most, fewest, "given by you", _WHY_BACK)
    elif back is not None:
        came, watched, low, high = back
        why = (
            f"{_WHY_BACK} {came:,} of {watched:,} carts that were watched for a week; the ends are those of the 95 % "
            "interval."
        )
        comes_back = Assumption("comes_back", high, low, "measured in this export", why)
    else:
        comes_back = Assumption(
            "comes_back", *COMES_BACK, "assumed", f"{_WHY_BACK} The export has too few carts a week old to measure it."
        )
    return (
        comes_back,
        _effect("address", given.address, ADDRESS, _why_address(tally)),
        _effect("mail_effect", given.mail_effect, MAIL_EFFECT, _WHY_MAIL),
        _effect("live_effect", given.live_effect, LIVE_EFFECT, _WHY_LIVE),
    )


_WHY_BACK: Final = "Leaves a cart and orders within a week by themselves: nobody needs to win them back."


def _why_address(tally: Tally) -> str:
    known = "Where the export shows an address, it counts as known. " if tally.types["identified"] else ""
    return f"{known}Of those the export shows no address of, the shop can write to this share, with their consent."


def _effect(name: str, given: tuple[float, float] | None, usual: tuple[float, float], why: str) -> Assumption:
    low, high = sorted(given or usual)
    return Assumption(name, low, high, "given by you" if given else "assumed", why)
