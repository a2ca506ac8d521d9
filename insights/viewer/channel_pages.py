"""The channels page: what goes out how, how each channel fares, what went wrong lately and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from adapters.channels.kinds import KINDS
from flows.models import Delivery
from insights.channels.store import listed
from insights.channels.trial import TO_NOBODY
from insights.models import ChannelSetup
from insights.viewer.gate import Viewer
from insights.viewer.page_group import Desk, PageGroup
from insights.vocabulary.addresses import address_of

DAY: Final = timedelta(days=1)
LATELY: Final = timedelta(days=7)
MOST_TROUBLE: Final = 30
_WORDS: Final = {
    "accepted": "taken",
    "retry": "waiting to be tried again",
    "rejected": "given up",
    "suppressed": "never again to this recipient",
    "unknown": "nobody can say",
    "intent": "on its way",
}
_FATES: Final = {"bounced": "bounced", "complained": "marked as unwanted", "rejected": "given up by the provider"}
_DO: Final = {
    "rejected": "Mend what it says; what was given up is not sent again by itself.",
    "suppressed": "Nothing: the address is on the suppression list.",
    "unknown": "Look in the provider's log; a report by callback settles it.",
    "retry": "Mend what it says; it is tried again by itself.",
    "bounced": "Nothing: the address is on the suppression list.",
    "complained": "Nothing: the address is on the suppression list.",
}


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel on the page."""

    name: str
    word: str
    title: str
    enabled: bool
    carries: bool
    callback_path: str | None
    last_ok_at: datetime | None
    last_error_at: datetime | None
    last_error: str | None
    failures: int
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def state(self) -> str:
        if not self.enabled:
            return "off"
        return "failing" if self.failures else "on"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A message that did not go out, or came back. ``said`` is what its provider said, ``todo`` what to do."""

    at: datetime
    channel: str
    what: str
    said: str
    todo: str
    visitor_id: UUID


class ChannelPages(PageGroup):
    """The channels page. ``servers``: the words that the server's own channels carry."""

    def __init__(self, desk: Desk, servers: tuple[str, ...] = ()) -> None:
        super().__init__(desk)
        self._servers = servers

    def routes(self) -> list[BaseRoute]:
        return [self._get("/channels", self.channels)]

    async def channels(self, request: Request, viewer: Viewer) -> Response:
        """Channels, health, and what went wrong."""
        now = self._now()
        async with self._reader.reading(viewer.project_id) as tx:
            rows = await listed(tx, viewer.project_id)
            counts = await _counts(tx, viewer.project_id, now)
            trouble = await _trouble(tx, viewer.project_id, {row.id: row.name for row in rows}, now)
        own = {row.word for row in rows if row.enabled}
        servers = [
            ChannelRow(
                word, word, "Of the server", True, word not in own, None, None, None, None, 0, _of(counts, None, word)
            )
            for word in self._servers
        ]
        return self._page(
            request,
            viewer,
            "channels",
            rows=[*(_row(row, rows, counts) for row in rows), *servers],
            trouble=trouble,
            kinds=sorted((kind.title, name) for name, kind in KINDS.items()),
            words=_WORDS | _FATES,
            server=self._server(request),
            to_nobody=TO_NOBODY,
        )


def _row(row: ChannelSetup, rows: list[ChannelSetup], counts: dict[tuple[UUID | None, str, str], int]) -> ChannelRow:
    first = next((other.id for other in rows if other.enabled and other.word == row.word), None)
    kind = KINDS.get(row.kind)
    return ChannelRow(
        name=row.name,
        word=row.word,
        title=kind.title if kind is not None else row.kind,
        enabled=row.enabled,
        carries=first == row.id,
        callback_path=f"/v1/callbacks/{address_of(row.project_id, row.id)}",
        last_ok_at=row.last_ok_at,
        last_error_at=row.last_error_at,
        last_error=row.last_error,
        failures=row.failures,
        counts=_of(counts, row.id, row.word),
    )


def _of(counts: dict[tuple[UUID | None, str, str], int], channel: UUID | None, word: str) -> dict[str, int]:
    return {what: count for (id_, of, what), count in sorted(counts.items(), key=str) if (id_, of) == (channel, word)}


async def _counts(tx: AsyncSession, project_id: UUID, now: datetime) -> dict[tuple[UUID | None, str, str], int]:
    """Messages of the last day by channel, word and what became of them."""
    what = func.coalesce(
        func.nullif(func.nullif(Delivery.fate, "delivered"), "deferred"),
        Delivery.status,
    )
    found = await tx.execute(
        select(Delivery.channel_id, Delivery.channel, what, func.count())
        .where(Delivery.project_id == project_id, Delivery.created_at > now - DAY)
        .group_by(Delivery.channel_id, Delivery.channel, what)
    )
    return {(channel_id, word, said): count for channel_id, word, said, count in found}


async def _trouble(tx: AsyncSession, project_id: UUID, names: Mapping[UUID, str], now: datetime) -> list[Trouble]:
    found = await tx.scalars(
        select(Delivery)
        .where(
            Delivery.project_id == project_id,
            Delivery.created_at > now - LATELY,
            or_(
                Delivery.status.in_(("rejected", "suppressed", "unknown", "retry")),
                Delivery.fate.in_(("bounced", "complained", "rejected")),
            ),
        )
        .order_by(Delivery.created_at.desc(), Delivery.id)
        .limit(MOST_TROUBLE)
    )
    return [_told(delivery, names) for delivery in found]


def _told(delivery: Delivery, names: Mapping[UUID, str]) -> Trouble:
    fate = delivery.fate if delivery.fate in _FATES else None
    name = names.get(delivery.channel_id) if delivery.channel_id is not None else None
    return Trouble(
        at=delivery.decided_at or delivery.created_at,
        channel=name or delivery.channel,
        what=_FATES[fate] if fate is not None else _WORDS[delivery.status],
        said=delivery.error or "The provider said nothing.",
        todo=_DO.get(fate or delivery.status, ""),
        visitor_id=delivery.visitor_id,
    )
