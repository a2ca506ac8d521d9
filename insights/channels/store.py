"""Keeps the channels that a project set up. Credentials go in and never come out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.kinds import KINDS, kind_of, read_credentials, read_settings
from insights.channels.form_words import in_words
from insights.errors import InUse, NotFound, Refused
from insights.models import ChannelSetup
from insights.sealing import Purpose, Sealer
from insights.vocabulary.handles import HANDLE
from insights.vocabulary.ids import uuid7

MOST_CHANNELS: Final = 100
_WORDS: Final = frozenset(
    {"email", "sms", "push", "onsite", "webhook", "ticket", *(kind.word for kind in KINDS.values())}
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a channel is set up with; None leaves what is stored. Credentials are laid over the stored ones, and a
    field given as None is forgotten."""

    settings: Mapping[str, Any] | None = None
    credentials: Mapping[str, Any] | None = field(default=None, repr=False)
    enabled: bool | None = None


async def create(
    tx: AsyncSession, sealer: Sealer, project_id: UUID, kind: str, name: str, wanted: Wanted, now: datetime
) -> ChannelSetup:
    """A new channel. Raises Refused, naming the field; InUse for a name that is taken."""
    if not HANDLE.fullmatch(name) or name in _WORDS:
        raise Refused(
            "name: write up to 60 lower-case letters, digits, - and _, and none of the words "
            + ", ".join(sorted(_WORDS)),
            field="name",
        )
    found = _checked(kind, wanted.settings or {}, wanted.credentials or {})
    if len(await listed(tx, project_id)) >= MOST_CHANNELS:
        raise Refused(f"A project may have {MOST_CHANNELS} channels: delete one that is not used.", field="name")
    identifier = uuid7()
    row = ChannelSetup(
        project_id=project_id,
        id=identifier,
        kind=kind,
        word=KINDS[kind].word,
        name=name,
        settings=found.settings,
        credentials=_sealed(sealer, found.credentials, project_id, identifier),
        enabled=True if wanted.enabled is None else wanted.enabled,
        created_at=now,
        updated_at=now,
        failures=0,
    )
    try:
        async with tx.begin_nested():
            tx.add(row)
    except IntegrityError:
        raise InUse(f"There is a channel named {name} already: change that one, or choose another name.") from None
    return row


async def change(
    tx: AsyncSession, sealer: Sealer, project_id: UUID, channel_id: UUID, wanted: Wanted, now: datetime
) -> ChannelSetup:
    """Changes a channel. What it complained of before is forgotten: it may be what was mended. Raises NotFound,
    Refused."""
    row = await one(tx, project_id, channel_id, lock=True)
    if wanted.settings is not None or wanted.credentials is not None:
        stored = opened(sealer, row) if wanted.credentials is None or _partial(row.kind, wanted.credentials) else {}
        over = {**stored, **(wanted.credentials or {})}
        found = _checked(
            row.kind,
            row.settings if wanted.settings is None else wanted.settings,
            {name: value for name, value in over.items() if value is not None},
        )
        leads_to = KINDS[row.kind].settings_model.leads_to
        if leads_to is not None and found.settings[leads_to] != row.settings.get(leads_to):
            _check_given_anew(stored, wanted.credentials or {}, leads_to)
        row.settings, row.credentials = found.settings, _sealed(sealer, found.credentials, project_id, row.id)
        row.failures, row.last_error, row.last_error_at = 0, None, None
    if wanted.enabled is not None:
        row.enabled = wanted.enabled
    row.updated_at = now
    return row


async def remove(tx: AsyncSession, project_id: UUID, channel_id: UUID) -> None:
    """Removes a channel, its credentials too. What it sent stays. Raises NotFound."""
    await one(tx, project_id, channel_id)
    await tx.execute(delete(ChannelSetup).where(ChannelSetup.project_id == project_id, ChannelSetup.id == channel_id))


async def listed(tx: AsyncSession, project_id: UUID) -> list[ChannelSetup]:
    """The channels of a project, oldest first: of several with the same word the first that is enabled carries it."""
    return list(
        await tx.scalars(
            select(ChannelSetup)
            .where(ChannelSetup.project_id == project_id)
            .order_by(ChannelSetup.created_at, ChannelSetup.id)
        )
    )


async def one(tx: AsyncSession, project_id: UUID, channel_id: UUID, *, lock: bool = False) -> ChannelSetup:
    """The channel. Raises NotFound."""
    row = await tx.get(ChannelSetup, (project_id, channel_id), with_for_update=lock)
    if row is None:
        raise NotFound(f"There is no channel {channel_id} in this project.")
    return row


async def named(tx: AsyncSession, project_id: UUID, name: str) -> ChannelSetup:
    """The channel of this name. Raises NotFound, naming those there are."""
    rows = await listed(tx, project_id)
    for row in rows:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in rows) or "none yet"
    raise NotFound(f"There is no channel {name!r} in this project. Channels: {known}.")


def opened(sealer: Sealer, row: ChannelSetup) -> dict[str, Any]:
    """A channel's credentials as they were given. Raises CannotOpen."""
    found: dict[str, Any] = json.loads(sealer.open(row.credentials, Purpose.CHANNEL, row.project_id, row.id))
    return found


@dataclass(frozen=True, slots=True)
class _Checked:
    settings: dict[str, Any]
    credentials: dict[str, Any] = field(repr=False)


def _checked(kind: str, settings: Mapping[str, object], credentials: Mapping[str, object]) -> _Checked:
    try:
        of = kind_of(kind)
        # As the form has them: what it fills in by itself (a key that is made here) stays the same from now on.
        kept = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in read_credentials(of, credentials)
        }
        return _Checked(read_settings(of, settings).model_dump(mode="json", by_alias=True), kept)
    except ChannelMisconfigured as error:
        raise Refused(in_words(error), field=str(error).partition(":")[0]) from None


def _check_given_anew(stored: Mapping[str, object], given: Mapping[str, object], leads_to: str) -> None:
    """Raises Refused if stored credentials would go to somebody whom they were not given for."""
    if kept := sorted(name for name, value in stored.items() if value and name not in given):
        raise Refused(
            f"credentials: {leads_to} leads elsewhere, and what is stored was given for where it led before: "
            f"send {', '.join(kept)} again, too.",
            field="credentials",
        )


def _partial(kind: str, given: Mapping[str, object]) -> bool:
    return not set(KINDS[kind].credentials_model.model_fields) <= set(given) if kind in KINDS else True


def _sealed(sealer: Sealer, credentials: Mapping[str, object], project_id: UUID, channel_id: UUID) -> bytes:
    return sealer.seal(json.dumps(dict(credentials)), Purpose.CHANNEL, project_id, channel_id)
