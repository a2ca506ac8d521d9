"""The plan: all that a project decides by at one time. Immutable; a newer one takes its place as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.offer import Catalogue
from insights.intents.model import PRIOR, IntentModel
from insights.policies.draw import uniform
from insights.policies.policy import Policy, say_of
from insights.vocabulary.actions import LiveAction

ARMS: Final = tuple(LiveAction)
LEARNED: Final = "learned-"
"""What the names of learned policies begin with; their version follows."""
ARM: Final = {action: index for index, action in enumerate(ARMS)}
"""Where an action stands in a policy. New ones go to the end of ``LiveAction``: what was learned keeps its place."""


@dataclass(frozen=True, slots=True)
class Learned:
    """The policy that decides now. ``version`` is the snapshot that its decisions are logged with."""

    policy: Policy
    version: int

    @property
    def name(self) -> str:
        """As it is logged."""
        return f"{LEARNED}{self.version}"

    @property
    def say(self) -> float:
        """Its share of a decision; the rest is the rules'."""
        return say_of(self.policy.experience)


@dataclass(frozen=True, slots=True)
class Plan:
    """``salt`` keys the draws: the same for every process of the project, and unknown outside.

    ``holdout``: the share of visitors who get nothing, on site or after it. ``intent``: what visits are scored by.
    """

    salt: bytes = b""
    holdout: float = 0.0
    catalogue: Catalogue = DEFAULT_CATALOGUE
    learned: Learned | None = None
    intent: IntentModel = PRIOR

    def holds_out(self, visitor_id: UUID) -> bool:
        """Whether this visitor gets nothing. Raising the share adds visitors and frees none."""
        return self.holdout > 0.0 and uniform(self.salt, "holdout", visitor_id.hex) < self.holdout

    def draws(self, decision_id: UUID) -> float:
        """The number in [0, 1) that a decision's action is drawn with."""
        return uniform(self.salt, "decision", decision_id.hex)


RULES_ONLY: Final = Plan()
"""What is decided by where nothing was set up and nothing was learned."""
