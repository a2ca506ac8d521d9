"""What an HTTP answer means for a message, where its channel knows nothing better. Pure.

| answer | meaning |
|---|---|
| 2xx | taken; a page or half an answer where the provider speaks JSON: nobody can say |
| 3xx | not taken: redirects are not followed |
| 401, 403 | not taken: the credentials are refused; tried again later, so that a new key loses nothing |
| 408, 425, 429, 503 | not taken, later; the pause that it asks for is kept |
| other 4xx | not taken, never as it is; a page instead of JSON: somebody in between, later |
| other 5xx | nobody can say: it may have broken after the message went out |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from adapters.channels.contract import Accepted, Rejected, Result, Retry, Unknown
from adapters.channels.line import Answer

LONGEST_PAUSE: Final = timedelta(hours=24)
NEW_KEY_PAUSE: Final = timedelta(minutes=15)
"""Providers lock accounts that try a refused key too often; an operator who changes it does not wait long."""

_LONGEST_RESET: Final = timedelta(hours=1)
_NOT_TAKEN_YET: Final = frozenset({408, 425, 429, 503})
_ADDRESS = re.compile(r"<?[^\s<>@\"']+@[^\s<>@\"']+>?")
_SAYS: Final = ("message", "Message", "detail", "error_description", "error", "errors", "title", "name", "code")


def judge_answer(answer: Answer, *, speaks_json: bool = True) -> Result:
    """The meaning of ``answer``; ``speaks_json``: this provider answers a message with JSON and nothing else."""
    status = answer.status
    strange = speaks_json and answer.is_page
    if 200 <= status < 300:
        if speaks_json and answer.body and (strange or answer.json is None):
            return Unknown(f"The provider answered {status} with something unreadable: look in its log.")
        return Accepted()
    if 300 <= status < 400:
        return Rejected(f"The provider redirects ({status}), and redirects are not followed: set the final address.")
    after = pause_asked(answer)
    if status in _NOT_TAKEN_YET:
        asks = "asks to send less" if status == 429 else "asks to come back later"
        return Retry(f"The provider {asks} ({status}{said(answer)}).", after=after)
    if status >= 500:
        return Unknown(f"The provider failed ({status}{said(answer)}): it may have gone out all the same.")
    if strange:
        return Retry(f"A page came instead of the provider's answer ({status}): see what stands in between.")
    if status in (401, 403):
        return Retry(
            f"The provider refuses the credentials ({status}{said(answer)}): make a new key, or give this one the "
            "rights that the channel's page lists.",
            after=NEW_KEY_PAUSE,
        )
    return Rejected(f"The provider refuses this ({status}{said(answer)}).")


def said(answer: Answer) -> str:
    """The provider's own words, short and without addresses, led by ", "; "" when it said none."""
    words = _words(answer.json)
    return f", {words}" if words else ""


def short(text: object) -> str:
    """``text`` on one line, bounded, without e-mail addresses: what is shown where the address is not."""
    return _ADDRESS.sub("<address>", " ".join(str(text).split()))[:200]


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Retry-After in seconds or as a date (RFC 9110), 0 to 24 hours; None when absent or unreadable."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(until - now, timedelta()), LONGEST_PAUSE)


def pause_asked(answer: Answer) -> timedelta | None:
    """How long a provider asks to wait: by Retry-After, by Braze's X-RateLimit-Retry-After, else until the time at
    which its X-RateLimit-Reset says that the spent limit is whole again, at most an hour; None where it asks nothing.

    After "Rate limits" of Braze, SendGrid and GitHub: the last is a time, in seconds of the epoch.
    """
    for name in ("retry-after", "x-ratelimit-retry-after"):
        after = retry_after(answer.headers.get(name), answer.at)
        if after is not None:
            return after
    reset = answer.headers.get("x-ratelimit-reset", "")
    # Where something is left, it is not this limit that was reached.
    if answer.headers.get("x-ratelimit-remaining", "0") != "0" or not re.fullmatch(r"[1-9][0-9]{9}", reset):
        return None
    return min(max(datetime.fromtimestamp(int(reset), UTC) - answer.at, timedelta()), _LONGEST_RESET)


def _words(found: object, depth: int = 0) -> str:
    if depth > 3:
        return ""
    if isinstance(found, str):
        return short(found)
    if isinstance(found, list):
        return next((words for item in found[:5] if (words := _words(item, depth + 1))), "")
    if isinstance(found, Mapping):
        return next((words for name in _SAYS if (words := _words(found.get(name), depth + 1))), "")
    return ""
