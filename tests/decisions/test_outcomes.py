from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from insights.decisions.outcomes import Outcome, outcome_of
from insights.timeline.assemble import assemble
from insights.timeline.timeline import Timeline, TimelineEvent
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.ids import ms_to_datetime, uuid7
from tests.profiles.visit import START

DECISION = uuid7(START)


def timeline(*events: tuple[float, str], decision_id: UUID = DECISION) -> Timeline:
    """(seconds after the start, type) each; those of actions name ``decision_id``."""
    made = []
    for seconds, kind in events:
        at = ms_to_datetime(START) + timedelta(seconds=seconds)
        props = {"decision_id": str(decision_id), "action": "cart_save"} if kind.startswith("action_") else {}
        made.append(TimelineEvent(uuid7(START + int(seconds * 1000)), at, kind, props=props))
    return assemble(uuid4(), uuid7(START), uuid4(), made)


def outcome(told: Timeline, action: LiveAction = LiveAction.CART_SAVE, *, closed: bool = True) -> Outcome | None:
    return outcome_of(told, decision_id=DECISION, event_id=told.events[0].id, action=action, closed=closed)


def test_an_order_after_it_was_shown_is_a_conversion() -> None:
    told = timeline((0, "exit_intent"), (1, "action_shown"), (2, "action_clicked"), (300, "purchased"))
    assert outcome(told) is Outcome.CONVERTED


def test_an_order_before_it_was_shown_is_not() -> None:
    told = timeline((0, "purchased"), (1, "action_shown"), (30, "page_viewed"))
    assert outcome(told) is Outcome.IGNORED


def test_what_the_visitor_said_counts() -> None:
    assert outcome(timeline((0, "exit_intent"), (1, "action_shown"), (2, "action_clicked"))) is Outcome.CLICKED
    assert outcome(timeline((0, "exit_intent"), (1, "action_shown"), (2, "action_dismissed"))) is Outcome.DISMISSED


def test_leaving_at_once_is_a_bounce_and_carrying_on_is_not() -> None:
    left = timeline((0, "exit_intent"), (1, "action_shown"), (4, "tab_hidden"), (5, "session_ended"))
    assert outcome(left) is Outcome.BOUNCED
    stayed = timeline((0, "exit_intent"), (1, "action_shown"), (4, "page_viewed"), (5, "session_ended"))
    assert outcome(stayed) is Outcome.IGNORED
    lingered = timeline((0, "exit_intent"), (1, "action_shown"), (90, "tab_hidden"))
    assert outcome(lingered) is Outcome.IGNORED


def test_while_the_session_is_open_it_is_only_shown() -> None:
    assert outcome(timeline((0, "exit_intent"), (1, "action_shown")), closed=False) is Outcome.SHOWN


def test_what_was_never_shown_has_no_outcome() -> None:
    assert outcome(timeline((0, "exit_intent"), (90, "purchased"))) is None


def test_the_outcome_of_another_decision_is_not_ours() -> None:
    told = timeline((0, "exit_intent"), (1, "action_shown"), (2, "action_clicked"), decision_id=uuid4())
    assert outcome(told) is None


def test_doing_nothing_has_outcomes_too() -> None:
    nothing = LiveAction.DO_NOTHING
    assert outcome(timeline((0, "page_viewed"), (60, "purchased")), nothing) is Outcome.CONVERTED
    assert outcome(timeline((0, "page_viewed"), (3, "session_ended")), nothing) is Outcome.BOUNCED
    assert outcome(timeline((0, "page_viewed"), (3, "session_ended")), nothing, closed=False) is None
    assert outcome(timeline((0, "page_viewed"), (60, "page_viewed")), nothing) is None


def test_hostile_outcome_props_say_nothing() -> None:
    told = timeline((0, "exit_intent"), (1, "page_viewed"))
    hostile = TimelineEvent(uuid4(), told.events[0].at, "action_shown", props={"decision_id": ["x"], "action": None})
    told = assemble(told.project_id, told.session_id, told.visitor_id, [*told.events, hostile])
    assert outcome(told) is None
