"""The tables of the store, the same on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import JSON, TypeDecorator

from gridmap.domain.elements import parse_time, time_text
from gridmap.storage.geometry import Geom

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class Time(TypeDecorator[datetime]):
    """An aware time, stored as RFC 3339 text in UTC: it sorts, and both databases and people read it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return time_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else parse_time(value).astimezone(UTC)  # type: ignore[union-attr]


# SQLite gives row ids by itself only to an INTEGER primary key
BigKey = BigInteger().with_variant(Integer, "sqlite")
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

element = Table(
    "element",
    metadata,
    Column("pk", BigKey, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("layer", String(40), nullable=False),
    Column("code", Text),
    Column("name", Text, nullable=False),
    Column("geom", Geom(), nullable=False),
    Column("properties", Json, nullable=False),
    Column("source", String(10), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("verified_at", Time),
    Column("verified_by", Text),
    Column("due_at", Time),
    Column("created_at", Time, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("updated_by", Text, nullable=False),
    Column("is_retired", Boolean(create_constraint=False), nullable=False),
    Column("search_key", Text, nullable=False),
    Index("ix_element_layer_sequence", "layer", "sequence"),
    Index("ix_element_layer_code", "layer", "code"),
    Index("ix_element_due_at", "due_at"),
    sqlite_autoincrement=True,
)

revision = Table(
    "revision",
    metadata,
    Column("pk", BigKey, primary_key=True, autoincrement=True),
    Column("sequence", BigInteger, nullable=False, index=True),
    Column("element_id", String(36), nullable=False),
    Column("layer", String(40), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("operation", String(10), nullable=False),
    Column("payload", Text),
    Column("payload_hash", String(64), nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("reason", Text, nullable=False),
    Column("base_revision", Integer),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("element_id", "revision"),
    Index("ix_revision_layer_at", "layer", "at"),
    sqlite_autoincrement=True,
)

district_state = Table(
    "district_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("chain_head", String(64), nullable=False),
    CheckConstraint("id = 1", name="single_row"),
)

# One combination of grids that elements lie in. A hundred thousand elements share a few thousand of them, so
# seven grid layers cost an import one row an element instead of seven.
place = Table(
    "place",
    metadata,
    Column("pk", BigKey, primary_key=True, autoincrement=True),
    Column("grids", Text, nullable=False, unique=True),
)

place_grid = Table(
    "place_grid",
    metadata,
    Column("place_pk", BigKey, primary_key=True, autoincrement=False),
    Column("grid_layer", String(40), primary_key=True),
    Column("grid_code", Text, nullable=False),
    Index("ix_place_grid_code", "grid_layer", "grid_code"),
)

membership = Table(
    "membership",
    metadata,
    Column("element_id", String(36), primary_key=True),
    Column("place_pk", BigKey, nullable=False, index=True),
)

# What became of grids: which code and element followed which. Codes named here are never given out again.
lineage = Table(
    "lineage",
    metadata,
    Column("pk", BigKey, primary_key=True, autoincrement=True),
    Column("sequence", BigInteger, nullable=False, index=True),
    Column("layer", String(40), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("from_id", String(36), nullable=False, index=True),
    Column("from_code", Text),
    Column("to_id", String(36), nullable=False, index=True),
    Column("to_code", Text),
    Column("undone_in", BigInteger, index=True),
    Index("ix_lineage_layer_from_code", "layer", "from_code"),
    Index("ix_lineage_layer_to_code", "layer", "to_code"),
    sqlite_autoincrement=True,
)

proposal = Table(
    "proposal",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("layer", String(40), nullable=False),
    Column("title", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("arguments", Json, nullable=False),
    Column("own_ids", Json, nullable=False),
    Column("their_ids", Json, nullable=False),
    Column("created_by", String(60), nullable=False, index=True),
    Column("created_area", Json, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("decided_by", String(60)),
    Column("decided_at", Time),
    Column("answer", Text, nullable=False),
    Column("sequence", BigInteger),
)

registered_count = Table(
    "registered_count",
    metadata,
    Column("layer", String(40), primary_key=True),
    Column("grid_layer", String(40), primary_key=True),
    Column("grid_code", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("updated_by", Text, nullable=False),
)

registered_item = Table(
    "registered_item",
    metadata,
    Column("layer", String(40), primary_key=True),
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("grid_code", Text),
    Column("updated_at", Time, nullable=False),
    Column("updated_by", Text, nullable=False),
)

work_package = Table(
    "work_package",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("layer", String(40), nullable=False),
    Column("username", String(60), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("at", Time, nullable=False),
    Column("contents", Json, nullable=False),
    Column("returned_at", Time),
)

waiting_edit = Table(
    "waiting_edit",
    metadata,
    Column("id", String(36), primary_key=True),
    Column(
        "package_id",
        String(36),
        ForeignKey("work_package.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("layer", String(40), nullable=False),
    Column("element_id", String(36), nullable=False, index=True),
    Column("base_revision", Integer),
    Column("is_delete", Boolean(create_constraint=False), nullable=False),
    Column("changes", Json, nullable=False),
    Column("geometry", Text),
    Column("problem", String(12), nullable=False),
    Column("message", Text, nullable=False),
    Column("created_by", String(60), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("decided_by", String(60)),
    Column("decided_at", Time),
)

account = Table(
    "account",
    metadata,
    Column("username", String(60), primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("layers", Json, nullable=False),
    Column("area", Json, nullable=False),
    Column("password_hash", Text),
    Column("oidc_subject", Text, unique=True),
    Column("must_change_password", Boolean(create_constraint=False), nullable=False),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    Column("is_demo", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("last_sign_in_at", Time),
)

session = Table(
    "session",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    Column(
        "username", String(60), ForeignKey("account.username", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("address", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("ends_at", Time, nullable=False),
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column(
        "username", String(60), ForeignKey("account.username", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("label", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("ends_at", Time),
    Column("used_at", Time),
    Column("revoked_at", Time),
)

access_log = Table(
    "access_log",
    metadata,
    Column("pk", BigKey, primary_key=True, autoincrement=True),
    Column("at", Time, nullable=False, index=True),
    Column("kind", String(20), nullable=False, index=True),
    Column("username", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("username", String(60), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("response", Json, nullable=False),
    Column("at", Time, nullable=False, index=True),
)

job = Table(
    "job",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("title", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("progress", Float, nullable=False),
    Column("message", Text, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("result", Json),
    Column("log", Text, nullable=False),
    Column("pid", Integer),
    Column("created_at", Time, nullable=False),
    Column("started_at", Time),
    Column("ended_at", Time),
)

setting = Table(
    "setting",
    metadata,
    Column("key", String(60), primary_key=True),
    Column("value", Json, nullable=False),
)
