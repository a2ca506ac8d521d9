"""Messages of a shop's own: what is wrong with them, what they look like with real data, and where their links lead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from flows.errors import Fault
from flows.models import Delivery, DeliveryEvent, FlowRun
from insights.errors import Refused
from insights.recovery.cart import cart_items
from insights.recovery.kept import kept_fields
from insights.recovery.links import Links, LinkTooOld, Target
from insights.recovery.message_content import MessageContent
from insights.recovery.message_faults import SAMPLE, faults_of_message
from insights.recovery.message_render import MessageBroken, MessageTemplates
from tests.api.conftest import Api
from tests.recovery.sessions import MUG, session
from tests.segments.people import close_visits

TEMPLATES = MessageTemplates()
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WORDS = {"subject": "Hello {{ first_name }}!", "html": "<p>{{ shop }}</p>", "text": "{{ link }}"}
MJML = """<mjml><mj-body><mj-section><mj-column>
{% for thing in things %}<mj-text>{{ thing.name }}: {{ thing.price }}</mj-text>{% endfor %}
<mj-button href="{{ link }}">Go</mj-button><mj-text><a href="{{ unsubscribe_url }}">Stop</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"""


def content(words: dict[str, str] | None = None, **other: Any) -> MessageContent:
    return MessageContent.model_validate({"locales": {"en": WORDS | (words or {})}} | other)


def faults(words: dict[str, str], **other: Any) -> list[Fault]:
    return faults_of_message(content(words, **other), TEMPLATES)


async def call(api: Api, method: str, path: str, **options: Any) -> httpx.Response:
    headers = api.headers | options.pop("headers", {})
    return await api.client.request(method, f"/v1/{path}", headers=headers, **options)


@pytest.mark.parametrize(
    ("words", "pointer", "problem"),
    [
        ({"html": "{{ shopp }}"}, "/locales/en/html", "line 1: there is no value shopp"),
        ({"text": "a\n{{ code.percentage }}"}, "/locales/en/text", "line 2: there is no value code.percentage"),
        ({"html": "{% for t in things %}{{ t.cost }}{% endfor %}"}, "/locales/en/html", "no value things[0].cost"),
        ({"html": "{% for a in things %}{% for b in a.parts %}{{ b }}{% endfor %}{% endfor %}"}, "", "things[0].parts"),
        ({"html": "{{ things.name }}"}, "/locales/en/html", "things.name"),
        ({"html": "{% if %}"}, "/locales/en/html", "cannot be read"),
        ({"html": "{{ shop | shout }}"}, "/locales/en/html", "shout"),
        ({"html": "{% render 'secrets' %}"}, "/locales/en/html", "secrets"),
        ({"html": "{% include '/etc/passwd' %}"}, "/locales/en/html", "passwd"),
        ({"subject": " "}, "/locales/en/subject", "is empty"),
        ({"subject": "{{ first_name }}"}, "/locales/en/subject", "says nothing"),
        ({"html": "", "text": ""}, "/locales/en/html", "is empty"),
        ({"html": "{% assign t = things[0] %}{{ t.cost }}"}, "/locales/en/html", "cost"),
    ],
)
def test_what_cannot_be_sent_is_a_fault_before_it_goes_out(words: dict[str, str], pointer: str, problem: str) -> None:
    found = faults(words)
    assert any(problem in fault.problem and pointer in fault.pointer and fault.fix for fault in found), found


def test_a_mail_of_ones_own_must_say_how_to_unsubscribe() -> None:
    (fault,) = faults({"html": "<p>Hi</p>", "text": "{{ unsubscribe_url }}"}, format="html")
    assert fault.pointer == "/locales/en/html" and "unsubscribe" in fault.problem
    assert faults({"html": "<p>Hi</p>"}) == []


def test_what_is_wrong_in_each_language_is_told_at_once() -> None:
    written = content(locales={"en": WORDS, "de": WORDS | {"html": "{{ x }}", "text": "{{ y.z }}"}})
    assert [fault.pointer for fault in faults_of_message(written, TEMPLATES)] == [
        "/locales/de/html",
        "/locales/de/text",
    ]


def test_mjml_is_rendered_with_its_values_and_no_font_of_somebody_elses() -> None:
    written = content({"html": MJML, "text": "", "preview": "For <you>"}, format="mjml")
    assert faults_of_message(written, TEMPLATES) == []
    hostile = SAMPLE | {"things": [{"name": "</mj-text><mj-image src='x'/>&", "quantity": 1, "price": "€1"}]}
    mail = TEMPLATES.render(written, None, hostile)
    assert "<mj-" not in mail.html and ">For &lt;you&gt;</div>" in mail.html and 'lang="en"' in mail.html
    assert "<img" not in mail.html and "googleapis" not in mail.html
    assert "</mj-text><mj-image src='x'/>&: €1" in mail.text
    assert "Go: https://shop.example/" in mail.text


@pytest.mark.parametrize(
    "html", ["<mjml><mj-body>", "<p>no mjml</p>", '<mjml><mj-body><mj-include path="/etc/passwd"/></mj-body></mjml>']
)
def test_what_is_no_mjml_is_a_fault(html: str) -> None:
    assert any(
        "MJML" in fault.problem for fault in faults({"html": html + "<!--{{ unsubscribe_url }}-->"}, format="mjml")
    )


@pytest.mark.parametrize(
    "html",
    [
        "{% assign n = 9 %}{% for i in (1..2000) %}{% assign n = n | times: n %}{% endfor %}{{ n }}",
        "{% assign s = 'x' %}{% for i in (1..2000) %}{% assign s = s | append: s %}{% endfor %}",
        "{% for a in (1..1999) %}{{ shop }}{% endfor %}" * 400,
        "{% for a in (1..100) %}{% for b in (1..100) %}x{% endfor %}{% endfor %}",
    ],
)
def test_a_message_cannot_run_away(html: str) -> None:
    with pytest.raises(MessageBroken):
        TEMPLATES.render(content({"html": html}), None, SAMPLE)


def test_a_language_falls_back_to_its_own_and_then_to_the_default() -> None:
    written = content(locales={"en": WORDS, "de": WORDS, "de-AT": WORDS}, default_locale="en")
    wanted = {"de-AT": "de-AT", "de-at": "de-AT", "de_CH": "de", "fr-FR": "en", "": "en"}
    assert {name: written.locale_for(name) for name in wanted} == wanted
    assert written.locale_for(None) == "en"


def test_links_lead_through_this_server_and_nowhere_else() -> None:
    links = Links(b"s" * 32, "https://why.example/")
    target = Target("click", uuid4(), uuid4(), "mail")
    html = (
        '<a class="b" href="https://shop.example/?a=1&amp;b=2">x</a><a href="https://why.example/v1/unsubscribe">u</a>'
    )
    made = links.tracked(html, target, NOW, keep="", clicks=True, pixel=True)
    (found,) = [part.split('"')[0] for part in made.split('href="') if "/v1/l/" in part]
    token = found.rsplit("/", 1)[1]
    assert links.read(token, NOW).url == "https://shop.example/?a=1&b=2"
    assert 'href="https://why.example/v1/unsubscribe"' in made and "/v1/o/" in made
    assert links.tracked(html, target, NOW, keep="", clicks=False, pixel=False) == html
    for wrong in (token[:-4], token[:30] + ("A" if token[30] != "A" else "B") + token[31:], "", "x" * 7000, "ü"):
        with pytest.raises(Refused):
            links.read(wrong, NOW)
    with pytest.raises(Refused):
        Links(b"t" * 32, "https://why.example").read(token, NOW)
    assert links.read(token, NOW + timedelta(days=360)).step == "mail"
    with pytest.raises(LinkTooOld):
        links.read(token, NOW + timedelta(days=430))


def test_what_was_written_into_kept_fields_can_be_said_again() -> None:
    visit = session(
        ("form_field", {"form": "f", "field": "First name", "kind": "text", "value": "Ada"}),
        ("form_field", {"form": "f", "field": "city", "kind": "text"}),
        ("form_field", {"form": "f", "field": "site", "kind": "text", "value": "see https://evil.example now"}),
    )
    kept = kept_fields(visit.events)
    assert kept == {"first_name": "Ada", "site": "see evil. example now"}
    assert cart_items(visit.events) == []


async def test_a_message_is_written_checked_and_published(api: Api) -> None:
    body = {"name": "welcome", "content": {"locales": {"en": WORDS | {"html": "{{ nobody }}"}}}}
    made = await call(api, "POST", "messages", json=body)
    assert made.status_code == 201 and made.json()["faults"][0]["pointer"] == "/locales/en/html"
    refused = await call(api, "POST", "messages/welcome/publish")
    assert refused.status_code == 422 and refused.json()["faults"][0]["start"] == 3
    right = {"content": {"locales": {"en": WORDS}}}
    assert (await call(api, "PUT", "messages/welcome", json=right, headers={"if-match": '"9"'})).status_code == 412
    assert (await call(api, "PUT", "messages/welcome", json=right, headers={"if-match": '"1"'})).status_code == 200
    first = (await call(api, "POST", "messages/welcome/publish")).json()
    again = (await call(api, "POST", "messages/welcome/publish")).json()
    assert (first["published"], first["new_version"], again["new_version"]) == (1, True, False)
    listed = (await call(api, "GET", "messages")).json()
    assert [one["name"] for one in listed["messages"]] == ["welcome"]
    assert {one["name"]: one["needs"] for one in listed["built_in"]}["discount_24h"] == ["discount_percent"]
    for one in listed["built_in"]:
        assert (await call(api, "POST", "messages/validate", json={"content": one["content"]})).json()["valid"]


async def test_a_flow_that_sends_what_is_not_there_or_not_given_cannot_be_published(api: Api) -> None:
    def plan(**params: Any) -> dict[str, Any]:
        step = {"do": "send", "action": "send_email", "params": params}
        return {"definition": {"name": "f", "trigger": {"on": "insight"}, "start": "a", "steps": {"a": step}}}

    async def wrong(**params: Any) -> dict[str, str]:
        answer = (await call(api, "POST", "flows/validate", json=plan(**params))).json()
        return {fault["pointer"]: fault["fix"] for fault in answer["faults"]}

    assert "did you mean cart_reminder?" in (await wrong(message="cart_remindr"))["/steps/a/params/message"]
    assert set(await wrong(message="discount_24h")) == {"/steps/a/params/discount_percent"}
    assert await wrong(message="discount_24h", discount_percent=10) == {}
    mine = {"name": "mine", "content": {"locales": {"en": WORDS}}}
    await call(api, "POST", "messages", json=mine)
    assert set(await wrong(message="mine")) == {"/steps/a/params/message"}
    await call(api, "POST", "messages/mine/publish")
    assert await wrong(message="mine") == {}
    flow = (await call(api, "POST", "flows", json=plan(message="mine"))).json()
    await call(api, "POST", f"flows/{flow['id']}/publish")
    assert (await call(api, "DELETE", "messages/mine")).status_code == 409
    await call(api, "PUT", "messages/mine", json={"content": {"locales": {"en": WORDS | {"text": "{{ code.text }}"}}}})
    refused = (await call(api, "POST", "messages/mine/publish")).json()
    assert "'f'" in refused["faults"][0]["problem"]
    await call(api, "POST", f"flows/{flow['id']}/pause")
    assert (await call(api, "DELETE", "messages/mine")).status_code == 204


@pytest.mark.parametrize(
    ("action", "params", "pointer"),
    [
        ("send_sms", {"message": "cart_reminder"}, None),
        ("send_sms", {"message": "cart_reminderr"}, "message"),
        ("send_sms", {"message": "discount_24h"}, "discount_percent"),
        ("send_sms", {"text": "{{ shop }}: {{ nobody }}"}, "text"),
        ("send_sms", {"text": "{% if"}, "text"),
        ("send_sms", {"text": "{{ code.text }}", "discount_percent": 5}, None),
        ("send_sms", {}, ""),
        ("send_push", {"title": "{{ shop }}", "body": "{{ code.text }}"}, "discount_percent"),
        ("send_push", {"title": "{{ shop }}", "hours": 9_999}, "hours"),
        ("send_push", {"message": "it_is_fixed", "channel": "phones"}, "channel"),
        ("send_push", {"message": "it_is_fixed", "channel": "push"}, None),
        ("show_popup", {"action": "cart_save", "content": {"default": {"title": "Back?"}}}, "content/default/body"),
        ("show_popup", {"content": {}}, "action"),
    ],
)
async def test_what_a_step_says_in_a_few_words_is_checked_as_well(
    api: Api, action: str, params: dict[str, Any], pointer: str | None
) -> None:
    step = {"do": "send", "action": action, "params": params}
    plan = {"definition": {"name": "f", "trigger": {"on": "insight"}, "start": "a", "steps": {"a": step}}}
    answer = (await call(api, "POST", "flows/validate", json=plan)).json()
    found = [fault["pointer"] for fault in answer["faults"]]
    if pointer is None:
        assert found == []
    else:
        assert f"/steps/a/params/{pointer}".rstrip("/") in found, answer["faults"]


async def test_a_preview_shows_the_data_of_a_real_visit(api: Api) -> None:
    visitor, visit = uuid4(), None
    batch = api.batch(
        api.event(
            "page_viewed", {"url": "https://shop.example/cart", "path": "/cart"}, url="https://shop.example/cart"
        ),
        api.event("cart_added", MUG | {"quantity": 2, "cart_value_minor": 2900}),
        api.event("form_field", {"form": "f", "field": "name", "kind": "text", "value": "Ada"}),
        api.event("identified", {"email": "ada@example.org", "traits": {"first_name": "Grace"}}),
        visitor=str(visitor),
    )
    visit = batch["session"]
    assert (await api.send(batch)).status_code == 200
    await close_visits(api)
    words = {
        "subject": "To {{ first_name }} {{ form.name }}",
        "html": "",
        "text": "{% for thing in things %}{{ thing.name }}{% endfor %} {{ total }} {{ reason }}",
    }
    body = {"content": {"locales": {"en": words}}, "session": visit}
    shown = (await call(api, "POST", "messages/preview", json=body)).json()
    assert shown["subject"] == "To Grace Ada", shown
    assert shown["text"].startswith("Morning mug €29.00 ")
    assert shown["with_data_of"] == visit
    of_visitor = (
        await call(api, "POST", "messages/preview", json={"message": "cart_reminder", "visitor": str(visitor)})
    ).json()
    assert "Morning mug" in of_visitor.get("html", ""), of_visitor
    sample = (await call(api, "POST", "messages/preview", json={"message": "cart_reminder"})).json()
    assert sample["with_data_of"] is None
    missing = await call(api, "POST", "messages/preview", json={"message": "nothing"})
    assert missing.status_code == 404
    no_channel = await call(api, "POST", "messages/test", json={"message": "cart_reminder", "to": "me@shop.example"})
    assert no_channel.status_code == 409


async def sent(api: Api, run: UUID, visitor: UUID) -> None:
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(
            FlowRun(
                project_id=api.project_id,
                id=run,
                flow_id=uuid4(),
                version_id=uuid4(),
                visitor_id=visitor,
                trigger_key="k",
                trigger_group="g",
                triggered_at=NOW,
                facts={"cart": {"currency": "EUR", "value_minor": 1450, "items": [MUG | {"quantity": 1}]}},
                exit_on_conversion=True,
                status="done",
                step="mail",
                waiting=False,
                signalled=False,
                attempts=0,
                started_at=NOW,
            )
        )
        tx.add(
            Delivery(
                project_id=api.project_id,
                id=uuid4(),
                run_id=run,
                step="mail",
                action="send_email",
                visitor_id=visitor,
                channel="email",
                dedupe_key="d",
                content={},
                status="accepted",
                attempts=1,
                created_at=datetime.now(UTC) - timedelta(hours=1),
            )
        )


async def test_a_click_is_counted_and_leads_on_and_a_cart_is_found_again(api: Api) -> None:
    run, visitor = uuid4(), uuid4()
    await sent(api, run, visitor)
    links = api.services.composer.links

    def token(kind: Any, run: UUID = run, url: str = "") -> str:
        return links.sign(Target(kind, api.project_id, run, "mail", url), datetime.now(UTC))

    shop = "https://shop.example/cart?a=1"
    for _ in range(3):
        answer = await api.client.get(f"/v1/l/{token('click', url=shop)}")
        assert (answer.status_code, answer.headers["location"]) == (302, shop)
    assert (await api.client.head(f"/v1/l/{token('click', url=shop)}")).status_code == 302
    image = await api.client.get(f"/v1/o/{token('open')}")
    assert image.headers["content-type"] == "image/gif"
    async with api.services.database.transaction(api.project_id) as tx:
        rows = (await tx.scalars(select(DeliveryEvent).where(DeliveryEvent.project_id == api.project_id))).all()
    assert {row.kind for row in rows} == {"clicked", "opened"} and len(rows) <= 3
    assert {row.visitor_id for row in rows} == {visitor}
    cart = await api.client.get(f"/v1/carts/{token('cart')}")
    assert cart.json()["items"][0]["product_id"] == "mug"
    assert cart.headers["access-control-allow-origin"] == "*"
    assert (await api.client.get(f"/v1/carts/{token('cart', uuid4())}")).status_code == 404
    assert (await api.client.get(f"/v1/carts/{token('open')}")).status_code == 400
    assert (await api.client.get(f"/v1/l/{token('open')}")).status_code == 400
    elsewhere = await api.client.get(f"/v1/l/{token('click', uuid4(), shop)}")
    assert urlsplit(elsewhere.headers["location"]).netloc == "shop.example"
