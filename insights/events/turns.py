"""Turns and reservations: what a decision needs to have set aside for it before it may be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of ``key`` in a ``period``, of at most ``most``.

    ``of_person``: the key is the visitor's, and the turns of the same person's other devices count too.
    ``of_mailbox``: the key stands for the visitor's e-mail address, and is made when the turn is taken; who gave none
    needs no turn.
    """

    scope: str
    key: bytes
    period: str
    most: int
    of_person: bool = False
    of_mailbox: bool = False


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a decision needs to be shown. ``cost_minor`` of the entry's ``budget_minor`` of the day (None: no limit);
    ``code``: with ``percent`` off for this visitor, "" for none."""

    entry_id: UUID
    decision_id: UUID
    visitor_id: UUID
    at: datetime
    turns: Sequence[Turn] = ()
    cost_minor: int = 0
    budget_minor: int | None = None
    code: str = ""
    percent: int = 0
    valid_for: timedelta = timedelta(days=7)


def issue_key(decision_id: UUID) -> str:
    """What a decision's code is issued for: once, whatever is repeated."""
    return f"decision {decision_id}"
