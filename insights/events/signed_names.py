"""Has the names that somebody is said to go by proved (``identity/proof``), before anything is made of them. Pure.

What is not believed is taken out of what was said; the event stays, and says of each name what was thought of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from insights.events.dialects.translation import Translated, Who
from insights.events.wire import WireEvent
from insights.identity.proof import NAMES, Mode, Proof, Verdict, advice, believed, verdicts

SIGNATURES: Final = "signatures"
"""The prop in which a page hands on what the shop's server signed, by kind of name."""

PROOF: Final = "proof"
"""The prop that is kept instead: what was thought of each name."""

_FOLLOWS: Final = 5
"""Version of a UUID that follows from a name: of visitors whom only a server tells of."""


class Doubt(Struct, frozen=True):
    """An event that is kept and whose claim is not believed, with what to send instead."""

    id: str
    error: str


def prove_events(events: Iterable[WireEvent], proof: Proof) -> list[Doubt]:
    """Looks at what identifications among the events claim, and takes out of them, in place, what is not believed."""
    doubts: list[Doubt] = []
    for event in events:
        if event.type == "identified":
            event.props, thought = _proved(event.props, event.props.get(SIGNATURES), proof)
            if proof.mode is Mode.REQUIRED and (error := advice(thought)):
                doubts.append(Doubt(str(event.id), error))
    return doubts


def prove_message(said: Translated, proof: Proof) -> tuple[Translated, dict[str, Any] | None, str | None]:
    """(what the message says without what is not believed, the names to say of its visitor in an event of its own, what
    to send instead of what was not believed)."""
    names, thought = _proved(said.props if said.says_who else _names(said.who), said.signatures, proof)
    if proof.mode is Mode.REQUIRED:
        said = replace(said, who=_nobody_else(said.who, thought))
    error = advice(thought) if proof.mode is Mode.REQUIRED else None
    return (replace(said, props=names), None, error) if said.says_who else (said, names or None, error)


NAMED_VISITOR: Final = (
    "visitor: this id follows from a name, and so says who somebody is; use a random UUID for a browser"
)


def is_claimed(visitor_id: UUID, proof: Proof) -> bool:
    """Whether the id is that of a visitor whom only a server tells of, and so may not be said without proof: it follows
    from the name that the server told."""
    return proof.mode is Mode.REQUIRED and visitor_id.version == _FOLLOWS


def _proved(props: Mapping[str, object], signatures: object, proof: Proof) -> tuple[dict[str, Any], dict[str, str]]:
    thought = verdicts(props, signatures, proof)
    left = {name: value for name, value in believed(props, thought, proof).items() if name not in (SIGNATURES, PROOF)}
    return (left | {PROOF: thought} if thought else left), thought


def _names(who: Who) -> dict[str, Any]:
    return {name: value for name in NAMES if (value := getattr(who, name)) is not None}


def _nobody_else(who: Who, thought: Mapping[str, str]) -> Who:
    """Whom a message is about, if its names are not believed: a device is who it is, and a name alone is somebody of
    whom nothing else is known, not even by a server."""
    own = {name: value for name, value in _names(who).items() if thought.get(name) == Verdict.SIGNED}
    visitor, anonymous_id = who.visitor, who.anonymous_id
    if visitor is not None and visitor.version == _FOLLOWS:
        visitor, anonymous_id = None, str(visitor)
    if anonymous_id is not None and _follows(anonymous_id):
        anonymous_id = f"claimed\0{anonymous_id}"
    if visitor is None and anonymous_id is None and not own:
        claimed = next(iter(_names(who).items()))
        anonymous_id = "claimed\0{}\0{}".format(*claimed)
    unsaid: dict[str, Any] = dict.fromkeys(NAMES)
    return replace(who, visitor=visitor, anonymous_id=anonymous_id, **(unsaid | own))


def _follows(anonymous_id: str) -> bool:
    try:
        return UUID(anonymous_id).version == _FOLLOWS
    except ValueError:
        return False
