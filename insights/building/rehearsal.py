"""Goes through a flow for one case as the engine would have, with a clock that runs ahead of itself.

The steps are the engine's own (``flows.engine.advance``), and so are the rules of quiet hours and caps; only the clock
and the sending differ: nothing is stored and nothing goes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from flows.chance import held_out
from flows.definition import FlowDefinition, Wait
from flows.engine import Finish, Occurrence, Position, SendNow, Traveller, WaitUntil, advance, event_signal
from flows.matching import is_event
from flows.policy import Sent, caps_for, full, loud_at
from flows.ports import NOBODY, Composed, Done, Skip
from insights.building.rehearsed import Case, Known, Line, Rehearsed, Status, World, WouldSend
from insights.vocabulary.actions import TO_VISITORS

MOST_LOOKS: Final = 500
"""Waits and sends of one run; a flow that goes round for ever ends there."""


class Rehearsal:
    """One case on its way through a flow. ``until``: the present, behind which nobody can see."""

    def __init__(
        self,
        flow: FlowDefinition,
        case: Case,
        known: Known,
        world: World,
        until: datetime,
        earlier: Sequence[Rehearsed] = (),
    ) -> None:
        self._flow = flow
        self._case = case
        self._known = known
        self._world = world
        self._until = until
        self._earlier = earlier
        self._found = Rehearsed(case, step=flow.start)
        self._now = case.starts_at

    async def run(self) -> Rehearsed:
        """Goes as far as the present, or to the end."""
        self._note(None, "started", self._flow.name)
        if (refusal := self._refusal()) is not None:
            self._found.lines.clear()
            self._note(None, "not_started", refusal)
            return self._over("not_started", refusal)
        position, occurrence = Position(self._flow.start), "due"
        due_at = self._now
        for _ in range(MOST_LOOKS):
            judge = await self._world.judge(self._case, self._now)
            who = Traveller(self._case.trigger.visitor_id, self._known.zone)
            ahead = advance(
                self._flow, position, _occurrence(occurrence), self._case.trigger.facts, self._now, judge, who
            )
            for step, word, why in ahead.passed:
                self._note(step, word, why)
            position = ahead.position
            self._found.step = position.step
            match ahead.effect:
                case Finish(reason):
                    self._note(position.step, "ended", reason)
                    return self._over("done", reason)
                case WaitUntil() as rest:
                    self._note(position.step, "waiting", f"until {rest.due_at:%Y-%m-%d %H:%M:%S} UTC")
                    occurrence = await self._rest(position.step, rest)
                    if occurrence not in ("due", "signalled"):
                        return self._over("waiting" if occurrence == "waiting" else "cancelled", occurrence)
                    due_at = min(rest.due_at, self._now)
                case SendNow() as send:
                    ended = await self._send(send, due_at)
                    if ended is not None:
                        return self._over("waiting" if ended == "waiting" else "cancelled", ended)
                    occurrence, due_at = "sent", self._now
        return self._over("done", "loop")

    def _refusal(self) -> str | None:
        settings, trigger = self._flow.settings, self._case.trigger
        if self._now - trigger.occurred_at > settings.max_trigger_age:
            return "too_old"
        if settings.exit_on_conversion and any(trigger.occurred_at <= at <= self._now for at in self._known.bought):
            return "converted"
        for run in self._earlier:
            if run.status == "not_started":
                continue
            if run.case.trigger.group == trigger.group:
                return "asked_again"
            unfinished = run.ends_at is None or run.ends_at > self._now
            started = run.case.starts_at
            again = settings.reenter == "after_pause" and started <= self._now - settings.reentry
            if settings.reenter != "always" and (unfinished or (run.sends and not again)):
                return "reentry"
        return None

    async def _rest(self, step_id: str, rest: WaitUntil) -> str:
        """Moves the clock to the end of a rest: due, signalled, waiting (it lies in the future), or why it ended."""
        given = await self._given(step_id, rest)
        wakes = rest.due_at if given is None else min(given, rest.due_at)
        if (ended := self._ended_by(min(wakes, self._until))) is not None:
            return ended
        if wakes > self._until:
            return "waiting"
        self._now = max(self._now, wakes)
        return "signalled" if given is not None and given <= rest.due_at else "due"

    async def _given(self, step_id: str, rest: WaitUntil) -> datetime | None:
        """When what a wait waits for happened first; what happened since the trigger counts, as in the engine."""
        since = self._case.trigger.occurred_at
        step = self._flow.steps[step_id]
        if isinstance(step, Wait) and step.event is not None:
            assert rest.signal == event_signal(step.event.type)  # noqa: S101  (the engine waits for this very event)
            wanted = step.event
            times = [
                at
                for at, facts in self._known.events
                if at >= self._now and is_event(wanted.type, wanted.name, wanted.props, facts)
            ]
            return min(times, default=None)
        if rest.signal is None or rest.key is None:
            return None
        at = await self._world.signal_at(rest.signal, rest.key)
        return max(at, self._now) if at is not None and at >= since else None

    def _ended_by(self, until: datetime) -> str | None:
        """Why the run ended before ``until``: an order, or a goal of the flow."""
        settings, since = self._flow.settings, self._case.trigger.occurred_at
        ends = [(at, "converted") for at in self._known.bought if settings.exit_on_conversion and since <= at <= until]
        ends += [
            (at, f"goal: {goal.name or goal.event}")
            for goal in settings.goals
            if goal.event is not None
            for at, facts in self._known.events
            if self._case.starts_at <= at <= until and is_event(goal.event, goal.name, goal.props, facts)
        ]
        reached = {goal.segment for goal in settings.goals if goal.segment is not None}
        ends += [
            (at, f"goal: {segment}")
            for at, segment in self._known.entered
            if segment in reached and self._case.starts_at < at <= until
        ]
        if not ends:
            return None
        at, why = min(ends)
        self._now = max(self._now, at)
        self._note(None, "cancelled", why)
        return why

    async def _send(self, send: SendNow, due_at: datetime) -> str | None:
        """Looks at one send as the gate does. Returns why the run ends, None when it goes on."""
        while True:
            if (ended := self._ended_by(self._now)) is not None:
                return ended
            decision = await self._decide(send, due_at)
            if not isinstance(decision, datetime):
                break
            if decision > self._until:
                return self._ended_by(self._until) or "waiting"
            # Postponed for the person's sake: it is due when that is over.
            self._now = due_at = decision
        step_id = send.step_id
        match decision:
            case Skip(reason, detail):
                self._note(step_id, "skipped", f"{reason}: {detail}")
            case Done(detail):
                self._note(step_id, "done", detail)
            case Composed():
                self._note(step_id, "sent", decision.channel)
                self._found.sends.append(
                    WouldSend(
                        step_id,
                        send.step.action,
                        decision.channel,
                        self._now,
                        decision.content,
                        decision.needs_consent,
                    )
                )
        return None

    async def _decide(self, send: SendNow, due_at: datetime) -> Composed | Done | Skip | datetime:
        flow, step, now = self._flow, send.step, self._now
        if now - due_at > flow.lateness(step):
            return Skip("too_late", "It is due longer than this step allows.")
        composed = await self._world.compose(self._case, send.step_id, step, now)
        if isinstance(composed, Skip):
            return composed
        if isinstance(composed, Done):
            return self._held_back(step.action, is_message=False) or composed
        channel = composed.channel
        if not self._world.carries(composed, step):
            return Skip("channel_not_configured", f"No {channel} channel is set up for this project.")
        if await self._world.suppressed(channel, composed.recipient, now):
            return Skip("suppressed", f"The recipient is on the suppression list of {channel}.")
        if composed.needs_consent and (bounded := self._bounded(channel)) is not None:
            return bounded
        return self._held_back(step.action, is_message=composed.needs_consent) or composed

    def _held_back(self, action: str, *, is_message: bool) -> Skip | None:
        """What the shop's holdout and the flow's own say to it; None: nothing."""
        reaches, flow = action in TO_VISITORS, self._flow
        if self._known.held_out and reaches:
            return Skip("held_out", "They get nothing, so that it can be measured what the others get out of it.")
        met = self._known.met_first or (*self._earlier, self._found)[0].case.trigger.visitor_id
        of_somebody = (reaches or is_message) and met != NOBODY
        if of_somebody and held_out(flow.name, self._known.salt, flow.settings.holdout, met):
            return Skip("flow_holdout", "This flow holds back from them, so that its own lift can be measured.")
        return None

    def _bounded(self, channel: str) -> Skip | datetime | None:
        policy, settings = self._world.policy, self._flow.settings
        loud = loud_at(self._now, channel, self._known.zone, [policy.quiet_hours, settings.quiet_hours])
        if loud is not None:
            self._note(self._found.step, "postponed", f"quiet_hours: until {loud:%Y-%m-%d %H:%M:%S} UTC")
            return loud
        own = [Sent(one.channel, one.at) for run in (*self._earlier, self._found) for one in run.sends if one.marketing]
        before = [one for one in (*self._known.sent, *own) if one.at <= self._now]
        kept_back = full(caps_for(channel, policy.caps, settings.caps), before, {}, self._now)
        return None if kept_back is None else Skip("capped", f"They got {kept_back.words()} already.")

    def _over(self, status: Status, reason: str) -> Rehearsed:
        self._found.status, self._found.reason = status, reason
        self._found.ends_at = None if status == "waiting" else self._now
        return self._found

    def _note(self, step: str | None, what: str, detail: str = "") -> None:
        self._found.lines.append(Line(self._now, step, what, detail))


def _occurrence(word: str) -> Occurrence:
    return "sent" if word == "sent" else "signalled" if word == "signalled" else "due"
