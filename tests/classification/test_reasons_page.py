"""docs/reasons.md: every reason has an example, and the example has that reason."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from insights.classification.evidence import classify_by_evidence
from insights.evaluation.gold import read_stories
from insights.vocabulary.reasons import Reason


@pytest.fixture
def sections(repository: Path) -> dict[str, str]:
    text = (repository / "docs" / "reasons.md").read_text()
    return {part.partition("\n")[0].strip(): part for part in text.split("\n### ")[1:]}


@pytest.mark.parametrize("reason", Reason)
def test_the_example_of_a_reason_gets_that_reason(sections: dict[str, str], reason: Reason, tmp_path: Path) -> None:
    block = re.search(r"```json\n(.*?)```", sections[reason.value], re.DOTALL)
    assert block is not None
    told = {"id": reason.value, "answers": [reason.value], **msgspec.json.decode(block[1])}
    path = tmp_path / "example.json"
    path.write_bytes(msgspec.json.encode({"stories": [told]}))
    (story,) = read_stories(path)
    verdict = classify_by_evidence(story.timeline, threshold=0.5)
    assert verdict.reason is reason
    assert set(verdict.evidence) <= {event.id for event in story.timeline.events}
