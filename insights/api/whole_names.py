"""Decides who is told whole names of people: editors. Readers are told who is who, and cannot write to them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from flows.conditions import Condition, checks_of
from flows.definition import FlowDefinition, conditions_of, props_of
from insights.access.keys import ResolvedKey
from insights.access.roles import Role
from insights.api.run_shapes import DeliveryOut
from insights.errors import NotAllowed
from insights.identity.masks import masked_address
from insights.privacy import readers

Shown = TypeVar("Shown", bound=DeliveryOut)


def sees_names(caller: ResolvedKey) -> bool:
    """Whether names are whole for this key."""
    return caller.role is not None and caller.role.includes(Role.EDITOR)


def may_ask(caller: ResolvedKey, conditions: Iterable[Condition]) -> None:
    """Raises NotAllowed where a reader's own condition asks what the shop told of people: the answer says what was
    found, and a mere yes or no lets it be guessed piece by piece."""
    if sees_names(caller):
        return
    for condition in conditions:
        for pointer, check in checks_of(condition):
            if check.field in _TOLD:
                raise NotAllowed(
                    f"A reader's key may not ask {check.field} of people ({pointer or 'the whole condition'}): the "
                    "answer would tell names and addresses. Use an editor's, or a segment that an editor made of it."
                )


def may_try(caller: ResolvedKey, flow: FlowDefinition, written: Mapping[str, object]) -> None:
    """Raises NotAllowed where a reader's own flow, as it was ``written``, asks what names people: by a condition, by
    the props of an event, or by a template; whether one can be filled in lets a name be guessed piece by piece, too."""
    if sees_names(caller):
        return
    may_ask(caller, conditions_of(flow).values())
    for pointer, type_ in props_of(flow).items():
        if type_ in readers.MASKED:
            raise NotAllowed(
                f"A reader's key may not ask for props of {type_} ({pointer}): whether they fit would tell names. Use "
                "an editor's, or a flow that an editor stored."
            )
    text = json.dumps(written, ensure_ascii=False)
    if "{{" in text or "{%" in text:
        raise NotAllowed(
            "A reader's key may not try a flow of its own with templates ({{ … }}) on people: what comes of them "
            "would tell names. Use an editor's, or a flow that an editor stored."
        )


_TOLD: Final = frozenset({"visitor.trait", "visitor.trait_number"})


def event_shown_to(
    caller: ResolvedKey, type_: str, url: str | None, props: Mapping[str, Any]
) -> tuple[str | None, dict[str, Any]]:
    """The address and the props of an event of a timeline, as the key may see them."""
    return (url, dict(props)) if sees_names(caller) else (readers.words(url), readers.props(type_, props))


def line_shown_to(caller: ResolvedKey, line: str) -> str:
    """A line of a run's history: why a branch led where it did quotes what was found."""
    return line if sees_names(caller) else readers.run_words(line)


def heard_shown_to(caller: ResolvedKey, error: str) -> str:
    """What a provider said of a message, or this server of an event that it refused."""
    return error if sees_names(caller) else readers.provider_words(error)


def as_seen_by(caller: ResolvedKey, delivery: Shown) -> Shown:
    """A message as the key may see it."""
    if sees_names(caller):
        return delivery
    recipient, error = delivery.recipient, delivery.error
    return delivery.model_copy(
        update={
            "recipient": None if recipient is None else masked_address(recipient),
            "error": None if error is None else readers.provider_words(error),
        }
    )
