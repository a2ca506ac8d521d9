"""What a model is asked: compact, complete, and nothing in it that is not meant to leave or could pass for ours."""

from __future__ import annotations

import json
import re

import pytest

from insights.classification.prompt import MOST_EVENTS, Wishes, ask_about
from tests.classification.hostile import strings
from tests.classification.stories import STORIES
from tests.classification.visits import does, failed, leaves, order, page, product, told


@pytest.mark.parametrize("text", strings(60))
def test_a_product_name_reads_back_unchanged_and_stays_on_its_line(text: str) -> None:
    question = ask_about(told(page("/"), does("product_viewed", 1, product_id="p", name=text), leaves()))
    row = next(line for line in question.prompt.material.split("\n") if ",product_viewed," in line)
    details = row.split(",", 4)[4]
    assert (json.loads(details) if details.startswith('"') else details) == text
    assert question.prompt.material.count("\n") == ask_about(
        told(page("/"), does("product_viewed", 1, product_id="p", name="x"), leaves())
    ).prompt.material.count("\n")


def test_the_instructions_are_the_same_for_everybody() -> None:
    assert len({ask_about(visit.timeline()).prompt.instructions for visit in STORIES}) == 1


def test_every_short_id_stands_for_the_event_of_its_line() -> None:
    timeline = STORIES[0].timeline()
    question = ask_about(timeline)
    rows = [line for line in question.prompt.material.split("\n") if re.match(r"\d+,", line)]
    assert [question.events[row.partition(",")[0]] for row in rows] == [event.id for event in timeline.events]


def test_the_kind_is_told_from_the_purchase() -> None:
    assert ask_about(told(page("/"))).prompt.material.startswith("kind: abandoned\n")
    assert ask_about(told(page("/"), order(1))).prompt.material.startswith("kind: converted\n")


def test_a_visit_of_ten_thousand_events_is_shortened_and_keeps_what_tells_most() -> None:
    noise = [does("scrolled", 1, depth=0.5) for _ in range(5_000)]
    question = ask_about(told(page("/"), *noise, failed("/api/cart"), *noise))
    assert len(question.events) <= MOST_EVENTS
    assert ",request_failed," in question.prompt.material
    assert "10000 of 10002 events are left out: 10000 scrolled" in question.prompt.material


def test_a_visit_of_nothing_but_noise_is_shortened_too() -> None:
    question = ask_about(told(*(does("scrolled", 1, depth=0.5) for _ in range(5_000))))
    assert 0 < len(question.events) <= MOST_EVENTS


def test_a_session_without_events_can_be_asked_about() -> None:
    assert ask_about(told()).events == {}


def test_two_hundred_events_take_at_most_twelve_thousand_characters() -> None:
    # About four characters a token: 3,000 of them. A real tokenizer is not part of the project.
    steps = [
        step for n in range(40) for step in (*product(f"kettle-{n % 5}", "kettles", 6900), does("engaged", 3, ms=3000))
    ]
    question = ask_about(told(*steps, *(does("scrolled", 2, depth=0.5, section="story") for _ in range(80))))
    assert len(question.events) == 200
    assert len(question.prompt.material) + len(question.prompt.instructions) <= 12_000


def test_pii_canaries_do_not_reach_the_prompt() -> None:
    timeline = told(
        page("/account/canary@example.org?email=canary@example.org", title="Canary Miller's account"),
        does(
            "identified", 1, email="canary@example.org", phone="+491701234567", user_id="canary", traits={"n": "canary"}
        ),
        does("searched", 1, query="order of canary@example.org 4111 1111 1111 1111", results=0),
        does("js_error", 1, message="no user canary@example.org", source="/a.js?u=canary"),
        failed("/api/users/canary@example.org?token=canary"),
        does("custom", 1, name="canary", props={"note": "canary"}),
        does("form_field", 1, form="address", field="street", kind="text", value="canary"),
        does("clicked", 1, selector="a", role="link", label="Log out canary@example.org", href="/out?u=canary"),
        does("purchased", 1, order_id="canary", value_minor=1),
    )
    question = ask_about(timeline)
    sent = question.prompt.material + question.prompt.instructions
    for canary in ("canary", "4111", "1701234567"):
        assert canary not in sent.lower()


def test_what_stood_beside_a_click_and_the_title_of_the_page_are_told() -> None:
    click = does(
        "clicked", 1, selector="button.add", role="button", label="Add", heading="Mugs", price="9.90", promo="-10 %"
    )
    material = ask_about(told(page("/p/mug", title="Mug, blue"), click)).prompt.material
    assert 'page 1: "/p/mug" "Mug, blue"' in material
    assert '2,1,,clicked,button.add Add - Mugs 9.90 "-10 %"' in material


@pytest.mark.parametrize("path", ["/account", "/my/orders", "/konto", "/compte/commandes", "/orders/88123"])
def test_the_title_of_a_page_about_the_visitor_stays_in_the_house(path: str) -> None:
    assert "Miller" not in ask_about(told(page(path, title="Jane Miller"))).prompt.material


def test_language_and_what_a_project_withholds_are_kept_to() -> None:
    timeline = told(page("/p", title="Mug"), does("searched", 1, query="blue mug", results=3))
    material = ask_about(timeline, Wishes("German", frozenset({"titles", "searches"}))).prompt.material
    assert material.split("\n")[1] == "language: German"
    assert "ug" not in material.replace("language", "")


def test_the_key_of_a_question_changes_with_all_that_an_answer_depends_on() -> None:
    timeline = told(page("/p"), leaves())
    key = ask_about(timeline).key("m")
    assert ask_about(timeline).key("m") == key
    assert len({key, ask_about(timeline).key("n"), ask_about(timeline, Wishes("German")).key("m")}) == 3
    assert ask_about(told(page("/q"), leaves())).key("m") != key


def test_details_that_were_told_before_are_named_by_their_row() -> None:
    seen = does("product_viewed", 1, product_id="p", name="Steel kettle", category="kettles", price_minor=6900)
    rows = ask_about(told(page("/a"), seen, page("/b"), seen)).prompt.material.split("\n")[-4:]
    assert rows[1:] == [
        '2,1,,product_viewed,"Steel kettle" kettles 6900',
        "3,7,2,page_viewed,",
        "4,8,,product_viewed,=2",
    ]


def test_a_stranger_cannot_name_a_row() -> None:
    seen = does("product_viewed", 1, product_id="p", name="=1 and more", category="=1", price_minor=6900)
    assert '"=1 and more" "=1" 6900' in ask_about(told(page("/a"), seen)).prompt.material


def test_an_answer_may_cite_an_event_with_or_without_the_e() -> None:
    question = ask_about(told(page("/a"), leaves()))
    assert question.event("2") == question.event("e2") is not None
    assert question.event("e3") is question.event("page 1") is question.event("") is None
