"""What the evidence rules make of a model's answer: does anything speak for it, how much against it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from insights.classification.evidence import Case
from insights.classification.verdict import Verdict
from insights.vocabulary.reasons import Reason

STRONG: Final = 0.7
"""Rules that are this sure of another reason disagree strongly."""
MOST_LOST: Final = 0.6
"""What disagreement of rules that are quite sure takes from a model's confidence."""


def supports(ranked: Sequence[Case], reason: Reason) -> bool:
    """Whether anything in the visit speaks for this reason."""
    return any(case.reason is reason and case.clues for case in ranked)


def strongly(by_rules: Verdict) -> bool:
    """Whether the rules name a reason and are sure of it."""
    return by_rules.reason is not Reason.UNCLEAR and by_rules.confidence >= STRONG


def doubted(confidence: float, reason: Reason, by_rules: Reason, rules_confidence: float) -> float:
    """A model's confidence (0..1) after the rules were heard.

    Where they are strongly for another reason it falls by up to three fifths; otherwise it stays. Rules that see
    nothing (unclear) do not contradict: a model may see more.
    """
    if by_rules in (reason, Reason.UNCLEAR) or rules_confidence < STRONG:
        return confidence
    return confidence * (1 - MOST_LOST * rules_confidence)
