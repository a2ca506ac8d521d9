"""Every change of what a project is set to is noted with its actor; projects can be archived."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from adapters.postgres.audit import audit_trigger
from adapters.postgres.tenancy import tenant_policy

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# The application may read entries and write none: this runs as the owner. A row's own project is where it is noted,
# because projects themselves are written outside of any.
NOTE_CHANGE = """
CREATE FUNCTION note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    ids text[] := string_to_array(TG_ARGV[1], ',');
    noise text[] := string_to_array(TG_ARGV[2], ',') || ARRAY['project_id'];
    secrets text[] := string_to_array(TG_ARGV[3], ',');
    old_row jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}'::jsonb ELSE to_jsonb(OLD) END;
    new_row jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}'::jsonb ELSE to_jsonb(NEW) END;
    one jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    project text := COALESCE(one->>'project_id', one->>'id');
    actor jsonb := NULLIF(current_setting('whyleft.actor', true), '')::jsonb;
    outer_project text := current_setting('whyleft.project_id', true);
    before_it jsonb := '{}';
    after_it jsonb := '{}';
    name text;
BEGIN
    FOR name IN SELECT jsonb_object_keys(old_row || new_row) LOOP
        CONTINUE WHEN name = ANY (noise) OR (old_row->name) IS NOT DISTINCT FROM (new_row->name);
        IF old_row->name IS NOT NULL AND old_row->name <> 'null' THEN
            before_it := before_it || jsonb_build_object(
                name, CASE WHEN name = ANY (secrets) THEN to_jsonb('•••'::text) ELSE old_row->name END);
        END IF;
        IF new_row->name IS NOT NULL AND new_row->name <> 'null' THEN
            after_it := after_it || jsonb_build_object(
                name, CASE WHEN name = ANY (secrets) THEN to_jsonb('•••'::text) ELSE new_row->name END);
        END IF;
    END LOOP;
    IF before_it = '{}' AND after_it = '{}' THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('whyleft.project_id', project, true);
    INSERT INTO audit_entry (
        project_id, actor_kind, actor_id, actor_name, address, subject, subject_id, change, before, after)
    SELECT project::uuid,
           COALESCE(actor->>'kind', 'system'),
           (actor->>'id')::uuid,
           COALESCE(actor->>'name', 'the system itself'),
           NULLIF(actor->>'address', ''),
           TG_ARGV[0],
           (SELECT string_agg(one->>part, '/' ORDER BY place) FROM unnest(ids) WITH ORDINALITY AS listed (part, place)),
           CASE TG_OP WHEN 'INSERT' THEN 'made' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END,
           NULLIF(before_it, '{}'),
           NULLIF(after_it, '{}');
    PERFORM set_config('whyleft.project_id', COALESCE(outer_project, ''), true);
    RETURN NULL;
END
$$
"""

# What is done to single visitors is noted without saying to whom: these notes outlive whoever asks to be erased.
TRIGGERS = [
    *audit_trigger("project", "project"),
    *audit_trigger("api_key", "key", noise=["last_used_at"], secrets=["key_hash"]),
    *audit_trigger("flow", "flow"),
    *audit_trigger("flow_version", "flow version"),
    *audit_trigger("flow_policy", "flow rules", ids=["project_id"], noise=["updated_at"]),
    *audit_trigger("segment", "segment", noise=["updated_at"]),
    *audit_trigger("live_action", "live action", noise=["updated_at"]),
    *audit_trigger("policy", "policy"),
    *audit_trigger("intent_model", "intent model", ids=["version"], noise=["model", "report"]),
    *audit_trigger(
        "insight_setting", "insight settings", ids=["project_id"], noise=["updated_at"], secrets=["api_key"]
    ),
    *audit_trigger(
        "shop", "shop", ids=["project_id"], noise=["learned_through", "updated_at", "version"], secrets=["salt"]
    ),
    *audit_trigger(
        "channel",
        "channel",
        noise=["updated_at", "last_ok_at", "last_error_at", "last_error", "failures"],
        secrets=["credentials"],
    ),
    *audit_trigger("webhook_source", "webhook source", secrets=["sealed"]),
    *audit_trigger("privacy_request", "privacy request", noise=["outcome"], secrets=["who"]),
    *audit_trigger("segment_member", "segment member", ids=["segment_id"], secrets=["visitor_id"], only_acted=True),
    *audit_trigger("visitor_tag", "visitor tag", ids=["tag"], secrets=["visitor_id"], only_acted=True),
    *audit_trigger(
        "insight_feedback", "feedback", ids=["insight_id"], secrets=["session_id", "visitor_id"], only_acted=True
    ),
    *audit_trigger("suppression", "suppression", ids=["channel"], noise=[], secrets=["recipient"], only_acted=True),
    *audit_trigger(
        "discount_code", "discount code", ids=["issue_key"], secrets=["code", "visitor_id"], only_acted=True
    ),
]


def upgrade() -> None:
    op.add_column("project", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "audit_entry",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_audit_entry")),
    )
    op.create_index(
        "ix_audit_entry_project_id_subject_id",
        "audit_entry",
        ["project_id", "subject", "subject_id", sa.literal_column("id DESC")],
    )
    for statement in (*tenant_policy("audit_entry", grant="SELECT"), NOTE_CHANGE, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION note_change() CASCADE")
    op.drop_table("audit_entry")
    op.drop_column("project", "archived_at")
