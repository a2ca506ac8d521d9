"""Tells what pydantic says of a document as faults: a JSON pointer into it, what is wrong, how to mend it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from flows.conditions import ConditionInvalid
from flows.errors import Fault
from insights.vocabulary.validator_words import asked, bound, length, written_as

MOST_FAULTS: Final = 200

_FOLLOWS: Final = ("start", "next", "then", "otherwise")
"""The fields of a flow that name the step to go on with."""

_PATTERNS: Final = {"^/": 'write a path such as "/cart"', "^[A-Z]{3}$": 'write the code of a currency, such as "EUR"'}
"""What a pattern asks for, where no field says it."""

Loc = Sequence[int | str]


def faults_of(error: ValidationError, document: object, model: type[BaseModel], at: str = "") -> list[Fault]:
    """Pydantic's errors as faults. ``document`` is what was validated, ``at`` the pointer at which it stands."""
    found: dict[tuple[str, str], Fault] = {}
    for one in error.errors(include_url=False):
        pointer = at + pointer_of(one["loc"], document)
        inner = (one.get("ctx") or {}).get("error")
        if isinstance(inner, ConditionInvalid):
            faults = [replace(fault, pointer=pointer + fault.pointer) for fault in inner.faults]
        else:
            faults = [_fault(pointer, one, _fields_at(one["loc"], document, model))]
        for fault in faults:
            found.setdefault((fault.pointer, fault.problem), fault)
        if len(found) >= MOST_FAULTS:
            break  # a megabyte of unknown fields is looked up no further
    return list(found.values())[:MOST_FAULTS]


def pointer_of(loc: Loc, document: Any) -> str:
    """Where in ``document`` pydantic's location lies. Its names of union members and of keys are left out."""
    pointer, value = "", document
    member: int | str | None = None
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        inside = isinstance(value, dict) and part in value
        listed = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if not (inside or listed or (last and isinstance(value, dict) and part != "[key]")):
            member = part
            continue
        if (
            last
            and not inside
            and isinstance(value, dict)
            and part in (value.get("do"), value.get("on"))
            and part != member
        ):
            continue  # the union's own word for the member that was meant; said once already, it is a field of it
        member = None
        pointer += f"/{escaped(str(part))}"
        value = value[part] if inside or listed else None
    return pointer


def escaped(part: str) -> str:
    """One step of a JSON pointer."""
    return part.replace("~", "~0").replace("/", "~1")


def _fields_at(loc: Loc, document: object, model: type[BaseModel]) -> dict[str, str]:
    """The fields that there may be where ``loc`` ends, each with its sentence."""
    parent: Any = model
    for part in loc[:-1]:
        parent = _inside(parent, part)
        if parent is None:
            return {}
    if not (isinstance(parent, type) and issubclass(parent, BaseModel)):
        return {}
    return {
        field.alias or name: field.description or "" for name, field in parent.model_fields.items()
    }  # fmt: skip


def _inside(parent: object, part: int | str) -> Any:
    if isinstance(parent, type) and issubclass(parent, BaseModel):
        for name, field in parent.model_fields.items():
            if part in (name, field.alias):
                return field.annotation
        return None
    members = _members(parent)
    for member in members:
        if isinstance(member, type) and issubclass(member, BaseModel):
            for tag in ("do", "on"):
                named = member.model_fields.get(tag)
                if named is not None and part in (named.default, *getattr(named.annotation, "__args__", ())):
                    return member
    if len(members) == 1 and members[0] is not parent:
        return _inside(members[0], part)
    arguments = getattr(parent, "__args__", ())
    return arguments[-1] if arguments else None


def _members(annotation: object) -> list[Any]:
    """The members of a union, also of an annotated one."""
    inner = getattr(annotation, "__origin__", None)
    if hasattr(annotation, "__metadata__"):
        return _members(inner)
    arguments = getattr(annotation, "__args__", ())
    if inner in (dict, list, Mapping):
        return [annotation]
    return [one for argument in arguments for one in _members(argument)] if arguments else [annotation]


def _fault(pointer: str, error: Mapping[str, Any], fields: Mapping[str, str]) -> Fault:
    context: Mapping[str, Any] = error.get("ctx") or {}
    kind, name = error["type"], str(error["loc"][-1]) if error["loc"] else ""
    message = _lower(error["msg"])
    match kind:
        case "missing":
            return Fault(pointer, "is missing", _add(name, fields))
        case "extra_forbidden":
            return Fault(pointer, "does not belong here", nearest(name, fields))
        case "union_tag_not_found":
            tag = str(context["discriminator"]).strip("'")
            return Fault(f"{pointer}/{tag}", "is missing", "say what it is: add do or on, as the schema lists them")
        case "union_tag_invalid":
            tag = str(context["discriminator"]).strip("'")
            word = f"{context['tag']!r:.60} is nothing there is"
            return Fault(f"{pointer}/{tag}", word, f"use one of: {str(context['expected_tags']).replace(chr(39), '')}")
        case "literal_error" | "enum":
            return Fault(pointer, "is none of the words there are", f"use {context['expected']}")
        case "time_delta_parsing" | "time_delta_type":
            return Fault(pointer, "is not a duration", asked(error))
        case "string_pattern_mismatch":
            if error["loc"] and error["loc"][-1] == "[key]":
                return Fault(pointer, "is not a name for a step", "use small letters, digits and _, at most 60 of them")
            meant = _PATTERNS.get(context["pattern"]) or _lower(fields.get(name, "")) or asked(error)
            return Fault(pointer, "is not written as it must be", meant)
        case "string_too_short" if name in _FOLLOWS:
            return Fault(pointer, "names no step", "name the step to go on with; a step that ends the run will do")
        case "too_short" if pointer == "/steps":
            return Fault(pointer, "holds no step yet", "add one")
    if said := bound(error):
        return Fault(pointer, "is out of range", said)
    if said := length(error):
        return Fault(pointer, f"is too {kind.rpartition('_')[2]}", said)
    if said := written_as(error):
        return Fault(pointer, "is of the wrong type", said)
    return _own_words(pointer, message.removeprefix("value error, "))


def _own_words(pointer: str, message: str) -> Fault:
    """A model's own sentence: what is wrong, then after a colon what to do; or what to do alone."""
    problem, _, fix = message.partition(": ")
    if fix:
        return Fault(pointer, problem, fix)
    if message.startswith(("give ", "write ")):
        return Fault(pointer, "cannot mean anything as it is", message)
    return Fault(pointer, message, "write it as the schema says (GET /v1/flows/schema)")


def _add(name: str, fields: Mapping[str, str]) -> str:
    if name == "otherwise":
        return "add otherwise: the step to go to when the condition is not true"
    says = fields.get(name, "")
    return f"add {name}: {_lower(says)}" if says else f"add {name}"


def nearest(word: str, known: Collection[str]) -> str:
    """What to do about a name that there is none of, where there are those that are ``known``."""
    close = get_close_matches(word, known, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}? Otherwise remove it"
    return f"remove it; there may be: {', '.join(known)}" if known else "remove it"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
