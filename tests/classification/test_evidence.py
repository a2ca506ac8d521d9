"""The evidence rules on stories that were told before them, and what holds for any timeline."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insights.classification.evidence import classify_by_evidence
from insights.timeline.assemble import assemble, timeline_hash
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.reasons import ABANDONED_REASONS, CONVERTED_REASONS, Kind, Reason, reasons_of
from tests.classification.stories import STORIES
from tests.classification.visits import PROJECT, SESSION, VISITOR, Visit, does, told


@pytest.mark.parametrize("visit", STORIES, ids=[visit.name for visit in STORIES])
def test_a_story_gets_the_reason_that_a_person_would_name(visit: Visit) -> None:
    assert classify_by_evidence(visit.timeline(), threshold=0.5).reason in visit.expected


def test_every_reason_has_two_stories_at_least() -> None:
    for reason in Reason:
        assert sum(reason in visit.expected for visit in STORIES) >= 2, reason
    assert len(ABANDONED_REASONS) == 7
    assert len(CONVERTED_REASONS) == 6


@given(st.sampled_from(STORIES), st.randoms(use_true_random=False), st.floats(0, 1))
@settings(max_examples=60)
def test_arrival_order_and_duplicates_change_nothing_and_evidence_exists(
    visit: Visit, chance: random.Random, threshold: float
) -> None:
    timeline = visit.timeline()
    arrived = [*timeline.events, *chance.choices(timeline.events, k=5)]
    chance.shuffle(arrived)
    again = assemble(PROJECT, SESSION, VISITOR, arrived, visit.prior)
    assert timeline_hash(again) == timeline_hash(timeline)
    verdict = classify_by_evidence(again, threshold=threshold)
    assert verdict == classify_by_evidence(timeline, threshold=threshold)
    assert set(verdict.evidence) <= {event.id for event in timeline.events}
    assert 0 <= verdict.confidence <= 1
    assert verdict.reason in reasons_of(verdict.kind)
    assert all(isinstance(suggestion.action, RecoveryAction) for suggestion in verdict.suggested_actions)


def test_a_purchase_alone_decides_the_kind() -> None:
    for visit in STORIES:
        bought = any(event.type == "purchased" for event in visit.timeline().events)
        assert (classify_by_evidence(visit.timeline(), threshold=0.5).kind is Kind.CONVERTED) is bought


def test_unclear_asks_for_nothing_to_be_done() -> None:
    visit = next(visit for visit in STORIES if visit.expected == (Reason.UNCLEAR,))
    verdict = classify_by_evidence(visit.timeline(), threshold=0.5)
    assert [suggestion.action for suggestion in verdict.suggested_actions] == [RecoveryAction.DO_NOTHING]


def test_a_product_seen_again_is_no_other_product() -> None:
    looks = [does("product_viewed", 20, product_id=name) for name in "abcdeab"]
    assert "looked at 5 products" in classify_by_evidence(told(*looks), threshold=0.5).narrative
