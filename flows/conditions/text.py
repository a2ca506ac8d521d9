"""Reads the text form of a condition: what it stands for as JSON, and where in the text each part of that is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from flows.conditions.amounts import to_minor
from flows.conditions.document import RESERVED
from flows.conditions.faults import ConditionInvalid
from flows.conditions.tree import Op
from flows.conditions.words import UNITS, WORDS
from flows.errors import Fault

LONGEST: Final = 20_000
"""Characters of a text that is parsed at all."""
MOST_OPEN: Final = 40
"""Parentheses and nots inside one another, whether or not they mean anything."""
_LONGEST_NUMBER: Final = 40

_BY_WORDS: Final = {tuple(words.split()): op for op, words in WORDS.items()}
_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<time>\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2}))?(?![\w:]))
    | (?P<clock>\d{2}:\d{2}(?![\w:]))
    | (?P<duration>(?:\d+[wdhms])+(?!\w))
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<word>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    | (?P<sign>!=|<=|>=|[=<>(),])
    """,
    re.VERBOSE | re.ASCII,
)


_MEANT_BY: Final = {
    **dict.fromkeys("“”„‟«»‘’‚'", 'write straight quotes: "…"'),
    **dict.fromkeys("€$£¥", "write the currency's code: 50.00 EUR"),
    "≥": "write >=",
    "≤": "write <=",
    "≠": "write !=",
    '"': 'close the quotes: "…"',
}
"""What to write instead of a character that phones, text programs and other keyboards offer."""
_LONG_UNIT: Final = re.compile("(week|day|hour|minute|second)s?|mins?|secs?", re.IGNORECASE)


@dataclass(slots=True)
class Piece:
    """A part of a text: the JSON it stands for, where it stands, and its own parts by their step of a JSON pointer."""

    document: Any
    start: int
    end: int
    parts: dict[str, Piece] = field(default_factory=dict)

    def at(self, pointer: str) -> Piece:
        """The piece that a JSON pointer into the document names, or the innermost around it."""
        piece = self
        for step in pointer.split("/")[1:]:
            if step not in piece.parts:
                break
            piece = piece.parts[step]
        return piece


def parse(text: str) -> Piece:
    """What a text stands for, as the JSON form, not yet looked at for anything but its grammar.

    Raises ConditionInvalid with the place of the first thing that is not understood.
    """
    if len(text) > LONGEST:
        raise ConditionInvalid([Fault("", "is too long a text", f"use at most {LONGEST} characters", 0, len(text))])
    return _Parser(text).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            shown = text[position : position + 10].split()[:1]
            fix = _MEANT_BY.get(text[position], "write words, numbers, quoted texts and = < > ( )")
            raise _stuck(f"{shown[0] if shown else ''!s} is not understood", fix, position, position + 1)
        if found.lastgroup not in (None, "space"):
            tokens.append(_Token(str(found.lastgroup), found[0], found.start(), found.end()))
        position = found.end()
    tokens.append(_Token("end", "", position, position))
    return tokens


def _stuck(problem: str, fix: str, start: int, end: int) -> ConditionInvalid:
    return ConditionInvalid([Fault("", problem, fix, start, end)])


class _Parser:
    """Recursive descent: or, and, not, check."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.position = 0
        self.open = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.position]

    def take(self) -> _Token:
        token = self.tokens[self.position]
        self.position += token.kind != "end"
        return token

    def is_word(self, *words: str) -> bool:
        return self.next.kind == "word" and self.next.text in words

    def is_sign(self, sign: str) -> bool:
        return self.next.kind == "sign" and self.next.text == sign

    def stuck(self, expected: str, token: _Token | None = None) -> ConditionInvalid:
        token = token or self.next
        here = "it ends too early" if token.kind == "end" else f"“{token.text[:40]}” does not belong here"
        place = self.tokens.index(token)
        before, after = self.tokens[max(place - 1, 0)], self.tokens[min(place + 1, len(self.tokens) - 1)]
        if before.kind == after.kind == "number" and token.text == ",":
            expected = f"numbers with a point: {before.text}.{after.text}"
        elif before.kind == "number" and _LONG_UNIT.fullmatch(token.text):
            expected = f"{before.text}{token.text[0].lower()}"
        return _stuck(here, f"write {expected}", token.start, token.end)

    def expect(self, sign: str) -> _Token:
        if not self.is_sign(sign):
            raise self.stuck(f"{sign} here")
        return self.take()

    def whole(self) -> Piece:
        piece = self.either()
        if self.next.kind != "end":
            raise self.stuck('"and", "or" or nothing more')
        return piece

    def either(self) -> Piece:
        return self.chain("or", "any", self.both)

    def both(self) -> Piece:
        return self.chain("and", "all", self.negated)

    def chain(self, word: str, kind: str, part: Any) -> Piece:
        pieces = [part()]
        while self.is_word(word):
            self.take()
            pieces.append(part())
        if len(pieces) == 1:
            return pieces[0]  # type: ignore[no-any-return]
        start, end = pieces[0].start, pieces[-1].end
        group = Piece(None, start, end, {str(index): piece for index, piece in enumerate(pieces)})
        return Piece({kind: [piece.document for piece in pieces]}, start, end, {kind: group})

    def negated(self) -> Piece:
        self.open += 1
        if self.open > MOST_OPEN:
            raise _stuck("is nested too deeply", f"use at most {MOST_OPEN} parentheses", self.next.start, self.next.end)
        if self.is_word("not"):
            start = self.take().start
            part = self.negated()
            piece = Piece({"not": part.document}, start, part.end, {"not": part})
        elif self.is_sign("("):
            start = self.take().start
            piece = self.either()
            piece.start, piece.end = start, self.expect(")").end
        else:
            piece = self.check()
        self.open -= 1
        return piece

    def check(self) -> Piece:
        name = self.take()
        if name.kind != "word" or name.text in RESERVED:
            raise self.stuck('the name of a field, "not" or (', name)
        document: dict[str, Any] = {"field": name.text}
        parts = {"field": Piece(name.text, name.start, name.end)}
        if self.is_sign("("):
            parts["args"] = self.values()
            document["args"] = parts["args"].document
        op = parts["op"] = self.operator()
        document["op"] = op.document
        end = op.end
        if op.document in (Op.IN, Op.NOT_IN, Op.HAS_ANY, Op.HAS_ALL):
            parts["value"] = self.values()
        elif op.document not in (Op.KNOWN, Op.UNKNOWN):
            parts["value"] = self.value()
        if "value" in parts:
            document["value"], end = parts["value"].document, parts["value"].end
        return Piece(document, name.start, end, parts)

    def operator(self) -> Piece:
        first = self.take()
        if first.kind in ("word", "sign"):
            second = self.next
            if second.kind == "word" and (op := _BY_WORDS.get((first.text, second.text))) is not None:
                self.take()
                return Piece(op.value, first.start, second.end)
            if (op := _BY_WORDS.get((first.text,))) is not None:
                return Piece(op.value, first.start, first.end)
        raise self.stuck(f"an operator: {', '.join(WORDS.values())}", first)

    def values(self) -> Piece:
        start = self.expect("(").start
        pieces = [self.value()]
        while self.is_sign(","):
            self.take()
            pieces.append(self.value())
        end = self.expect(")").end
        parts = {str(index): piece for index, piece in enumerate(pieces)}
        return Piece([piece.document for piece in pieces], start, end, parts)

    def value(self) -> Piece:
        token = self.take()
        match token.kind:
            case "number":
                return self.number(token)
            case "word" if token.text in ("true", "false"):
                return Piece(token.text == "true", token.start, token.end)
            case "word" if token.text not in RESERVED:
                return Piece(token.text, token.start, token.end)
            case "string" | "duration" | "time" | "clock":
                return Piece(_meant(token), token.start, token.end)
        raise self.stuck("a value", token)

    def number(self, token: _Token) -> Piece:
        if len(token.text) > _LONGEST_NUMBER:
            raise _stuck("is too large a number", "use a smaller one", token.start, token.end)
        exact = "." not in token.text and "e" not in token.text.lower()
        if not (self.next.kind == "word" and re.fullmatch("[A-Z]{3}", self.next.text)):
            return Piece(int(token.text) if exact else float(token.text), token.start, token.end)
        currency = self.take()
        minor = None if "e" in token.text.lower() else to_minor(token.text, currency.text)
        if minor is None:
            raise _stuck(f"{token.text} has more digits than {currency.text}", "round it", token.start, currency.end)
        return Piece({"minor": minor, "currency": currency.text}, token.start, currency.end)


def _meant(token: _Token) -> Any:
    if token.kind == "duration":
        parts = re.findall(r"(\d+)([wdhms])", token.text)
        if len(token.text) > _LONGEST_NUMBER:
            raise _stuck("is too long a duration", "use a shorter one", token.start, token.end)
        return {"seconds": sum(int(count) * UNITS[unit] for count, unit in parts)}
    if token.kind == "time":
        return {"at": token.text if "T" in token.text else f"{token.text}T00:00:00Z"}
    if token.kind == "clock":
        return {"clock": token.text}
    try:
        return json.loads(token.text, strict=False)
    except ValueError:
        raise _stuck(
            "is not a text", r"write \" for a quote and \\ for a backslash in it", token.start, token.end
        ) from None
