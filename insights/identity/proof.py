"""Decides whether who a page says somebody is, is believed: the shop's server signs each name, the page hands the
signatures on. Pure.

A signature is HMAC-SHA256, in hexadecimal, of ``user_id:`` (``email:``, ``phone:``) and the name in its one spelling
(``identity/names``), under the project's identity secret. Each name has its own: of several in one claim, one may be
proved and another not, and a user id that looks like an address proves no address.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from insights.identity import names

NAMES: Final[Mapping[str, Callable[[object], str | None]]] = {
    "user_id": names.user_id,
    "email": names.email,
    "phone": names.phone,
}
"""What a person goes by, and its one spelling, which is what is signed."""


class Mode(StrEnum):
    """off: every claim is believed. observe: so it is, and what is not signed is counted. required: only what a server
    signed is believed of whoever proves nothing else."""

    OFF = "off"
    OBSERVE = "observe"
    REQUIRED = "required"


class Verdict(StrEnum):
    """What a signature says of a name."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a project asks of whoever says who somebody is, and the secrets that are good now."""

    mode: Mode = Mode.OFF
    secrets: tuple[bytes, ...] = ()


ANY_CLAIM: Final = Proof()
"""Asks for nothing: of a server that proves itself, which signs nothing."""


def sign(secret: bytes, kind: str, name: str) -> str:
    """The signature of a name in its one spelling: 64 hexadecimal digits."""
    return hmac.digest(secret, f"{kind}:{name}".encode(), "sha256").hex()


def verdicts(said: Mapping[str, object], signatures: object, proof: Proof) -> dict[str, str]:
    """What is to be thought of each name in ``said``; nothing of what names nobody ("guest"), and nothing where the
    project does not ask."""
    if proof.mode is Mode.OFF:
        return {}
    given = signatures if isinstance(signatures, dict) else {}
    found = {kind: spelt(said.get(kind)) for kind, spelt in NAMES.items()}
    return {kind: str(_verdict(kind, name, given.get(kind), proof)) for kind, name in found.items() if name is not None}


def _verdict(kind: str, name: str, given: object, proof: Proof) -> Verdict:
    if not isinstance(given, str) or not given:
        return Verdict.UNSIGNED
    # All are compared, each in full: how long it takes tells nothing of what would have been right.
    said = given.strip().lower().encode()
    fits = [hmac.compare_digest(sign(secret, kind, name).encode(), said) for secret in proof.secrets]
    return Verdict.SIGNED if any(fits) else Verdict.WRONG


def believed(said: Mapping[str, object], thought: Mapping[str, str], proof: Proof) -> dict[str, Any]:
    """``said`` without the names that are not believed."""
    if proof.mode is not Mode.REQUIRED:
        return dict(said)
    left = {kind for kind in NAMES if thought.get(kind) != Verdict.SIGNED}
    if "user_id" in left:
        left.add("previous_id")
    return {name: value for name, value in said.items() if name not in left}


def advice(thought: Mapping[str, str]) -> str | None:
    """What to tell whoever claimed names that are not signed; None where nothing is wrong."""
    return "; ".join(_ADVICE[verdict].format(name) for name, verdict in thought.items() if verdict in _ADVICE) or None


_ADVICE: Final[Mapping[str, str]] = {
    Verdict.UNSIGNED: "{0}: was not believed, for it is not signed; send signatures.{0}",
    Verdict.WRONG: "{0}: was not believed, for signatures.{0} is not that of this {0} and the identity secret",
}
