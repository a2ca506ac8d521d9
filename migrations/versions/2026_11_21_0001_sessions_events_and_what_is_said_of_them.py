"""Sessions, events and what is said of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.engine import APP_ROLE, DISPATCH_ROLE
from adapters.postgres.tenancy import dispatch_policy, tenant_policy

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


TENANT_TABLES = ("decision", "discount_code", "insight", "rejected_event", "session", "visitor")

ROLES = f"""
DO $$ BEGIN
    -- Roles belong to the whole server: another database of ours may have made them already.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
        CREATE ROLE {APP_ROLE} NOLOGIN NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{DISPATCH_ROLE}') THEN
        CREATE ROLE {DISPATCH_ROLE} NOLOGIN NOINHERIT;
    END IF;
END $$;
GRANT {DISPATCH_ROLE} TO {APP_ROLE};
GRANT {APP_ROLE} TO CURRENT_USER;
GRANT USAGE ON SCHEMA public TO {APP_ROLE}, {DISPATCH_ROLE};
"""

# A key is looked up by its hash before its project is known: the hash opens that one row.
KEY_LOOKUP = """
CREATE POLICY lookup ON api_key FOR SELECT
    USING (key_hash = decode(NULLIF(current_setting('whyleft.key_hash', true), ''), 'hex'))
"""

# Runs as the owner, because the application owns nothing. A day whose rows already stand in event_default stays there.
PARTITIONS = f"""
CREATE FUNCTION ensure_event_partitions(first_day date, days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    day date;
    name text;
    made integer := 0;
    low text;
    high text;
BEGIN
    IF days NOT BETWEEN 0 AND 62 THEN
        RAISE EXCEPTION 'days must be 0 to 62, not %', days;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('whyleft.event_partitions'));
    FOR day IN SELECT first_day + i FROM generate_series(0, days - 1) AS i LOOP
        name := 'event_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        low := lpad(to_hex((day - date '1970-01-01') * 86400000::bigint), 12, '0');
        high := lpad(to_hex((day + 1 - date '1970-01-01') * 86400000::bigint), 12, '0');
        BEGIN
            EXECUTE format('CREATE TABLE %I PARTITION OF event FOR VALUES FROM (%L) TO (%L)', name,
                           rpad(low, 32, '0')::uuid, rpad(high, 32, '0')::uuid);
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
            EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
            made := made + 1;
        EXCEPTION WHEN check_violation THEN
            NULL;
        END;
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION ensure_event_partitions(date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_event_partitions(date, integer) TO {APP_ROLE};
"""


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('write', 'secret')", name=op.f("ck_api_key_kind")),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
    )
    op.create_table(
        "decision",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("intent", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("probabilities", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("excluded", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("latency_us", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_decision")),
    )
    op.create_index("ix_decision_project_id_session_id", "decision", ["project_id", "session_id"], unique=False)
    op.create_index("ix_decision_project_id_visitor_id", "decision", ["project_id", "visitor_id"], unique=False)
    op.create_table(
        "discount_code",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("issue_key", sa.Text(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("percent BETWEEN 1 AND 90", name=op.f("ck_discount_code_percent")),
        sa.PrimaryKeyConstraint("project_id", "code", name=op.f("pk_discount_code")),
    )
    op.create_index("uq_discount_code_issue_key", "discount_code", ["project_id", "issue_key"], unique=True)
    op.create_table(
        "event",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("tab", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("props", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "session_id", "id", name=op.f("pk_event")),
        postgresql_partition_by="RANGE (session_id)",
    )
    op.create_table(
        "insight",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("narrative", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("suggested_actions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("classifier", sa.Text(), nullable=False),
        sa.Column("fallback", sa.Text(), nullable=True),
        sa.Column("timeline_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('abandoned', 'converted')", name=op.f("ck_insight_kind")),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_insight_confidence")),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_insight")),
    )
    op.create_index("ix_insight_project_id_reason", "insight", ["project_id", "reason"], unique=False)
    op.create_index(
        "uq_insight_current",
        "insight",
        ["project_id", "session_id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "project",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("allowed_origins", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("name", name=op.f("uq_project_name")),
    )
    op.create_table(
        "rejected_event",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("envelope", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_rejected_event")),
    )
    op.create_index(
        "ix_rejected_event_project_id_received_at",
        "rejected_event",
        ["project_id", "received_at"],
        unique=False,
    )
    op.create_table(
        "session",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("close_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event_count", sa.Integer(), nullable=True),
        sa.Column("landing_path", sa.Text(), nullable=True),
        sa.Column("exit_path", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("purchased", sa.Boolean(), nullable=True),
        sa.Column("cart_value_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("source", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("client", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_session")),
    )
    op.create_index(
        "ix_session_close_at",
        "session",
        ["close_at"],
        unique=False,
        postgresql_where=sa.text("close_at IS NOT NULL"),
    )
    op.create_index(
        "ix_session_project_id_started_at",
        "session",
        ["project_id", sa.literal_column("started_at DESC"), "id"],
        unique=False,
    )
    op.create_index("ix_session_project_id_visitor_id", "session", ["project_id", "visitor_id"], unique=False)
    op.create_table(
        "visitor",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("traits", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("consent", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("identified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("consented_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_visitor")),
    )
    op.create_index(
        "ix_visitor_project_id_email",
        "visitor",
        ["project_id", "email"],
        unique=False,
        postgresql_where=sa.text("email IS NOT NULL"),
    )

    op.execute(ROLES)
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON project TO {APP_ROLE}")
    for table in TENANT_TABLES:
        for statement in tenant_policy(table):
            op.execute(statement)
    for statement in (
        *tenant_policy("api_key", grant="SELECT, INSERT, UPDATE"),
        KEY_LOOKUP,
        # What happened is never rewritten: events are added, and erased with their visitor.
        *tenant_policy("event", grant="SELECT, INSERT, DELETE"),
        *dispatch_policy(
            "session",
            read=("project_id", "id", "close_at", "lease_until", "lease_token"),
            write=("lease_until", "lease_token"),
        ),
        "CREATE TABLE event_default PARTITION OF event DEFAULT",
        "ALTER TABLE event_default ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE event_default FORCE ROW LEVEL SECURITY",
        PARTITIONS,
    ):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION ensure_event_partitions(date, integer)")
    op.execute(f"REVOKE ALL ON SCHEMA public FROM {APP_ROLE}, {DISPATCH_ROLE}")
    op.drop_index("ix_visitor_project_id_email", table_name="visitor", postgresql_where=sa.text("email IS NOT NULL"))
    op.drop_table("visitor")
    op.drop_index("ix_session_project_id_visitor_id", table_name="session")
    op.drop_index("ix_session_project_id_started_at", table_name="session")
    op.drop_index("ix_session_close_at", table_name="session", postgresql_where=sa.text("close_at IS NOT NULL"))
    op.drop_table("session")
    op.drop_index("ix_rejected_event_project_id_received_at", table_name="rejected_event")
    op.drop_table("rejected_event")
    op.drop_table("project")
    op.drop_index("uq_insight_current", table_name="insight", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("ix_insight_project_id_reason", table_name="insight")
    op.drop_table("insight")
    op.drop_table("event")
    op.drop_index("uq_discount_code_issue_key", table_name="discount_code")
    op.drop_table("discount_code")
    op.drop_index("ix_decision_project_id_visitor_id", table_name="decision")
    op.drop_index("ix_decision_project_id_session_id", table_name="decision")
    op.drop_table("decision")
    op.drop_table("api_key")
