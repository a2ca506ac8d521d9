"""What the operations on messages take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from insights.api.flow_shapes import FaultOut
from insights.api.stored import StoredBody
from insights.vocabulary.handles import HANDLE

Named = Annotated[str, StringConstraints(pattern=f"^{HANDLE.pattern}$")]


class MessageChange(StoredBody):
    """What a message says; it may be unfinished."""

    description: str = Field("", max_length=500)
    content: dict[str, Any] = Field(description="See GET /v1/messages/schema.")


class MessageIn(MessageChange):
    """A new message. One with the name of a message that comes along takes its place."""

    name: Named


class ContentIn(StoredBody):
    """A message to look at."""

    content: dict[str, Any]


class MessagePreviewIn(StoredBody):
    """Which message, or its content; in which language; for whom: a session, or a visitor's last one."""

    message: str | None = None
    content: dict[str, Any] | None = None
    locale: str | None = Field(None, max_length=35)
    session: UUID | None = None
    visitor: UUID | None = None
    params: dict[str, Any] = Field(default_factory=dict, description="Of the step that would send it.")


class MessageTestIn(MessagePreviewIn):
    """A preview that goes to an address of your own."""

    to: str = Field(min_length=3, max_length=320)


class MessageOut(BaseModel):
    """A message with its draft. ``revision`` is its ETag; ``published``: the version that goes out."""

    id: UUID
    name: str
    description: str
    content: dict[str, Any]
    revision: int
    published: int | None
    replaces_built_in: bool
    created_at: datetime
    updated_at: datetime
    faults: list[FaultOut] = Field(default_factory=list)


class PublishedMessage(MessageOut):
    """``new_version``: false when the draft said what goes out already."""

    new_version: bool


class BuiltInMessage(BaseModel):
    """A message that comes along."""

    name: str
    content: dict[str, Any]
    needs: list[str] = Field(description="Parameters that a step must have to send it.")


class MessageList(BaseModel):
    """The shop's own, and those that come along."""

    messages: list[MessageOut]
    built_in: list[BuiltInMessage]


class MessageChecked(BaseModel):
    """Everything wrong at once."""

    valid: bool
    faults: list[FaultOut]
    needs: list[str] = Field(default_factory=list, description="Parameters that a step must have to send it.")


class MessageVersionOut(BaseModel):
    """What was published."""

    number: int
    published_at: datetime
    content: dict[str, Any]


class MessageVersions(BaseModel):
    """The newest first."""

    versions: list[MessageVersionOut]


class ValueOut(BaseModel):
    """A value that a message may speak of."""

    says: str
    many: bool
    open: bool
    needs: str | None
    inside: dict[str, ValueOut]


class Preview(BaseModel):
    """The message as somebody would get it. ``with_data_of``: the session whose data it shows, null for samples."""

    subject: str
    html: str
    text: str
    locale: str
    with_data_of: UUID | None


class Tested(BaseModel):
    """What the provider answered."""

    result: str
    detail: str | None
