"""Says what a session came to, and whether late events changed that: pure, and without asking a model.

A closed session is classified again only when its outcome is another one: bought or not, how far it went, and what the
evidence rules make of it, down to the events they cite. A scroll that arrives an hour late changes none of this, and
costs no call to a model.
"""

from __future__ import annotations

import hashlib

import msgspec

from insights.classification.evidence import cases, weigh
from insights.timeline.assemble import Summary
from insights.timeline.timeline import Timeline
from insights.vocabulary.stages import Stage


def outcome_hash(timeline: Timeline, stage: Stage) -> str:
    """SHA-256 over the outcome of a timeline that has at least one event: equal hashes mean the same outcome.

    It does not depend on the settings of a project: the rules' verdict is taken with and without a threshold.
    """
    ranked = cases(timeline)
    outcome: list[object] = [stage]
    for threshold in (0.0, 1.0):
        verdict = weigh(ranked, timeline, threshold=threshold)
        outcome += [verdict.kind, verdict.reason, verdict.confidence, verdict.narrative, verdict.evidence]
        outcome += [[suggestion.action, suggestion.params] for suggestion in verdict.suggested_actions]
    return hashlib.sha256(msgspec.json.encode(outcome, order="deterministic")).hexdigest()


def stage_reached(summary: Summary) -> Stage:
    """How far this one session went; the live stage also knows the visits before it."""
    if summary.purchased:
        return Stage.CUSTOMER
    if summary.reached_checkout:
        return Stage.HIGH_INTENT
    if summary.cart_value_minor or summary.added_to_cart:
        return Stage.CART_ADDER
    return Stage.BROWSER if summary.products_seen >= 2 else Stage.ANONYMOUS
