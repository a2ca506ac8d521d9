"""Sums findings up: by stage, checkout step, page and reason, and what flows and live actions would have reached."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from insights.audit.finding import Finding, Flow, Step
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.reasons import Reason
from insights.vocabulary.stages import Stage

MOST_PLACES: Final = 4_000
"""Pages that are counted apart; when there are more, those where fewest visits ended are no longer told apart."""
ELSEWHERE: Final = "(other pages)"


@dataclass(slots=True)
class Lost:
    """Visits without an order. ``carts``: those that left something in the cart; ``cart_minor``: its value, by
    currency, of the ``priced`` ones."""

    visits: int = 0
    carts: int = 0
    priced: int = 0
    cart_minor: Counter[str] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        self.visits += 1
        if finding.cart:
            self.carts += 1
            if finding.cart_minor is not None:
                self.priced += 1
                self.cart_minor[finding.currency] += finding.cart_minor


@dataclass(slots=True)
class Place:
    """A page: visits that saw it, and those that ended there without an order, by reason."""

    seen: int = 0
    lost: Lost = field(default_factory=Lost)
    reasons: Counter[Reason] = field(default_factory=Counter)


Case = tuple[str, Flow | None, bool, bool]
"""What the money of a lost cart depends on: currency, the flow that would have written, an address, a live action."""


@dataclass(slots=True)
class Tally:
    """Everything that the report tells, in a few counters."""

    visits: int = 0
    bots: int = 0
    bought: int = 0
    orders_minor: Counter[str] = field(default_factory=Counter)
    first_ms: int = 0
    last_ms: int = 0
    types: Counter[str] = field(default_factory=Counter)
    steps: Counter[Step] = field(default_factory=Counter)
    lost: Lost = field(default_factory=Lost)
    stages: defaultdict[Stage, Lost] = field(default_factory=lambda: defaultdict(Lost))
    checkout: defaultdict[int, Lost] = field(default_factory=lambda: defaultdict(Lost))
    reasons: defaultdict[Reason, Lost] = field(default_factory=lambda: defaultdict(Lost))
    places: defaultdict[str, Place] = field(default_factory=lambda: defaultdict(Place))
    by_page: bool = False
    flows: defaultdict[str, Lost] = field(default_factory=lambda: defaultdict(Lost))
    flows_with_address: Counter[str] = field(default_factory=Counter)
    actions: defaultdict[LiveAction, Lost] = field(default_factory=lambda: defaultdict(Lost))
    any_action: Lost = field(default_factory=Lost)
    cases: Counter[Case] = field(default_factory=Counter)
    """Value of lost carts in minor units by what it depends on."""

    def add(self, finding: Finding | None) -> None:
        """One visit; None for a machine's."""
        if finding is None:
            self.bots += 1
            return
        self.visits += 1
        self.first_ms = min(self.first_ms or finding.first_ms, finding.first_ms)
        self.last_ms = max(self.last_ms, finding.last_ms)
        self.types.update(finding.types)
        self.steps[finding.step] += 1
        self._see_places(finding.pages or ({finding.place} if finding.place else ()))
        self.by_page = self.by_page or bool(finding.pages)
        if finding.bought:
            self.bought += 1
            self.orders_minor.update(finding.orders_minor)
        else:
            self._lose(finding)

    def _lose(self, finding: Finding) -> None:
        self.lost.add(finding)
        self.stages[finding.stage].add(finding)
        if finding.checkout:
            self.checkout[finding.checkout].add(finding)
        if finding.reason is not None:
            self.reasons[finding.reason].add(finding)
        if finding.place:
            place = self.places[finding.place]
            place.lost.add(finding)
            if finding.reason is not None:
                place.reasons[finding.reason] += 1
            if len(self.places) > MOST_PLACES:
                self._forget_places()
        if finding.flow is not None:
            self.flows[finding.flow.name].add(finding)
            self.flows_with_address[finding.flow.name] += finding.address
        for action in finding.actions:
            self.actions[action].add(finding)
        if finding.actions:
            self.any_action.add(finding)
        if finding.cart_minor:
            case = (finding.currency, finding.flow, finding.address, bool(finding.actions))
            self.cases[case] += finding.cart_minor

    def _see_places(self, names: Iterable[str]) -> None:
        for name in names:
            self.places[name].seen += 1

    def _forget_places(self) -> None:
        kept = sorted(self.places, key=lambda name: -self.places[name].lost.visits)
        others = self.places[ELSEWHERE]
        for name in kept[MOST_PLACES // 2 :]:
            if name == ELSEWHERE:
                continue
            place = self.places.pop(name)
            others.seen += place.seen
            others.reasons += place.reasons
            others.lost.visits += place.lost.visits
            others.lost.carts += place.lost.carts
            others.lost.priced += place.lost.priced
            others.lost.cart_minor += place.lost.cart_minor
