"""Finds everything wrong with a message before it can go out: each language, each part, with its place. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from liquid import BoundTemplate
from liquid.exceptions import LiquidError, TemplateNotFoundError

from flows.errors import Fault
from insights.recovery.document_faults import escaped
from insights.recovery.kept import Kept
from insights.recovery.message_content import MessageContent, Words
from insights.recovery.message_render import MessageBroken, MessageTemplates
from insights.recovery.message_values import missing_in, needs_of

LONGEST_TRIAL: Final = 1.0
"""Seconds that a message is tried for, of all its languages together."""

_THINGS: Final = [{"name": "Morning mug", "quantity": 2, "price": "€29.00", "product_id": "mug"}]
SAMPLE: Final[Mapping[str, Any]] = {
    "shop": "Sample shop",
    "link": "https://shop.example/?utm_source=whyleft",
    "cart_link": "https://shop.example/cart?whyleft_cart=sample",
    "unsubscribe_url": "https://shop.example/unsubscribe",
    "has_cart": True,
    "things": _THINGS,
    "viewed": _THINGS,
    "total": "€29.00",
    "answers": [{"question": "Can I send it back?", "answer": "Yes, within 30 days."}],
    "code": {"text": "SAMPLE-CODE", "percent": 10, "hours": 24, "until": "Sunday 29 March, 14:00 CEST"},
    "form": Kept({"first_name": "Ada"}),
    "first_name": "Ada",
    "reason": "price_hesitation",
}
"""A value for every name of the registry."""
SPARSE: Final[Mapping[str, Any]] = {
    **SAMPLE,
    "has_cart": False,
    "things": [],
    "viewed": [],
    "total": "",
    "answers": [],
    "form": Kept(),
    "first_name": "",
    "reason": "",
}
"""As little as there can be known of anybody."""


class Patience:
    """For how long messages are tried in all: ``seconds`` of the time of the thread that makes it."""

    def __init__(self, seconds: float = LONGEST_TRIAL) -> None:
        self._until = time.thread_time() + seconds

    @property
    def is_over(self) -> bool:
        """Whether no further one is tried."""
        return time.thread_time() > self._until


def faults_of_message(
    content: MessageContent, templates: MessageTemplates, patience: Patience | None = None
) -> list[Fault]:
    """Everything wrong with a message, each with a JSON pointer into it; that it takes too long to try is, too."""
    patience = patience or Patience()
    found = []
    for locale, words in content.locales.items():
        at = f"/locales/{escaped(locale)}"
        if patience.is_over:
            found.append(Fault(at, "was not tried: what was tried before took too long", "let templates loop less"))
            break
        broken = list(_parts(words, at, templates))
        found += [*_lacks(content, words, at), *(broken or _rendered(content, locale, at, templates))]
    return found


def needs_of_message(content: MessageContent, templates: MessageTemplates) -> set[str]:
    """The parameters that a step must have to send this message. Raises LiquidError."""
    needed: set[str] = set()
    for words in content.locales.values():
        for part in ("subject", "preview", "html", "text"):
            needed |= needs_of(templates.parse(getattr(words, part), html=part == "html"))
    return needed


def _lacks(content: MessageContent, words: Words, at: str) -> Iterator[Fault]:
    if not words.subject.strip():
        yield Fault(f"{at}/subject", "is empty", "write a subject: one line")
    if not words.html.strip() and not words.text.strip():
        yield Fault(f"{at}/html", "is empty, and so is text", "write html, text, or both")
    if content.format != "sheet":
        for part in ("html", "text"):
            if getattr(words, part).strip() and "unsubscribe_url" not in getattr(words, part):
                yield Fault(
                    f"{at}/{part}",
                    "does not say how to unsubscribe",
                    "link {{ unsubscribe_url }}; only the sheet does so by itself",
                )


def _parts(words: Words, at: str, templates: MessageTemplates) -> Iterator[Fault]:
    for part in ("subject", "preview", "html", "text"):
        source = getattr(words, part)
        try:
            template: BoundTemplate = templates.parse(source, html=part == "html")
        except LiquidError as error:
            yield Fault(
                f"{at}/{part}", f"cannot be read{_line(source, error)}: {error.message}", "mend the Liquid there"
            )
            continue
        for missing in missing_in(template):
            yield Fault(
                f"{at}/{part}",
                f"line {source.count(chr(10), 0, missing.index) + 1}: there is no value {missing.name}",
                missing.fix,
                missing.index,
                missing.index + len(missing.name),
            )


def _rendered(content: MessageContent, locale: str, at: str, templates: MessageTemplates) -> Iterator[Fault]:
    for values in (SAMPLE, SPARSE):
        try:
            said = templates.render(content, locale, values)
        except MessageBroken as broken:
            cause = broken.__cause__
            fix = (
                "use only the parts things and button" if isinstance(cause, TemplateNotFoundError) else "mend it there"
            )
            yield Fault(f"{at}/html", str(broken), fix)
            return
        if not said.subject and content.locales[locale].subject.strip():
            yield Fault(f"{at}/subject", "says nothing where little is known of the visitor", "write words of your own")
            return


def _line(source: str, error: LiquidError) -> str:
    token = error.token
    start = getattr(token, "start_index", None)
    return "" if start is None else f" in line {source.count(chr(10), 0, start) + 1}"
