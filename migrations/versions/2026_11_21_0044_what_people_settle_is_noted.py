"""What people settle is noted."""

from __future__ import annotations

from alembic import op

from adapters.postgres.audit import audit_trigger

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_LEASE = ("lease_until", "lease_token")
_TRIGGERS = (
    *audit_trigger(
        "provider_erasure",
        "erasure elsewhere",
        noise=["request_id", "attempts", "asked_at", "told_at", "due_at", *_LEASE],
        secrets=["who", "said"],
        only_acted=True,
    ),
    *audit_trigger("flow_signal", "signal", ids=["name", "key"], only_acted=True),
    *audit_trigger(
        "delivery",
        "message to a visitor",
        noise=["content", "dedupe_key", "attempts", "created_at", "decided_at", "run_id", "step", "marketing"],
        secrets=["visitor_id", "recipient", "error", "provider_id"],
        only_acted=True,
    ),
    *audit_trigger(
        "insight",
        "insight",
        noise=[
            *("session_id", "narrative", "evidence", "suggested_actions", "timeline_hash", "outcome_hash", "calls"),
            *("tokens_in", "tokens_out", "cost_micros", "question_key", "answer", "created_at", "superseded_at"),
            *("confidence", "fallback", "kind"),
        ],
        secrets=["visitor_id"],
        only_acted=True,
    ),
    # What somebody does to a whole flow ends runs by the thousand, and is noted of the flow.
    *audit_trigger(
        "flow_run",
        "run",
        noise=["signal", "signal_key", "signalled", "waiting", "due_at", "wanted_at", "attempts", "ended_at", *_LEASE],
        only_acted=True,
        only_updates="(OLD.status = 'dead' AND NEW.status <> 'dead') OR "
        "(NEW.end_reason = 'cancelled by hand' AND OLD.end_reason IS DISTINCT FROM NEW.end_reason)",
    ),
    # A draft does nothing, and is not noted; whether its flow is archived stands there, too.
    *audit_trigger(
        "flow_draft",
        "flow",
        ids=["flow_id"],
        noise=["revision", "updated_at", "definition"],
        only_updates="OLD.archived_at IS DISTINCT FROM NEW.archived_at",
    ),
)


def upgrade() -> None:
    for statement in _TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    for table in ("provider_erasure", "flow_signal", "delivery", "insight", "flow_run", "flow_draft"):
        op.execute(f"DROP TRIGGER audit ON {table}")
