"""Room for coverage: scenarios, and runs that can be computed again."""

import sqlalchemy as sa
from alembic import op

from gridmap.storage.tables import Json, Time

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scenario",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("changes", Json, nullable=False),
        sa.Column("question", Json, nullable=False),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("updated_at", Time, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scenario")),
    )
    op.create_index(op.f("ix_scenario_created_by"), "scenario", ["created_by"], unique=False)
    op.create_table(
        "coverage_run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("result", Json, nullable=False),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage_run")),
    )
    op.create_index(op.f("ix_coverage_run_created_by"), "coverage_run", ["created_by"], unique=False)


def downgrade() -> None:
    op.drop_table("coverage_run")
    op.drop_table("scenario")
