"""Works out what differs between two definitions of a flow: steps added, removed and changed, and where. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flows.conditions import ConditionInvalid, to_words, understand
from insights.recovery.document_faults import escaped

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference at ``pointer``. Of a condition the text form is told, of everything else the value."""

    kind: Kind
    pointer: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs. ``changed``: step → what of it; ``around``: what differs outside the steps."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: dict[str, list[Change]] = field(default_factory=dict)
    around: list[Change] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        return not (self.added or self.removed or self.changed or self.around)


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> Difference:
    """What leads from one definition to another, both in their JSON form."""
    old, new = _mapping(before.get("steps")), _mapping(after.get("steps"))
    changed = {
        name: found
        for name in old
        if name in new and (found := list(_changes(old[name], new[name], f"/steps/{escaped(name)}")))
    }
    return Difference(
        added=sorted(name for name in new if name not in old),
        removed=sorted(name for name in old if name not in new),
        changed=changed,
        around=list(_changes(_without(before), _without(after), "")),
    )


def _changes(before: object, after: object, pointer: str) -> Iterator[Change]:
    if before == after:
        return
    if pointer.endswith("/when"):
        yield Change("changed", pointer, _words(before), _words(after))
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            place = f"{pointer}/{escaped(str(key))}"
            old, new = before.get(key), after.get(key)
            if old is not None and new is not None:
                yield from _changes(old, new, place)
            elif old is not None:
                yield Change("removed", place, _told(place, old), None)
            elif new is not None:
                yield Change("added", place, None, _told(place, new))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(old, new, f"{pointer}/{index}")
    else:
        yield Change("changed", pointer, before, after)


def _told(pointer: str, value: object) -> Any:
    return _words(value) if pointer.endswith("/when") else value


def _words(condition: object) -> Any:
    if condition is None or isinstance(condition, str):
        return condition
    try:
        return to_words(understand(condition))
    except ConditionInvalid:
        return condition


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _without(definition: Mapping[str, object]) -> dict[str, Any]:
    return {key: value for key, value in definition.items() if key != "steps"}
