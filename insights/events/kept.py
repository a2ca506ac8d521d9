"""Decides what of an event's words is kept: who somebody is stands in their own row, sealed, not along their timeline.

An e-mail address that a page or a query left in an address or a text is kept as ``[email]``. What an identification
said of itself is kept as that it was said. A form that no script took care of leaves what was typed into it in the
address of the next page: of a password, a card or a token the name is kept there.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from insights.vocabulary.events import PROPS

EMAIL: Final = "[email]"
SAID: Final = {"email": "[email]@[kept apart]", "phone": "[phone]"}
"""What stands for them in the timeline; an @ in it tells a profile that there is an address."""

(_EQUALS,) = b"="  # as a number: see ``events/rows``
_KNOWN: Final = {type_: frozenset(struct.__struct_fields__) for type_, struct in PROPS.items()} | {
    "identified": frozenset((*PROPS["identified"].__struct_fields__, "proof"))
}
"""With what is thought of an identification, which is ours."""

_HOST: Final = r"(?:@|%40)[\w-]++(?:(?:\.|%2[eE])[\w-]++)++"
_ADDRESS: Final = re.compile(rf"(?<![\w.+'-])[\w.+'-]++{_HOST}(?:[\w.+'-]*+{_HOST})*+")
"""Addresses in a row are one. It begins where no letter stands before it and gives nothing back, so that each letter of
a text is looked at a few times at most. It takes longer ones than there may be: what is cut off would be shown."""


_STARTS: Final = r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z])|(?<=%[0-9A-Fa-f]{2}))"
_ENDS: Final = r"(?:(?![A-Za-z])|(?<=[a-z])(?=[A-Z]))"
_NAMES: Final = (
    # These are in no other word.
    r"(?i:passw|passphrase|passcode|passkey|passport|pwd|cvc|cvv|iban|token|secret|card(?:n[ruo]|id|code|pin|exp|holder))",
    # Others begin with these (passenger, cardigan), and words of their kind are written as one, too (userpass).
    r"(?i:(?<!com)(?<!by)passe?|(?<!dis)(?<!post)(?<!score)(?<!flash)(?<!wild)(?<!pla)cards?|ssn)" + _ENDS,
    f"{_STARTS}(?i:pw){_ENDS}",
)
"""What names of parameters with a secret have in them. A word of a name ends where no letter follows, or a large one
after a small one."""

_NAME: Final = r"""[^=&#?/"\\]++"""
_NAMED: Final = rf"""(?<![^=&#?/"\\])((?={_NAME}=)(?=[^=&#?/"\\]*?(?:{"|".join(_NAMES)})){_NAME}=)(?!\[secret\])"""
_SECRET: Final = re.compile(_NAMED + "[^&#]+")
_SECRET_IN_JSON: Final = re.compile(_NAMED + r'(?:[^&#"\\]|\\.)+')
_SECRETS: Final = ("pass", "pwd", "card", "cvc", "cvv", "iban", "ssn", "token", "secret", "pw=", "pw]=", "pw%5d=")
_ADDRESSES: Final = ("url", "referrer")


def kept_url(url: str | None) -> str | None:
    """An address without the e-mail addresses and secrets in it; the very same where there are none."""
    if url is None:
        return None
    if "@" in url or "%40" in url:
        url = _ADDRESS.sub(EMAIL, url)
    return _SECRET.sub(r"\1[secret]", url) if "=" in url and _names_secret(url) and _SECRET.search(url) else url


def kept_json(text: str) -> str:
    """JSON that was refused, to be kept for another try: the same without the secrets in its addresses."""
    return _SECRET_IN_JSON.sub(r"\1[secret]", text) if "=" in text and _names_secret(text) else text


def may_hold_secrets(types: Collection[str], props: bytes) -> bool:
    """Whether a page's own address, or the one before it, may have one in it. ``props``: of all events, as JSON."""
    return "page_viewed" in types and _EQUALS in props and _names_secret(props.decode())


def _names_secret(text: str) -> bool:
    """A quick look: few texts have one of the words, and only in these it is looked for where it stands."""
    lower = text.lower()
    return any(word in lower for word in _SECRETS)


def kept_props(type_: str, props: dict[str, Any]) -> dict[str, Any]:
    """Props as the timeline keeps them; the very same ones where there is nothing to hide."""
    if type_ == "identified":
        return _identification(props)
    if type_ == "page_viewed":
        for name in _ADDRESSES:
            said = props.get(name)
            if isinstance(said, str) and (kept := kept_url(said)) is not said:
                props = {**props, name: kept}
    for value in props.values():
        if value.__class__ is str:
            if "@" in value or "%40" in value:
                break
        elif value.__class__ is dict or value.__class__ is list:
            break
    else:
        return props
    return {name: value if name.endswith("_id") else without_addresses(value) for name, value in props.items()}


def only_allowed(type_: str, props: dict[str, Any], extra: Collection[str]) -> dict[str, Any]:
    """Only the props that the catalogue knows or the project asked for, as ``name`` or ``type.name``.

    The props of an event that the catalogue does not know are all beyond it.
    """
    if type_ == "custom":
        inner = props.get("props")
        if not isinstance(inner, dict):
            return props
        name = str(props.get("name", ""))
        return {**props, "props": {key: inner[key] for key in inner if key in extra or f"{name}.{key}" in extra}}
    known = _KNOWN.get(type_, frozenset())
    return {key: props[key] for key in props if key in known or key in extra or f"{type_}.{key}" in extra}


def _identification(props: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: SAID[name] for name in SAID if props.get(name)}
    user_id = props.get("user_id")
    if isinstance(user_id, str) and user_id:
        kept["user_id"] = EMAIL if "@" in user_id else user_id
    if props.get("traits"):
        kept["traits"] = {}
    if props.get("proof"):
        kept["proof"] = props["proof"]
    return kept


def without_addresses(value: object) -> Any:
    """A value of JSON whose texts have ``[email]`` where e-mail addresses stood."""
    if isinstance(value, str):
        return _ADDRESS.sub(EMAIL, value) if "@" in value or "%40" in value else value
    if isinstance(value, dict):
        return {without_addresses(name): without_addresses(item) for name, item in value.items()}
    return [without_addresses(item) for item in value] if isinstance(value, list) else value
