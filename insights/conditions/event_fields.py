"""Fields over events, made from the event catalogue: how often, when last, and the props of the last one.

``events.<type>.count``, ``.happened``, ``.last_at`` and ``.last.<prop>`` look at the visitor's events, as far back as a
window says; ``session.events.<type>.…`` at those of their latest visit.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

import msgspec

from flows.conditions import Field, Known, Money, Param, Type, Value
from insights.conditions.places import STORED
from insights.vocabulary.events import PROPS

_WINDOW: Final = Param("window", Type.DURATION, "Only events this recent; left out: all that are kept.", optional=True)
_NAME: Final = Param("name", Type.TEXT, "The name of your own event.")
_SCOPES: Final = {"events": "their events", "session.events": "their latest visit"}
_OWN: Final = "custom"


@dataclass(frozen=True, slots=True)
class EventQuestion:
    """What a field over events asks: of which type, within what, and what about them.

    ``prop`` is None for ``count``, ``happened`` and ``last_at``, which ``what`` names.
    """

    type: str
    in_session: bool
    what: str
    prop: _Prop | None = None


@dataclass(frozen=True, slots=True)
class _Prop:
    """A prop of an event type, as a condition sees it: money without ``_minor``, times without ``_ms``."""

    wire: str
    name: str
    type: Type
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HappenedEvent:
    """An event as the questions need it. ``age``: how long ago."""

    at: Any
    age: timedelta
    props: Mapping[str, Any]


def _props_of(kind: str) -> Iterator[_Prop]:
    fields = msgspec.structs.fields(PROPS[kind])
    names = {field.encode_name for field in fields}
    for field in fields:
        name = field.encode_name
        found, choices = _type_of(field.type)
        if found is None:
            continue
        if name.endswith("_minor"):
            if "currency" in names:
                yield _Prop(name, name.removesuffix("_minor"), Type.MONEY)
        elif name == "ms" or name.endswith("_ms"):
            yield _Prop(name, "lasted" if name == "ms" else name.removesuffix("_ms"), Type.DURATION)
        elif name != "currency":
            yield _Prop(name, name, found, choices)


def _type_of(annotation: Any) -> tuple[Type | None, tuple[str, ...]]:
    """The field type of a prop's annotation, and its words where there are only a few; (None, ()) for none."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _type_of(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        inner = [one for one in typing.get_args(annotation) if one is not type(None)]
        return _type_of(inner[0]) if len(inner) == 1 else (None, ())
    if origin is Literal:
        return Type.CHOICE, typing.get_args(annotation)
    return {bool: Type.BOOLEAN, int: Type.INTEGER, float: Type.NUMBER, str: Type.TEXT}.get(annotation), ()


def _made() -> Iterator[tuple[Field, EventQuestion]]:
    for kind in PROPS:
        for scope, whose in _SCOPES.items():
            params = (_NAME, _WINDOW) if kind == _OWN else (_WINDOW,)
            stem, in_session = f"{scope}.{kind}", scope != "events"

            def field(name: str, type_: Type, says: str, stem: str = stem, params: Any = params, **more: Any) -> Field:
                return Field(f"{stem}.{name}", type_, says, params=params, places=STORED, **more)

            yield (
                field("count", Type.INTEGER, f"How often {kind} is in {whose}.", least=0),
                EventQuestion(kind, in_session, "count"),
            )
            yield (
                field("happened", Type.BOOLEAN, f"Whether {kind} is in {whose}."),
                EventQuestion(kind, in_session, "happened"),
            )
            yield (
                field("last_at", Type.TIME, f"When {kind} was last in {whose}."),
                EventQuestion(kind, in_session, "last_at"),
            )
            for prop in _props_of(kind) if kind != _OWN else ():
                yield (
                    field(
                        f"last.{prop.name}",
                        prop.type,
                        f"The {prop.name} of the last {kind} in {whose}.",
                        choices=prop.choices,
                    ),
                    EventQuestion(kind, in_session, "prop", prop),
                )


_MADE: Final = tuple(_made())
EVENT_FIELDS: Final = tuple(field for field, _ in _MADE)
_QUESTIONS: Final = {field.name: question for field, question in _MADE}


def question_of(name: str) -> EventQuestion | None:
    """What a field over events asks; None for another field."""
    return _QUESTIONS.get(name)


def window_of(args: tuple[Value, ...]) -> timedelta | None:
    """The window among a field's arguments; None for all that is kept."""
    return next((one for one in args if isinstance(one, timedelta)), None)


def answer(question: EventQuestion, args: tuple[Value, ...], events: list[HappenedEvent]) -> Known | None:
    """The value of a field over ``events``: those of its type (and scope), the latest first."""
    window = window_of(args)
    found = [event for event in events if window is None or event.age <= window]
    if question.type == _OWN:
        wanted = str(args[0]).casefold()
        found = [event for event in found if str(event.props.get("name")).casefold() == wanted]
    match question.what:
        case "count":
            return len(found)
        case "happened":
            return bool(found)
        case "last_at":
            return found[0].at if found else None
        case _:
            return _prop_value(question.prop, found[0].props) if found and question.prop else None


def _prop_value(prop: _Prop, props: Mapping[str, Any]) -> Known | None:
    value = props.get(prop.wire)
    match prop.type:
        case Type.MONEY:
            currency = props.get("currency")
            return Money(value, currency) if type(value) is int and isinstance(currency, str) else None
        case Type.DURATION:
            return timedelta(milliseconds=value) if isinstance(value, int | float) and 0 <= value < 2**53 else None
        case Type.NUMBER:
            return float(value) if isinstance(value, int | float) else None
        case _:
            return value
