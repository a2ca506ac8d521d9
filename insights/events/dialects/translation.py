"""What a message of another dialect says in our words: the event, who it is about, when, and in which session."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

_SECONDS_UNTIL: Final = 100_000_000_000
"""A clock's number below this counts seconds (until the year 5138), above it milliseconds (from 1973 on)."""


MOST_SKEW_MS: Final = 600_000
"""A sender's clock further off than this is corrected by its sent-at time: transit is not skew."""


ONLINE: Final = "online"
"""The prop of an order that is false where no page of the shop was bought on, as its sender says."""


FRESH_MS: Final = 60_000
"""What is not older than this has just happened, as far as two clocks agree."""


class Untranslatable(Exception):
    """This message cannot be accepted; the text names the field and says what it takes."""


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a message is about, as far as it says. ``visitor`` is an id of ours, where the sender knows it."""

    visitor: UUID | None = None
    anonymous_id: str | None = None
    user_id: str | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around a message, in plain values so that it can be kept with one that is refused.

    ``received_ms``: when it came, epoch milliseconds. ``sent_at``: its sender's clock then. ``type``: what the address
    or a header says it is. ``index``: its place in the batch. ``context``: the batch's. ``trusted``: it came with a
    secret key or a signature, so it may say what only a server may.
    """

    received_ms: int
    sent_at: Any = None
    type: str | None = None
    index: int = 0
    context: Any = None
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Translated:
    """One message in our words.

    ``key`` names it among all messages of its dialect and project: the second copy has the same. ``at_ms`` is epoch
    milliseconds, clock already corrected; ``behind_ms``: how far the sender's clock is then still behind ours (ahead:
    below 0), where it said. ``session`` is the sender's own name for the session, or None. ``signatures``: of the names
    that it is said of, by kind.
    """

    key: str
    type: str
    props: dict[str, Any]
    who: Who
    at_ms: int
    url: str | None = None
    session: str | None = None
    behind_ms: int = 0
    signatures: Mapping[str, Any] = field(default_factory=dict)
    says_who: bool = field(default=False)
    """The event itself tells who the visitor is; nothing needs to be added."""


def epoch_ms(value: object, name: str) -> int:
    """An ISO 8601 time (UTC where no zone is named) or a number of epoch milliseconds or seconds, in milliseconds.

    Raises Untranslatable.
    """
    advice = f"{name}: must be an ISO 8601 time, like 2026-01-31T12:00:00Z"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Untranslatable(advice)
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value.strip())
            return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
        return int(value if abs(value) >= _SECONDS_UNTIL else value * 1000)
    except (ValueError, OverflowError):
        raise Untranslatable(advice) from None


def clock_of(sent_at: object, received_ms: int, name: str) -> tuple[int, int]:
    """(how far to move the sender's times, how far its clock is then still behind ours), by what it read at
    ``sent_at``: nothing, where that is None. Raises Untranslatable."""
    if sent_at is None:
        return 0, 0
    skew = received_ms - epoch_ms(sent_at, name)
    return (skew, 0) if abs(skew) > MOST_SKEW_MS else (0, skew)


def is_fresh(at_ms: int, received_ms: int) -> bool:
    """Whether a time is within a minute of the server's; both epoch milliseconds."""
    return abs(received_ms - at_ms) <= FRESH_MS


def content_key(message: object, envelope: Envelope, *, dated: bool) -> str:
    """The key of a message that has no id of its own.

    With a time of its own (``dated``) a copy of it is the same one. Without, it happens anew whenever it comes.
    """
    whole = json.dumps(message, sort_keys=True)
    what = f"{envelope.type}/{envelope.index}/{hashlib.sha256(whole.encode()).hexdigest()}"
    return what if dated else f"{envelope.received_ms}/{what}"


def mapping(value: object, name: str) -> Mapping[str, Any]:
    """A JSON object; an absent one is empty. Raises Untranslatable for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Untranslatable(f"{name}: must be a JSON object")
    return value


def text(value: object, name: str) -> str | None:
    """A text; numbers are ids and are written out, 1001.0 like 1001; "" and null are None. Raises Untranslatable for
    anything else."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Untranslatable(f"{name}: must be a text")
    # A table with gaps makes a float of every id; beyond 2**53 a float no longer says which id it was.
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    return value if isinstance(value, str) else str(value)
