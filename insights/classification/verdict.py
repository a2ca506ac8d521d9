"""What a classifier says of a session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.reasons import Kind, Reason


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One recovery action worth taking, with its parameters."""

    action: RecoveryAction
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One reason. ``confidence`` is 0..1, ``evidence`` ids of events in the timeline, ``narrative`` plain text."""

    kind: Kind
    reason: Reason
    confidence: float
    narrative: str
    evidence: tuple[UUID, ...]
    suggested_actions: tuple[Suggestion, ...]


@dataclass(frozen=True, slots=True)
class Classified:
    """A verdict, who gave it, and why a configured model did not."""

    verdict: Verdict
    classifier: str
    fallback: str | None = None
