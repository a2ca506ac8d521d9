"""What a reader is told of people: who is who and what they did, and no words that name them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from insights.events.kept import without_addresses
from insights.identity.links import Kind
from insights.identity.masks import mask as masked_name
from insights.privacy.redact import mask

KEPT_FIELD: Final = "[kept]"
"""Stands for what somebody wrote into a form field whose value the shop keeps."""

MASKED: Final = frozenset({"identified", "form_field"})
"""Events of which ``props`` does not tell readers all."""

_NUMBER: Final = re.compile(r"(?:\+|%2[bB])\d(?:[ ().-]?\d){6,}")
_TRAIT: Final = re.compile(r"(visitor\.trait(?:_number)?\(.*?\)) is .*", re.DOTALL)
"""What was found of a trait, and all behind it: a value may hold any words."""


def words(value: object) -> Any:
    """A value of JSON whose texts have ``[email]`` and ``[phone]`` where addresses and numbers of people stood."""
    return _numberless(without_addresses(value))


def run_words(line: str) -> str:
    """A line of a run's history: where it quotes a trait, it says only that."""
    return str(words(_TRAIT.sub(r"\1 is known to editors", line)))


def provider_words(text: str) -> str:
    """What a provider said of a message, or the server of an event that it refused: it may quote whom it was about."""
    return mask(text, len(text))


def props(type_: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What an event of a timeline says: the user id that somebody gave is masked, what they typed is not told."""
    told: dict[str, Any] = words(dict(said))
    if type_ == "identified" and isinstance(user_id := said.get("user_id"), str):
        told["user_id"] = masked_name(Kind.USER_ID, user_id)
    if type_ == "form_field" and "value" in said:
        told["value"] = KEPT_FIELD
    return told


def _numberless(value: object) -> Any:
    if isinstance(value, str):
        return _NUMBER.sub("[phone]", value)
    if isinstance(value, dict):
        return {_numberless(name): _numberless(item) for name, item in value.items()}
    return [_numberless(item) for item in value] if isinstance(value, list) else value
