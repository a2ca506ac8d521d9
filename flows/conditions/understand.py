"""From what somebody wrote, JSON or text, to a condition that makes sense."""

from __future__ import annotations

from dataclasses import replace

from flows.conditions.document import read_with_origins
from flows.conditions.faults import ConditionInvalid
from flows.conditions.fields import Fields
from flows.conditions.text import Piece, parse
from flows.conditions.tree import Condition
from flows.conditions.typecheck import type_faults
from flows.errors import Fault


def understand(written: object, fields: Fields | None = None, place: str | None = None) -> Condition:
    """The condition that a text (str) or the JSON form (anything else) stands for.

    With ``fields`` it is checked against them, and for ``place`` if one is given. Raises ConditionInvalid with
    everything wrong at once: each with a JSON pointer into the JSON form, and for a text also the place in it.
    """
    piece = parse(written) if isinstance(written, str) else None
    try:
        condition, origins = read_with_origins(piece.document if piece is not None else written)
        faults = type_faults(condition, fields, place) if fields is not None else []
    except ConditionInvalid as invalid:
        raise ConditionInvalid(_placed(invalid.faults, piece)) from None
    if faults:
        told = [replace(fault, pointer=_original(fault.pointer, origins)) for fault in faults]
        raise ConditionInvalid(_placed(told, piece))
    return condition


def _placed(faults: list[Fault], piece: Piece | None) -> list[Fault]:
    if piece is None:
        return faults
    places = [piece.at(fault.pointer) for fault in faults]
    return [replace(fault, start=at.start, end=at.end) for fault, at in zip(faults, places, strict=True)]


def _original(pointer: str, origins: dict[str, str]) -> str:
    """The pointer as the writer knows it: the node's own, and what follows it as it was."""
    node, rest = pointer, ""
    while node not in origins:
        node, _, step = node.rpartition("/")
        rest = f"/{step}{rest}"
    return origins[node] + rest
