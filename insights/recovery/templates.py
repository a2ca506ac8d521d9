"""The words of a recovery mail: renders a message's Liquid files into subject, HTML and plain text.

Liquid has no way to reach Python, and what a visitor's events said is only ever a value, never part of a template. The
HTML part escapes every value; a value that is missing is an error; loops and output are bounded.

A message ``name`` is two files in ``messages``: ``name.html.liquid`` is what stands in the sheet of the layout, and
``name.txt.liquid`` starts with a ``Subject:`` and a ``Preview:`` line, then an empty line, then the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from liquid import BoundTemplate, DictLoader, Environment, StrictUndefined
from liquid.exceptions import LiquidError
from markupsafe import Markup

from insights.recovery.plain import one_line

MESSAGES: Final = Path(__file__).parent / "messages"
PARTS: Final = frozenset({"layout", "button", "things"})
MOST_SUBJECT: Final = 150

_GAP = re.compile(r"\n{3,}")


def shared_sources() -> dict[str, str]:
    """The layout and the parts that messages may use, by name."""
    files = {path.name.removesuffix(".liquid"): path for path in MESSAGES.glob("*.liquid")}
    return {name: path.read_text("utf-8") for name, path in files.items() if name.rpartition(".")[0] in PARTS}


class MessageBroken(Exception):
    """A message's template cannot be read or rendered; the text says where."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words: ``subject`` is one line, ``text`` and ``html`` are whole parts."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Source:
    """A message as it is written, in Liquid: ``html`` is what stands in the sheet."""

    subject: str
    preview: str
    html: str
    text: str


class _Bounded(Environment):
    loop_iteration_limit = 2_000
    output_stream_limit = 200_000
    local_namespace_limit = 200_000
    context_depth_limit = 10


class Messages:
    """The messages of a folder, parsed once. Raises MessageBroken for a file that is no template."""

    def __init__(self, folder: Path = MESSAGES) -> None:
        sources = {path.name.removesuffix(".liquid"): path.read_text("utf-8") for path in folder.glob("*.liquid")}
        self._sources = sources
        loader = DictLoader(sources)
        self._html = _Bounded(loader=loader, undefined=StrictUndefined, autoescape=True)
        self._text = _Bounded(loader=loader, undefined=StrictUndefined, autoescape=False)
        self.names = frozenset(
            name.removesuffix(".txt") for name in sources if name.endswith(".txt")
        ) - PARTS  # fmt: skip
        try:
            self._templates: dict[str, BoundTemplate] = {
                name: (self._html if name.endswith(".html") else self._text).get_template(name) for name in sources
            }
        except LiquidError as error:
            raise MessageBroken(f"{error.template_name}: {error}") from error

    def source(self, name: str) -> Source:
        """What the message ``name`` is written as. Raises KeyError."""
        head, _, text = self._sources[f"{name}.txt"].partition("\n\n")
        lines = dict(line.partition(": ")[::2] for line in head.splitlines())
        return Source(lines["Subject"], lines.get("Preview", ""), self._sources[f"{name}.html"].strip(), text.strip())

    def render(self, name: str, values: Mapping[str, Any]) -> Rendered:
        """The message ``name``; ``values`` hold at least shop and unsubscribe_url. Raises MessageBroken."""
        try:
            head, _, text = self._templates[f"{name}.txt"].render(**values).partition("\n\n")
            subject, preview = _lines(head)
            around = {"shop": values["shop"], "unsubscribe_url": values["unsubscribe_url"], "locale": "en"}
            inner = Markup(self._templates[f"{name}.html"].render(**values).strip())  # noqa: S704 - escaped just now
            return Rendered(
                subject=subject,
                text=self._templates["layout.txt"].render(body=_GAP.sub("\n\n", text.strip()), **around),
                html=self._templates["layout.html"].render(body=inner, subject=subject, preview=preview, **around),
            )
        except (LiquidError, KeyError) as error:
            raise MessageBroken(f"The message {name!r} cannot be rendered: {error}") from error


def _lines(head: str) -> tuple[str, str]:
    found = dict(line.partition(": ")[::2] for line in head.splitlines())
    return one_line(found["Subject"], MOST_SUBJECT), one_line(found.get("Preview"), MOST_SUBJECT)
