"""Decides who is told whole names of people: editors. Readers are told who is who, and cannot write to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from flows.conditions import Condition, checks_of
from insights.access.keys import ResolvedKey
from insights.access.roles import Role
from insights.api.run_shapes import DeliveryOut
from insights.errors import NotAllowed
from insights.events.kept import without_addresses
from insights.identity import names
from insights.identity.links import Kind
from insights.identity.masks import mask as masked_name
from insights.identity.masks import masked_address
from insights.privacy.redact import mask

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


def may_fill_in(caller: ResolvedKey, written: Mapping[str, object]) -> bool:
    """Whether the key may see what comes of the templates in a definition of its own, if it has any: a reader's could
    spell an address so that no mask finds it."""
    text = json.dumps(written)
    return sees_names(caller) or not ("{{" in text or "{%" in text)


_TOLD: Final = frozenset({"visitor.trait", "visitor.trait_number"})


def shown_to(caller: ResolvedKey, content: Any) -> Any:
    """What would be sent, as the key may see it: JSON, its addresses and numbers of people masked for readers."""
    if sees_names(caller):
        return content
    if isinstance(content, dict):
        return {name: shown_to(caller, value) for name, value in content.items()}
    if isinstance(content, list):
        return [shown_to(caller, value) for value in content]
    if not isinstance(content, str):
        return content
    return masked_address(content) if names.email(content) or _NUMBER.fullmatch(content) else without_addresses(content)


_NUMBER: Final = re.compile(r"\+[0-9]+")


def props_shown_to(caller: ResolvedKey, type_: str, props: Mapping[str, Any]) -> dict[str, Any]:
    """What an event of a timeline says, as the key may see it: the user id that somebody gave is masked for readers."""
    user_id = props.get("user_id") if type_ == "identified" else None
    if sees_names(caller) or not isinstance(user_id, str):
        return dict(props)
    return {**props, "user_id": masked_name(Kind.USER_ID, user_id)}


def as_seen_by(caller: ResolvedKey, delivery: Shown) -> Shown:
    """A message as the key may see it. What a provider said of it may quote the address."""
    if sees_names(caller):
        return delivery
    recipient, error = delivery.recipient, delivery.error
    return delivery.model_copy(
        update={
            "recipient": None if recipient is None else masked_address(recipient),
            "error": None if error is None else mask(error, len(error)),
        }
    )
