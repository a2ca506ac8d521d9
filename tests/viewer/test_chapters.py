"""Telling a timeline as chapters."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from insights.timeline.timeline import TimelineEvent
from insights.viewer.chapters import Chapter, DecisionLine, EventLine, Pause, QuietLine, chapters
from insights.viewer.curve import Scores, draw, sampled
from insights.viewer.session_page import event_pages
from tests.viewer.seed import NOW


def event(seconds: float, kind: str, path: str = "/", tab: str = "a", **props: Any) -> TimelineEvent:
    at = NOW + timedelta(seconds=seconds)
    return TimelineEvent(uuid4(), at, kind, tab=tab, url=f"https://shop.example{path}", props=props)


def told(*events: TimelineEvent, **more: Any) -> list[Chapter]:
    return chapters(events, **{"citations": {}, "decisions": {}} | more)


def kinds(chapter: Chapter) -> list[str]:
    names = {QuietLine: "quiet", Pause: "pause", DecisionLine: "decision"}
    return [line.event.type if isinstance(line, EventLine) else names[type(line)] for line in chapter.lines]


def test_every_page_view_opens_a_chapter() -> None:
    first, second = told(
        event(0, "page_viewed", path="/a"),
        event(4, "clicked", path="/a"),
        event(9, "page_viewed", path="/b", title="B"),
    )
    assert (first.path, first.number, first.seconds, kinds(first)) == ("/a", 1, 9, ["page_viewed", "clicked"])
    assert (second.path, second.title, second.since_start, kinds(second)) == ("/b", "B", 9, ["page_viewed"])


def test_a_session_may_begin_in_the_middle() -> None:
    (only,) = told(event(0, "clicked", path="/a"))
    assert (only.path, only.continued, kinds(only)) == ("/a", False, ["clicked"])


def test_quiet_events_in_a_row_become_one_line() -> None:
    (chapter,) = told(
        event(0, "page_viewed"),
        event(1, "scrolled", depth=0.2),
        event(2, "engaged", ms=3000),
        event(3, "scrolled", depth=0.75),
        event(4, "clicked"),
        event(5, "engaged", ms=1500),
    )
    assert kinds(chapter) == ["page_viewed", "quiet", "clicked", "quiet"]
    quiet = [line.text for line in chapter.lines if isinstance(line, QuietLine)]
    assert quiet == ["Scrolled to 75 %, active for 3 s", "Active for 1.5 s"]
    assert (chapter.active_seconds, chapter.depth) == (4.5, 0.75)


def test_a_quiet_event_that_something_points_at_keeps_its_own_line() -> None:
    events = [event(0, "page_viewed"), *(event(n, "scrolled", depth=0.1) for n in range(1, 5))]
    (chapter,) = told(
        *events, citations={events[2].id: 1}, decisions={events[3].id: [uuid4()]}, pointed_at={events[4].id}
    )
    assert kinds(chapter) == ["page_viewed", "quiet", "scrolled", "scrolled", "decision", "scrolled"]


def test_a_pause_stands_where_nothing_happened_and_grows_with_its_length() -> None:
    heights = []
    for seconds in (29, 30, 300, 3600, 90_000):
        (chapter,) = told(event(0, "page_viewed"), event(seconds, "clicked"))
        heights += [line.height for line in chapter.lines if isinstance(line, Pause)]
    assert len(heights) == 4
    assert heights == sorted(set(heights))
    assert max(heights) <= 120


def test_a_pause_before_the_next_page_belongs_to_the_page_that_was_open() -> None:
    first, second = told(event(0, "page_viewed"), event(60, "page_viewed", path="/b"))
    assert (kinds(first), kinds(second)) == (["page_viewed", "pause"], ["page_viewed"])


def test_another_tab_is_named_with_its_page() -> None:
    (chapter,) = told(
        event(0, "page_viewed", path="/a"), event(1, "clicked", path="/b", tab="b"), event(2, "clicked", path="/a")
    )
    lines = [line for line in chapter.lines if isinstance(line, EventLine)]
    assert [(line.tab, line.elsewhere) for line in lines] == [(None, None), (2, "/b"), (None, None)]


def test_parts_of_a_timeline_add_up_to_the_whole() -> None:
    events = [event(n, "page_viewed" if n % 7 == 0 else "clicked", path=f"/{n // 7}") for n in range(50)]
    parts = [told(*events, start=start, stop=start + 20) for start in (0, 20, 40)]
    shown = [
        line.event.id for part in parts for chapter in part for line in chapter.lines if isinstance(line, EventLine)
    ]
    assert shown == [e.id for e in events]
    assert [(part[0].path, part[0].number, part[0].continued) for part in parts] == [
        ("/0", 1, False), ("/2", 3, True), ("/5", 6, True)
    ]  # fmt: skip


@pytest.mark.parametrize(("count", "asked", "shown"), [(0, "", (1, 0)), (500, "", (1, 500)), (501, "2", (501, 501))])
def test_the_parts_of_a_timeline(count: int, asked: str, shown: tuple[int, int]) -> None:
    current = next(part for part in event_pages(count, asked) if part.current)
    assert (current.first, current.last) == shown


def test_a_curve_of_one_event_is_a_line_and_labels_never_overlap() -> None:
    events = [event(0, "page_viewed")]
    curve = draw(events, {0: Scores(0.5, 0.5, 0.5)}, {}, {})
    assert curve is not None
    assert all(" L" in line.path for line in curve.lines)
    labels = sorted(line.label_y for line in curve.lines)
    assert all(after - before >= 18 for before, after in pairwise(labels))
    assert draw([], {}, {}, {}) is None


def test_scores_outside_of_their_range_stay_on_the_paper() -> None:
    curve = draw([event(0, "clicked"), event(1, "clicked")], {0: Scores(-1, 2, 0), 1: Scores(0, 1, 9e9)}, {}, {})
    assert curve is not None
    for line in curve.lines:
        for point in line.path[1:].split(" L"):
            assert 30 <= float(point.split()[1]) <= 224


def test_a_long_session_is_sampled_from_its_first_to_its_last_event() -> None:
    places = sampled(10_000)
    assert (places[0], places[-1], len(places)) == (0, 9_999, 400)
    assert sampled(3) == [0, 1, 2]


def test_a_mark_says_what_and_when_and_cited_ones_carry_their_number() -> None:
    events = [event(0, "page_viewed"), event(65, "request_failed"), event(70, "rage_click"), event(71, "clicked")]
    numbers: dict[UUID, int] = {events[1].id: 1}
    curve = draw(events, dict.fromkeys(range(4), Scores(0.1, 0.2, 0.3)), numbers, {})
    assert curve is not None
    assert [(mark.kind, mark.title, mark.number) for mark in curve.marks] == [
        ("cited", "Request failed at +1:05, cited [1]", 1),
        ("signal", "Rage click at +1:10", None),
    ]


def test_each_row_of_the_curve_says_what_moved_it_and_what_it_is_made_of() -> None:
    events = [event(n, "clicked") for n in range(3)]
    terms = [
        {"propensity": (("pages", 0.4), ("cart", 0.1))},
        {"propensity": (("cart", 0.9), ("pages", 0.5))},
        {"propensity": (("cart", 0.9),)},
    ]
    curve = draw(events, dict.fromkeys(range(3), Scores(0.1, 0.2, 0.3)), {}, dict(enumerate(terms)))
    assert curve is not None
    first, second, third = curve.steps
    assert (first.moved, second.moved, third.moved) == (
        {},
        {"propensity": ("cart", pytest.approx(0.8))},
        {"propensity": ("pages", pytest.approx(-0.5))},
    )
    assert [step.terms["propensity"] for step in curve.steps] == [one["propensity"] for one in terms]
