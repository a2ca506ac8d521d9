"""Decides whether something that was refused names a person: a name may stand anywhere in it, in any spelling. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from insights.identity import names as spelling

_OF_A_CUSTOMER: Final = frozenset({"userid", "customerid", "distinctid", "anonymousid", "clientid"})
_CUSTOMERS: Final = frozenset({"customer", "user"})
_NUMBER: Final = re.compile(r"\+?\d(?:[\s().\-/]{0,2}\d){6,}")


class Names:
    """What a person goes by: names as they were said and as links spell them, ids of devices."""

    def __init__(self, said: Collection[str]) -> None:
        self._said = frozenset(form for name in said for form in forms(name))
        addresses = sorted({re.escape(form.lower()) for form in self._said if spelling.email(form)})
        # Another's address may end or begin like theirs.
        self._addresses = re.compile(rf"(?<![\w.+-])(?:{'|'.join(addresses)})(?![\w-]|\.\w)") if addresses else None
        self._numbers = frozenset(form for form in self._said if spelling.phone(form))

    def stand_in(self, raw: bytes, envelope: Mapping[str, Any]) -> bool:
        """Whether the JSON ``raw``, or what stood around it, has one of them as a whole text; an e-mail address or a
        telephone number also within one, such as the address of a page.

        Numbers count where the id of a customer stands, so that the customer 1 is not found in every price.
        """
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            text = raw.decode(errors="replace")
            return any(f'"{name}"' in text for name in self._said) or self._within(text)
        return any(
            not self._said.isdisjoint(forms(text)) or self._within(text) for text in _texts([document, dict(envelope)])
        )

    def _within(self, text: str) -> bool:
        """Whether an address or a telephone number of theirs stands somewhere in a text."""
        if "%" in text:
            text += "\n" + unquote(text)
        if self._addresses is not None and "@" in text and self._addresses.search(text.lower()):
            return True
        return bool(self._numbers) and any(
            not self._numbers.isdisjoint(forms(found[0])) for found in _NUMBER.finditer(text)
        )


def forms(text: str) -> set[str]:
    """The ways in which one name may have been written down: as it was said, and as links spell it."""
    written = {text, text.strip(), spelling.email(text), spelling.phone(text)}
    return {form for form in written if form}


def _texts(document: Any) -> Iterator[str]:
    """Every text, and numbers that are ids of customers. ``heap``: what is not looked at yet, with the name that it has
    and that of what it stands in; without recursion, for what was refused may be deep."""
    heap: list[tuple[Any, str, str]] = [(document, "", "")]
    while heap:
        value, name, outer = heap.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for key, inner in value.items():
                yield key
                heap.append((inner, _plain(key), name))
        elif isinstance(value, list):
            heap.extend((inner, name, outer) for inner in value)
        elif _is_number(value) and (name in _OF_A_CUSTOMER or (name == "id" and outer in _CUSTOMERS)):
            yield str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")
