"""Makes secrets that a browser or a link carries; only their SHA-256 is stored."""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


def make_token() -> tuple[str, bytes]:
    """A token of 256 random bits, and what is stored of it."""
    token = secrets.token_urlsafe(32)
    return token, hash_of(token)


def hash_of(token: str) -> bytes:
    """What is stored of a token."""
    # It has 256 random bits: a fast hash is enough, there is nothing to guess.
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


async def hold(tx: AsyncSession, token: str) -> None:
    """For this transaction, row-level security shows what belongs to the holder of ``token``."""
    await tx.execute(text("SELECT set_config('whyleft.token_hash', :hash, true)"), {"hash": hash_of(token).hex()})


async def be_member(tx: AsyncSession, member_id: object) -> None:
    """For this transaction, row-level security shows what belongs to this member."""
    await tx.execute(text("SELECT set_config('whyleft.member_id', :id, true)"), {"id": str(member_id)})


async def name_email(tx: AsyncSession, email: str) -> None:
    """For this transaction, row-level security shows the member of this e-mail address."""
    await tx.execute(text("SELECT set_config('whyleft.member_email', :email, true)"), {"email": email})


async def in_project(tx: AsyncSession, project_id: object) -> None:
    """From here on in this transaction, row-level security shows this project."""
    await tx.execute(text("SELECT set_config('whyleft.project_id', :id, true)"), {"id": str(project_id)})
