"""A choice as it is logged: what it was, what else it could have been, and all that is learned from it later."""

from __future__ import annotations

from typing import Any

from insights.decisions.decide import Choice
from insights.decisions.situation import VERSION as SITUATION


def row_of(choice: Choice) -> dict[str, Any]:
    """The columns of a decision's row that the choice alone fills, as JSON can hold them."""
    learning = choice.learning
    return {
        "policy": choice.policy,
        "stage": choice.stage.value,
        "intent": choice.intent.as_dict(),
        "probabilities": choice.probabilities,
        "excluded": choice.excluded,
        "action": choice.action.value,
        "why": choice.why,
        "situation": learning.row.tolist(),
        "situation_version": SITUATION,
        "rules": learning.rules.value,
        "say": learning.say,
        "entry_id": None if choice.shown is None else choice.shown.entry_id,
        "held_back": None if learning.held_back is None else learning.held_back.value,
    }
