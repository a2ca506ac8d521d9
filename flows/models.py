"""Tables of the flow engine. A run is its own queue entry."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, SmallInteger, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant
from adapters.postgres.personal import PersonalJson, PersonalText

CALLED: Final = "api"
"""Among the facts of a run: what the call that started it brought along."""


class Flow(Tenant, Base):
    """A named flow; ``version_id`` is the version that new runs get, NULL while it is paused. ``salt`` keys the draw of
    whom it holds back; flows from before there was one have none."""

    __tablename__ = "flow"
    __table_args__ = (Index("uq_flow_project_id_name", "project_id", "name", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    version_id: Mapped[UUID | None]
    created_at: Mapped[datetime]
    salt: Mapped[UUID | None] = mapped_column(server_default=func.gen_random_uuid())


class FlowVersion(Tenant, Base):
    """A published definition. It never changes: a run stays with the version it started on."""

    __tablename__ = "flow_version"
    __table_args__ = (Index("uq_flow_version_number", "project_id", "flow_id", "number", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    flow_id: Mapped[UUID]
    number: Mapped[int]
    definition: Mapped[dict[str, Any]]
    published_at: Mapped[datetime]


class FlowRun(Tenant, Base):
    """One execution of a flow. ``due_at`` is NULL once it is over.

    ``lease_token`` fences: a worker whose lease ran out writes nothing. ``trigger_key`` is unique within a flow, so a
    trigger that arrives twice starts one run. ``facts`` are sealed where a call brought its own (``api``), which may
    name anybody. ``wanted_at``: when a send that was postponed would have been due, as far as its lateness goes.

    A quarter of each page is left free: a claim, which changes no indexed column, then touches no index.
    """

    __tablename__ = "flow_run"
    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'sending', 'done', 'cancelled', 'dead')", name="status"),
        Index("uq_flow_run_trigger", "project_id", "flow_id", "trigger_key", unique=True),
        Index("ix_flow_run_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_flow_run_flow_id_due_at", "flow_id", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_flow_run_started_at", "project_id", "flow_id", "started_at", "id"),
        Index("ix_flow_run_project_id_visitor_id", "project_id", "visitor_id"),
        Index("ix_flow_run_project_id_trigger_group", "project_id", "trigger_group"),
        Index("ix_flow_run_dead", "project_id", "ended_at", postgresql_where=text("status = 'dead'")),
        Index(
            "ix_flow_run_signal",
            "project_id",
            "signal",
            "signal_key",
            postgresql_where=text("signal IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    flow_id: Mapped[UUID]
    version_id: Mapped[UUID]
    visitor_id: Mapped[UUID]
    trigger_key: Mapped[str]
    trigger_group: Mapped[str]
    triggered_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]] = mapped_column(PersonalJson(holding=CALLED))
    exit_on_conversion: Mapped[bool]
    priority: Mapped[int] = mapped_column(SmallInteger, server_default="50")
    status: Mapped[str]
    step: Mapped[str]
    waiting: Mapped[bool]
    signal: Mapped[str | None]
    signal_key: Mapped[str | None]
    signalled: Mapped[bool]
    due_at: Mapped[datetime | None]
    wanted_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    lease_token: Mapped[int] = mapped_column(BigInteger, server_default="0")
    attempts: Mapped[int]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class RunEvent(Tenant, Base):
    """What happened to a run, in order; never changed. Every skip is one, with its reason."""

    __tablename__ = "run_event"
    __table_args__ = (
        Index("ix_run_event_project_id_run_id", "project_id", "run_id", "id"),
        Index(
            "ix_run_event_moment",
            "project_id",
            "at",
            postgresql_where=text(
                "what = 'done' OR what = 'skipped' AND (detail LIKE 'held_out:%' OR detail LIKE 'flow_holdout:%')"
            ),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run_id: Mapped[UUID]
    at: Mapped[datetime]
    step: Mapped[str | None]
    what: Mapped[str]
    detail: Mapped[str]


class Delivery(Tenant, Base):
    """One message to one recipient. ``dedupe_key`` is unique on its channel: the same thing goes out once.

    ``status`` is what the send came to, ``fate`` the worst that its provider reported later. ``channel_id`` is the
    project's channel that carries it, NULL for one of the server's own. ``marketing``: caps count it.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint(
            "status IN ('intent', 'accepted', 'rejected', 'suppressed', 'unknown', 'retry')", name="status"
        ),
        CheckConstraint("fate IN ('deferred', 'delivered', 'rejected', 'bounced', 'complained')", name="fate"),
        Index("ix_delivery_provider_id", "project_id", "provider_id", postgresql_where=text("provider_id IS NOT NULL")),
        Index("uq_delivery_dedupe_key", "project_id", "channel", "dedupe_key", unique=True),
        Index("ix_delivery_project_id_run_id", "project_id", "run_id"),
        Index(
            "ix_delivery_unknown",
            "project_id",
            "created_at",
            postgresql_where=text("status = 'unknown' AND fate IS NULL"),
        ),
        Index("ix_delivery_project_id_created_at", "project_id", "created_at"),
        # Nearly all are accepted; the others are looked for.
        Index(
            "ix_delivery_not_accepted",
            "project_id",
            "status",
            "created_at",
            "id",
            postgresql_where=text("status <> 'accepted'"),
        ),
        Index("ix_delivery_project_id_visitor_id", "project_id", "visitor_id", "created_at"),
        Index("ix_delivery_recipient", "project_id", "channel", "recipient", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID]
    step: Mapped[str]
    action: Mapped[str]
    visitor_id: Mapped[UUID]
    channel: Mapped[str]
    recipient: Mapped[str | None] = mapped_column(PersonalText())
    dedupe_key: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(PersonalJson())
    marketing: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str]
    attempts: Mapped[int]
    provider_id: Mapped[str | None]
    error: Mapped[str | None] = mapped_column(PersonalText())
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    channel_id: Mapped[UUID | None]
    fate: Mapped[str | None]


class DeliveryEvent(Tenant, Base):
    """What became of a delivery later, as its provider or the recipient's own click reported it: each once."""

    __tablename__ = "delivery_event"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('delivered', 'deferred', 'bounced', 'rejected', 'complained', 'unsubscribed', 'resubscribed', "
            "'opened', 'clicked')",
            name="kind",
        ),
        Index("ix_delivery_event_project_id_visitor_id", "project_id", "visitor_id"),
    )

    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID]
    detail: Mapped[str | None] = mapped_column(PersonalText())
    received_at: Mapped[datetime]


class RateBucket(Tenant, Base):
    """How much a channel may send now (``adapters/postgres/buckets``)."""

    __tablename__ = "rate_bucket"

    name: Mapped[str] = mapped_column(primary_key=True)
    tokens: Mapped[float]
    at: Mapped[datetime]
    booked_until: Mapped[datetime | None]


class HeardProviderEvent(Tenant, Base):
    """A provider's report that was taken in. Its id is the provider's; the same one changes nothing again."""

    __tablename__ = "provider_event"

    channel_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]


class Conversion(Tenant, Base):
    """A visitor bought. ``key`` is the shop's order id; ``session_id`` the one visit that it counts in, NULL where that
    was not kept. ``by_server``: a server that proved itself told of it, not only pages, which may say any number."""

    __tablename__ = "conversion"
    __table_args__ = (Index("ix_conversion_project_id_visitor_id", "project_id", "visitor_id", "occurred_at"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    visitor_id: Mapped[UUID]
    occurred_at: Mapped[datetime]
    value_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    session_id: Mapped[UUID | None]
    by_server: Mapped[bool] = mapped_column(default=False, server_default=false())


class Suppression(Tenant, Base):
    """Nothing goes to this recipient on this channel again."""

    __tablename__ = "suppression"

    channel: Mapped[str] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(PersonalText(fixed=True), primary_key=True)
    reason: Mapped[str]
    at: Mapped[datetime]


class FlowSignal(Tenant, Base):
    """A signal that was given; runs that come to wait for it later find it here."""

    __tablename__ = "flow_signal"

    name: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class FlowOccurrence(Tenant, Base):
    """Something that happened and may start, wake or end runs, until a worker has seen to it.

    ``kind``, ``trigger_key``, ``trigger_group`` and ``facts`` are those of a trigger.
    """

    __tablename__ = "flow_occurrence"
    __table_args__ = (Index("ix_flow_occurrence_due_at", "due_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    trigger_key: Mapped[str]
    trigger_group: Mapped[str]
    visitor_id: Mapped[UUID]
    occurred_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]]
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    lease_token: Mapped[int] = mapped_column(BigInteger, server_default="0")


class FlowWatch(Tenant, Base):
    """A word that a flow listens for: ``event``, of this ``name`` where it is one of the shop's own, "" otherwise.
    ``event`` is "segment" for who moves into or out of the segment ``name``."""

    __tablename__ = "flow_watch"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)


class FlowSchedule(Tenant, Base):
    """When a published flow on a schedule is due next. ``cursor``: the last visitor of its segment for whom the turn
    that is under way has been done."""

    __tablename__ = "flow_schedule"
    __table_args__ = (Index("ix_flow_schedule_due_at", "due_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version_id: Mapped[UUID]
    due_at: Mapped[datetime]
    cursor: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    lease_token: Mapped[int] = mapped_column(BigInteger, server_default="0")


class FlowPolicy(Tenant, Base):
    """What holds for all flows of a project: caps and quiet hours, as a flow's settings write them."""

    __tablename__ = "flow_policy"

    caps: Mapped[list[Any]]
    quiet_hours: Mapped[dict[str, Any] | None]
    updated_at: Mapped[datetime]
