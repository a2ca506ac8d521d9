"""Templates written to take a process down: texts that multiply, tags without a bottom, html that patterns run over."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from liquid.exceptions import LiquidError

from insights.recovery.bounded_liquid import MOST_BLANKS, MOST_VALUE, size_of
from insights.recovery.links import Links, Target
from insights.recovery.message_content import MOST_HTML, MessageContent
from insights.recovery.message_faults import Patience, faults_of_message
from insights.recovery.message_render import MessageBroken, MessageTemplates, text_of
from insights.recovery.mjml import MOST_DEPTH, MjmlBroken, deepest, mjml_to_html
from tests.api.conftest import Api, api

__all__ = ["api"]

PAGE = "{% capture page %}{% for i in (1..1500) %}" + "x" * 100 + "{% endfor %}{% endcapture %}"
LIQUID = MessageTemplates()


@pytest.mark.parametrize(
    "source",
    [
        PAGE + "{{ page | split: '' | join: page }}",
        PAGE + "{{ page | split: '' | join: page | size }}",
        PAGE + "{{ page | replace: 'x', page | size }}",
        PAGE + "{{ page | replace: '', page | size }}",
        PAGE + "{{ page" + " | append: page" * 100 + " | size }}",
        PAGE
        + "{% assign l = page | split: '|' %}{% for i in (1..13) %}{% assign l = l | concat: l %}{% endfor %}{{ l }}",
        "{% assign l = 'a,b' | split: ',' %}{% for i in (1..40) %}{% assign l = l | concat: l %}{% endfor %}",
        "{% assign a = 99999 %}{% for i in (1..60) %}{% assign a = a | times: a %}{% endfor %}",
        "{% assign a = 'x' %}{% for i in (1..60) %}{% assign a = a | append: a %}{% endfor %}",
        "{{ (1..99999999) | join: 'x' | size }}",
        "{{ (1..99999999) | reverse | first }}",
        "{% for i in (1..9999999999) reversed %}{{ i }}{% endfor %}",
        "{% for i in (1..9999999999) reversed limit: 1 %}{{ i }}{% endfor %}",
        "{% tablerow i in (1..9999999999) reversed %}{{ i }}{% endtablerow %}",
        "{% assign r = (1..9999999999) %}{% for i in r reversed %}{{ i }}{% endfor %}",
        "{{ '" + "1 " * 1_500 + "' | date: '%Y' }}",
        "{% raw %}" * 400,
        # Filters of the library that were not written for these.
        "{{ 'x' | compact: 99999999999 }}",
        "{{ 'x' | uniq: 99999999999 }}",
    ],
)
def test_no_filter_makes_more_than_a_message_may_hold(source: str) -> None:
    with pytest.raises(MessageBroken):
        LIQUID.line(source, {})


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{" * (MOST_HTML // 2), "expected '}}'"),
        ("{{" + " " * MOST_HTML, "expected '}}'"),
        ("{% " + "a" * MOST_HTML + "!", "expected '%}'"),
        ("{{" + " " * MOST_HTML + "}}", "blanks in a row"),
        ("{% #" + "\n" * MOST_HTML + "# %}", "blanks in a row"),
        ("{% # }}" + "\n" * MOST_HTML + "# %}", "blanks in a row"),
        ("{{ '%}'" + " " * MOST_HTML + "}}", "blanks in a row"),
        ("{% liquid assign a = 1" + " " * MOST_HTML + "x %}", "blanks in a row"),
        ("{{ " + "(" * MOST_HTML + " }}", "brackets"),
        ("{{ a" + '["x' * (MOST_HTML // 3) + " }}", "brackets"),
        ("{% if " + "(" * MOST_HTML + "%}{% endif %}", "brackets"),
    ],
)
def test_no_template_is_read_for_minutes(source: str, why: str) -> None:
    """The library's patterns try every way through each of these, in calls that hold every other thread up."""
    with pytest.raises(LiquidError, match=why):
        LIQUID.parse(source, html=True)


def test_blanks_and_brackets_of_a_message_are_within_the_bounds() -> None:
    gap, indented = " " * 5 * MOST_BLANKS, "\n" + " " * (MOST_BLANKS - 1)
    assert LIQUID.line(f"a{gap}{{{{ b }}}}{gap}{{% if b %}}{gap}c{{% endif %}}", {"b": "b"}).split() == ["a", "b", "c"]
    assert LIQUID.line(f"{{{{{indented}b{indented}| upcase }}}}", {"b": "b"}) == "B"
    assert (
        LIQUID.line("{% for i in (1..2) %}{{ b['x'] }}{% endfor %}" + "(" * 200, {"b": {"x": "x"}}) == "xx" + "(" * 200
    )


def test_what_a_message_needs_is_within_the_bounds() -> None:
    values = {"things": [{"name": "Kettle", "tags": ["a", "b"]}] * 50, "text": "a<b " * 1000}
    said = "{{ things | map: 'name' | join: ', ' }} {{ text | replace: 'a', 'ä' | escape | size }}"
    assert LIQUID.line(said, values).startswith("Kettle, Kettle, ")
    counted = (
        "{% for i in (1..3) reversed %}{{ i }}{% endfor %}{% raw %}{{ x }}{% endraw %}{{ '2026-11-21' | date: '%Y' }}"
    )
    assert LIQUID.line(counted, {}) == "321{{ x }}2026"


def test_a_list_weighs_what_is_in_it() -> None:
    assert size_of("x" * 10) == 10
    assert size_of(10**400) >= 400
    assert size_of([["a" * 5] * 10, {"b": "c" * 50}]) >= 100
    assert size_of([["x" * 1000] * 1000] * 1000) > MOST_VALUE


def sheet(inner: str) -> str:
    return f"<mjml><mj-body>{inner}</mj-body></mjml>"


@pytest.mark.parametrize(
    "inner",
    [
        "<mj-section>" * 20_000,
        "<mj-section>" * 8_000 + "</mj-section>" * 8_000,
        "<mj-raw>" + "<b>" * 60_000 + "</mj-raw>",
        "<mj-raw>" + "<BR>" * 40_000 + "</mj-raw>",
        "<mj-raw>" + "<b x='</b>'>" * 14_000 + "</mj-raw>",
        '<mj-raw>' + '<b x="/>">' * 14_000 + "</mj-raw>",
        "<mj-raw>" + "<b><!-- </b> -->" * 12_000 + "</mj-raw>",
        "<mj-raw>" + "<b><![CDATA[</b>]]>" * 10_000 + "</mj-raw>",
        "<mj-raw><script>" + "<b>" * 60_000 + "</script></mj-raw>",
    ],
)  # fmt: skip
def test_tags_without_a_bottom_do_not_reach_the_native_parser(inner: str) -> None:
    with pytest.raises(MjmlBroken, match="levels deep"):
        mjml_to_html(sheet(inner))


def test_carousels_have_so_many_pictures_and_a_mail_so_much_html() -> None:
    """Each picture of a carousel names all the others: twelve thousand are gigabytes."""

    def carousel(pictures: int) -> str:
        inner = "<mj-carousel-image src='https://a.example/x.png' />" * pictures
        return sheet(f"<mj-section><mj-column><mj-carousel>{inner}</mj-carousel></mj-column></mj-section>")

    assert mjml_to_html(carousel(12)).count("x.png") >= 12
    with pytest.raises(MjmlBroken, match="pictures in carousels"):
        mjml_to_html(carousel(8_000))
    with pytest.raises(MjmlBroken, match="characters of HTML"):
        mjml_to_html(sheet("<mj-section />" * 20_000))


@pytest.mark.parametrize("end", ["<b", "<!-- ", "<b x='", "<![CDATA[", "</b"])
def test_a_tag_that_does_not_end_is_named_by_its_line(end: str) -> None:
    with pytest.raises(MjmlBroken, match="begins in line 2"):
        deepest(f"<mjml>\n{end}")


def test_what_mails_are_made_of_is_not_deep() -> None:
    column = "<mj-column><mj-text>1 < 2<br/><br>x</mj-text><mj-image src='https://a.example/x.png' /></mj-column>"
    outlook = "<!--[if mso]><table><tr><td><![endif]-->"
    wrapped = f"<mj-wrapper><mj-section>{column * 3}</mj-section></mj-wrapper>"
    source = sheet(outlook * 300 + "<mj-raw>" + "<br><hr><img src='x'>" * 200 + "</mj-raw>" + wrapped * 200)
    assert deepest(source) < 10 < MOST_DEPTH
    text = sheet("<mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section>")
    assert "Hello" in mjml_to_html(text)


@pytest.mark.parametrize(
    "part", ["<a ", '<a href="', "<a x='", "<a href=http://x ", "<body", "<", "<!--", "<a href='http://", "<img alt="]
)
def test_no_html_keeps_a_process_busy(part: str) -> None:
    """Patterns that tried every way would take minutes over one of these."""
    source = part * (MOST_HTML // len(part))
    target = Target("click", uuid4(), uuid4(), "s")
    links = Links(b"x" * 32, "https://why.example")
    assert links.tracked(source, target, datetime.now(UTC), keep="", clicks=True, pixel=False)
    words = {"subject": "x", "preview": "x", "html": source, "text": ""}
    content = MessageContent.model_validate({"format": "html", "locales": {"en": words}})
    assert LIQUID.render(content, "en", {"shop": "x", "unsubscribe_url": "x"}).html
    assert text_of(source) is not None


SLOW = "{% for i in (1..1900) %}{% assign p = page | split: 'y' | sort | join: 'y' | upcase | downcase %}{% endfor %}"


async def test_messages_that_are_slow_to_try_keep_nobody_waiting(api: Api) -> None:
    """Fifty languages, each with parts that take as long as they may, in many messages: hours, one after the other."""
    page = "{% capture page %}{% for i in (1..1000) %}" + "xy" * 70 + "{% endfor %}{% endcapture %}"
    words = {"subject": "x", "html": page + SLOW + "{{ unsubscribe_url }}", "text": "{{ unsubscribe_url }}"}
    locales = {"en": words, **{f"a{letter}": words for letter in "abcdefghijklmnopqrstuvwxyz"}}
    content = {"format": "html", "locales": locales}
    said = {"name": "slow", "content": content}
    made = await api.client.post("/v1/messages", json=said, headers=api.headers)
    assert made.status_code == 201, made.text
    found = made.json()["faults"]
    assert "was not tried" in found[-1]["problem"]
    assert len(found) < 20
    patience = Patience(0)
    parsed = MessageContent.model_validate(content)
    [only] = faults_of_message(parsed, LIQUID, patience)
    assert only.pointer == "/locales/en"
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    beside = asyncio.create_task(others())
    listed = await api.client.get("/v1/messages", headers=api.headers)
    beside.cancel()
    assert listed.status_code == 200
    # In the event loop's own thread there would have been none.
    assert turns > 3


async def test_a_preview_says_what_is_wrong_and_the_process_lives(api: Api) -> None:
    for kind, html in (
        ("mjml", sheet("<mj-section>" * 15_000) + "{{ unsubscribe_url }}"),
        ("html", PAGE + "{{ page | split: '' | join: page }}{{ unsubscribe_url }}"),
        ("html", "{{ 'x' | compact: 99999999999 }}{{ unsubscribe_url }}"),
    ):
        words = {"subject": "x", "html": html, "text": "{{ unsubscribe_url }}"}
        for path in ("/v1/messages/preview", "/v1/messages/validate"):
            said = {"content": {"format": kind, "locales": {"en": words}}}
            answer = await api.client.post(path, json=said, headers=api.headers)
            assert answer.status_code in (200, 422), answer.text
            assert "levels deep" in answer.text or "cannot be rendered" in answer.text, answer.text
