"""Describes a change that was found: its shares, what stands behind it, what to do, and the words for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from insights.patterns.actions import advise, choices
from insights.patterns.cells import Cell, Dimension
from insights.patterns.counts import Field, read_labels
from insights.patterns.evidence import Evidence, read_evidence
from insights.patterns.finding import Found, shares_of
from insights.patterns.words import Facts, cell_words, narrative
from insights.reports.confusion import corrected_mix
from insights.vocabulary.ids import uuid7
from insights.vocabulary.reasons import Kind


class Shares(NamedTuple):
    """Before and after the change, each with its interval, all 0..1. The names are those of a pattern's columns."""

    before: float
    before_low: float
    before_high: float
    after: float
    after_low: float
    after_high: float


async def described(
    tx: AsyncSession, project_id: UUID, found: Found, field: Field, now: datetime
) -> tuple[dict[str, Any], Evidence]:
    """The row of a pattern, and what stands behind it."""
    cell, reason, change = found.cell, found.reason, found.change
    began_at = now - timedelta(hours=change.began)
    evidence = await read_evidence(tx, project_id, cell, reason, began_at, now)
    label = label_of(cell, evidence)
    plain = Shares(
        change.before, change.before_low, change.before_high, change.after, change.after_low, change.after_high
    )
    corrected = await _corrected(tx, project_id, found, field)
    shown = corrected or plain
    also = [cell_words(one.dimension, one.name) for one in found.also]
    facts = Facts(
        cell.dimension,
        label,
        cell.kind,
        reason,
        *shown,
        evidence.sessions,
        evidence.cell_sessions,
        began_at,
        also,
        evidence.at_stake,
    )
    advice = advise(
        choices(cell.kind, reason, rises=change.rises)[0],
        reason,
        dimension=cell.dimension,
        name=label,
        sessions=evidence.sessions,
        rises=change.rises,
        shared=evidence.shared,
    )
    values: dict[str, Any] = {
        "project_id": project_id,
        "id": uuid7(),
        "found_at": now,
        "began_at": began_at,
        "looked_at": now,
        "dimension": cell.dimension.value,
        "name": cell.name,
        "label": label,
        "kind": cell.kind.value,
        "reason": reason.value,
        "version": cell.version,
        **shown._asdict(),
        "corrected": corrected is not None,
        "tested_before": change.before,
        "before_n": change.before_n,
        "p_value": change.p_value,
        "sessions": evidence.sessions,
        "cell_sessions": evidence.cell_sessions,
        "session_ids": [str(one) for one in evidence.session_ids],
        "also": [{"dimension": one.dimension.value, "name": one.name} for one in found.also],
        "at_stake": evidence.at_stake if change.rises and cell.kind is Kind.ABANDONED else {},
        "action": advice.action.value,
        "params": dict(advice.params),
        "narrative": narrative(facts, advice.sentence),
        "told_by": "template",
    }
    return values, evidence


def label_of(cell: Cell, evidence: Evidence) -> str:
    """What people call the cell."""
    if cell.dimension is Dimension.PRODUCT and evidence.product_name and evidence.shared.product == cell.name:
        return evidence.product_name
    return cell.name[:500]


async def _corrected(tx: AsyncSession, project_id: UUID, found: Found, field: Field) -> Shares | None:
    """The shares without what the classifier confuses; None where too little is known of that."""
    change, cell = found.change, found.cell
    labels = await read_labels(tx, project_id, cell.kind, cell.version)
    everywhere = field.index(Cell(Dimension.ALL, "", cell.kind, cell.version))
    if not labels.any() or everywhere is None:
        return None
    usual, _ = shares_of(field.counts, everywhere, field.counts.sessions.shape[1])
    now, now_n = shares_of(field.counts, change.cell, change.began)
    past = field.counts.until(change.began)
    before, _ = shares_of(past, change.cell, past.sessions.shape[1])
    was = corrected_mix(before, change.before_n, labels, usual)
    is_now = corrected_mix(now, max(1.0, now_n / change.phi), labels, usual)
    if was is None or is_now is None:
        return None
    at = change.reason
    return Shares(*(float(one[at]) for one in (*was, *is_now)))
