"""Guardrails: how often a visitor may be spoken to at all. They hold whatever a policy would like."""

from __future__ import annotations

from dataclasses import dataclass

from insights.profiles.profile import STAGE_BIT, Profile
from insights.vocabulary.stages import Stage


@dataclass(frozen=True, slots=True)
class Limits:
    """``actions_per_session``: most actions in a session. ``gap_ms``: shortest time between two of them.

    ``quiet_ms``: a choice to do nothing is made, and logged, once in this time while nothing new speaks for acting.
    ``deadline_ms``: past this, from the request's first byte, the rules decide alone.
    """

    actions_per_session: int = 2
    gap_ms: int = 60_000
    quiet_ms: int = 60_000
    deadline_ms: int = 20


def silence(profile: Profile, stage: Stage, limits: Limits, now_ms: int) -> str | None:
    """Why nothing at all may be shown now; None when something may. ``now_ms``: the server's clock, epoch ms."""
    if profile.served_count >= limits.actions_per_session:
        return f"{profile.served_count} shown this session, the most there may be"
    if profile.served_stages & STAGE_BIT[stage]:
        return f"one was shown already in stage {stage.value}"
    if profile.served_at and (since := now_ms - profile.served_at) < limits.gap_ms:
        return f"the last one is {max(0, since) // 1000} s ago, the gap is {limits.gap_ms // 1000} s"
    return None


def refusal(profile: Profile, action_bit: int) -> str | None:
    """Why the action of this bit may not be shown; None when it may."""
    if profile.dismissed & action_bit:
        return "they dismissed it"
    if profile.served & action_bit:
        return "shown already this session"
    return None
