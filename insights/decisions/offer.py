"""A live action as a shop offers it: when it makes sense, how it looks, and how much it matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from insights.decisions.content import Offer, ShopFacts, Template, fill, links_of
from insights.decisions.moment import Moment
from insights.decisions.requirements import Requirement
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage

NO_FACTS: Final = ShopFacts()
Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Face:
    """One way to draw an action; ``fits`` says when."""

    template: Template
    content: Content
    fits: Callable[[Moment, ShopFacts], bool] = lambda moment, facts: True


@dataclass(frozen=True, slots=True)
class LiveOffer:
    """A live action as the shop offers it. The first of ``faces`` that fits is drawn.

    ``priority`` orders the rules: higher first. ``helps`` marks an action that answers trouble: it may interrupt.
    ``needs_link`` names the page without which there is nothing to offer.
    """

    action: LiveAction
    stages: frozenset[Stage]
    requirements: tuple[Requirement, ...]
    faces: tuple[Face, ...]
    priority: int
    because: Callable[[Moment], str]
    helps: bool = False
    needs_link: str = ""

    def offer(self, moment: Moment, facts: ShopFacts) -> Offer:
        """What to draw now."""
        face = next((face for face in self.faces if face.fits(moment, facts)), self.faces[-1])
        return fill(face.template, face.content, moment, facts)

    def lacks_link(self, moment: Moment, facts: ShopFacts) -> bool:
        """True when the page it needs to point to is not known."""
        return bool(self.needs_link) and not links_of(moment, facts)[self.needs_link]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The live actions of a shop, and what it says of itself."""

    offers: tuple[LiveOffer, ...]
    facts: ShopFacts = NO_FACTS
