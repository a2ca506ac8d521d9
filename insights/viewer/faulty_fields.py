"""Which fields of a form a refusal is about, and what it says in the form's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from insights.errors import WhyleftError
from insights.viewer.own_api import Declined

Called = Callable[[str, Mapping[str, str]], tuple[str, str]]
"""A JSON pointer of what the API takes, and what was typed → the field of the form, and what stands over it ("" for the
API's word)."""


def as_is(pointer: str, typed: Mapping[str, str]) -> tuple[str, str]:
    """A form whose fields are called as the API's."""
    return pointer.split("/")[1] if "/" in pointer else pointer, ""


def labelled(labels: Mapping[str, str]) -> Called:
    """The same, with what stands over each field: ``labels`` has it by the field's name."""

    def called(pointer: str, typed: Mapping[str, str]) -> tuple[str, str]:
        name, _ = as_is(pointer, typed)
        return name, labels.get(name, "")

    return called


def told(error: WhyleftError, called: Called, typed: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """What to say of a refusal, and beside which fields (field → what is wrong with it). ``typed``: field → text."""
    if not isinstance(error, Declined):
        return error.detail, {error.field: error.detail} if error.field else {}
    if not error.faults:
        return _of_one(error, called, typed)
    beside: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    # The faults of a condition begin at it; those of anything else name their field.
    within = "/when" if error.field == "when" else ""
    for fault in error.faults:
        pointer = fault["pointer"]
        field, labels[field] = called(pointer if pointer.startswith(within) else within + pointer, typed)
        said = f"{fault['problem']}: {fault['fix']}"
        at = typed.get(field, "")[fault.get("start", 0) : fault.get("end", 0)]
        said = f"“{at}”: {said}" if at and at not in said else _sentence(said)
        beside.setdefault(field, []).append(said if said.endswith(("?", ".")) else f"{said}.")
    joined = {field: " ".join(said) for field, said in beside.items()}
    return " ".join(f"{labels[field]}: {said}" if labels[field] else said for field, said in joined.items()), joined


def _of_one(error: Declined, called: Called, typed: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    if error.field is None:
        return error.detail, {}
    field, label = called("/" + error.field.replace(".", "/"), typed)
    said = _sentence(error.detail.removeprefix(f"{error.field}: "))
    return f"{label}: {said}" if label else error.detail, {field: said}


def _sentence(text: str) -> str:
    """With a capital letter, unless it begins with a name such as cart.value."""
    first = text.partition(" ")[0].rstrip(":")
    return text if "." in first or "_" in first else text[:1].upper() + text[1:]
