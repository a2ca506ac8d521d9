"""A timeline at a glance: what every reason looks at, worked out once."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from insights.classification.places import number, text
from insights.timeline.assemble import cart_after
from insights.timeline.timeline import PriorVisits, Timeline, TimelineEvent
from insights.vocabulary.reasons import Kind

NOT_AN_ACT: Final = frozenset({"session_ended", "tab_hidden", "exit_intent", "engaged", "form_abandoned"})
"""Events that report the end or the passing of time rather than something the visitor did."""
PROGRESS: Final = frozenset({"cart_added", "checkout_started", "checkout_step", "purchased"})
SAME_MOMENT_S: Final = 10.0
"""Two things this close belong together: people look for the effect of a click for about ten seconds."""


class Story:
    """The events of one session up to and including its first purchase; what comes after it explained nothing."""

    def __init__(self, timeline: Timeline) -> None:
        events = timeline.events
        bought = next((position for position, event in enumerate(events) if event.type == "purchased"), None)
        self.events: tuple[TimelineEvent, ...] = events if bought is None else events[: bought + 1]
        self.purchase: TimelineEvent | None = None if bought is None else events[bought]
        self.prior: PriorVisits = timeline.prior
        self._of: dict[str, list[TimelineEvent]] = defaultdict(list)
        self._of_several: dict[tuple[str, ...], list[TimelineEvent]] = {}
        for event in self.events:
            self._of[event.type].append(event)
        self._at = {event.id: position for position, event in enumerate(self.events)}
        self._last_progress = max((self._at[event.id] for event in self.of(*PROGRESS)), default=-1)
        self.last_act: TimelineEvent | None = next(
            (event for event in reversed(self.events) if event.type not in NOT_AN_ACT), None
        )

    @property
    def kind(self) -> Kind:
        """Converted when there is a purchase: nobody's opinion."""
        return Kind.ABANDONED if self.purchase is None else Kind.CONVERTED

    def of(self, *types: str) -> list[TimelineEvent]:
        """All events of these types, in order."""
        if len(types) == 1:
            return self._of.get(types[0], [])
        found = self._of_several.get(types)
        if found is None:  # several rules ask for the same
            some = (event for kind in types for event in self._of.get(kind, ()))
            found = self._of_several[types] = sorted(some, key=lambda event: self._at[event.id])
        return found

    def first(self, *types: str) -> TimelineEvent | None:
        """The first event of these types."""
        found = self.of(*types)
        return found[0] if found else None

    def is_before(self, event: TimelineEvent | None, other: TimelineEvent | None) -> bool:
        """True when ``event`` came before ``other``; false when one of them never happened."""
        return event is not None and other is not None and self._at[event.id] < self._at[other.id]

    def progress_after(self, event: TimelineEvent) -> bool:
        """True when the visitor came further toward an order after ``event``."""
        return self._last_progress > self._at[event.id]

    def left_within(self, event: TimelineEvent, seconds: float) -> bool:
        """True when the visitor did nothing any more ``seconds`` after ``event``."""
        return self.last_act is not None and gap(event, self.last_act) <= seconds

    @property
    def seconds(self) -> float:
        """From the first event to the last."""
        return gap(self.events[0], self.events[-1]) if self.events else 0.0

    @property
    def engaged_seconds(self) -> float:
        """How long the page was visible and in use, as the SDK counted it."""
        return sum(number(event, "ms") or 0 for event in self.of("engaged")) / 1000

    @property
    def cart_filled(self) -> bool:
        """True when something was left in the cart at the end."""
        if not self.of("cart_added"):
            return False
        added = sum(_quantity(event) for event in self.of("cart_added"))
        removed = sum(_quantity(event) for event in self.of("cart_removed"))
        value, _ = cart_after(self.events)
        return added > removed and value != 0

    @property
    def checkout(self) -> TimelineEvent | None:
        """Where the checkout began, or None."""
        return self.first("checkout_started", "checkout_step")

    @property
    def last_step(self) -> tuple[str, TimelineEvent] | None:
        """The checkout step at which the visitor was last seen, and its event."""
        steps = self.of("checkout_step")
        return (text(steps[-1], "step"), steps[-1]) if steps else None

    def stood_at(self, event: TimelineEvent) -> str:
        """The checkout step the visitor was at when ``event`` happened; "" before the checkout."""
        steps = self.of("checkout_step")
        position = bisect_right([self._at[step.id] for step in steps], self._at[event.id])
        return text(steps[position - 1], "step") if position else ""

    @property
    def form_trouble(self) -> bool:
        """True when a form was fought with: left half filled, or a field entered three times and more."""
        return any((number(event, "filled") or 0) >= 1 for event in self.of("form_abandoned")) or any(
            (number(event, "refocused") or 0) >= 2 for event in self.of("form_field")
        )

    @property
    def trouble(self) -> bool:
        """True when something was wrong or held them back, so that leaving needs no other explanation."""
        return (
            self.form_trouble
            or bool(self.of("rage_click", "cart_removed", "request_failed"))
            or len(self.of("dead_click")) >= 2
            or len(self.of("hover_hesitation")) >= 2
            or any(event.props.get("accepted") is False for event in self.of("coupon_tried"))
        )

    @property
    def product_paths(self) -> frozenset[str]:
        """Paths of pages on which a product was looked at."""
        return frozenset(event.path for event in self.of("product_viewed") if event.path)


def soon_after(
    effects: Iterable[TimelineEvent], causes: Iterable[TimelineEvent], within: float = SAME_MOMENT_S
) -> list[TimelineEvent]:
    """Those of ``effects`` that happened at most ``within`` seconds after one of ``causes``. Both in order of time."""
    times = [cause.at for cause in causes]
    found: list[TimelineEvent] = []
    for effect in effects:
        position = bisect_right(times, effect.at)
        if position and (effect.at - times[position - 1]).total_seconds() <= within:
            found.append(effect)
    return found


def gap(earlier: TimelineEvent, later: TimelineEvent) -> float:
    """Seconds from one event to another; negative when they are the other way round."""
    return (later.at - earlier.at).total_seconds()


def _quantity(event: TimelineEvent) -> float:
    quantity = number(event, "quantity")
    return 1 if quantity is None else quantity
