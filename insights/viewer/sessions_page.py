"""What the list of sessions shows: the numbers at its top, the reason bar, the filter form, the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from insights.viewer.filters import DEVICES, NO_INSIGHT, Filters
from insights.viewer.mix import Mix
from insights.viewer.wording import KINDS, LIVE_ACTIONS, REASONS, STAGES, label, money
from insights.vocabulary.reasons import ABANDONED_REASONS, CONVERTED_REASONS, Kind

BAR_WIDTH = 1000.0
_LEAST_WIDTH = 6.0
_GAP = 2.0


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of the reason bar. ``x`` and ``width`` of ``BAR_WIDTH``; ``filters`` lead to its sessions.

    ``share`` (0..1) is of its ``group``: of those who left, or of those who bought; without a group, of all.
    """

    name: str
    label: str
    meaning: str
    group: str
    count: int
    share: float
    x: float
    width: float
    filters: Filters


@dataclass(frozen=True, slots=True)
class Number:
    """A number at the top and where its sessions are. ``share`` (0..1) is of all filtered sessions."""

    text: str
    label: str
    share: float | None
    filters: Filters | None


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """A filter that narrows, and the filters without it."""

    name: str
    text: str
    without: Filters


def numbers(mix: Mix, filters: Filters) -> list[Number]:
    """The line of numbers over the list."""
    total = mix.total
    left, bought, still_open = mix.of_kind(Kind.ABANDONED), mix.of_kind(Kind.CONVERTED), mix.still_open

    def part(count: int, text: str, narrowed: Filters) -> Number:
        return Number(f"{count:,}", text, count / total if total else None, narrowed)

    made = [
        Number(f"{total:,}", "session" if total == 1 else "sessions", None, filters),
        part(left, "left without buying", filters.but(kind=Kind.ABANDONED)),
        part(bought, "bought", filters.but(kind=Kind.CONVERTED)),
        part(still_open, "still open", filters.but(state="open")),
    ]
    if mix.at_stake:
        carts = " + ".join(money(minor, currency) for currency, minor in mix.at_stake)
        made.append(
            Number(carts, "left in carts", None, filters.but(kind=Kind.ABANDONED, purchased=None, left_cart=True))
        )
    return made


def segments(mix: Mix, filters: Filters) -> list[Segment]:
    """The reason bar from left to right: why people left, why they bought, then what nothing is said of yet."""
    parts: list[tuple[str, str, str, str, int, Filters]] = []
    for group, reasons in (("left", ABANDONED_REASONS), ("bought", CONVERTED_REASONS)):
        for reason in reasons:
            count = sum(share.count for share in mix.shares if share.reason == reason)
            text, meaning = REASONS[reason]
            parts.append((str(reason), text, meaning, group, count, filters.but(reason=str(reason))))
    silent = [share for share in mix.shares if share.reason is None]
    waiting = sum(share.count for share in silent if not share.open)
    still_open = sum(share.count for share in silent if share.open)
    nothing = filters.but(reason=NO_INSIGHT)
    parts += [
        ("waiting", "Not read yet", "Closed; the insight is on its way.", "", waiting, nothing.but(state="closed")),
        ("open", "Still open", "The visit is not over.", "", still_open, nothing.but(state="open")),
    ]
    parts = [part for part in parts if part[4]]
    widths = _widths([part[4] for part in parts])
    # A reason's share is of those who left, or of those who bought, as on every other page.
    whole = Counter({"": mix.total})
    for _, _, _, group, count, _ in parts:
        whole[group] += count if group else 0
    made, x = [], 0.0
    for (name, text, meaning, group, count, narrowed), width in zip(parts, widths, strict=True):
        made.append(Segment(name, text, meaning, group, count, count / whole[group], round(x, 1), width, narrowed))
        x += width + _GAP
    return made


def active_filters(filters: Filters, flows: Mapping[str, str]) -> list[ActiveFilter]:
    """The filters that narrow, in words. ``flows``: id → name."""
    return [
        ActiveFilter(name, _told(name, value, flows), filters.but(**{name: None}))
        for name, value in filters.active().items()
    ]


CHOICES: dict[str, Sequence[tuple[str, str]]] = {
    "left": [(str(r), REASONS[r][0]) for r in ABANDONED_REASONS],
    "bought": [(str(r), REASONS[r][0]) for r in CONVERTED_REASONS],
    "kind": [(str(kind), text) for kind, text in KINDS.items()],
    "state": [("open", "Still open"), ("closed", "Closed")],
    "stage": [(str(stage), text) for stage, text in STAGES.items()],
    "action": [(str(action), text) for action, text in LIVE_ACTIONS.items()],
    "purchased": [("yes", "Yes"), ("no", "No")],
    "device": [(name, name.capitalize()) for name in DEVICES],
    "when": [("1d", "Last 24 hours"), ("7d", "Last 7 days"), ("30d", "Last 30 days")],
}
"""Choices of the form: (value, label); "left" and "bought" are the two groups of reasons."""


def _widths(counts: Sequence[int]) -> list[float]:
    """Widths in proportion to ``counts``, but wide enough to be seen and clicked."""
    if not counts:
        return []
    room = BAR_WIDTH - _GAP * (len(counts) - 1)
    spare = room - _LEAST_WIDTH * len(counts)
    total = sum(counts)
    return [round(_LEAST_WIDTH + spare * count / total, 1) for count in counts]


def _told(name: str, value: object, flows: Mapping[str, str]) -> str:
    if name == "left_cart":
        return "Cart left behind"
    if name == "reason" and value == NO_INSIGHT:
        return "Nothing said yet"
    if name == "purchased":
        return "An order was placed" if value else "No order"
    if name == "state":
        return "Still open" if value == "open" else "Closed"
    if name == "when":
        return dict(CHOICES["when"])[str(value)]
    if name == "source":
        return f"From {value}"
    if name == "device":
        return dict(CHOICES["device"])[str(value)]
    if name == "flow":
        return f"Flow: {flows.get(str(value), 'one that is not there any more')}"
    if name == "page":
        return f"Page {value}"
    if name == "text":
        return f"“{value}”"
    if name == "visitor":
        return f"Visitor {str(value).replace('-', '')[-8:]}"
    if name == "action":
        return f"Action: {label(str(value))}"
    if name == "stage":
        return f"Stage: {label(str(value))}"
    return label(str(value))
