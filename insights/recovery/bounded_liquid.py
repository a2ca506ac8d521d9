"""Liquid that ends: customers' templates are given so much time, so many turns, and values of so much size.

The library bounds loops, output and the values that a template keeps, each by itself. What a single filter makes of two
long texts (a letter replaced by a page, a page's letters joined by pages) it does not: that is bounded here. So is what
it would take the library to read a template: some of its patterns try every way, in one call that nothing interrupts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from liquid import BoundTemplate, Environment, RenderContext, Token, TokenStream
from liquid.builtin.expressions.loop import LoopExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.tags.for_tag import ForTag
from liquid.builtin.tags.tablerow_tag import TablerowTag
from liquid.exceptions import LiquidSyntaxError, ResourceLimitError
from liquid.token import TOKEN_EOF, TOKEN_EXPRESSION

LONGEST_SECONDS: Final = 0.5
MOST_VALUE: Final = 400_000
"""Characters of a value, with everything in it: as much as a whole message may have."""


LONGEST_DATE: Final = 100
"""Characters that are tried to be read as a date: longer ones take the library seconds."""
MOST_RANGE: Final = 10_000
MOST_RAW: Final = 100
"""Parts of a template that are left as they are: each that does not end is looked for to the end of the template."""
_RAW: Final = re.compile(r"\{%-?\s*(?:raw|doc|comment)\b")
MOST_BLANKS: Final = 200
"""Blanks in a row within a tag: the library tries each of them as the end of what stands before."""
_BLANKS: Final = re.compile(rf"\s{{{MOST_BLANKS + 1}}}")
MOST_BRACKETS: Final = 100
"""Brackets of one tag that open: for each the library looks through all that follows."""
_TAGS: Final = (("{{", "}}"), ("{%", "%}"))


class TooSlow(ResourceLimitError):
    """Rendering took longer than it may."""


class TooLong(ResourceLimitError):
    """A filter made, or would make, more than a message may hold."""


def size_of(value: object) -> int:
    """How many characters a value is when it is written out, more or less; it stops counting past ``MOST_VALUE``."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, int):
        return value.bit_length() // 3 + 1
    if isinstance(value, range):
        return len(value) * 2
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list | tuple):
        return 1
    size = len(value)
    for one in value:
        size += size_of(one)
        if size > MOST_VALUE:
            break
    return size


def _made_by(name: str, left: object, arguments: tuple[object, ...]) -> int:
    """At least how much a filter that multiplies its arguments would make."""
    if name == "join" and isinstance(left, list | tuple):
        return size_of(left) + len(left) * size_of(arguments[0] if arguments else " ")
    if name == "replace" and arguments:
        text, sought, instead = str(left), str(arguments[0]), arguments[1] if len(arguments) > 1 else ""
        return text.count(sought) * size_of(instead)
    return 0


class _Context(RenderContext):
    """A context that gives no more values once the time is over, and none that are too long."""

    __slots__ = ("_until",)

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        # Of this thread alone: a machine that is busy elsewhere breaks no message.
        self._until = time.thread_time() + LONGEST_SECONDS

    def get(self, *given: Any, **named: Any) -> object:
        self._in_time()
        return super().get(*given, **named)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self._in_time()
        super().raise_for_loop_limit(length)

    def get_size_of_locals(self) -> int:
        self._in_time()
        # A list weighs what is in it: the same page a thousand times is a thousand pages once it is written.
        return sum(map(size_of, self.locals.values())) + self.local_namespace_size_carry

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        found = super().filter(name, token)

        def bounded(left: object, *arguments: object, **named: object) -> object:
            self._in_time()
            if name == "date" and isinstance(left, str) and len(left) > LONGEST_DATE:
                raise TooLong(f"date: reads no more than {LONGEST_DATE} characters", token=token)
            if max(size_of(left), _made_by(name, left, arguments)) > MOST_VALUE:
                raise TooLong(f"{name}: makes more than {MOST_VALUE:,} characters", token=token)
            made = found(left, *arguments, **named)
            if size_of(made) > MOST_VALUE:
                raise TooLong(f"{name}: makes more than {MOST_VALUE:,} characters", token=token)
            return made

        return bounded

    def _in_time(self) -> None:
        if time.thread_time() > self._until:
            raise TooSlow("takes too long", token=None)


class _Range(RangeLiteral):
    """A range that is no longer than a loop may be: one that is gone through backwards is written out first."""

    def _make_range(self, start: object, stop: object) -> range:
        made = super()._make_range(start, stop)
        if made.stop - made.start > MOST_RANGE:
            raise TooLong(f"a range of more than {MOST_RANGE:,} numbers", token=self.token)
        return made


def _bounded_loop(node: object) -> Any:
    loop = getattr(node, "expression", None)
    if isinstance(loop, LoopExpression) and type(loop.iterable) is RangeLiteral:
        loop.iterable = _Range(loop.iterable.token, loop.iterable.start, loop.iterable.stop)
    return node


class _For(ForTag):
    def parse(self, stream: TokenStream) -> Any:
        return _bounded_loop(super().parse(stream))


class _Tablerow(TablerowTag):
    def parse(self, stream: TokenStream) -> Any:
        return _bounded_loop(super().parse(stream))


class _Template(BoundTemplate):
    context_class = _Context


class BoundedLiquid(Environment):
    """An environment whose templates end."""

    template_class = _Template
    loop_iteration_limit = 2_000
    output_stream_limit = MOST_VALUE
    local_namespace_limit = 200_000
    context_depth_limit = 10

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """The library's own, with loops whose ranges are bounded."""
        super().setup_tags_and_filters(extra=extra)
        self.add_tag(_For)
        self.add_tag(_Tablerow)

    def from_string(self, source: str, *given: Any, **named: Any) -> BoundTemplate:
        """The template of a source. Raises LiquidError."""
        _check_tags(source)
        if len(_RAW.findall(source)) > MOST_RAW:
            raise TooLong(f"has more than {MOST_RAW} raw parts and comments", token=None)
        return super().from_string(source, *given, **named)

    def tokenizer(self) -> Callable[[str], Iterator[Token]]:
        """The library's own, with tags of so many brackets."""
        read = super().tokenizer()

        def bounded(source: str) -> Iterator[Token]:
            for token in read(source):
                if token.kind == TOKEN_EXPRESSION and token.value.count("(") + token.value.count("[") > MOST_BRACKETS:
                    raise LiquidSyntaxError(f"has more than {MOST_BRACKETS} brackets in a tag", token=token)
                yield token

        return bounded


def _check_tags(source: str) -> None:
    """Raises LiquidError for a tag that does not end, and for one with too many blanks in a row.

    Each opening is looked at, whatever it stands in: the library may be inside a tag that began before it.
    """
    for begin, end in _TAGS:
        last = source.rfind(begin)
        if last > source.rfind(end):
            at = Token(TOKEN_EOF, value="", start_index=last, source=source)
            raise LiquidSyntaxError(f"expected '{end}', found end of file", token=at)
    for blanks in _BLANKS.finditer(source):
        for begin, end in _TAGS:
            last = source.rfind(begin, 0, blanks.start())
            if last >= 0 and last > source.rfind(end, 0, blanks.start()):
                at = Token(TOKEN_EXPRESSION, value="", start_index=blanks.start(), source=source)
                raise TooLong(f"has more than {MOST_BLANKS} blanks in a row in a tag", token=at)
