"""Says what a session came to, and whether late events changed that: pure, and without asking a model.

A closed session is classified again only when its outcome is another one: bought or not, how far it went, what was left
in the cart, and what the evidence rules make of it, down to the events they cite. A scroll that arrives an hour late
changes none of this, and costs no call to a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from insights.classification.evidence import Case, cases, weigh
from insights.classification.suggestions import suggestions_for
from insights.classification.verdict import Verdict
from insights.timeline.assemble import Summary, cart_after
from insights.timeline.timeline import Timeline
from insights.vocabulary.reasons import Reason
from insights.vocabulary.stages import Stage


def outcome_hash(timeline: Timeline, stage: Stage, ranked: Sequence[Case] = (), told: Verdict | None = None) -> str:
    """SHA-256 over the outcome of a timeline that has at least one event: equal hashes mean the same outcome.

    It does not depend on the settings of a project: the rules' verdict is taken as it is with no threshold, and what
    would be suggested if it fell below one. ``ranked`` and ``told``: the rules' cases and verdict, for whoever has
    them already.
    """
    verdict = weigh(ranked or cases(timeline), timeline, threshold=0.0, told=told if ranked else None)
    outcome: list[object] = [
        stage,
        cart_after(timeline.events),
        verdict.kind,
        verdict.reason,
        verdict.confidence,
        verdict.narrative,
        verdict.evidence,
    ]
    for suggested in (verdict.suggested_actions, suggestions_for(Reason.UNCLEAR, timeline)):
        outcome.append([[suggestion.action, suggestion.params] for suggestion in suggested])
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
