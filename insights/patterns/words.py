"""Says a pattern in a few sentences, and finds what is wrong with how a model says it: numbers must be ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from insights.recovery.money import money
from insights.vocabulary.reasons import Kind, Reason
from insights.vocabulary.shares import percent

LONGEST: Final = 700
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_MARKUP = re.compile(r"[<>{}\[\]|`]|https?:|www\.|\*\*")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is told. Shares are 0..1; ``label`` names the cell; ``at_stake`` is minor units by currency."""

    dimension: str
    label: str
    kind: Kind
    reason: Reason
    before: float
    before_low: float
    before_high: float
    after: float
    after_low: float
    after_high: float
    sessions: int
    cell_sessions: int
    began_at: datetime
    also: Sequence[str]
    at_stake: Mapping[str, int]

    @property
    def rises(self) -> bool:
        return self.after > self.before


def headline(facts: Facts) -> str:
    """One line: what changed, and where."""
    way = "up" if facts.rises else "down"
    return (
        f"{reason_words(facts.reason).capitalize()} {way} from {percent(facts.before)} to {percent(facts.after)}"
        f" {cell_words(facts.dimension, facts.label)}"
    )


def narrative(facts: Facts, advice: str) -> str:
    """The pattern in words, no surer than its numbers."""
    whose = "purchases" if facts.kind is Kind.CONVERTED else "visits without an order"
    said = (
        f"{reason_words(facts.reason).capitalize()} {'rose' if facts.rises else 'fell'} from {percent(facts.before)} "
        f"({percent(facts.before_low)} to {percent(facts.before_high)}) to {percent(facts.after)} "
        f"({percent(facts.after_low)} to {percent(facts.after_high)}) of the {whose} "
        f"{cell_words(facts.dimension, facts.label)}, since about {_moment(facts.began_at)}: "
        f"{facts.sessions} of {facts.cell_sessions}."
    )
    if facts.also:
        said += f" The same visits show in: {', '.join(facts.also)}."
    if facts.at_stake and facts.rises and facts.kind is Kind.ABANDONED:
        said += f" Left in their carts: {', '.join(money(minor, code) for code, minor in facts.at_stake.items())}."
    return f"{said} {advice}"


def complaint(text: str, facts: Facts) -> str | None:
    """What is wrong with a model's narrative, in words that it may read; None for nothing.

    Both shares must be named, every number must be one of ours, and it is text: no markup, no addresses.
    """
    if not text.strip() or len(text) > LONGEST:
        return f"write 1 to {LONGEST} characters"
    if _MARKUP.search(text):
        return "write plain text without markup and addresses"
    # The cell's own name may hold digits of its own.
    rest = text.replace(facts.label, " ") if facts.label else text
    used = _NUMBER.findall(rest)
    allowed = _allowed(facts)
    strange = [number for number in used if number.rstrip(".,:") not in allowed]
    if strange:
        return f"use only the given numbers, not {', '.join(strange[:3])}"
    for share in (facts.before, facts.after):
        if _digits(share) not in used:
            return f"name the share of {percent(share)}"
    return None


def cell_words(dimension: str, label: str) -> str:
    """Where: "on /cart", "from newsletter", "on phones"."""
    match dimension:
        case "page":
            return f"on {label}"
        case "source":
            return "who came directly" if label == "direct" else f"from {label}"
        case "device":
            return f"on {label}s"
        case "country":
            return f"in {label}"
        case "product":
            return f"about {label}"
        case _:
            return "everywhere"


def reason_words(reason: Reason) -> str:
    """The reason as people say it."""
    return reason.value.replace("_", " ")


def _allowed(facts: Facts) -> set[str]:
    shares = (
        facts.before,
        facts.before_low,
        facts.before_high,
        facts.after,
        facts.after_low,
        facts.after_high,
    )
    numbers = {_digits(share) for share in shares} | {str(facts.sessions), str(facts.cell_sessions)}
    numbers.add(str(abs(round(100 * facts.after) - round(100 * facts.before))))
    began = facts.began_at.astimezone(UTC)
    numbers |= {str(began.year), str(began.day), f"{began:%d}", f"{began:%H:%M}", f"{began:%H}", str(began.hour)}
    for code, minor in facts.at_stake.items():
        numbers |= set(_NUMBER.findall(money(minor, code)))
    return numbers


def _digits(share: float) -> str:
    """The number in a share as it is written: 1 of <1 %."""
    return percent(share).strip("<>% ")


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%-d %b %Y, %H:%M} UTC"
