"""Members with passwords, the projects they belong to, their logins, and links that work once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from adapters.postgres.audit import audit_trigger
from adapters.postgres.engine import APP_ROLE
from adapters.postgres.tenancy import CURRENT_PROJECT, tenant_policy

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

ROLE = "role IN ('reader', 'editor', 'admin')"
CURRENT_MEMBER = "NULLIF(current_setting('whyleft.member_id', true), '')::uuid"
CURRENT_EMAIL = "NULLIF(current_setting('whyleft.member_email', true), '')"
HELD = "decode(NULLIF(current_setting('whyleft.token_hash', true), ''), 'hex')"

# Members belong to several projects, so they have no tenant of their own: who may see one is said row by row.
POLICIES = [
    "ALTER TABLE member ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE member FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY seen ON member FOR SELECT USING (id = {CURRENT_MEMBER} OR email = {CURRENT_EMAIL} OR EXISTS"
    f" (SELECT FROM membership m WHERE m.project_id = {CURRENT_PROJECT} AND m.member_id = member.id))",
    f"CREATE POLICY made ON member FOR INSERT WITH CHECK (id = {CURRENT_MEMBER})",
    f"CREATE POLICY changed ON member FOR UPDATE USING (id = {CURRENT_MEMBER}) WITH CHECK (id = {CURRENT_MEMBER})",
    f"GRANT SELECT, INSERT, UPDATE ON member TO {APP_ROLE}",
    *tenant_policy("membership"),
    f"CREATE POLICY own ON membership FOR SELECT USING (member_id = {CURRENT_MEMBER})",
    *tenant_policy("invitation", grant="SELECT, INSERT, UPDATE"),
    f"CREATE POLICY linked ON invitation FOR SELECT USING (token_hash = {HELD})",
    "ALTER TABLE password_reset ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE password_reset FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY own ON password_reset USING (member_id = {CURRENT_MEMBER})"
    f" WITH CHECK (member_id = {CURRENT_MEMBER})",
    f"CREATE POLICY linked ON password_reset FOR SELECT USING (token_hash = {HELD})",
    f"GRANT SELECT, INSERT, UPDATE ON password_reset TO {APP_ROLE}",
    *tenant_policy("login", grant="SELECT, INSERT, UPDATE"),
    f"CREATE POLICY own ON login FOR SELECT USING (member_id = {CURRENT_MEMBER})",
    f"CREATE POLICY own_ended ON login FOR UPDATE USING (member_id = {CURRENT_MEMBER})"
    f" WITH CHECK (member_id = {CURRENT_MEMBER})",
    f"CREATE POLICY held ON login FOR SELECT USING (token_hash = {HELD})",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON login_throttle TO {APP_ROLE}",
    *audit_trigger("message", "message", noise=["draft", "revision", "updated_at"]),
    *audit_trigger("message_version", "message version", ids=["message_id", "number"]),
    *audit_trigger("membership", "member", ids=["member_id"]),
    *audit_trigger("invitation", "invitation", secrets=["token_hash"]),
    *audit_trigger("login", "login", noise=["seen_at"], secrets=["token_hash"]),
]


def upgrade() -> None:
    now = sa.DateTime(timezone=True)
    op.create_table(
        "member",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("created_at", now, nullable=False),
        sa.Column("password_changed_at", now, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("email", name=op.f("uq_member_email")),
    )
    op.create_table(
        "membership",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", now, nullable=False),
        sa.CheckConstraint(ROLE, name=op.f("ck_membership_role")),
        sa.PrimaryKeyConstraint("project_id", "member_id", name=op.f("pk_membership")),
    )
    op.create_index("ix_membership_member_id", "membership", ["member_id"])
    op.create_table(
        "invitation",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", now, nullable=False),
        sa.Column("expires_at", now, nullable=False),
        sa.Column("accepted_at", now, nullable=True),
        sa.Column("revoked_at", now, nullable=True),
        sa.CheckConstraint(ROLE, name=op.f("ck_invitation_role")),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitation_token_hash")),
    )
    op.create_table(
        "password_reset",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", now, nullable=False),
        sa.Column("expires_at", now, nullable=False),
        sa.Column("used_at", now, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_reset")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_password_reset_token_hash")),
    )
    op.create_table(
        "login",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", now, nullable=False),
        sa.Column("seen_at", now, nullable=False),
        sa.Column("expires_at", now, nullable=False),
        sa.Column("ended_at", now, nullable=True),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.CheckConstraint("(member_id IS NULL) <> (key_id IS NULL)", name=op.f("ck_login_holder")),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_login")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_token_hash")),
    )
    op.create_index("ix_login_member_id", "login", ["member_id"])
    op.create_table(
        "login_throttle",
        sa.Column("bucket", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", now, nullable=False),
        sa.Column("blocked_until", now, nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_login_throttle")),
    )
    for statement in POLICIES:
        op.execute(statement)


def downgrade() -> None:
    for table in ("message_version", "message"):
        op.execute(f"DROP TRIGGER audit ON {table}")
    for table in ("login_throttle", "login", "password_reset", "invitation"):
        op.drop_table(table)
    op.execute("DROP POLICY seen ON member")
    op.drop_table("membership")
    op.drop_table("member")
