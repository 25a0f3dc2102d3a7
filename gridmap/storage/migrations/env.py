"""Alembic's entry: runs the migrations on the connection it is handed."""

from typing import Any

from alembic import context

from gridmap.storage import briefings, packs, photos, presence, scenarios, stories
from gridmap.storage.geometry import Geom
from gridmap.storage.tables import Time, metadata

# tables that stand beside the common ones, imported so that the metadata knows them
_BESIDE = (
    briefings.table, packs.table, photos.table, presence.table, scenarios.scenario, stories.table,
)  # fmt: skip

_FOREIGN_TABLES = (
    "gpkg_",
    "rtree_",
    "element_bbox",
    "spatial_ref_sys",
    "geometry_columns",
    "geography_columns",
)


def _include_name(name: str | None, kind: str, _: Any) -> bool:
    return kind != "table" or not (name or "").startswith((*_FOREIGN_TABLES, "sqlite_"))


def _include_object(item: Any, name: str | None, kind: str, reflected: bool, _: Any) -> bool:
    # made beside the migrations, by Database.create_spatial
    return not (kind == "index" and reflected and name == "ix_element_geom")


def _compare_type(_context: Any, _inspected: Any, _column: Any, _seen: Any, declared: Any) -> bool | None:
    return False if isinstance(declared, (Geom, Time)) else None


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_name=_include_name,
    include_object=_include_object,
    compare_type=_compare_type,
    user_module_prefix="",
)
with context.begin_transaction():
    context.run_migrations()
