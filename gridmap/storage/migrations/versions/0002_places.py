"""Keep each combination of grids once, and per element only which one it is."""

import json

import sqlalchemy as sa
from alembic import op

from gridmap.storage.tables import BigKey

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _one_row_a_grid(name: str) -> None:
    op.create_table(
        name,
        sa.Column("element_id", sa.String(length=36), nullable=False),
        sa.Column("grid_layer", sa.String(length=40), nullable=False),
        sa.Column("grid_code", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("element_id", "grid_layer", name=op.f("pk_membership")),
    )
    op.create_index("ix_membership_grid", name, ["grid_layer", "grid_code"], unique=False)


def upgrade() -> None:
    rows = op.get_bind().execute(sa.text("SELECT element_id, grid_layer, grid_code FROM membership")).all()
    op.drop_index("ix_membership_grid", table_name="membership")
    op.drop_table("membership")
    place = op.create_table(
        "place",
        sa.Column("pk", BigKey, autoincrement=True, nullable=False),
        sa.Column("grids", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_place")),
        sa.UniqueConstraint("grids", name=op.f("uq_place_grids")),
    )
    place_grid = op.create_table(
        "place_grid",
        sa.Column("place_pk", BigKey, autoincrement=False, nullable=False),
        sa.Column("grid_layer", sa.String(length=40), nullable=False),
        sa.Column("grid_code", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("place_pk", "grid_layer", name=op.f("pk_place_grid")),
    )
    op.create_index("ix_place_grid_code", "place_grid", ["grid_layer", "grid_code"], unique=False)
    membership = op.create_table(
        "membership",
        sa.Column("element_id", sa.String(length=36), nullable=False),
        sa.Column("place_pk", BigKey, nullable=False),
        sa.PrimaryKeyConstraint("element_id", name=op.f("pk_membership")),
    )
    op.create_index(op.f("ix_membership_place_pk"), "membership", ["place_pk"], unique=False)
    _fill(rows, place, place_grid, membership)


def _fill(rows: list, place: sa.Table, place_grid: sa.Table, membership: sa.Table) -> None:
    grids_of: dict[str, dict[str, str]] = {}
    for element_id, layer, code in rows:
        grids_of.setdefault(element_id, {})[layer] = code
    numbers: dict[str, int] = {}
    members = []
    for element_id, grids in grids_of.items():
        text = json.dumps(grids, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        if text not in numbers:
            numbers[text] = (
                op.get_bind().execute(place.insert().values(grids=text).returning(place.c.pk)).scalar_one()
            )
        members.append({"element_id": element_id, "place_pk": numbers[text]})
    op.bulk_insert(membership, members)
    op.bulk_insert(
        place_grid,
        [
            {"place_pk": number, "grid_layer": layer, "grid_code": code}
            for text, number in numbers.items()
            for layer, code in json.loads(text).items()
        ],
    )


def downgrade() -> None:
    rows = (
        op.get_bind()
        .execute(
            sa.text(
                "SELECT element_id, grid_layer, grid_code FROM membership JOIN place_grid USING (place_pk)"
            )
        )
        .all()
    )
    op.drop_index(op.f("ix_membership_place_pk"), table_name="membership")
    op.drop_table("membership")
    op.drop_index("ix_place_grid_code", table_name="place_grid")
    op.drop_table("place_grid")
    op.drop_table("place")
    _one_row_a_grid("membership")
    for element_id, layer, code in rows:
        op.get_bind().execute(
            sa.text("INSERT INTO membership VALUES (:element_id, :layer, :code)"),
            {"element_id": element_id, "layer": layer, "code": code},
        )
