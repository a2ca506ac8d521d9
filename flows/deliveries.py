"""What an answer means for a delivery, and whether one whose end nobody saw may be repeated. Pure.

| status | meaning |
|---|---|
| intent | it may be on its way, or out |
| retry | it is certainly not out, and is tried again |
| accepted, rejected, suppressed | the provider's last word; rejected also when it was given up |
| unknown | nobody can say, and a repeat could be a second message |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from adapters.channels.contract import Accepted, Channel, Rejected, Result, Retry, Suppress

MAX_ATTEMPTS: Final = 12
"""With the backoff below, a provider may be down for eight hours."""
FIRST_BACKOFF: Final = timedelta(seconds=30)
LONGEST_BACKOFF: Final = timedelta(hours=2)
EAGER_TRIES: Final = 3
FIRST_PAUSE: Final = timedelta(seconds=5)
OPEN_STATUSES: Final = ("intent", "retry")
MOST_LOGGED: Final = 300
_OF_SOMEBODY = re.compile(r"<?[^\s<>@]+@[^\s<>@]+>?|\+?\d[\d ()-]{5,}\d")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The delivery's new status; ``again_after`` when there is another attempt."""

    status: str
    error: str | None = None
    provider_id: str | None = None
    again_after: timedelta | None = None


def judge(result: Result, attempts: int, *, repeatable: bool) -> Verdict:
    """What a channel's answer to attempt number ``attempts`` (from 1) means.

    ``repeatable``: a second copy does no harm at this provider, or it can be asked (see ``after_interruption``).
    """
    again = attempts < MAX_ATTEMPTS
    match result:
        case Accepted():
            return Verdict("accepted", provider_id=result.provider_id)
        case Retry() if again:
            return Verdict("retry", result.why, again_after=max(backoff(attempts), result.after or timedelta(0)))
        case Retry():
            return Verdict("rejected", f"Gave up after {attempts} attempts: {result.why}")
        case Rejected():
            return Verdict("rejected", result.why)
        case Suppress():
            return Verdict("suppressed", result.why)
        case _ if repeatable and again:
            return Verdict("intent", result.why, again_after=backoff(attempts))
        case _:
            return Verdict("unknown", result.why)


def backoff(attempts: int) -> timedelta:
    """Pause after attempt number ``attempts``: doubling, bounded."""
    return min(LONGEST_BACKOFF, FIRST_BACKOFF * (1 << min(attempts - 1, 20)))


def pause_after_interruption(attempts: int) -> timedelta:
    """Pause after attempt number ``attempts`` was cut off by the death of its worker: none at first, then doubling.

    What is cut off is due longest, so the next worker takes it first; where workers die one after the other it would be
    given up within minutes. A message at which workers die is given up all the same, after three quarters of an hour.
    """
    late = attempts - EAGER_TRIES
    return timedelta(0) if late < 0 else min(LONGEST_BACKOFF, FIRST_PAUSE * (1 << min(late, 20)))


def after_interruption(channel: Channel, created_at: datetime, now: datetime) -> Literal["repeat", "ask", "unknown"]:
    """A send began and nobody knows how it ended: repeat it, ask the provider, or leave it unknown."""
    match channel.idempotency:
        case "natural":
            return "repeat"
        case "key":
            fresh = channel.key_ttl is None or now - created_at < channel.key_ttl
            return "repeat" if fresh else "unknown"
        case "lookup":
            return "ask"
        case _:
            return "unknown"


def given_up(status: str) -> str:
    """What an open delivery becomes when it is not tried again: only one that is certainly not out is rejected."""
    return "rejected" if status == "retry" else "unknown"


def for_the_log(error: str, recipient: str | None) -> str:
    """Why a delivery is where it is, on one line and bounded, without whom it was for: providers quote addresses and
    numbers."""
    named = error.replace(recipient, "<recipient>") if recipient else error
    return _OF_SOMEBODY.sub("<address>", " ".join(named.split()))[:MOST_LOGGED]
