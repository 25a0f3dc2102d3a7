"""Room for who works where right now."""

import sqlalchemy as sa
from alembic import op

from gridmap.storage.tables import Time

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "presence",
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("client", sa.String(length=36), nullable=False),
        sa.Column("layer", sa.String(length=40), nullable=True),
        sa.Column("element_id", sa.String(length=36), nullable=True),
        sa.Column("grid_code", sa.Text(), nullable=True),
        sa.Column("is_editing", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("changed_at", Time, nullable=False),
        sa.Column("seen_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("username", "client", name=op.f("pk_presence")),
    )
    op.create_index(op.f("ix_presence_seen_at"), "presence", ["seen_at"], unique=False)


def downgrade() -> None:
    op.drop_table("presence")
