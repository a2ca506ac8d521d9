"""The shipped gold, and what a gold file of a user's own must be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from insights.evaluation.gold import GoldInvalid, as_file, read_stories, shipped_stories
from insights.vocabulary.reasons import Kind, Reason

STORIES = shipped_stories()


def test_every_reason_has_ten_stories_of_its_own_and_some_have_two_fair_answers() -> None:
    assert len(STORIES) >= 130
    assert len({story.id for story in STORIES}) == len(STORIES)
    named = Counter(reason for story in STORIES for reason in story.answers)
    assert all(named[reason] >= 10 for reason in Reason), named
    assert sum(len(story.answers) == 2 for story in STORIES) >= 13


def test_a_storys_kind_is_the_one_of_its_purchase() -> None:
    for story in STORIES:
        bought = any(event.type == "purchased" for event in story.timeline.events)
        assert (story.kind is Kind.CONVERTED) is bought, story.id


def test_both_halves_hold_every_reason() -> None:
    for half in ("tuning", "held-out"):
        named = Counter(reason for story in STORIES if story.half == half for reason in story.answers)
        assert all(named[reason] >= 4 for reason in Reason), (half, named)


def test_a_file_of_stories_reads_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(as_file(STORIES))
    again = read_stories(path)
    assert [(story.id, story.answers, story.told) for story in again] == [(s.id, s.answers, s.told) for s in STORIES]
    for ours, theirs in zip(STORIES, again, strict=True):
        assert [(e.at, e.type, e.path, e.props) for e in ours.timeline.events] == [
            (e.at, e.type, e.path, e.props) for e in theirs.timeline.events
        ]
        assert ours.timeline.prior == theirs.timeline.prior


def story(**change: Any) -> dict[str, Any]:
    return {"id": "s", "answers": ["unclear"], "events": [[0, "page_viewed", "/", {}]], **change}


@pytest.mark.parametrize(
    ("stories", "advice"),
    [
        ([], "holds no stories"),
        ([story(), story()], "the same id"),
        ([story(answers=["boredom"])], "answers"),
        ([story(answers=["urgency"])], "without a purchase"),
        ([story(answers=[])], "answers must be"),
        ([story(events=[])], "events is empty"),
        ([story(events=[[0, "teleported", "/", {}]])], "unknown type 'teleported'"),
        ([story(events=[[0, "clicked", "/", {"label": 7}]])], r"events\[0\] \(clicked\).*label"),
        ([story(comment="x")], "comment"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_the_reason(tmp_path: Path, stories: Any, advice: str) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(msgspec.json.encode({"stories": stories}))
    with pytest.raises(GoldInvalid, match=advice):
        read_stories(path)


def test_a_file_that_is_not_there_or_no_json_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(GoldInvalid, match="cannot be read"):
        read_stories(tmp_path / "none.json")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(GoldInvalid, match="is not a gold file"):
        read_stories(tmp_path / "text")
