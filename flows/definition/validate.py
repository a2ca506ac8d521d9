"""Finds everything wrong with a flow at once, each fault with its place and how to mend it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from typing import Final

from flows.conditions import Condition, Fields, checks_of, type_faults
from flows.definition.flow import FlowDefinition, conditions_of
from flows.definition.part import LONGEST, PLACE
from flows.definition.settings import FlowSettings
from flows.definition.shape import Steps, endless, longest, reached
from flows.definition.steps import Send, Wait, ways_of
from flows.definition.triggers import (
    EventTrigger,
    InsightTrigger,
    PatternTrigger,
    ScheduleTrigger,
    Trigger,
)
from flows.errors import Fault

_DELIVERY: Final = "delivery."
_LEAST_SCHEDULE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The closed sets of words beside actions and fields, None where any word will do.

    ``to_visitors``: the actions that reach a visitor. ``reasons_of``: kind of insight → the reasons that it may have.
    ``retention``: how long visits are kept, None for ever.
    """

    to_visitors: Collection[str] = ()
    events: Collection[str] | None = None
    channels: Collection[str] | None = None
    kinds: Collection[str] | None = None
    reasons: Collection[str] | None = None
    reasons_of: Mapping[str, Collection[str]] | None = None
    retention: timedelta | None = None


ANY_WORDS: Final = Vocabulary()


def validate(
    flow: FlowDefinition, actions: Collection[str], fields: Fields, words: Vocabulary = ANY_WORDS
) -> list[Fault]:
    """Everything wrong with a flow, at once.

    ``actions`` is the registry of what a send step may do, ``fields`` that of what conditions may ask about.
    """
    return [
        *_steps(flow.steps, flow.start, actions, words),
        *_conditions(conditions_of(flow), fields, flow.steps),
        *_trigger(flow.trigger, flow.steps, words),
        *_settings(flow.settings, words),
    ]


def _steps(steps: Steps, start: str, actions: Collection[str], words: Vocabulary) -> Iterator[Fault]:
    yield from _missing(steps, start)
    for name, step in steps.items():
        if isinstance(step, Send) and step.action not in actions:
            yield Fault(f"/steps/{name}/action", f"{step.action!r} is not an action", _one_of(step.action, actions))
        if isinstance(step, Wait) and step.event is not None:
            yield from _event(f"/steps/{name}/event/type", step.event.type, words)
        if isinstance(step, Wait) and step.otherwise is not None and not step.awaits:
            yield Fault(
                f"/steps/{name}/otherwise", "is never gone", "only a wait for something can time out: remove it"
            )
        if isinstance(step, Send) and step.max_lateness is not None:
            yield from _lateness(f"/steps/{name}/max_lateness", step.max_lateness)
    found = reached(steps, start)
    for name in steps:
        if name not in found:
            yield Fault(f"/steps/{name}", "no step leads here", "lead a step here, or remove it")
    yield from _past_retention(steps, start, words.retention)
    for name in endless(steps):
        yield Fault(f"/steps/{name}", "is in a loop without a wait", "put a wait for a time into the loop")


def _conditions(conditions: Mapping[str, Condition], fields: Fields, steps: Steps) -> Iterator[Fault]:
    sends = [name for name, step in steps.items() if isinstance(step, Send)]
    for pointer, condition in conditions.items():
        for fault in type_faults(condition, fields, PLACE):
            yield replace(fault, pointer=pointer + fault.pointer)
        for at, check in checks_of(condition, pointer):
            if not check.field.startswith(_DELIVERY):
                continue
            if pointer == "/trigger/when":
                yield Fault(f"{at}/field", "nothing was sent yet when a run starts", "ask for it in a branch")
            elif check.args and check.args[0] not in sends:
                said = check.args[0]
                yield Fault(f"{at}/args/0", f"there is no send step {said!r}", _one_of(str(said), sends))


def _trigger(trigger: Trigger, steps: Steps, words: Vocabulary) -> Iterator[Fault]:
    match trigger:
        case EventTrigger(event=event):
            yield from _event("/trigger/event", event, words)
        case InsightTrigger(kind=kind, reasons=reasons):
            if kind is not None and words.kinds is not None and kind not in words.kinds:
                yield Fault("/trigger/kind", f"{kind!r} is no kind of insight", _one_of(kind, words.kinds))
            yield from _reasons(reasons, words)
            yield from _fitting(kind, reasons, words)
        case PatternTrigger(reasons=reasons, each=each):
            yield from _reasons(reasons, words)
            if each == "shop":
                for name, step in steps.items():
                    if isinstance(step, Send) and step.action in words.to_visitors and step.action != "call_webhook":
                        yield Fault(
                            f"/steps/{name}/action",
                            f"{step.action} reaches a visitor, and this flow runs for the shop",
                            'set "each" of the trigger to "visitor", or use an action such as create_ticket',
                        )
        case ScheduleTrigger(every=every) if every is not None and every < _LEAST_SCHEDULE:
            yield Fault(
                "/trigger/every", "is shorter than an hour", 'a whole segment is looked at: write "PT1H" or more'
            )
        case _:
            pass


def _settings(settings: FlowSettings, words: Vocabulary) -> Iterator[Fault]:
    goals = {f"/settings/goals/{n}": goal for n, goal in enumerate(settings.goals)}
    for pointer, goal in (goals | {"/settings/success/goal": settings.success.goal}).items():
        if goal.event is not None:
            yield from _event(f"{pointer}/event", goal.event, words)
    yield from _lateness("/settings/max_lateness", settings.max_lateness)
    for name in ("max_trigger_age", "reentry"):
        if not timedelta(0) <= getattr(settings, name) <= LONGEST:
            yield Fault(f"/settings/{name}", "is out of range", 'write a duration from "PT0S" to "P365D"')
    for n, cap in enumerate(settings.caps):
        yield from _channel(f"/settings/caps/{n}/channel", cap.channel, words)
    for n, channel in enumerate(settings.quiet_hours.channels if settings.quiet_hours is not None else ()):
        yield from _channel(f"/settings/quiet_hours/channels/{n}", channel, words)


def _lateness(pointer: str, late: timedelta) -> Iterator[Fault]:
    if not timedelta(0) < late <= LONGEST:
        yield Fault(pointer, "is out of range", 'write how late it may be, above zero, such as "PT12H"')


def _missing(steps: Steps, start: str) -> Iterator[Fault]:
    if start not in steps:
        yield Fault("/start", f"there is no step {start!r}", _one_of(start, steps))
    for name, step in steps.items():
        for where, following in ways_of(step).items():
            if following not in steps:
                pointer = f"/steps/{name}/{where}"
                yield Fault(pointer, f"there is no step {following!r} to go to", _one_of(following, steps))


def _past_retention(steps: Steps, start: str, retention: timedelta | None) -> Iterator[Fault]:
    if retention is None:
        return
    for name, ends in longest(steps, start).items():
        if ends > retention:
            yield Fault(
                f"/steps/{name}",
                f"may end {ends.days} days after the visit, which is kept for {retention.days} days",
                "wait for a shorter time: nothing would be known of the visit any more",
            )


def _event(pointer: str, event: str, words: Vocabulary) -> Iterator[Fault]:
    if words.events is not None and event not in words.events:
        fix = _one_of(event, words.events)
        yield Fault(pointer, f"{event!r} is no type of event", f'{fix}; your own ones are "custom" with a name')


def _channel(pointer: str, channel: str | None, words: Vocabulary) -> Iterator[Fault]:
    if channel is not None and words.channels is not None and channel not in words.channels:
        yield Fault(pointer, f"{channel!r} is not a channel", _one_of(channel, words.channels))


def _reasons(reasons: Collection[str], words: Vocabulary) -> Iterator[Fault]:
    for n, reason in enumerate(reasons):
        if words.reasons is not None and reason not in words.reasons:
            yield Fault(f"/trigger/reasons/{n}", f"{reason!r} is not a reason", _one_of(reason, words.reasons))


def _fitting(kind: str | None, reasons: Collection[str], words: Vocabulary) -> Iterator[Fault]:
    fitting = (words.reasons_of or {}).get(kind or "")
    known = words.reasons is not None and set(reasons) <= set(words.reasons)
    if reasons and known and fitting is not None and not set(reasons) & set(fitting):
        problem = "no visit that ended so has one of these reasons: it never starts"
        yield Fault("/trigger/kind", problem, "choose others, or another outcome")


def _one_of(word: str, known: Collection[str]) -> str:
    names = sorted(known)
    if close := get_close_matches(word[:80], names, n=2, cutoff=0.7):
        return f"did you mean {' or '.join(close)}?"
    return f"use one of: {', '.join(names[:40])}" if names else "there is none yet"
