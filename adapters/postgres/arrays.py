"""Arrays as PostgreSQL takes them in binary form, joined of pieces that were made when there was time for it.

It reads such an element in a fraction of what it takes to read it as text, or out of JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from struct import Struct
from typing import ClassVar, Final, TypeVar
from uuid import UUID

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD: Final = Struct(">iiIii").pack
_BIGINT: Final = Struct(">iq").pack
_DOUBLE: Final = Struct(">id").pack
_LENGTH: Final = Struct(">i").pack
_NULL: Final = _LENGTH(-1)
_LENGTH_OF_A_UUID: Final = 16 << 128


class Array(bytes):
    """A parameter of a statement. The statement must cast it, as text it could not be told from bytes."""

    element: ClassVar[int]
    oid: ClassVar[int]

    @classmethod
    def of(cls: type[A], pieces: Iterable[bytes], elements: int) -> A:
        """An array of so many elements."""
        # One dimension that begins at 1; there may be NULLs.
        return cls(_HEAD(1, 1, cls.element, elements, 1) + b"".join(pieces))


A = TypeVar("A", bound=Array)


class Uuids(Array):
    """uuid[]"""

    element, oid = 2950, 2951


class Bigints(Array):
    """bigint[]"""

    element, oid = 20, 1016


class Doubles(Array):
    """double precision[]"""

    element, oid = 701, 1022


class Texts(Array):
    """text[]"""

    element, oid = 25, 1009


def uuid_piece(value: UUID) -> bytes:
    """One element of ``Uuids``."""
    return (_LENGTH_OF_A_UUID | value.int).to_bytes(20, "big")


def uuid_pieces(values: Iterable[UUID]) -> bytes:
    """Elements of ``Uuids``."""
    # Not by ``uuid_piece``: a call for each would take as long as what it does.
    return b"".join([(_LENGTH_OF_A_UUID | value.int).to_bytes(20, "big") for value in values])


def bigint_pieces(values: Iterable[int]) -> bytes:
    """Elements of ``Bigints``. Raises struct.error for one that is none."""
    return b"".join([_BIGINT(8, value) for value in values])


def double_piece(value: float) -> bytes:
    """One element of ``Doubles``."""
    return _DOUBLE(8, value)


def double_pieces(values: Iterable[float]) -> bytes:
    """Elements of ``Doubles``."""
    return b"".join([_DOUBLE(8, value) for value in values])


def text_piece(value: str | None) -> bytes:
    """One element of ``Texts``."""
    if value is None:
        return _NULL
    text = value.encode()
    return _LENGTH(len(text)) + text


known_text_piece = lru_cache(maxsize=512)(text_piece)
"""The same, for texts of which there are few."""


def _dumper(kind: type[Array]) -> type[Dumper]:
    return type(f"{kind.__name__}Dumper", (_AsItStands,), {"oid": kind.oid})


class _AsItStands(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj


for _kind in (Uuids, Bigints, Doubles, Texts):
    psycopg.adapters.register_dumper(_kind, _dumper(_kind))
