"""What an answer means for a delivery, and whether an interrupted one may be repeated. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from adapters.channels.contract import Accepted, Channel, Rejected, Result, Retry, Suppress

MAX_ATTEMPTS = 6
FIRST_BACKOFF = timedelta(seconds=30)
LONGEST_BACKOFF = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The delivery's new status; ``again_after`` when the step is tried again."""

    status: str
    error: str | None = None
    provider_id: str | None = None
    again_after: timedelta | None = None


def judge(result: Result, attempts: int) -> Verdict:
    """What a channel's answer to attempt number ``attempts`` (from 1) means."""
    match result:
        case Accepted():
            return Verdict("accepted", provider_id=result.provider_id)
        case Retry() if attempts >= MAX_ATTEMPTS:
            return Verdict("rejected", f"Gave up after {attempts} attempts: {result.why}")
        case Retry():
            return Verdict("retry", result.why, again_after=max(backoff(attempts), result.after or timedelta(0)))
        case Rejected():
            return Verdict("rejected", result.why)
        case Suppress():
            return Verdict("suppressed", result.why)
        case _:
            return Verdict("unknown", result.why)


def backoff(attempts: int) -> timedelta:
    """Pause after attempt number ``attempts``: doubling, bounded."""
    return min(LONGEST_BACKOFF, FIRST_BACKOFF * (1 << min(attempts - 1, 20)))


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
