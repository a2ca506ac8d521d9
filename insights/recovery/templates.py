"""The messages that come along: read from files, and to be copied by whoever wants words of their own.

A message ``name`` is two files in ``messages``: ``name.html.liquid`` is what stands in the sheet of the layout, and
``name.txt.liquid`` starts with a ``Subject:`` and a ``Preview:`` line, then an empty line, then the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from liquid.exceptions import LiquidError

from insights.recovery.message_content import MessageContent
from insights.recovery.message_render import MESSAGES, PARTS, MessageBroken, MessageTemplates, Rendered


class Messages:
    """The messages of a folder. Raises MessageBroken for a file that is no template."""

    def __init__(self, folder: Path = MESSAGES, templates: MessageTemplates | None = None) -> None:
        self._templates = templates or MessageTemplates()
        sources = {path.name.removesuffix(".liquid"): path.read_text("utf-8") for path in folder.glob("*.liquid")}
        for name, source in sources.items():
            try:
                self._templates.parse(source, html=name.endswith(".html"))
            except LiquidError as error:
                raise MessageBroken(f"{name}: {error}") from error
        self._contents = {
            name: _content(sources[f"{name}.txt"], sources[f"{name}.html"])
            for name in (key.removesuffix(".txt") for key in sources if key.endswith(".txt"))
            if name not in PARTS
        }
        self.names = frozenset(self._contents)

    def content(self, name: str) -> MessageContent | None:
        """What a message says; None for one that does not come along."""
        return self._contents.get(name)

    def render(self, name: str, values: Mapping[str, object]) -> Rendered:
        """The message ``name``; ``values`` hold at least shop and unsubscribe_url. Raises MessageBroken."""
        content = self._contents.get(name)
        if content is None:
            raise MessageBroken(f"There is no message {name!r}")
        return self._templates.render(content, None, values)


def _content(text: str, html: str) -> MessageContent:
    head, _, body = text.partition("\n\n")
    lines = dict(line.partition(": ")[::2] for line in head.splitlines())
    words = {
        "subject": lines["Subject"],
        "preview": lines.get("Preview", ""),
        "html": html.strip(),
        "text": body.strip(),
    }
    return MessageContent.model_validate({"locales": {"en": words}})
