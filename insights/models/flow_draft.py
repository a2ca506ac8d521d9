"""What somebody is writing of a flow, beside the versions that were published."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant


class FlowDraft(Tenant, Base):
    """One row a flow that was ever edited. ``definition`` is as it was given: it may be unfinished, and wrong.

    ``revision`` counts every change of the flow made by hand: of its draft, published, paused, archived. An archived
    flow starts nothing and is not listed.
    """

    __tablename__ = "flow_draft"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
    revision: Mapped[int]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
