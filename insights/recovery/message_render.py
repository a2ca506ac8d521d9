"""Renders a message: Liquid first, then MJML, with values that are only ever values and bounded time and output.

Liquid has no way to reach Python, files or the network. What a visitor's events said is escaped in HTML; a name that
is missing is an error; loops, output and time end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar, Final

from liquid import BoundTemplate, DictLoader, StrictUndefined
from liquid.exceptions import LiquidError
from markupsafe import Markup

from insights.recovery.bounded_liquid import BoundedLiquid
from insights.recovery.message_content import Format, MessageContent, Words
from insights.recovery.mjml import MjmlBroken, mjml_to_html
from insights.recovery.plain import one_line

MESSAGES: Final = Path(__file__).parent / "messages"
PARTS: Final = frozenset({"layout", "button", "things"})
MOST_SUBJECT: Final = 150
MOST_SOURCE: Final = 4_000
_OF_FILTERS: Final = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What the library's filters raise for values they were not written for."""
_GAP: Final = re.compile(r"\n{3,}")
_BODY: Final = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)


class MessageBroken(Exception):
    """A message cannot be read or rendered; the text says where."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message's words: ``subject`` is one line, ``text`` and ``html`` are whole parts."""

    subject: str
    text: str
    html: str


class MessageTemplates:
    """Parses and renders messages. The parts that ours are made of can be used by name: nothing else is found."""

    _kept: ClassVar[int] = 500

    def __init__(self) -> None:
        files = {path.name.removesuffix(".liquid"): path for path in MESSAGES.glob("*.liquid")}
        shared = {name: path.read_text("utf-8") for name, path in files.items() if name.rpartition(".")[0] in PARTS}
        loader = DictLoader(shared)
        self._html = BoundedLiquid(loader=loader, undefined=StrictUndefined, autoescape=True)
        self._text = BoundedLiquid(loader=loader, undefined=StrictUndefined, autoescape=False)
        self._parsed: dict[tuple[bool, str], BoundTemplate] = {}

    def parse(self, source: str, *, html: bool) -> BoundTemplate:
        """The template of a source. Raises LiquidError."""
        key = (html, source)
        # Asked once: another thread may clear it between two questions.
        found = self._parsed.get(key)
        if found is None:
            found = (self._html if html else self._text).from_string(source)
            if len(self._parsed) >= self._kept:
                self._parsed.clear()
            self._parsed[key] = found
        return found

    def render(self, content: MessageContent, locale: str | None, values: Mapping[str, object]) -> Rendered:
        """The message for somebody who reads ``locale``. Raises MessageBroken."""
        name = content.locale_for(locale)
        words = content.locales[name]
        try:
            subject = one_line(self._say(words.subject, values), MOST_SUBJECT)
            preview = one_line(self._say(words.preview, values), MOST_SUBJECT)
            html = self._html_of(words, content.format, name, subject, preview, values)
            text = self._text_of(words, content.format, html, values)
        except LiquidError as error:
            raise MessageBroken(_told(error)) from error
        except MjmlBroken as error:
            raise MessageBroken(str(error)) from error
        except _OF_FILTERS as error:
            raise MessageBroken(f"cannot be rendered: {error}"[:300]) from error
        return Rendered(subject=subject, text=text, html=html)

    def line(self, source: str, values: Mapping[str, object]) -> str:
        """A short text that a step brings along, as plain text. Raises MessageBroken."""
        try:
            return self._say(source[:MOST_SOURCE], values).strip()
        except LiquidError as error:
            raise MessageBroken(_told(error)) from error
        except _OF_FILTERS as error:
            raise MessageBroken(f"cannot be rendered: {error}"[:300]) from error

    def _say(self, source: str, values: Mapping[str, object], *, html: bool = False) -> str:
        return self.parse(source, html=html).render(**values) if source else ""

    def _html_of(
        self, words: Words, kind: Format, locale: str, subject: str, preview: str, values: Mapping[str, object]
    ) -> str:
        if not words.html:
            return ""
        said = self._say(words.html, values, html=True)
        if kind == "mjml":
            return _with_preview(mjml_to_html(said).replace('lang="und"', f'lang="{locale}"'), preview)
        if kind == "html":
            return _with_preview(said, preview)
        around = {"shop": values["shop"], "unsubscribe_url": values["unsubscribe_url"], "locale": locale}
        return self._html.get_template("layout.html").render(
            body=Markup(said.strip()),  # noqa: S704 - its values were escaped just now
            subject=subject,
            preview=preview,
            **around,
        )

    def _text_of(self, words: Words, kind: Format, html: str, values: Mapping[str, object]) -> str:
        text = _GAP.sub("\n\n", self._say(words.text, values).strip())
        if not text:
            return text_of(html)
        if kind != "sheet":
            return text
        return self._text.get_template("layout.txt").render(
            body=text, shop=values["shop"], unsubscribe_url=values["unsubscribe_url"]
        )


def _told(error: LiquidError) -> str:
    message = str(error.message or error).partition("\n")[0]
    source, start = getattr(error.token, "source", None), getattr(error.token, "start_index", None)
    if isinstance(source, str) and isinstance(start, int):
        message = f"line {source.count(chr(10), 0, start) + 1}: {message}"
    return f"cannot be rendered: {message}"


def _with_preview(html: str, preview: str) -> str:
    """The document with what mail programs show beside the subject, hidden at its beginning."""
    if not preview:
        return html
    hidden = f'<div style="display:none;max-height:0;overflow:hidden;opacity:0">{escape(preview)}</div>'
    return _BODY.sub(lambda found: found[0] + hidden, html, count=1) if _BODY.search(html) else hidden + html


def text_of(html: str) -> str:
    """The words of an HTML mail, links written out, as its plain text."""
    reader = _Reader()
    reader.feed(html)
    lines = [" ".join(line.split()) for line in "".join(reader.said).splitlines()]
    return _GAP.sub("\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    _BREAKS: Final = frozenset(
        ("p", "div", "br", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "hr", "blockquote")
    )
    _UNSEEN: Final = frozenset(("style", "script", "title", "head"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._unseen = 0
        self._link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in self._UNSEEN:
            self._unseen += 1
        elif tag == "a":
            self._link = given.get("href") or ""
        elif tag == "img" and not self._unseen:
            self.said.append(given.get("alt") or "")
        elif tag in self._BREAKS:
            self.said.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag == "a" and self._link:
            self.said.append(f": {self._link}")
            self._link = ""
        elif tag in self._BREAKS:
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.said.append(data.replace("\n", " "))
