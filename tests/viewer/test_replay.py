"""The storyboard of a visit: one frame a page, marks where things were done, and a player that needs no recording."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from insights.timeline.timeline import TimelineEvent
from insights.viewer.replay import BOTTOM, MOST_MARKS, MOST_SCENES, TOP, WINDOW, replay
from tests.demo.serving import serving
from tests.viewer.conftest import Shop

START = datetime(2026, 11, 1, 9, tzinfo=UTC)


def told(*events: tuple[float, str, dict[str, Any]]) -> list[TimelineEvent]:
    path, made = "/", []
    for seconds, kind, props in events:
        path = props.get("path", path) if kind == "page_viewed" else path
        made.append(
            TimelineEvent(
                uuid4(), START + timedelta(seconds=seconds), kind, url=f"https://s.example{path}", props=props
            )
        )
    return made


def test_a_frame_ends_where_the_next_page_begins() -> None:
    found = replay(
        told((0, "page_viewed", {"path": "/"}), (9, "page_viewed", {"path": "/cart"}), (30, "exit_intent", {})), {}
    )
    assert found is not None
    assert [(scene.path, scene.at, scene.until, scene.layout) for scene in found.scenes] == [
        ("/", 0, 9_000, "grid"),
        ("/cart", 9_000, 30_000, "rows"),
    ]
    assert found.length == 30_000


def test_a_mark_stands_as_far_down_as_they_had_scrolled() -> None:
    events = told(
        (0, "page_viewed", {"path": "/"}), (1, "clicked", {}), (2, "scrolled", {"depth": 1.0}), (3, "rage_click", {}),
        (4, "scrolled", {"depth": 7}),
    )  # fmt: skip
    found = replay(events, {events[3].id: 2})
    assert found is not None
    scene = found.scenes[0]
    assert [(mark.y, mark.kind, mark.cited) for mark in scene.marks] == [
        (TOP + WINDOW / 2, "click", None),
        (BOTTOM - WINDOW / 2, "problem", 2),
    ]
    assert scene.seen == BOTTOM
    assert scene.scrolls == ((0, TOP), (2_000, BOTTOM - WINDOW), (4_000, BOTTOM - WINDOW))


def test_marks_never_cover_each_other_and_what_matters_is_kept() -> None:
    events = told(
        (0, "page_viewed", {"path": "/"}),
        *((n, "clicked", {"label": str(n)}) for n in range(1, 30)),
        (40, "js_error", {}),
    )
    found = replay(events, {events[-2].id: 1})
    assert found is not None
    scene = found.scenes[0]
    assert len(scene.marks) == MOST_MARKS
    assert scene.further == 30 - MOST_MARKS
    assert {"problem"} <= {mark.kind for mark in scene.marks}
    assert [mark.cited for mark in scene.marks if mark.cited] == [1]
    ys = sorted(mark.y for mark in scene.marks)
    assert all(after - before >= 17 for before, after in itertools.pairwise(ys))
    assert ys[-1] < BOTTOM


def test_the_same_thing_again_is_one_mark() -> None:
    found = replay(told((0, "page_viewed", {"path": "/"}), (1, "dead_click", {}), (2, "dead_click", {})), {})
    assert found is not None
    assert [mark.times for mark in found.scenes[0].marks] == [2]


def test_nothing_is_drawn_of_nothing_and_not_everything_of_very_much() -> None:
    assert replay([], {}) is None
    events = told(*((n, "page_viewed", {"path": f"/{n}"}) for n in range(MOST_SCENES + 3)))
    found = replay(events, dict[UUID, int]())
    assert found is not None
    assert (len(found.scenes), found.further) == (MOST_SCENES, 3)


@pytest.mark.browser
async def test_the_storyboard_plays_and_points_at_its_events(shop: Shop, app: FastAPI, browser: Browser) -> None:
    visit = shop.visits["broken"]
    async with serving(app) as base:
        page = await browser.new_page(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
        await page.goto(f"{base}/app/sessions/{visit.id}")
        await page.fill("#key", shop.key)
        await page.keyboard.press("Enter")
        scenes = page.locator(".scene")
        await expect(scenes).to_have_count(4)
        slider = page.get_by_label("Place in the visit")
        await slider.evaluate("e => { e.value = e.max; e.dispatchEvent(new Event('input')) }")
        await expect(scenes.nth(3)).to_have_class("scene now")
        await expect(page.locator(".replay-bar .clock")).to_have_text("4:40 of 4:40")
        await slider.evaluate("e => { e.value = 0; e.dispatchEvent(new Event('input')) }")
        await expect(scenes.nth(3)).to_have_class("scene later")
        await page.get_by_role("button", name="Play").click()
        await expect(scenes.nth(1)).to_have_class("scene now")
        await page.get_by_role("button", name="Pause").click()
        event = page.locator(f"#e-{visit.event_ids[18].hex}")
        await page.locator("#c-1 a").hover()
        await expect(event).to_have_class("line event problem cited lit")
        await page.mouse.move(0, 0)
        await event.locator("b").hover()
        await expect(page.locator("#c-1")).to_have_class("lit")
        await page.locator(".doing.cited").first.focus()
        await page.keyboard.press("Enter")
        await expect(event).to_be_in_viewport()
        await page.close()
