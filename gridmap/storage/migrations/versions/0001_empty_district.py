"""Make the tables of an empty district."""

import sqlalchemy as sa
from alembic import op

from gridmap.storage.geometry import Geom
from gridmap.storage.tables import BigKey, Json, Time

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_log",
        sa.Column("pk", BigKey, autoincrement=True, nullable=False),
        sa.Column("at", Time(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_access_log")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_access_log_at"), "access_log", ["at"], unique=False)
    op.create_index(op.f("ix_access_log_kind"), "access_log", ["kind"], unique=False)
    op.create_table(
        "account",
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("layers", Json, nullable=False),
        sa.Column("area", Json, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("oidc_subject", sa.Text(), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("last_sign_in_at", Time(), nullable=True),
        sa.PrimaryKeyConstraint("username", name=op.f("pk_account")),
        sa.UniqueConstraint("oidc_subject", name=op.f("uq_account_oidc_subject")),
    )
    op.create_table(
        "district_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("chain_head", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_district_state_single_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_district_state")),
    )
    op.create_table(
        "element",
        sa.Column("pk", BigKey, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("layer", sa.String(length=40), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("geom", Geom(), nullable=False),
        sa.Column("properties", Json, nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("verified_at", Time(), nullable=True),
        sa.Column("verified_by", sa.Text(), nullable=True),
        sa.Column("due_at", Time(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("is_retired", sa.Boolean(), nullable=False),
        sa.Column("search_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_element")),
        sa.UniqueConstraint("id", name=op.f("uq_element_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_element_due_at", "element", ["due_at"], unique=False)
    op.create_index("ix_element_layer_code", "element", ["layer", "code"], unique=False)
    op.create_index("ix_element_layer_sequence", "element", ["layer", "sequence"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("response", Json, nullable=False),
        sa.Column("at", Time(), nullable=False),
        sa.PrimaryKeyConstraint("username", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_at"), "idempotency", ["at"], unique=False)
    op.create_table(
        "job",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("result", Json, nullable=True),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("started_at", Time(), nullable=True),
        sa.Column("ended_at", Time(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_state"), "job", ["state"], unique=False)
    op.create_table(
        "membership",
        sa.Column("element_id", sa.String(length=36), nullable=False),
        sa.Column("grid_layer", sa.String(length=40), nullable=False),
        sa.Column("grid_code", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("element_id", "grid_layer", name=op.f("pk_membership")),
    )
    op.create_index("ix_membership_grid", "membership", ["grid_layer", "grid_code"], unique=False)
    op.create_table(
        "revision",
        sa.Column("pk", BigKey, autoincrement=True, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("element_id", sa.String(length=36), nullable=False),
        sa.Column("layer", sa.String(length=40), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(length=10), nullable=False),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("payload_hash", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", Time(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("base_revision", sa.Integer(), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_revision")),
        sa.UniqueConstraint("element_id", "revision", name=op.f("uq_revision_element_id_revision")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_revision_layer_at", "revision", ["layer", "at"], unique=False)
    op.create_index(op.f("ix_revision_sequence"), "revision", ["sequence"], unique=False)
    op.create_table(
        "setting",
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("value", Json, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("ends_at", Time(), nullable=True),
        sa.Column("used_at", Time(), nullable=True),
        sa.Column("revoked_at", Time(), nullable=True),
        sa.ForeignKeyConstraint(
            ["username"], ["account.username"], name=op.f("fk_api_token_username"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_token_key_hash")),
    )
    op.create_index(op.f("ix_api_token_username"), "api_token", ["username"], unique=False)
    op.create_table(
        "session",
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("seen_at", Time(), nullable=False),
        sa.Column("ends_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["username"], ["account.username"], name=op.f("fk_session_username"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_username"), "session", ["username"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_session_username"), table_name="session")
    op.drop_table("session")
    op.drop_index(op.f("ix_api_token_username"), table_name="api_token")
    op.drop_table("api_token")
    op.drop_table("setting")
    op.drop_index(op.f("ix_revision_sequence"), table_name="revision")
    op.drop_index("ix_revision_layer_at", table_name="revision")
    op.drop_table("revision")
    op.drop_index("ix_membership_grid", table_name="membership")
    op.drop_table("membership")
    op.drop_index(op.f("ix_job_state"), table_name="job")
    op.drop_table("job")
    op.drop_index(op.f("ix_idempotency_at"), table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index("ix_element_layer_sequence", table_name="element")
    op.drop_index("ix_element_layer_code", table_name="element")
    op.drop_index("ix_element_due_at", table_name="element")
    op.drop_table("element")
    op.drop_table("district_state")
    op.drop_table("account")
    op.drop_index(op.f("ix_access_log_kind"), table_name="access_log")
    op.drop_index(op.f("ix_access_log_at"), table_name="access_log")
    op.drop_table("access_log")
