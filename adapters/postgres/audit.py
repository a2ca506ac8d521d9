"""The statements that make a table's changes noted: who, what, before and after, in the transaction of the change.

Migrations run these. They need ``note_change()``, which came with the table ``audit_entry``.
"""

from __future__ import annotations

from collections.abc import Sequence


def audit_trigger(
    table: str,
    subject: str,
    *,
    ids: Sequence[str] = ("id",),
    noise: Sequence[str] = (),
    secrets: Sequence[str] = (),
    only_acted: bool = False,
) -> list[str]:
    """Notes each change of ``table``. ``subject``: what one row of it is called.

    ``noise``: columns that are not told of, and whose change alone is none. ``secrets``: columns of which only is told
    that they changed. ``only_acted``: what the process does of itself is not noted.
    """
    arguments = ", ".join(f"'{text}'" for text in (subject, ",".join(ids), ",".join(noise), ",".join(secrets)))
    acted = "WHEN (NULLIF(current_setting('whyleft.actor', true), '') IS NOT NULL) " if only_acted else ""
    return [
        f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW {acted}"
        f"EXECUTE FUNCTION note_change({arguments})"
    ]
