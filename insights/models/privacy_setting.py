"""What a project keeps of its visitors: for how long, and which fields."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped

from adapters.postgres.base import Base, Tenant


class PrivacySetting(Tenant, Base):
    """``keep_days``: NULL keeps as long as the server does. ``extra_fields``: props beyond the catalogue's that are
    kept, as ``name`` or ``type.name``; NULL keeps all.
    """

    __tablename__ = "privacy_setting"

    keep_days: Mapped[int | None]
    extra_fields: Mapped[list[Any] | None]
    updated_at: Mapped[datetime]
