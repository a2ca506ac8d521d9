"""When two errors are the same error: what differs from visitor to visitor is taken out before they are compared.

Pure. A failed request is its method, the shape of its path and its status; a script error is its message without
numbers, ids and quoted data, and the shape of the file it came from. Line numbers are left out: they move with every
build. Ids are templated by how they look, as error trackers do: all digits, a UUID, a long run of hex, or a long word
with digits in it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import unquote, urlsplit

from insights.recovery.plain import one_line, whole

MOST_PATH: Final = 200
MOST_SEGMENTS: Final = 12
MOST_STACK_LINES: Final = 12

_QUERY = re.compile(r"[?#][^\s:)]*")
_METHOD = re.compile(r"[A-Z]{1,16}")
_ID = re.compile(
    r"\d+"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?=[a-f]*\d)[0-9a-f]{8,}"
    # Words and years joined by hyphens are a name (summer-sale-2026), not a token.
    r"|(?!(?:[a-z]+|\d{1,4})(?:-(?:[a-z]+|\d{1,4}))+$)(?=[^\d]*\d)(?=[^a-z]*[a-z])[\w~=+-]{16,}"
    r"|[^@]+@[^@]+",
    re.IGNORECASE,
)
# A build puts a hash into a file's name: app.3f9a2c1d.js and app-BdZ81kQx.js are app.js. One digit at least, so that
# a word (app-checkout.js) is not taken for one.
_BUILD_HASH = re.compile(r"[.-](?=[\w-]*\d)[\w-]{6,}(?=\.\w+$)")
_MESSAGE_PARTS: Final = (
    (re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "<url>"),
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE), "<id>"),
    (re.compile(r"[^\s@]+@[^\s@]+"), "<address>"),
    # A quoted name ('price') tells two bugs apart; other quoted text is data. The apostrophe of "can't" quotes nothing.
    (re.compile(r"""(?<!\w)(['"`])(?![A-Za-z_$][A-Za-z_$.]{0,40}\1)[^'"`]*\1"""), "<text>"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b(?=\w*\d)[0-9a-f]{8,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "<n>"),
)


def method_of(value: object) -> str:
    """An HTTP method in capitals; GET when ``value`` is none."""
    name = value.upper() if isinstance(value, str) else ""
    return name if _METHOD.fullmatch(name) else "GET"


def path_shape(value: object) -> str:
    """``/api/carts/8841/items?x=1`` → ``/api/carts/:id/items``: no host, no query, no ids; "/" for nothing."""
    if not isinstance(value, str):
        return "/"
    try:
        path = urlsplit(value[:2048]).path
    except ValueError:
        path = value[:2048].partition("?")[0].partition("#")[0]
    segments = [one_line(unquote(segment), 64) for segment in path.split("/")]
    shape = [":id" if _ID.fullmatch(segment) else segment for segment in segments if segment]
    if len(shape) > MOST_SEGMENTS:
        shape = [*shape[:MOST_SEGMENTS], "…"]
    return one_line("/" + "/".join(shape), MOST_PATH)


def message_shape(value: object) -> str:
    """``No 'price' in 'Mug, 2 l' of item 17`` → ``No 'price' in <text> of item <n>``; "" when there is no message."""
    line = one_line(value, 500)
    for pattern, stand_in in _MESSAGE_PARTS:
        line = pattern.sub(stand_in, line)
    return one_line(line, 200)


def source_shape(value: object) -> str:
    """A script's path without its build hash: ``https://x/assets/app.3f9a2c1d.js`` → ``/assets/app.js``."""
    if not isinstance(value, str) or not value:
        return ""
    try:
        path = urlsplit(value[:2048]).path
    except ValueError:
        path = value[:2048]
    return path_shape(_BUILD_HASH.sub("", path))


def stack_shape(value: object) -> list[str] | None:
    """The first lines of a stack trace without query strings; None when there is none. Not part of a fingerprint."""
    if not isinstance(value, str):
        return None
    lines = (one_line(_QUERY.sub("", line[:400]), 200) for line in value[:8000].splitlines())
    return [line for line in lines if line][:MOST_STACK_LINES] or None


def request_fingerprint(method: object, path: object, status: object) -> str:
    """16 hex digits, the same for every failure of one endpoint with one status (0: no answer came)."""
    return _digest("request", method_of(method), path_shape(path), str(whole(status) or 0))


def script_fingerprint(message: object, source: object) -> str:
    """16 hex digits, the same for one script error whoever meets it."""
    return _digest("script", message_shape(message), source_shape(source))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
