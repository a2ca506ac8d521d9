"""A member's new password is noted in each of their projects; flows started by a call, drafts and saved views, too."""

from __future__ import annotations

from alembic import op

from adapters.postgres.audit import audit_trigger

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

# A member is of no project: what changes of them is a matter of every project they may look into.
NOTE_MEMBER = """
CREATE FUNCTION note_member() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    who text := COALESCE(to_jsonb(NEW)->>'member_id', to_jsonb(NEW)->>'id');
    actor jsonb := NULLIF(current_setting('whyleft.actor', true), '')::jsonb;
    outer_project text := current_setting('whyleft.project_id', true);
    outer_member text := current_setting('whyleft.member_id', true);
    place uuid;
BEGIN
    PERFORM set_config('whyleft.member_id', who, true);
    FOR place IN SELECT project_id FROM membership WHERE member_id = who::uuid ORDER BY project_id LOOP
        PERFORM set_config('whyleft.project_id', place::text, true);
        INSERT INTO audit_entry (
            project_id, actor_kind, actor_id, actor_name, address, subject, subject_id, change, after)
        VALUES (place,
                COALESCE(actor->>'kind', 'system'),
                (actor->>'id')::uuid,
                COALESCE(actor->>'name', 'the system itself'),
                NULLIF(actor->>'address', ''),
                TG_ARGV[0],
                who,
                CASE TG_OP WHEN 'INSERT' THEN 'made' ELSE 'changed' END,
                jsonb_build_object(TG_ARGV[1], '•••'));
    END LOOP;
    PERFORM set_config('whyleft.project_id', COALESCE(outer_project, ''), true);
    PERFORM set_config('whyleft.member_id', COALESCE(outer_member, ''), true);
    RETURN NULL;
END
$$
"""

_OF_A_RUN = ("visitor_id", "trigger_key", "trigger_group", "triggered_at", "facts", "exit_on_conversion", "priority")
_WHILE_IT_RUNS = ("status", "step", "waiting", "signal", "signal_key", "signalled", "due_at", "wanted_at", "attempts")
_OF_THE_QUEUE = ("lease_until", "lease_token", "started_at", "ended_at", "end_reason")

TRIGGERS = (
    # The same password hashed anew at a login is no change of it.
    "CREATE TRIGGER audit AFTER UPDATE ON member FOR EACH ROW"
    " WHEN (OLD.password_changed_at IS DISTINCT FROM NEW.password_changed_at)"
    " EXECUTE FUNCTION note_member('member', 'password')",
    "CREATE TRIGGER audit AFTER INSERT ON password_reset FOR EACH ROW"
    " EXECUTE FUNCTION note_member('link to a new password', 'link')",
    *audit_trigger("saved_view", "saved view"),
    # Events start runs by the thousand, which is no change that anybody made; a call is.
    *audit_trigger(
        "flow_run",
        "run",
        name="audit_call",
        noise=[*_OF_A_RUN, *_WHILE_IT_RUNS, *_OF_THE_QUEUE],
        only_acted=True,
        only_inserts="NEW.trigger_key LIKE 'call:%'",
    ),
)


def upgrade() -> None:
    for statement in (NOTE_MEMBER, *TRIGGERS):
        op.execute(statement)
    # Of a draft is told which revision it is now; its words stand in the draft.
    for table in ("message", "flow_draft"):
        op.execute(f"DROP TRIGGER audit ON {table}")
    for statement in (
        *audit_trigger("message", "message", noise=["draft", "updated_at"]),
        *audit_trigger("flow_draft", "flow", ids=["flow_id"], noise=["definition", "updated_at"]),
    ):
        op.execute(statement)


def downgrade() -> None:
    for statement in (
        "DROP TRIGGER audit_call ON flow_run",
        "DROP TRIGGER audit ON saved_view",
        "DROP FUNCTION note_member() CASCADE",
        "DROP TRIGGER audit ON message",
        "DROP TRIGGER audit ON flow_draft",
        *audit_trigger("message", "message", noise=["draft", "revision", "updated_at"]),
        *audit_trigger(
            "flow_draft",
            "flow",
            ids=["flow_id"],
            noise=["revision", "updated_at", "definition"],
            only_updates="OLD.archived_at IS DISTINCT FROM NEW.archived_at",
        ),
    ):
        op.execute(statement)
