"""The words of the mails: complete in both parts, and deaf to what strangers wrote."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.recovery.message_render import MESSAGES, MessageBroken
from insights.recovery.templates import Messages

MAILS = Messages()
VALUES: dict[str, Any] = {
    "shop": "Quay & Kettle",
    "link": "https://shop.example/cart?utm_source=whyleft&utm_medium=email",
    "unsubscribe_url": "https://whyleft.example/v1/unsubscribe?token=a-b_c",
    "has_cart": True,
    "things": [
        {"name": "Morning mug", "quantity": 2, "price": "€29.00"},
        {"name": "Gooseneck kettle", "quantity": 1, "price": ""},
    ],
    "viewed": [{"name": "Moka pot", "quantity": 1, "price": "€32.00"}],
    "total": "€98.00",
    "answers": [{"question": "Can I send it back?", "answer": "Yes."}],
    "code": {"text": "K7QM-2XWR-9FHP", "percent": 10, "hours": 24, "until": "Sunday 29 March, 14:00 CEST"},
}
EMPTY = VALUES | {"has_cart": False, "things": [], "viewed": [], "total": "", "answers": []}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ shop }}{{ 7 | times: 7 }}",
    "{% for i in (1..1000000000) %}x{% endfor %}",
    "{% raw %}",
    "{% render 'layout.html' %}",
    "&lt;b&gt;",
    "</title></style></table>",
]


class Tags(HTMLParser):
    """Collects tags, links and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name in ("href", "src", "background") and value is not None:
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", sorted(MAILS.names))
@pytest.mark.parametrize("values", [VALUES, EMPTY], ids=["with a cart", "without"])
def test_every_mail_is_whole_in_both_parts(name: str, values: dict[str, Any]) -> None:
    mail = MAILS.render(name, values)
    html = Tags(mail.html)
    assert mail.subject
    assert "\n" not in mail.subject
    assert html.links == [values["link"], values["unsubscribe_url"]]
    assert html.tags.count("h1") == 1
    assert "img" not in html.tags
    assert "script" not in html.tags
    assert "url(" not in mail.html
    for part in (mail.text, html.text):
        assert values["unsubscribe_url"] in part or values["unsubscribe_url"] in html.links
        assert "{{" not in part
        assert "{%" not in part
    assert values["link"] in mail.text
    assert values["unsubscribe_url"] in mail.text
    assert "\n\n\n" not in mail.text
    assert len(mail.html) < 20_000


def test_the_cart_stands_in_both_parts_with_its_total() -> None:
    mail = MAILS.render("cart_reminder", VALUES)
    for part in (mail.text, Tags(mail.html).text):
        assert "Morning mug" in part
        assert "× 2" in part
        assert "€29.00" in part
        assert "€98.00" in part


def test_the_code_and_its_end_stand_in_both_parts() -> None:
    mail = MAILS.render("discount_24h", VALUES)
    for part in (mail.text, Tags(mail.html).text):
        assert "K7QM-2XWR-9FHP" in part
        assert "Sunday 29 March, 14:00 CEST" in part
        assert "10%" in part


@pytest.mark.parametrize("name", sorted(MAILS.names))
@pytest.mark.parametrize("bad", HOSTILE)
def test_a_hostile_name_is_shown_as_it_is_written(name: str, bad: str) -> None:
    thing = {"name": bad, "quantity": 1, "price": "€1.00"}
    values = VALUES | {
        "things": [thing],
        "viewed": [thing],
        "shop": bad,
        "answers": [{"question": bad, "answer": bad}],
    }
    mail, plain = MAILS.render(name, values), MAILS.render(name, VALUES)
    html = Tags(mail.html)
    assert bad in html.text
    assert bad in mail.text
    assert bad in mail.subject or name not in ("discount_24h", "cart_reminder", "trust_answers")
    assert set(html.tags) <= set(Tags(plain.html).tags) | {"tr", "td"}
    assert html.links == Tags(plain.html).links


@given(st.text(max_size=60))
def test_no_name_adds_a_tag_or_a_link(text: str) -> None:
    thing = {"name": text, "quantity": 1, "price": text}
    mail = MAILS.render("cart_reminder", VALUES | {"things": [thing], "total": text})
    plain = MAILS.render("cart_reminder", VALUES | {"things": [thing | {"name": "x", "price": "x"}], "total": "x"})
    assert Tags(mail.html).links == Tags(plain.html).links
    assert sorted(set(Tags(mail.html).tags)) == sorted(set(Tags(plain.html).tags))


def test_a_value_that_is_missing_is_an_error_not_a_gap() -> None:
    without = {name: value for name, value in VALUES.items() if name != "code"}
    with pytest.raises(MessageBroken, match="code"):
        MAILS.render("discount_24h", without)


@pytest.mark.parametrize(
    "body",
    [
        "{% for a in (1..1000) %}{% for b in (1..1000) %}{% endfor %}{% endfor %}",
        "{% for a in (1..1900) %}" + "x" * 1000 + "{% endfor %}",
        "{% render 'endless.html' %}",
        "{{ shop.nothing }}",
        "{{ shop | no_such_filter }}",
    ],
)
def test_a_template_cannot_run_away(tmp_path: Path, body: str) -> None:
    for path in MESSAGES.glob("*.liquid"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "endless.txt.liquid").write_text("Subject: x\n\nx")
    (tmp_path / "endless.html.liquid").write_text(body)
    with pytest.raises(MessageBroken):
        Messages(tmp_path).render("endless", VALUES)


def test_a_file_that_is_no_template_is_named(tmp_path: Path) -> None:
    (tmp_path / "wrong.html.liquid").write_text("{% if %}")
    with pytest.raises(MessageBroken, match="wrong"):
        Messages(tmp_path)


def test_a_template_cannot_reach_python() -> None:
    with pytest.raises(MessageBroken):
        broken = VALUES | {"shop": "x"}
        MAILS.render("../../etc/passwd", broken)


def test_the_parts_of_the_layout_are_no_messages() -> None:
    assert MAILS.names == {
        "cart_reminder", "discount_24h", "it_is_fixed", "saved_cart_help", "trust_answers", "value_comparison",
    }  # fmt: skip
