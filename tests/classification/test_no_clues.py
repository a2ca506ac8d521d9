"""A session without a single clue, at every threshold."""

from __future__ import annotations

import pytest

from insights.classification.evidence import classify_by_evidence
from insights.vocabulary.reasons import Reason
from tests.classification.visits import leaves, page, told


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_a_session_without_clues_is_unclear_whatever_the_threshold(threshold: float) -> None:
    for timeline in (told(), told(page("/"), leaves())):
        assert classify_by_evidence(timeline, threshold=threshold).reason is Reason.UNCLEAR
