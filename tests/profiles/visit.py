"""Tells the story of a visitor, event by event, into a profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from insights.decisions.decide import Choice, Limits, decide
from insights.intents.score import Intent, score
from insights.profiles.fold import fold
from insights.profiles.profile import Profile
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.ids import uuid7

START = 1_760_000_000_000
LIMITS = Limits()


@dataclass
class Told:
    """One event as it was folded."""

    id: UUID
    session: UUID
    at_ms: int
    type: str
    path: str
    props: dict[str, Any]


@dataclass
class Visit:
    """A visitor whose clock and the server's agree. Each step takes ``pace`` seconds."""

    at_ms: int = START
    pace: float = 8.0
    profile: Profile = field(default_factory=Profile)
    told: list[Told] = field(default_factory=list)
    path: str = "/"

    def __post_init__(self) -> None:
        self.session = uuid7(self.at_ms)
        self.visitor = uuid4()

    def event(self, kind: str, /, **props: Any) -> Visit:
        """Something happens on the page they are on."""
        self.at_ms += int(self.pace * 1000)
        told = Told(uuid7(self.at_ms), self.session, self.at_ms, kind, self.path, props)
        self.told.append(told)
        assert self.fold(told)
        return self

    def fold(self, told: Told) -> bool:
        return fold(
            self.profile,
            event_id=told.id,
            session_id=told.session,
            at_ms=told.at_ms,
            type=told.type,
            path=told.path,
            props=told.props,
        )

    def wait(self, seconds: float) -> Visit:
        self.at_ms += int(seconds * 1000)
        return self

    def later(self, hours: float = 48) -> Visit:
        """They come back another day."""
        self.at_ms += int(hours * 3_600_000)
        self.session = uuid7(self.at_ms)
        return self

    def page(self, path: str, query: str = "") -> Visit:
        self.path = path
        return self.event("page_viewed", path=path, url=f"https://shop.example{path}{query}")

    def shelf(self, category: str) -> Visit:
        return self.page("/", f"?category={category}")

    def product(self, product: str, category: str = "beans", price: int = 1500) -> Visit:
        self.page(f"/product/{product}")
        return self.event("product_viewed", product_id=product, category=category, price_minor=price, currency="EUR")

    def add(self, product: str = "moka", category: str = "brewers", price: int = 2500, total: int = 2500) -> Visit:
        return self.event(
            "cart_added",
            product_id=product,
            category=category,
            price_minor=price,
            quantity=1,
            cart_value_minor=total,
            currency="EUR",
        )

    @property
    def intent(self) -> Intent:
        return score(self.profile, self.at_ms)

    def decide(self, **kwargs: Any) -> Choice | None:
        """What would be chosen now; nothing is served."""
        kwargs.setdefault("limits", LIMITS)
        kwargs.setdefault("visitor_id", self.visitor)
        kwargs.setdefault("decision_id", uuid7(self.at_ms))
        return decide(
            self.profile,
            self.intent,
            now_ms=self.at_ms,
            event_type=self.told[-1].type,
            path=self.told[-1].path,
            **kwargs,
        )

    def gets(self, **kwargs: Any) -> LiveAction | None:
        """What they get now, and have been served then; None when nothing is shown."""
        choice = self.decide(**kwargs)
        if choice is None or choice.action is LiveAction.DO_NOTHING:
            return None
        self.profile.mark_served(choice.action, self.at_ms)
        return choice.action
