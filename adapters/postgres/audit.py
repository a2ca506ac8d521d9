"""The statements that make a table's changes noted: who, what, before and after, in the transaction of the change.

Migrations run these. They need ``note_change()``, which came with the table ``audit_entry``.
"""

from __future__ import annotations

from collections.abc import Sequence


def audit_trigger(
    table: str,
    subject: str,
    *,
    name: str = "audit",
    ids: Sequence[str] = ("id",),
    noise: Sequence[str] = (),
    secrets: Sequence[str] = (),
    only_acted: bool = False,
    only_updates: str = "",
    only_inserts: str = "",
    together: bool = False,
) -> list[str]:
    """Notes each change of ``table``. ``subject``: what one row of it is called.

    ``noise``: columns that are not told of, and whose change alone is none. ``secrets``: columns of which only is told
    that they changed. ``only_acted``: what the process does of itself is not noted. ``only_updates``: neither is
    anything but an update for which this SQL condition on OLD and NEW is true. ``only_inserts``: nor anything but a new
    row of which this condition on NEW is true. ``name``: of the trigger; a table's second one needs another.
    ``together``: what one transaction does to one subject is one note, in however many tables (from 0055 on).
    """
    told = [subject, ",".join(ids), ",".join(noise), ",".join(secrets), *(["together"] if together else [])]
    arguments = ", ".join(f"'{text}'" for text in told)
    conditions = ["NULLIF(current_setting('whyleft.actor', true), '') IS NOT NULL"] if only_acted else []
    conditions += [f"({condition})" for condition in (only_updates, only_inserts) if condition]
    when = f"WHEN ({' AND '.join(conditions)}) " if conditions else ""
    what = "UPDATE" if only_updates else "INSERT" if only_inserts else "INSERT OR UPDATE OR DELETE"
    return [
        f"CREATE TRIGGER {name} AFTER {what} ON {table} FOR EACH ROW {when}EXECUTE FUNCTION note_change({arguments})"
    ]
