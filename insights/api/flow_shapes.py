"""What the flow builder's operations take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from flows.errors import Fault
from insights.api.stored import StoredBody
from insights.building.changes import Change, Difference
from insights.building.drafts import BuiltFlow, State, Version


class DefinitionIn(StoredBody):
    """A flow as it is being written: it may be unfinished."""

    definition: dict[str, Any] = Field(description="See GET /v1/flows/schema. Only the name must be there.")


class CloneIn(StoredBody):
    """The name of the copy."""

    name: str = Field(min_length=1, max_length=100)


class ImportIn(StoredBody):
    """An exported file, and the name that its flow gets here."""

    file: dict[str, Any]
    name: str | None = Field(None, min_length=1, max_length=100, description="Without it, the name in the file.")


class StarterIn(StoredBody):
    """How a starter flow is taken over."""

    name: str | None = Field(None, min_length=1, max_length=100, description="Without it, the starter's own.")


class PauseIn(StoredBody):
    """What becomes of the runs under way."""

    runs: Literal["finish", "cancel"] = Field("finish", description="finish: they go on to their end.")


class FaultOut(BaseModel):
    """One thing wrong: where (a JSON pointer into the definition), what, and how to mend it."""

    pointer: str
    problem: str
    fix: str
    start: int | None = Field(None, description="In the text of a condition: from this character,")
    end: int | None = Field(None, description="to this one.")


class Checked(BaseModel):
    """Everything wrong at once; a flow without faults can be published."""

    valid: bool
    faults: list[FaultOut]
    definition: dict[str, Any] | None = Field(None, description="As it was understood, with defaults filled in.")


class VersionOut(BaseModel):
    """What was published, and the runs that follow it."""

    id: UUID
    number: int
    published_at: datetime
    live: bool
    runs: int
    unfinished: int
    definition: dict[str, Any]


class Versions(BaseModel):
    """The newest first."""

    versions: list[VersionOut]


class BuiltFlowOut(BaseModel):
    """A flow with its draft. ``revision`` is its ETag; ``changed``: the draft differs from what was published last."""

    id: UUID
    name: str
    state: State
    revision: int
    changed: bool
    live_version: int | None
    latest_version: int | None
    created_at: datetime
    updated_at: datetime
    definition: dict[str, Any]
    published: dict[str, Any] | None = Field(None, description="What new runs follow; null: none start.")
    faults: list[FaultOut] = Field(default_factory=list, description="Why the draft cannot be published.")


class Published(BuiltFlowOut):
    """``new_version``: false when the draft said what is published already."""

    new_version: bool


class FlowChangeOut(BaseModel):
    """One difference; of a condition the text is told."""

    kind: Literal["added", "removed", "changed"]
    pointer: str
    before: Any = None
    after: Any = None


class DifferenceOut(BaseModel):
    """What leads from ``before`` to ``after``: a version's number, or "draft"."""

    before: str
    after: str
    same: bool
    steps_added: list[str]
    steps_removed: list[str]
    steps_changed: dict[str, list[FlowChangeOut]]
    other_changes: list[FlowChangeOut]


class Starter(BaseModel):
    """A flow to begin with."""

    name: str
    kind: str
    reasons: list[str]
    description: str
    definition: dict[str, Any]


class Starters(BaseModel):
    """The starter library: for each of the reasons of a visit at least one flow."""

    starters: list[Starter]


def faults_out(faults: list[Fault]) -> list[FaultOut]:
    """Faults as JSON."""
    return [FaultOut.model_validate(fault, from_attributes=True) for fault in faults]


def built_out(built: BuiltFlow, faults: list[Fault]) -> dict[str, Any]:
    """The fields of BuiltFlowOut."""
    return {
        "id": built.id,
        "name": built.name,
        "state": built.state,
        "revision": built.revision,
        "changed": built.changed,
        "live_version": built.live.number if built.live is not None else None,
        "latest_version": built.latest.number if built.latest is not None else None,
        "created_at": built.created_at,
        "updated_at": built.updated_at,
        "definition": built.definition,
        "published": built.live.definition if built.live is not None else None,
        "faults": faults_out(faults),
    }


def version_out(version: Version, built: BuiltFlow) -> VersionOut:
    """A version as JSON."""
    return VersionOut(
        id=version.id,
        number=version.number,
        published_at=version.published_at,
        live=built.live is not None and built.live.id == version.id,
        runs=version.runs,
        unfinished=version.unfinished,
        definition=version.definition,
    )


def difference_out(before: str, after: str, found: Difference) -> DifferenceOut:
    """A difference as JSON."""
    return DifferenceOut(
        before=before,
        after=after,
        same=found.nothing,
        steps_added=found.added,
        steps_removed=found.removed,
        steps_changed={name: [_change(one) for one in changes] for name, changes in found.changed.items()},
        other_changes=[_change(one) for one in found.around],
    )


def _change(change: Change) -> FlowChangeOut:
    return FlowChangeOut.model_validate(change, from_attributes=True)
