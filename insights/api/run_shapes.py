"""Runs and messages as the HTTP API says them: one by one, in lists, dead or unknown."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

MOST_DATA: Final = 50
"""Facts that a call may bring along."""


class RunLineOut(BaseModel):
    """One thing that happened to a run."""

    at: datetime
    step: str | None
    what: str
    detail: str


class DeliveryOut(BaseModel):
    """One message of a run and what became of it."""

    id: UUID
    step: str
    action: str
    channel: str
    recipient: str | None
    status: str
    error: str | None
    created_at: datetime
    decided_at: datetime | None


class RunOut(BaseModel):
    """One execution of a flow."""

    id: UUID
    flow: str
    version: int
    status: str
    step: str
    due_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    history: list[RunLineOut]
    deliveries: list[DeliveryOut]


class RunList(BaseModel):
    """Runs, the newest first. ``next``: hand it back as ``cursor`` for those behind."""

    runs: list[RunOut]
    next: str | None


class StartIn(BaseModel):
    """For whom a flow starts. ``data``: whatever its conditions and messages may use."""

    visitor: UUID
    data: dict[str, str | int | float | bool | None] = Field(default_factory=dict, max_length=MOST_DATA)


class StartOut(BaseModel):
    """The run, or why there is none. ``status``: the run's, or not_started."""

    run: UUID | None
    status: str
    why: str | None


class DeadOut(BaseModel):
    """A run that failed again and again and was put aside."""

    id: UUID
    flow_id: UUID
    flow: str
    visitor_id: UUID
    step: str
    started_at: datetime
    died_at: datetime
    why: str


class DeadList(BaseModel):
    """Dead runs, the latest first. ``next``: hand it back as ``cursor`` for those behind."""

    runs: list[DeadOut]
    next: str | None


class Replayed(BaseModel):
    """How many runs were put back to work."""

    runs: int


class Cancelled(BaseModel):
    """Whether the run was unfinished. What is past the send gate still goes out; nothing follows it."""

    cancelled: bool


class DeliveryLine(DeliveryOut):
    """One message, with the run and the visitor that it belongs to."""

    run_id: UUID
    visitor_id: UUID
    attempts: int
    provider_id: str | None


class DeliveryList(BaseModel):
    """Messages, the latest first. ``next``: hand it back as ``cursor`` for those behind."""

    deliveries: list[DeliveryLine]
    next: str | None
