"""Room for officers' work together: lineage of grids, proposals, registered counts, work packages."""

import sqlalchemy as sa
from alembic import op

from gridmap.storage.tables import BigKey, Json, Time

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_lineage()
    _create_proposal()
    _create_registered()
    _create_packages()


def _create_lineage() -> None:
    op.create_table(
        "lineage",
        sa.Column("pk", BigKey, autoincrement=True, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("layer", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("from_id", sa.String(length=36), nullable=False),
        sa.Column("from_code", sa.Text(), nullable=True),
        sa.Column("to_id", sa.String(length=36), nullable=False),
        sa.Column("to_code", sa.Text(), nullable=True),
        sa.Column("undone_in", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_lineage")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_lineage_from_id"), "lineage", ["from_id"], unique=False)
    op.create_index("ix_lineage_layer_from_code", "lineage", ["layer", "from_code"], unique=False)
    op.create_index("ix_lineage_layer_to_code", "lineage", ["layer", "to_code"], unique=False)
    op.create_index(op.f("ix_lineage_sequence"), "lineage", ["sequence"], unique=False)
    op.create_index(op.f("ix_lineage_to_id"), "lineage", ["to_id"], unique=False)
    op.create_index(op.f("ix_lineage_undone_in"), "lineage", ["undone_in"], unique=False)


def _create_proposal() -> None:
    op.create_table(
        "proposal",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("layer", sa.String(length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("arguments", Json, nullable=False),
        sa.Column("own_ids", Json, nullable=False),
        sa.Column("their_ids", Json, nullable=False),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("created_area", Json, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("decided_by", sa.String(length=60), nullable=True),
        sa.Column("decided_at", Time, nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    op.create_index(op.f("ix_proposal_created_by"), "proposal", ["created_by"], unique=False)
    op.create_index(op.f("ix_proposal_state"), "proposal", ["state"], unique=False)


def _create_registered() -> None:
    op.create_table(
        "registered_count",
        sa.Column("layer", sa.String(length=40), nullable=False),
        sa.Column("grid_layer", sa.String(length=40), nullable=False),
        sa.Column("grid_code", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("updated_at", Time, nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("layer", "grid_layer", "grid_code", name=op.f("pk_registered_count")),
    )
    op.create_table(
        "registered_item",
        sa.Column("layer", sa.String(length=40), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("grid_code", sa.Text(), nullable=True),
        sa.Column("updated_at", Time, nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("layer", "code", name=op.f("pk_registered_item")),
    )


def _create_packages() -> None:
    op.create_table(
        "work_package",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("layer", sa.String(length=40), nullable=False),
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("contents", Json, nullable=False),
        sa.Column("returned_at", Time, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_package")),
    )
    op.create_index(op.f("ix_work_package_username"), "work_package", ["username"], unique=False)
    op.create_table(
        "waiting_edit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("package_id", sa.String(length=36), nullable=False),
        sa.Column("layer", sa.String(length=40), nullable=False),
        sa.Column("element_id", sa.String(length=36), nullable=False),
        sa.Column("base_revision", sa.Integer(), nullable=True),
        sa.Column("is_delete", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("changes", Json, nullable=False),
        sa.Column("geometry", sa.Text(), nullable=True),
        sa.Column("problem", sa.String(length=12), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("decided_by", sa.String(length=60), nullable=True),
        sa.Column("decided_at", Time, nullable=True),
        sa.ForeignKeyConstraint(
            ["package_id"], ["work_package.id"], name=op.f("fk_waiting_edit_package_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_edit")),
    )
    op.create_index(op.f("ix_waiting_edit_element_id"), "waiting_edit", ["element_id"], unique=False)
    op.create_index(op.f("ix_waiting_edit_package_id"), "waiting_edit", ["package_id"], unique=False)
    op.create_index(op.f("ix_waiting_edit_state"), "waiting_edit", ["state"], unique=False)


def downgrade() -> None:
    op.drop_table("waiting_edit")
    op.drop_table("work_package")
    op.drop_table("registered_item")
    op.drop_table("registered_count")
    op.drop_table("proposal")
    op.drop_table("lineage")
