"""Which failing requests stood between the visitor and the order, and which nobody noticed."""

from __future__ import annotations

from typing import Final

from insights.classification.evidence.story import Story
from insights.classification.places import (
    BUYING,
    COUPON,
    HARMLESS,
    PAYING,
    is_foreign,
    number,
    request_path,
    text,
)
from insights.timeline.timeline import TimelineEvent

SLOW_MS: Final = 5_000
"""From here the SDK reports a request that succeeded."""
OVERLOAD: Final = frozenset({408, 429})


def status_of(event: TimelineEvent) -> int:
    """The HTTP status; 0 when no answer came."""
    return int(number(event, "status") or 0)


def is_broken(event: TimelineEvent) -> bool:
    """True when no answer came, or one that says the server failed."""
    status = status_of(event)
    return status == 0 or status >= 500 or status in OVERLOAD


def is_slow(event: TimelineEvent) -> bool:
    """True when the answer was good and came late."""
    return 200 <= status_of(event) < 400 and (number(event, "ms") or 0) >= SLOW_MS


def way_to_order(event: TimelineEvent) -> float:
    """How squarely a request stands on the way to the order: 0 not at all, 1 fully."""
    if is_harmless(event):
        return 0.0
    if COUPON.search(request_path(event)):
        return 0.5
    if BUYING.search(request_path(event)):
        return 1.0
    if PAYING.search(text(event, "path")) and BUYING.search(event.path):
        return 1.0  # somebody else's, but without it there is no way to pay
    changes = text(event, "method").upper() not in ("", "GET", "HEAD")
    return 0.6 if changes and not is_foreign(event) and BUYING.search(event.path) else 0.0


def is_harmless(event: TimelineEvent) -> bool:
    """True for the noise of healthy pages: trackers, and what browsers report without anything being broken."""
    return bool(HARMLESS.search(f"{text(event, 'message')} {text(event, 'source')} {text(event, 'path')}"))


def failures_in_the_way(story: Story) -> list[TimelineEvent]:
    """Broken and slow requests on the way to the order, and script errors: what clicks in vain are blamed on."""
    return [
        event
        for event in story.of("request_failed", "js_error")
        if (event.type == "js_error" and not is_harmless(event))
        or (way_to_order(event) > 0 and (is_broken(event) or is_slow(event)))
    ]
