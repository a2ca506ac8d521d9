"""A live action as a shop offers it: when it makes sense, how it looks, and how much it matters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple
from uuid import UUID

from insights.decisions.content import Offer, ShopFacts, Template, fill, links_of
from insights.decisions.incentives import Incentive
from insights.decisions.moment import Moment
from insights.decisions.requirements import Requirement
from insights.profiles.profile import ACTION_BIT
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage

NO_FACTS: Final = ShopFacts()
Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Face:
    """One way to draw an action; ``fits`` says when. ``locales``: its content in other languages, by locale."""

    template: Template
    content: Content
    fits: Callable[[Moment, ShopFacts], bool] = lambda moment, facts: True
    locales: Mapping[str, Content] = field(default_factory=dict)

    @property
    def asks_for_address(self) -> bool:
        """Whether it has a field for an address, in whatever language."""
        contents = (self.content, *self.locales.values())
        return any((content.get("input") or {}).get("kind") == "email" for content in contents)

    def content_for(self, locale: str) -> Content:
        """In the visitor's language, else in the language of their region, else as it is for everybody."""
        if not self.locales:
            return self.content
        return self.locales.get(locale) or self.locales.get(locale.partition("-")[0]) or self.content


@dataclass(frozen=True, slots=True)
class LiveOffer:
    """A live action as the shop offers it. The first of ``faces`` that fits is drawn; without any it is never shown.

    ``priority`` orders the rules: higher first. ``helps`` marks an action that answers trouble: it may interrupt.
    ``needs_link`` names the page without which there is nothing to offer. ``entry_id``: the shop's own entry that it
    was made from; ``group``: of the offers of a group one is shown a visit; ``starts_ms``, ``ends_ms``: when, epoch
    milliseconds; ``per_visitor_week``: most that one visitor sees it in seven days; ``kept``: it was put by for this
    visitor and is shown once.
    """

    action: LiveAction
    stages: frozenset[Stage]
    requirements: tuple[Requirement, ...]
    faces: tuple[Face, ...]
    priority: int
    because: Callable[[Moment], str]
    helps: bool = False
    needs_link: str = ""
    entry_id: UUID | None = None
    incentive: Incentive | None = None
    starts_ms: int | None = None
    ends_ms: int | None = None
    group: str = ""
    per_visitor_week: int | None = None
    kept: bool = False

    def offer(self, moment: Moment, facts: ShopFacts, locale: str = "", code: str = "") -> Offer:
        """What to draw now, in the visitor's language. ``code``: the discount code that it is to show."""
        face = next((face for face in self.faces if face.fits(moment, facts)), self.faces[-1])
        given = {"code": code, "percent": str(self.incentive.percent)} if self.incentive is not None else None
        return fill(face.template, face.content_for(locale), moment, facts, given)

    def out_of_season(self, now_ms: int) -> str | None:
        """Why it is not the time for it; None when it is."""
        if self.starts_ms is not None and now_ms < self.starts_ms:
            return "its time has not come"
        if self.ends_ms is not None and now_ms >= self.ends_ms:
            return "its time is over"
        return None

    def lacks_link(self, moment: Moment, facts: ShopFacts) -> bool:
        """True when the page it needs to point to is not known."""
        return bool(self.needs_link) and not links_of(moment, facts)[self.needs_link]


class Standing(NamedTuple):
    """An offer with what is asked of it at every moment: the ``name`` and the ``bit`` of its action, whether it has a
    ``season``, and its requirements as (condition, what to say where it does not hold)."""

    offer: LiveOffer
    name: str
    bit: int
    season: bool
    requirements: tuple[tuple[Callable[[Moment], bool | None], str], ...]


@dataclass(frozen=True, slots=True)
class Open:
    """What is offered in one stage. ``offers`` in order; ``closed``: the actions whose first entry is for other stages,
    by name, and why they are none for this one."""

    offers: tuple[Standing, ...]
    closed: dict[str, str]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The live actions of a shop, and what it says of itself."""

    offers: tuple[LiveOffer, ...]
    facts: ShopFacts = NO_FACTS
    _open: dict[Stage, Open] = field(default_factory=dict, init=False, repr=False, compare=False)

    def without(self, entries: Collection[UUID]) -> Catalogue:
        """The same without these entries of the shop's."""
        if not entries:
            return self
        return replace(self, offers=tuple(offer for offer in self.offers if offer.entry_id not in entries))

    def open_in(self, stage: Stage) -> Open:
        """What of it is for visitors in ``stage``: found out once, not at every moment."""
        found = self._open.get(stage)
        if found is None:
            found = self._open[stage] = _open_in(self.offers, stage)
        return found


def _open_in(offers: tuple[LiveOffer, ...], stage: Stage) -> Open:
    first: dict[str, LiveOffer] = {}
    for offer in offers:
        first.setdefault(offer.action.value, offer)
    return Open(
        tuple(_standing(offer) for offer in offers if stage in offer.stages),
        {name: f"not for stage {stage.value}" for name, offer in first.items() if stage not in offer.stages},
    )


def _standing(offer: LiveOffer) -> Standing:
    return Standing(
        offer,
        offer.action.value,
        ACTION_BIT[offer.action],
        offer.starts_ms is not None or offer.ends_ms is not None,
        tuple((requirement.condition.truth, requirement.unmet) for requirement in offer.requirements),
    )
