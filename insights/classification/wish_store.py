"""Keeps what projects want of their insights; a model's key is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.classification.pricing import Prices
from insights.classification.wishes import Endpoint, InsightWishes
from insights.errors import Refused
from insights.models import InsightSetting
from insights.sealing import CannotOpen, Purpose, Sealer

MICROS: Final = 1_000_000


class WishStore:
    """Reads and writes the settings rows. Each call happens in the caller's transaction.

    ``allow_private``: addresses of projects may lead into the operator's own network.
    """

    def __init__(self, sealer: Sealer, *, allow_private: bool = False) -> None:
        self._allow_private = allow_private
        self._sealer = sealer

    async def read(self, tx: AsyncSession, project_id: UUID, defaults: InsightWishes) -> InsightWishes:
        """What the project wants; ``defaults`` where it said nothing."""
        row = await tx.get(InsightSetting, project_id)
        return defaults if row is None else self._effective(row, defaults)

    async def row(self, tx: AsyncSession, project_id: UUID) -> InsightSetting | None:
        """What the project said itself."""
        return await tx.get(InsightSetting, project_id)

    async def write(self, tx: AsyncSession, project_id: UUID, change: Mapping[str, Any], now: datetime) -> None:
        """Sets the columns of ``change``; ``api_key`` as text, or None to forget it."""
        values = dict(change)
        if "api_key" in values:
            key = values["api_key"]
            values["api_key"] = self._sealer.seal(key, Purpose.MODEL_KEY, project_id, project_id) if key else None
        values["updated_at"] = now
        await tx.execute(
            insert(InsightSetting)
            .values(project_id=project_id, **values)
            .on_conflict_do_update(index_elements=[InsightSetting.project_id], set_=values)
        )

    def _effective(self, row: InsightSetting, defaults: InsightWishes) -> InsightWishes:
        return InsightWishes(
            endpoint=self._endpoint(row, defaults.endpoint),
            threshold=defaults.threshold if row.threshold is None else row.threshold,
            language=row.language or defaults.language,
            withheld=frozenset(row.withheld),
            prices=Prices(
                defaults.prices.tokens_in if row.price_in is None else row.price_in,
                defaults.prices.tokens_out if row.price_out is None else row.price_out,
            ),
            daily_ceiling=defaults.daily_ceiling
            if row.daily_ceiling_micros is None
            else row.daily_ceiling_micros / MICROS,
        )

    def _endpoint(self, row: InsightSetting, default: Endpoint | None) -> Endpoint | None:
        if row.use_model is False:
            return None
        key = self._opened(row.api_key, row.project_id) if row.api_key is not None else None
        if row.base_url is None:
            if default is None:
                return Endpoint("", row.model, key) if row.model and key else None
            return Endpoint(default.base_url, row.model or default.model, key or default.api_key)
        # An address of the project's own gets the project's own key, never the operator's.
        model = row.model or (default.model if default is not None else "")
        ours = default is not None and row.base_url == default.base_url.rstrip("/")
        return Endpoint(row.base_url, model, key or "", public_only=not (self._allow_private or ours))

    def _opened(self, sealed: bytes, project_id: UUID) -> str:
        try:
            return self._sealer.open(sealed, Purpose.MODEL_KEY, project_id, project_id)
        except CannotOpen:
            raise Refused(
                "api_key: it was stored under another WHYLEFT_SECRET and cannot be read; set it again.", field="api_key"
            ) from None
