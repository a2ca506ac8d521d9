"""Outcomes: what became of a decision, read from the session it was made in.

What an outcome does to the caps (shown counts as served, dismissed stays dismissed) is part of folding the event.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from uuid import UUID

from insights.timeline.timeline import Timeline, TimelineEvent
from insights.vocabulary.actions import LiveAction

BOUNCED_MS: Final = 10_000
_WORDLESS: Final = frozenset({"action_shown", "tab_hidden", "session_ended", "exit_intent", "engaged"})


class Outcome(StrEnum):
    """From first to last; a decision ends with the furthest that holds."""

    SHOWN = "shown"
    IGNORED = "ignored"
    BOUNCED = "bounced"
    DISMISSED = "dismissed"
    CLICKED = "clicked"
    CONVERTED = "converted"


def outcome_of(
    timeline: Timeline, *, decision_id: UUID, event_id: UUID, action: LiveAction, closed: bool
) -> Outcome | None:
    """What the decision made after ``event_id`` ended with; None when nothing is known of it.

    converted: an order came after it. clicked, dismissed: the visitor said so. bounced: it was shown and they did
    nothing more than leave, within 10 s. ignored: shown, and they carried on. shown: the same while the session is
    open. Doing nothing shows nothing: it ends converted, bounced (the session closed on that event), or None.
    """
    events = timeline.events
    start = next((index for index, event in enumerate(events) if event.id == event_id), None)
    about = [event for event in events if _is_about(event, decision_id)]
    if action is LiveAction.DO_NOTHING:
        if start is None:
            return None
        after = events[start + 1 :]
        if any(event.type == "purchased" for event in after):
            return Outcome.CONVERTED
        return Outcome.BOUNCED if closed and _only_left(events[start], after) else None
    if not about:
        return None
    after = events[events.index(about[0]) + 1 :]
    kinds = {event.type for event in about}
    if any(event.type == "purchased" for event in after):
        return Outcome.CONVERTED
    if "action_clicked" in kinds:
        return Outcome.CLICKED
    if "action_dismissed" in kinds:
        return Outcome.DISMISSED
    if not closed:
        return Outcome.SHOWN
    return Outcome.BOUNCED if _only_left(about[0], after) else Outcome.IGNORED


def _is_about(event: TimelineEvent, decision_id: UUID) -> bool:
    if event.type not in ("action_shown", "action_clicked", "action_dismissed"):
        return False
    named = event.props.get("decision_id")
    return isinstance(named, str) and named.lower() == str(decision_id)


def _only_left(first: TimelineEvent, after: tuple[TimelineEvent, ...]) -> bool:
    within = all((event.at - first.at).total_seconds() * 1000 <= BOUNCED_MS for event in after)
    return within and all(event.type in _WORDLESS for event in after)
