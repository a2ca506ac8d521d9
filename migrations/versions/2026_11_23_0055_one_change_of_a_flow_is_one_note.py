"""One change of a flow is one note, one of a member says of whom, and the same feedback again is no change."""

from __future__ import annotations

from alembic import op

from adapters.postgres.audit import audit_trigger

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

DECLARED = """
CREATE OR REPLACE FUNCTION note_change() RETURNS trigger
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
"""

COMPARED = """
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
"""

NOTED = """
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

# Who was taken out is in no project whose members could be asked for the name: the note has it.
WHO = """
    IF TG_TABLE_NAME = 'membership' AND TG_OP <> 'UPDATE' THEN
        PERFORM set_config('whyleft.member_id', one->>'member_id', true);
        SELECT jsonb_build_object('email', member.email) INTO told FROM member
        WHERE member.id = (one->>'member_id')::uuid;
        PERFORM set_config('whyleft.member_id', COALESCE(outer_member, ''), true);
        IF TG_OP = 'INSERT' THEN
            after_it := after_it || COALESCE(told, '{}');
        ELSE
            before_it := before_it || COALESCE(told, '{}');
        END IF;
    END IF;
"""

# A flow is a row and its draft another, and publishing writes each: whoever reads the notes asks what was done, once.
# The transaction is known by its time, at which its notes are all made.
TOGETHER = """
    IF TG_NARGS > 4 AND TG_OP <> 'DELETE' THEN
        PERFORM set_config('whyleft.project_id', project, true);
        SELECT entry.id, entry.at, entry.change, entry.before, entry.after, entry.actor_name INTO noted
        FROM audit_entry entry
        WHERE entry.project_id = project::uuid AND entry.subject = TG_ARGV[0] AND entry.subject_id = (
            SELECT string_agg(one->>part, '/' ORDER BY place) FROM unnest(ids) WITH ORDINALITY AS listed (part, place))
        ORDER BY entry.id DESC LIMIT 1;
        IF FOUND AND noted.at = now() AND noted.change <> 'removed'
            AND noted.actor_name = COALESCE(actor->>'name', 'the system itself')
        THEN
            UPDATE audit_entry entry
            SET before = CASE noted.change WHEN 'made' THEN noted.before
                         ELSE NULLIF(before_it || COALESCE(noted.before, '{}'), '{}') END,
                after = NULLIF((COALESCE(noted.after, '{}') - ARRAY(SELECT jsonb_object_keys(before_it))) || after_it,
                               '{}')
            WHERE entry.project_id = project::uuid AND entry.id = noted.id;
            PERFORM set_config('whyleft.project_id', COALESCE(outer_project, ''), true);
            RETURN NULL;
        END IF;
    END IF;
"""
MORE_DECLARED = """
    outer_member text := current_setting('whyleft.member_id', true);
    told jsonb;
    noted record;
"""

FLOW = ("flow", "flow")
DRAFT = ("flow_draft", "flow")
_DRAFT_NOISE = ("definition", "updated_at")


def upgrade() -> None:
    op.execute(DECLARED + MORE_DECLARED + COMPARED + WHO + TOGETHER + NOTED)
    _note(together=True)
    _note_feedback("said_at")


def downgrade() -> None:
    _note_feedback()
    _note(together=False)
    op.execute(DECLARED + COMPARED + NOTED)


def _note(*, together: bool) -> None:
    for statement in (
        "DROP TRIGGER audit ON flow",
        *audit_trigger(*FLOW, noise=["salt"], together=together),
        "DROP TRIGGER audit ON flow_draft",
        *audit_trigger(*DRAFT, ids=["flow_id"], noise=_DRAFT_NOISE, together=together),
    ):
        op.execute(statement)


def _note_feedback(*noise: str) -> None:
    secrets = ["session_id", "visitor_id"]
    for statement in (
        "DROP TRIGGER audit ON insight_feedback",
        *audit_trigger(
            "insight_feedback", "feedback", ids=["insight_id"], noise=noise, secrets=secrets, only_acted=True
        ),
    ):
        op.execute(statement)
