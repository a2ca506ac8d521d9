"""The evidence classifier at its limits: wrong props, long visits, poison, rivals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insights.classification.evidence import cases, classify_by_evidence
from insights.timeline.timeline import Timeline
from insights.vocabulary.events import PROPS
from insights.vocabulary.reasons import CONVERTED_REASONS, Kind, Reason
from tests.classification.stories import STORIES
from tests.classification.visits import Visit, does, failed, order, page, told

THRESHOLD = 0.5
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.lists(st.integers(), max_size=2)
)
NAMES = ("step", "section", "selector", "status", "ms", "path", "category", "product_id", "price_minor", "accepted")


def names(visit: Visit) -> str:
    return visit.name


@pytest.mark.parametrize("visit", STORIES, ids=names)
def test_a_verdict_cites_events_of_its_own_timeline(visit: Visit) -> None:
    timeline = visit.timeline()
    verdict = classify_by_evidence(timeline, threshold=THRESHOLD)
    assert set(verdict.evidence) <= {event.id for event in timeline.events}
    assert verdict.evidence or verdict.reason is Reason.UNCLEAR


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(PROPS)), st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4)),
        max_size=12,
    )
)
@settings(max_examples=200, deadline=None)
def test_no_props_however_wrong_break_it(told_events: list[tuple[str, dict[str, Any]]]) -> None:
    timeline = told(
        *((1.0, kind, {"url": "https://shop.example/", **props}) for kind, props in told_events),
    )
    verdict = classify_by_evidence(timeline, threshold=THRESHOLD)
    assert 0 <= verdict.confidence <= 1
    assert set(verdict.evidence) <= {event.id for event in timeline.events}


def test_a_session_without_events_is_unclear() -> None:
    verdict = classify_by_evidence(told(), threshold=THRESHOLD)
    assert (verdict.kind, verdict.reason, verdict.evidence) == (Kind.ABANDONED, Reason.UNCLEAR, ())


def test_a_purchase_alone_converts_and_has_an_honestly_low_confidence() -> None:
    verdict = classify_by_evidence(told(page("/"), order(100)), threshold=THRESHOLD)
    assert verdict.kind is Kind.CONVERTED
    assert verdict.reason in CONVERTED_REASONS
    assert verdict.confidence < 0.75


def test_the_failing_requests_are_what_a_technical_error_cites() -> None:
    timeline = told(page("/"), *(failed("/api/cart") for _ in range(3)), does("session_ended", 2))
    verdict = classify_by_evidence(timeline, threshold=THRESHOLD)
    assert verdict.reason is Reason.TECHNICAL_ERROR
    assert {e.id for e in timeline.events if e.type == "request_failed"} <= set(verdict.evidence)


def test_a_narrative_holds_nothing_that_a_stranger_wrote() -> None:
    poison = "<script>alert(1)</script>"
    props = {"selector": poison, "section": poison, "message": poison, "query": poison, "name": poison, "path": poison}
    for kind in PROPS:
        timeline = told(page("/"), *(does(kind, 1, **props, product_id=poison, status=500, ms=9000) for _ in range(3)))
        assert "script>" not in classify_by_evidence(timeline, threshold=THRESHOLD).narrative, kind


def test_a_lower_threshold_names_what_a_higher_one_leaves_open() -> None:
    timeline = told(page("/"), does("rage_click", 3, selector="#a", count=3), does("session_ended", 3))
    assert classify_by_evidence(timeline, threshold=0.3).reason is Reason.UX_FRICTION
    assert classify_by_evidence(timeline, threshold=0.9).reason is Reason.UNCLEAR


def test_two_equal_cases_are_less_certain_than_one() -> None:
    rage = (does("rage_click", 40, selector="#a", count=3),) * 2
    coupon = (does("coupon_tried", 40, accepted=False),) * 2
    alone = classify_by_evidence(told(page("/"), *rage), threshold=0)
    contested = classify_by_evidence(told(page("/"), *rage, *coupon), threshold=0)
    assert contested.confidence < alone.confidence


def strength(timeline: Timeline, reason: Reason) -> float:
    return next(case.strength for case in cases(timeline) if case.reason is reason)


def test_a_refusal_by_the_shop_is_not_a_defect() -> None:
    refused = told(page("/checkout"), *(failed("/api/checkout", 422) for _ in range(4)))
    broken = told(page("/checkout"), *(failed("/api/checkout", 500) for _ in range(4)))
    assert strength(refused, Reason.TECHNICAL_ERROR) == 0
    assert strength(broken, Reason.TECHNICAL_ERROR) > 0.5


def test_ten_thousand_events_are_classified_like_any_others() -> None:
    timeline = told(
        page("/"), *(s for _ in range(5_000) for s in (failed("/api/cart"), does("rage_click", 1, selector="#a")))
    )
    verdict = classify_by_evidence(timeline, threshold=THRESHOLD)
    assert verdict.reason is Reason.TECHNICAL_ERROR
