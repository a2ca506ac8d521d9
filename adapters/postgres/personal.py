"""Columns that hold what people are called and where they are reached: sealed in the database, plain to the code.

AES-SIV (RFC 5297), keyed by HKDF (RFC 5869). The same text under the same key is the same sealed text, so that equality
can be asked of PostgreSQL (its synthetic IV is the blind index); nothing else can: no order, no part of a text.
The newest key seals and every key opens, so keys change while processes run; ``reseal`` moves what older keys sealed.
Columns that rows are identified by are ``fixed``: they are sealed by the key that is given last, which stays.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import LargeBinary, Text, literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator

PREFIX: Final = "pd1."
_BYTES: Final = b"pd1."
_ATTRIBUTE: Final = "whyleft_ring"
VARIANTS: Final = 3
"""How many keys equality is asked for at once: the newest, the one before, the server's own secret."""

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


class KeyUnknown(Exception):
    """Personal data was sealed with a key that this process does not have."""

    def __init__(self) -> None:
        super().__init__(
            "Personal data in this database was sealed with another key: set WHYLEFT_SECRET, or the keys it was sealed "
            "with, as they were."
        )


class Ring:
    """Keys of personal columns, newest first, the one of ``fixed`` columns last, also where it stands before others,
    too. Without any, texts stay plain.

    ``again`` reads them anew: it is asked when something was sealed with a key that is not among them.
    ``lacking``: whether the last thing to be opened could not be, for lack of its key.
    """

    def __init__(self, keys: Sequence[bytes] = (), again: Callable[[], Sequence[bytes]] | None = None) -> None:
        self._ciphers = _derived(keys)
        self._fixed = _derived(keys[-1:])
        self._again = again
        self.lacking = False

    def __len__(self) -> int:
        return len(self._ciphers)

    def key(self, *, fixed: bool = False) -> str:
        """The name of the key that seals now; empty without keys."""
        return (self._fixed if fixed else self._ciphers)[0][0] if self._ciphers else ""

    def prefix(self, *, fixed: bool = False) -> str:
        """What everything begins with that is sealed as it should be now."""
        return f"{PREFIX}{self.key(fixed=fixed)}." if self._ciphers else ""

    def knows(self, key: str) -> bool:
        """Whether what the key of this name sealed can be opened."""
        return self._cipher(key) is not None

    def seal(self, text: str, nth: int = 0) -> str:
        """``text`` sealed by the nth newest key (-1: that of fixed columns; one that is not there: the newest)."""
        if not self._ciphers or not text:
            return text
        keys = self._fixed if nth < 0 else self._ciphers
        name, cipher = keys[nth if 0 <= nth < len(keys) else 0]
        return f"{PREFIX}{name}.{base64.urlsafe_b64encode(cipher.encrypt(text.encode(), None)).decode()}"

    def open(self, text: str) -> str:
        """The text; what was never sealed as it is. Raises KeyUnknown."""
        if not text.startswith(PREFIX):
            return text
        name, _, sealed = text.removeprefix(PREFIX).partition(".")
        cipher = self._cipher(name)
        self.lacking = cipher is None
        if cipher is None:
            raise KeyUnknown
        try:
            return cipher.decrypt(base64.urlsafe_b64decode(sealed), None).decode()
        except (InvalidTag, ValueError):
            raise KeyUnknown from None

    def _cipher(self, name: str) -> AESSIV | None:
        found = dict(self._ciphers).get(name)
        if found is None and self._again is not None:
            self._ciphers = _derived(self._again())
            found = dict(self._ciphers).get(name)
        return found

    def seal_json(self, value: object, nth: int = 0) -> Any:
        """A JSON value as a sealed JSON string; empty ones as they are, for there is nothing to hide."""
        return self.seal(json.dumps(value, sort_keys=True), nth) if value and self._ciphers else value

    def open_json(self, value: object) -> Any:
        """What ``seal_json`` was given. Raises KeyUnknown."""
        return json.loads(self.open(value)) if isinstance(value, str) and value.startswith(PREFIX) else value

    def seal_end(self, text: str) -> str:
        """A name that rows are found by; ids that say nothing of anybody stay plain."""
        return text if _UUID(text) else self.seal(text, -1)


def _derived(keys: Sequence[bytes]) -> list[tuple[str, AESSIV]]:
    found: dict[str, AESSIV] = {}
    for key in keys:
        made = HKDF(SHA256(), 67, salt=None, info=b"whyleft personal columns 1").derive(key)
        found.setdefault(made[64:].hex(), AESSIV(made[:64]))
    return list(found.items())


NO_KEYS: Final = Ring()


def ring_of(tx: AsyncSession) -> Ring:
    """The ring of the database that a transaction runs on, for statements in plain SQL."""
    return _of(tx.get_bind().dialect)


def put_ring(dialect: Dialect, ring: Ring) -> None:
    """Lets the personal columns of an engine use ``ring``."""
    setattr(dialect, _ATTRIBUTE, ring)


def _of(dialect: Dialect) -> Ring:
    found: Ring = getattr(dialect, _ATTRIBUTE, NO_KEYS)
    return found


class PersonalText(TypeDecorator[str]):
    """A sealed text. ``fixed``: rows are identified by it. ``addresses``: sealed only where it holds an @, for ids that
    may be e-mail addresses. ``nth`` is for lookups: by which key (None: plainly, as before there were keys)."""

    impl = Text
    cache_ok = True

    def __init__(self, *, fixed: bool = False, addresses: bool = False, nth: int | None = 0) -> None:
        super().__init__()
        self.fixed = fixed
        self.addresses = addresses
        self.nth = nth

    class Comparator(Text.Comparator[str]):
        """Asks for a text under every key that it may have been sealed with."""

        def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:
            """Equality with plain values is membership in their sealed forms."""
            column = self.type
            if isinstance(column, PersonalText) and len(other) == 1:
                if op is operators.eq and isinstance(other[0], str):
                    return super().operate(operators.in_op, column.lookups(other), **kwargs)
                if op is operators.in_op and isinstance(other[0], list | tuple | set | frozenset):
                    return super().operate(operators.in_op, column.lookups(other[0]), **kwargs)
            return super().operate(op, *other, **kwargs)

    comparator_factory = Comparator

    def lookups(self, texts: Iterable[object]) -> list[Any]:
        """Every form in which one of these texts may be stored."""
        ways: list[int | None] = [-1, None] if self.fixed else [*range(VARIANTS), None]
        forms = [PersonalText(fixed=self.fixed, addresses=self.addresses, nth=way) for way in ways]
        return [literal(text, form) for text in texts for form in forms]

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or self.nth is None or (self.addresses and "@" not in value):
            return value
        ring = _of(dialect)
        return ring.seal_end(value) if self.fixed else ring.seal(value, self.nth)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None else _of(dialect).open(value)


class PersonalJson(TypeDecorator[Any]):
    """A sealed JSON value. ``holding``: sealed only where it is an object with this member."""

    impl = JSONB
    cache_ok = True

    def __init__(self, *, holding: str | None = None) -> None:
        super().__init__()
        self.holding = holding

    def process_bind_param(self, value: object, dialect: Dialect) -> Any:
        spared = self.holding is not None and not (isinstance(value, dict) and self.holding in value)
        return value if spared else _of(dialect).seal_json(value)

    def process_result_value(self, value: object, dialect: Dialect) -> Any:
        return _of(dialect).open_json(value)


class PersonalBytes(TypeDecorator[bytes]):
    """Sealed bytes that are UTF-8 or not."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        ring = _of(dialect)
        return value if value is None or not len(ring) else ring.seal(value.decode("latin-1")).encode()

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        if value is None or not value.startswith(_BYTES):
            return value
        return _of(dialect).open(bytes(value).decode()).encode("latin-1")
