"""Which sessions a list shows: reads the query string into filters, and writes filters back into links.

Odd input never fails: what cannot be read is left out, and a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

from insights.vocabulary.actions import LiveAction
from insights.vocabulary.reasons import Kind, Reason
from insights.vocabulary.stages import Stage

NO_INSIGHT = "none"
"""Value of the reason filter for sessions of which nothing has been said."""

MAX_TEXT = 200

PERIODS: dict[str, timedelta] = {"1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}

DEVICES = ("phone", "tablet", "desktop")

_Word = TypeVar("_Word", bound=StrEnum)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = range(-62_135_596_800_000_000, 253_402_300_800_000_000)  # the years 1 to 9999


@dataclass(frozen=True, slots=True)
class Filters:
    """All filters of the list; None does not narrow. ``page`` may hold ``*`` for anything.

    ``left_cart``: something was in the cart when the session closed. ``source``: what brought them, as the session's
    page says it (utm_source, or else the referring host). ``flow``: one that the session set going.
    ``names``: the text is looked for among names of people, too; who may see none would find them piece by piece. It
    belongs to who looks, and to no link.
    """

    reason: str | None = None
    kind: Kind | None = None
    state: Literal["open", "closed"] | None = None
    page: str | None = None
    source: str | None = None
    device: str | None = None
    stage: Stage | None = None
    action: LiveAction | None = None
    flow: UUID | None = None
    purchased: bool | None = None
    left_cart: bool | None = None
    when: str | None = None
    visitor: UUID | None = None
    text: str | None = None
    names: bool = True

    def but(self, **changes: Any) -> Filters:
        """The same filters with some of them changed."""
        return replace(self, **changes)

    def query(self, **extra: str) -> str:
        """As a query string with its question mark, or "" when nothing narrows."""
        pairs = [(name, _written(value)) for name, value in self.active().items()]
        pairs += list(extra.items())
        return "?" + urlencode(pairs, quote_via=quote, safe="/") if pairs else ""

    def active(self) -> dict[str, Any]:
        """Name → value of the filters that narrow."""
        named = (f.name for f in fields(self) if f.name != "names")
        return {name: value for name in named if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list, which runs from the newest start down: just ``older`` (or newer) than this session."""

    started_at: datetime
    session_id: UUID
    older: bool = True

    def text(self) -> str:
        """As it stands in a link."""
        micros = (self.started_at - _EPOCH) // timedelta(microseconds=1)
        return f"{micros}.{self.session_id.hex}"


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What was asked for. ``notes``: sentences on what could not be read and was left out."""

    filters: Filters
    cursor: Cursor | None
    notes: tuple[str, ...]


def read_request(query: Mapping[str, str], *, names: bool = True) -> ListRequest:
    """Reads a query string's parameters, for somebody who may see whole ``names`` or not. Raises nothing."""
    asked = _Asked(query)
    state = asked.choice("state", ("open", "closed"))
    purchased = asked.choice("purchased", ("yes", "no"))
    reason = asked.given("reason")
    filters = Filters(
        reason=NO_INSIGHT if reason == NO_INSIGHT else asked.word("reason", Reason),
        kind=asked.word("kind", Kind),
        state="open" if state == "open" else "closed" if state == "closed" else None,
        page=asked.text("page"),
        source=asked.text("source"),
        device=asked.choice("device", DEVICES),
        stage=asked.word("stage", Stage),
        action=asked.word("action", LiveAction),
        flow=asked.id("flow", "Pick one from the list."),
        purchased=None if purchased is None else purchased == "yes",
        left_cart=True if asked.choice("left_cart", ("yes",)) else None,
        when=asked.choice("when", tuple(PERIODS)),
        visitor=asked.id("visitor", "Open a visitor from one of their sessions."),
        text=asked.text("text"),
        names=names,
    )
    cursor = asked.cursor()
    return ListRequest(filters, cursor, tuple(asked.notes))


class _Asked:
    """A query string, read by the kinds of filters. What cannot be read is None, and ``notes`` says why."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._query = query
        self.notes: list[str] = []

    def given(self, name: str) -> str | None:
        """As it was typed, without blanks around it; None where nothing was."""
        return self._query.get(name, "").strip() or None

    def word(self, name: str, kind: type[_Word]) -> _Word | None:
        """One of a vocabulary."""
        value = self.choice(name, [word.value for word in kind])
        return None if value is None else kind(value)

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """One of these."""
        value = self.given(name)
        if value is None or value in choices:
            return value
        self._refuse(name, f"“{_short(value)}” is not one of its choices. Pick one from the list.")
        return None

    def text(self, name: str) -> str | None:
        """What may be searched for."""
        value = self.given(name)
        if value is None:
            return None
        if any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in value):
            self._refuse(name, "it holds control characters. Type it again.")
            return None
        if len(value) > MAX_TEXT:
            self._refuse(name, f"it is longer than {MAX_TEXT} characters. Use a shorter part of it.")
            return None
        return value

    def id(self, name: str, advice: str) -> UUID | None:
        """The id of one of these."""
        value = self.given(name)
        found = _uuid(value) if value else None
        if value and found is None:
            self._refuse(name, f"it is no {name} id. {advice}")
        return found

    def cursor(self) -> Cursor | None:
        """Where the page begins; with both, ``before`` counts."""
        cursor = None
        for name, older in (("after", True), ("before", False)):
            value = self.given(name)
            if value is not None and (cursor := _cursor(value, older)) is None:
                self.notes.append("That page of the list is not known: this is its beginning.")
        return cursor

    def _refuse(self, name: str, what: str) -> None:
        self.notes.append(f"The {name} filter was left out: {what}")


def like_pattern(page: str) -> str:
    """A page filter as a LIKE pattern: only ``*`` is special."""
    return like_literal(page).replace("*", "%")


def like_literal(text: str) -> str:
    """``text`` for use inside a LIKE pattern, with nothing special in it."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _short(value: str) -> str:
    return value if len(value) <= 40 else value[:40] + "…"


def _uuid(text: str) -> UUID | None:
    return UUID(text) if re.fullmatch(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}", text) else None


def _cursor(text: str, older: bool) -> Cursor | None:
    match = re.fullmatch(r"(-?[0-9]{1,18})\.([0-9a-f]{32})", text)
    if match is None or int(match[1]) not in _MICROSECONDS:
        return None
    return Cursor(_EPOCH + timedelta(microseconds=int(match[1])), UUID(match[2]), older)
