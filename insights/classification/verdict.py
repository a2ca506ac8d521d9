"""What a classifier says of a session."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.reasons import Kind, Reason, reasons_of

MOST_NARRATIVE: Final = 600
MOST_EVIDENCE: Final = 12


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One recovery action worth taking, with its parameters."""

    action: RecoveryAction
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One reason for one session.

    ``confidence`` is 0..1. ``narrative`` is one line of plain text for a person, at most 600 characters. ``evidence``
    are ids of at most 12 events of the session. Raises ValueError when a verdict contradicts itself.
    """

    kind: Kind
    reason: Reason
    confidence: float
    narrative: str
    evidence: tuple[UUID, ...]
    suggested_actions: tuple[Suggestion, ...]

    def __post_init__(self) -> None:
        if self.reason not in reasons_of(self.kind):
            raise ValueError(f"{self.reason} does not explain a session that was {self.kind}")
        if not (math.isfinite(self.confidence) and 0 <= self.confidence <= 1):
            raise ValueError("confidence is not between 0 and 1")
        if not 0 < len(self.narrative) <= MOST_NARRATIVE:
            raise ValueError(f"narrative is empty or longer than {MOST_NARRATIVE} characters")
        if len(self.evidence) > MOST_EVIDENCE or len(set(self.evidence)) != len(self.evidence):
            raise ValueError(f"evidence repeats itself or names more than {MOST_EVIDENCE} events")
