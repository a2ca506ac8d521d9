"""Decides who is told whole names of people: editors. Readers are told who is who, and cannot write to them."""

from __future__ import annotations

from typing import TypeVar

from insights.access.keys import ResolvedKey
from insights.access.roles import Role
from insights.api.run_shapes import DeliveryOut
from insights.identity.masks import masked_address
from insights.privacy.redact import mask

Shown = TypeVar("Shown", bound=DeliveryOut)


def sees_names(caller: ResolvedKey) -> bool:
    """Whether names are whole for this key."""
    return caller.role is not None and caller.role.includes(Role.EDITOR)


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
