"""Writes a profile as few bytes and reads it again, for stores outside this process.

MessagePack, the fields in order without their names. Which fields those are, and what the code that fills them means
by them, is in the layout's name: bytes of another layout are not read.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec

from insights.profiles.profile import Profile

_SESSION: Final = Profile.__struct_fields__.index("session")
"""128 bits: twice as many as MessagePack's numbers have."""

_HINTS: Final = {**get_type_hints(Profile), "session": bytes}
_Fields: Any = msgspec.defstruct(
    "_Fields", [(name, _HINTS[name]) for name in Profile.__struct_fields__], array_like=True, gc=False
)
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Fields).decode
_values: Final = msgspec.structs.astuple


class ProfileUnreadable(Exception):
    """The bytes are not those of a profile."""


def layout() -> str:
    """The name of what the bytes mean to this code: another for any other code that folds."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def encode(profile: Profile) -> bytes:
    """A profile's bytes: 0.3 to 1.5 KB."""
    values = list(_values(profile))
    values[_SESSION] = profile.session.to_bytes(16, "big")
    return _encode(values)


def decode(data: bytes) -> Profile:
    """The profile of ``encode``. Raises ProfileUnreadable."""
    try:
        values = list(_values(_decode(data)))
    except msgspec.MsgspecError as error:
        raise ProfileUnreadable(str(error)) from error
    values[_SESSION] = int.from_bytes(values[_SESSION], "big")
    return Profile(*values)
