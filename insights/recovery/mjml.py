"""Turns MJML into HTML that mail programs draw, unless its tags stand in one another too deep for that.

The parser is native code, and goes down its stack a level for each level of tags: what has no bottom ends the process.
"""

from __future__ import annotations

import re
from typing import Final

import mrml

MOST_DEPTH: Final = 100
"""Levels of tags. Ten times as many fit into a thread's stack; a mail has some twenty."""

MOST_SLIDES: Final = 100
"""Pictures in carousels: the styles of each name all the others of its carousel."""
MOST_MADE: Final = 1_000_000
"""Characters of HTML. What is made of a tag may be a hundred times as long; mail programs cut mails off at a tenth."""
_FONTS: Final[dict[str, str]] = {}
"""None: a font of somebody else's server would tell it who reads the mail."""

_PIECE: Final = re.compile(
    r"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<[!?][^<>]*>"""
    r"""|<(?P<closes>/)[^<>]*>"""
    r"""|<(?P<opens>[A-Za-z][^\s<>/"']*)(?:[^<>"']|"[^"]*"|'[^']*')*+>""",
    re.DOTALL,
)
_BEGINS: Final = re.compile(r"<[A-Za-z/!?]")
_EMPTY: Final = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
"""Tags that hold nothing. In small letters alone: the parser takes others for such as are closed."""


class MjmlBroken(ValueError):
    """It is not MJML, or nothing to be drawn; the text says why."""


def mjml_to_html(source: str) -> str:
    """The HTML of MJML. Raises MjmlBroken: includes are none of ours."""
    source = source.strip()
    if deepest(source) > MOST_DEPTH:
        raise MjmlBroken(f"its tags stand in one another more than {MOST_DEPTH} levels deep.")
    if source.count("mj-carousel-image") > 2 * MOST_SLIDES:  # each has an end
        raise MjmlBroken(f"it has more than {MOST_SLIDES} pictures in carousels.")
    try:
        made = mrml.to_html(source, None, mrml.RenderOptions(disable_comments=False, fonts=_FONTS))
    except (OSError, ValueError) as error:
        raise MjmlBroken(f"is not MJML: {error}") from error
    if len(html := str(made.content)) > MOST_MADE:
        raise MjmlBroken(f"it makes more than {MOST_MADE:,} characters of HTML.")
    return html


def deepest(source: str) -> int:
    """How many tags stand in one another, at most; one that is not closed holds all that follows. Raises MjmlBroken."""
    depth = most = at = 0
    while (begins := _BEGINS.search(source, at)) is not None:
        piece = _PIECE.match(source, begins.start())
        if piece is None:
            line = source.count("\n", 0, begins.start()) + 1
            raise MjmlBroken(f"is not MJML: the tag that begins in line {line} does not end.")
        at = piece.end()
        if piece["closes"]:
            depth = max(0, depth - 1)
        elif piece["opens"] and piece["opens"] not in _EMPTY and not piece[0].endswith("/>"):
            depth += 1
            most = max(most, depth)
    return most
