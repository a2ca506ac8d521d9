"""Row-level security: the statements that tie a table's rows to the project of the transaction.

Migrations run these. A policy that exists is never changed here; a new rule is a new migration.
"""

from __future__ import annotations

from adapters.postgres.engine import APP_ROLE, DISPATCH_ROLE

CURRENT_PROJECT = "NULLIF(current_setting('whyleft.project_id', true), '')::uuid"
"""The project that ``Database.transaction`` set; NULL, and so no row at all, when none was set."""


def tenant_policy(table: str, *, grant: str = "SELECT, INSERT, UPDATE, DELETE") -> list[str]:
    """Statements that force every reader and writer of ``table``, its owner too, into the transaction's project."""
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} USING (project_id = {CURRENT_PROJECT}) "
        f"WITH CHECK (project_id = {CURRENT_PROJECT})",
        f"GRANT {grant} ON {table} TO {APP_ROLE}",
    ]


def dispatch_policy(table: str, *, read: tuple[str, ...], write: tuple[str, ...]) -> list[str]:
    """Statements that let the dispatch role find and lease due rows of every project: these columns, no others."""
    return [
        f"CREATE POLICY dispatch ON {table} TO {DISPATCH_ROLE} USING (true) WITH CHECK (true)",
        f"GRANT SELECT ({', '.join(read)}) ON {table} TO {DISPATCH_ROLE}",
        f"GRANT UPDATE ({', '.join(write)}) ON {table} TO {DISPATCH_ROLE}",
    ]
